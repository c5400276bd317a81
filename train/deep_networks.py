"""Deep networks for images: SEW-ResNet19 and VGG9, of any width, with normalization inside."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

import snntorch as snn
import torch
from torch import nn

from stochi.errors import InputError, check_at_least_one
from stochi.train.networks import RepeatSteps
from stochi.train.neurons.choice import NeuronChoice

CIFAR10 = ((0.4914, 0.4822, 0.4465), (0.2471, 0.2435, 0.2616))
"""Means and standard deviations of CIFAR-10's channels, of images in [0, 1]."""
STAGES = ((1, 3), (2, 3), (4, 2))
"""Of each stage of SEW-ResNet19: its channels, as a factor of the width, and its blocks."""
VGG_STAGES = ((1, 2), (2, 2), (4, 3))
"""Of each stage of VGG9: its channels, as a factor of the width, and its convolutions."""
SEW_LAYERS = 1 + 2 * sum(blocks for _, blocks in STAGES)
"""Layers of neurons of SEW-ResNet19 on its main path: the first one, and two of each block."""
VGG_LAYERS = 1 + sum(convolutions for _, convolutions in VGG_STAGES)
"""Layers of neurons of VGG9: one after each convolution, and one of a linear layer."""


class ChannelNorm(nn.Module):
    """Images with each channel's mean taken off, over its standard deviation.

    Those of CIFAR-10 for three channels, otherwise 0.5 and 0.25, the middle and a quarter of the
    range. An attack sees the images before, in [0, 1].
    """

    means: torch.Tensor
    deviations: torch.Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        means, deviations = CIFAR10 if channels == 3 else ((0.5,) * channels, (0.25,) * channels)
        self.register_buffer("means", torch.tensor(means).view(-1, 1, 1))
        self.register_buffer("deviations", torch.tensor(deviations).view(-1, 1, 1))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map (batch, channels, height, width) in [0, 1] to normalized images."""
        return (images - self.means) / self.deviations


class SewBlock(nn.Module):
    """Two convolutions with neurons, whose spikes are added to the block's input.

    Where the shape changes, the input passes a 1×1 convolution, batch norm and neurons of its own.
    After Fang et al., NeurIPS 2021 (spike-element-wise addition).
    """

    def __init__(
        self, inputs: int, outputs: int, stride: int, build: Callable[[], snn.SpikingNeuron]
    ) -> None:
        super().__init__()
        self.first = _unit(inputs, outputs, 3, stride, build)
        self.second = _unit(outputs, outputs, 3, 1, build)
        same = stride == 1 and inputs == outputs
        self.identity = nn.Identity() if same else _unit(inputs, outputs, 1, stride, build)

    def forward(self, spikes: torch.Tensor) -> torch.Tensor:
        """Map (batch, C, H, W) sums of spikes to such sums."""
        found: torch.Tensor = self.second(self.first(spikes)) + self.identity(spikes)
        return found


def sew_resnet19(
    input_shape: tuple[int, int, int] = (3, 32, 32),
    classes: int = 10,
    *,
    time_steps: int = 8,
    width: int = 16,
    neuron: NeuronChoice | None = None,
    random_layers: int | None = None,
) -> RepeatSteps:
    """Build RandHet-SNN's network (Wang et al., iScience 2025), a SEW-ResNet19.

    A 3×3 convolution, then stages of 3, 3 and 2 blocks (:class:`SewBlock`) with 1, 2 and 4 times
    ``width`` channels, the second and third with a stride of 2, global average pooling and a linear
    readout; batch norm after each convolution.

    Args:
        input_shape: (channels, height, width) of the images.
        classes: number of outputs.
        time_steps: number of time steps of a sample.
        width: number of channels of the first stage; 128 in the paper.
        neuron: kind of neuron; None: random ones.
        random_layers: number of layers of neurons, from the input on, that draw; those after them
            have their mean decay. 17 or None: all. The neurons of a shortcut count with the second
            layer of their block.

    Raises:
        InputError: a number is out of range.
    """
    check_at_least_one(width=width, classes=classes)
    layers = _LayerNeurons(neuron, random_layers, SEW_LAYERS)
    blocks: OrderedDict[str, nn.Module] = OrderedDict()
    channels, depth = width, 1
    stem = _unit(input_shape[0], width, 3, 1, lambda: layers.build(0))
    for stage, (factor, count) in enumerate(STAGES):
        for place in range(count):
            stride = 2 if stage and not place else 1
            built = layers.in_turn(depth, depth + 1, depth + 1)
            blocks[f"block{len(blocks) + 1}"] = SewBlock(channels, factor * width, stride, built)
            channels, depth = factor * width, depth + 2
    return RepeatSteps(
        nn.Sequential(
            OrderedDict(
                normalize=ChannelNorm(input_shape[0]),
                stem=stem,
                **blocks,
                pool=nn.AdaptiveAvgPool2d(1),
                flatten=nn.Flatten(),
                readout=nn.Linear(channels, classes),
            )
        ),
        time_steps,
    )


def vgg9(
    input_shape: tuple[int, int, int] = (3, 32, 32),
    classes: int = 10,
    *,
    time_steps: int = 8,
    width: int = 16,
    neuron: NeuronChoice | None = None,
    random_layers: int | None = None,
) -> RepeatSteps:
    """Build VGG9: seven 3×3 convolutions in three stages, each with mean pooling, and two linear.

    The stages have 2, 2 and 3 convolutions of 1, 2 and 4 times ``width`` channels, each with batch
    norm and neurons, as the first linear layer has, of 16 times ``width`` neurons.

    Args:
        input_shape: (channels, height, width) of the images, at least 8×8.
        classes: number of outputs.
        time_steps: number of time steps of a sample.
        width: number of channels of the first stage; 64 is usual.
        neuron: kind of neuron; None: random ones.
        random_layers: as for :func:`sew_resnet19`; 8 or None: all.

    Raises:
        InputError: a number is out of range.
    """
    check_at_least_one(width=width, classes=classes)
    channels, height, columns = input_shape
    if min(height, columns) < 8:
        raise InputError(f"input_shape is {input_shape}; VGG9 halves it three times: 8×8 or more")
    layers = _LayerNeurons(neuron, random_layers, VGG_LAYERS)
    stages: OrderedDict[str, nn.Module] = OrderedDict(normalize=ChannelNorm(channels))
    depth = 0
    for stage, (factor, count) in enumerate(VGG_STAGES, 1):
        for _ in range(count):
            unit = _unit(channels, factor * width, 3, 1, layers.in_turn(depth))
            stages[f"conv{depth + 1}"], channels, depth = unit, factor * width, depth + 1
        stages[f"pool{stage}"] = nn.AvgPool2d(2)
    left = channels * (height // 8) * (columns // 8)
    return RepeatSteps(
        nn.Sequential(
            OrderedDict(
                **stages,
                flatten=nn.Flatten(),
                linear=nn.Linear(left, 16 * width, bias=False),
                norm=nn.BatchNorm1d(16 * width),
                neurons=layers.build(depth),
                readout=nn.Linear(16 * width, classes),
            )
        ),
        time_steps,
    )


class _LayerNeurons:
    """Neurons by the depth of their layer: those from ``random`` on do not draw."""

    def __init__(self, choice: NeuronChoice | None, random: int | None, layers: int) -> None:
        self.choice = NeuronChoice() if choice is None else choice
        self.random = layers if random is None else random
        if not 0 <= self.random <= layers:
            raise InputError(f"random_layers is {random}; this network has {layers}: 0 to {layers}")

    def build(self, depth: int) -> snn.SpikingNeuron:
        """Build the neurons of a layer."""
        still = depth >= self.random and self.choice.kind == "random"
        return (replace(self.choice, sampling="mean") if still else self.choice).build()

    def in_turn(self, *depths: int) -> Callable[[], snn.SpikingNeuron]:
        """Return a function that builds the neurons of these depths, one after another."""
        left = iter(depths)
        return lambda: self.build(next(left))


def _unit(
    inputs: int, outputs: int, kernel: int, stride: int, build: Callable[[], snn.SpikingNeuron]
) -> nn.Sequential:
    """Build a convolution, batch norm and neurons."""
    return nn.Sequential(
        OrderedDict(
            conv=nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
            norm=nn.BatchNorm2d(outputs),
            neurons=build(),
        )
    )
