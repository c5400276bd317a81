"""Networks to train, and a wrapper that runs a one-step network over time."""

from collections import OrderedDict

import snntorch as snn
import torch
from torch import nn

from stochi.arguments import check_arguments
from stochi.errors import InputError
from stochi.train.neurons.choice import NeuronChoice
from stochi.train.neurons.random_tau_leaky import RandomTauLeaky


def check_time_steps(time_steps: int) -> None:
    """Raise InputError unless a sample has a time step."""
    if time_steps < 1:
        raise InputError(f"time_steps is {time_steps}; a sample needs at least 1")


class RepeatSteps(nn.Module):
    """Run a one-step network for several time steps and average its output over them.

    Args:
        network: computes one time step per call; its neurons keep their membranes
            (``init_hidden=True``).
        time_steps: number of time steps, at least 1.
        events: whether the inputs are events (time steps, batch, *shape), shown one frame per time
            step, instead of images (batch, *shape), shown at every time step.

    Raises:
        InputError: ``time_steps`` is below 1.
    """

    def __init__(self, network: nn.Module, time_steps: int = 8, events: bool = False) -> None:
        check_arguments(RepeatSteps.__init__, locals())
        super().__init__()
        check_time_steps(time_steps)
        self.network = network
        self.time_steps = time_steps
        self.events = events

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Map (batch, *shape) or (time steps, batch, *shape) to (batch, classes) mean outputs."""
        # Not snntorch.utils.reset, which misses copies and resets every other network as well.
        for module in self.network.modules():
            if isinstance(module, snn.SpikingNeuron) and hasattr(module, "reset_mem"):
                module.reset_mem()
        outputs = []
        for step in range(self.time_steps):
            output = self.network(inputs[step] if self.events else inputs)
            outputs.append(output[0] if isinstance(output, tuple) else output)
        return torch.stack(outputs).mean(0)


def two_layer_net(
    input_size: int = 64,
    hidden: tuple[int, int] = (128, 128),
    classes: int = 10,
    *,
    time_steps: int = 8,
    sigma: float = 1.0,
    sampling: str = "step",
) -> RepeatSteps:
    """Build two linear layers with random-τ neurons, and a linear readout, for flattened images.

    Args:
        input_size: number of values of an image.
        hidden: numbers of neurons of the two layers.
        classes: number of outputs.
        time_steps: number of time steps of a sample.
        sigma, sampling: as in :class:`RandomTauLeaky`.
    """
    first, second = hidden
    return RepeatSteps(
        nn.Sequential(
            OrderedDict(
                flatten=nn.Flatten(),
                fc1=nn.Linear(input_size, first),
                lif1=RandomTauLeaky(sigma=sigma, sampling=sampling, init_hidden=True),
                fc2=nn.Linear(first, second),
                lif2=RandomTauLeaky(sigma=sigma, sampling=sampling, init_hidden=True),
                readout=nn.Linear(second, classes),
            )
        ),
        time_steps,
    )


def small_conv_net(
    input_shape: tuple[int, int, int] = (1, 8, 8),
    classes: int = 10,
    *,
    time_steps: int = 8,
    channels: tuple[int, int] = (16, 32),
    sigma: float = 1.0,
    sampling: str = "step",
    input_gain: str = "coupled",
    bits: int | None = None,
    batch_norm: bool = True,
    neuron: str = "random",
) -> RepeatSteps:
    """Build two 3×3 convolutions with batch norm and neurons, pooling, and a linear readout.

    Args:
        input_shape: (channels, height, width) of the images; height and width are even.
        classes: number of outputs.
        time_steps: number of time steps of a sample.
        channels: numbers of output channels of the two convolutions.
        sigma, sampling, input_gain, bits: as in :class:`RandomTauLeaky`.
        batch_norm: whether the convolutions have batch norm; if not, they have biases, like a
            network whose batch norms were folded.
        neuron: kind of neuron, as in :class:`stochi.train.neurons.choice.NeuronChoice`.
    """
    inputs, height, width = input_shape
    chosen = NeuronChoice(neuron, sigma, sampling, input_gain, bits)

    def norm(channels: int) -> nn.Module:
        return nn.BatchNorm2d(channels) if batch_norm else nn.Identity()

    first, second = channels
    return RepeatSteps(
        nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(inputs, first, 3, padding=1, bias=not batch_norm),
                norm1=norm(first),
                lif1=chosen.build(),
                pool=nn.AvgPool2d(2),
                conv2=nn.Conv2d(first, second, 3, padding=1, bias=not batch_norm),
                norm2=norm(second),
                lif2=chosen.build(),
                flatten=nn.Flatten(),
                readout=nn.Linear(second * (height // 2) * (width // 2), classes),
            )
        ),
        time_steps,
    )
