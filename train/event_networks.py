"""Networks for the events of a camera: one frame of 0 and 1 at each time step."""

from collections import OrderedDict

from torch import nn

from stochi.errors import InputError
from stochi.train.networks import RepeatSteps
from stochi.train.neurons.choice import NeuronChoice

TIME_STEPS = 10
SHAPE = (2, 34, 34)
"""Shape of an input of N-MNIST at one time step."""
SMALLEST = 7
"""Pixels of a side of the conv net's input: it shrinks sides to an eighth, rounded up once."""


def event_mlp(
    input_shape: tuple[int, int, int] = SHAPE,
    classes: int = 10,
    *,
    time_steps: int = TIME_STEPS,
    hidden: tuple[int, int] = (128, 128),
    neuron: NeuronChoice | None = None,
) -> RepeatSteps:
    """Build mean pooling over 2×2 pixels, two linear layers with neurons, and a linear readout.

    It takes events (time steps, batch, *input_shape), and answers with the mean over time of the
    readout, (batch, classes).

    Args:
        input_shape: (polarities, height, width); a last odd row or column is left out. A height
            or width of 1, as recordings of sound have, is not pooled.
        classes: number of outputs.
        time_steps: number of time steps of a sample.
        hidden: numbers of neurons of the two layers.
        neuron: kind of neuron; None: random ones.

    Raises:
        InputError: ``time_steps`` is below 1.
    """
    polarities, height, width = input_shape
    pool = min(2, height), min(2, width)
    neuron = NeuronChoice() if neuron is None else neuron
    first, second = hidden
    return RepeatSteps(
        nn.Sequential(
            OrderedDict(
                pool=nn.AvgPool2d(pool),
                flatten=nn.Flatten(),
                fc1=nn.Linear(polarities * (height // pool[0]) * (width // pool[1]), first),
                lif1=neuron.build(),
                fc2=nn.Linear(first, second),
                lif2=neuron.build(),
                readout=nn.Linear(second, classes),
            )
        ),
        time_steps,
        events=True,
    )


def event_conv_net(
    input_shape: tuple[int, int, int] = SHAPE,
    classes: int = 10,
    *,
    time_steps: int = TIME_STEPS,
    channels: tuple[int, int] = (16, 32),
    neuron: NeuronChoice | None = None,
    batch_norm: bool = True,
) -> RepeatSteps:
    """Build two convolutions with batch norm, neurons and mean pooling, and a linear readout.

    The first convolution, 5×5, has a stride of 2; each pooling halves the sides again. Inputs and
    outputs are those of :func:`event_mlp`.

    Args:
        input_shape: (polarities, height, width), at least 7×7 pixels.
        classes: number of outputs.
        time_steps: number of time steps of a sample.
        channels: numbers of output channels of the two convolutions.
        neuron: kind of neuron; None: random ones.
        batch_norm: whether the convolutions have batch norm; if not, they have biases.

    Raises:
        InputError: the input is too small, or ``time_steps`` is below 1.
    """
    polarities, height, width = input_shape
    if min(height, width) < SMALLEST:
        raise InputError(
            f"input_shape is {input_shape}; this network needs at least {SMALLEST}×{SMALLEST}"
            " pixels; take the MLP"
        )
    neuron = NeuronChoice() if neuron is None else neuron
    first, second = channels

    def norm(channels: int) -> nn.Module:
        return nn.BatchNorm2d(channels) if batch_norm else nn.Identity()

    left = ((height + 1) // 2 // 4) * ((width + 1) // 2 // 4)
    return RepeatSteps(
        nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(polarities, first, 5, 2, padding=2, bias=not batch_norm),
                norm1=norm(first),
                lif1=neuron.build(),
                pool1=nn.AvgPool2d(2),
                conv2=nn.Conv2d(first, second, 3, padding=1, bias=not batch_norm),
                norm2=norm(second),
                lif2=neuron.build(),
                pool2=nn.AvgPool2d(2),
                flatten=nn.Flatten(),
                readout=nn.Linear(second * left, classes),
            )
        ),
        time_steps,
        events=True,
    )
