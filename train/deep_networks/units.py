"""What deep networks are made of: normalization, convolutions with neurons, and their depth."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

import snntorch as snn
import torch
from torch import nn

from stochi.errors import InputError
from stochi.train.neurons.choice import NeuronChoice

CIFAR10 = ((0.4914, 0.4822, 0.4465), (0.2471, 0.2435, 0.2616))
"""Means and standard deviations of CIFAR-10's channels, of images in [0, 1]."""

BuildNeurons = Callable[[], snn.SpikingNeuron]


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


class LayerNeurons:
    """Neurons by the depth of their layer, of which the first layers draw.

    Args:
        choice: their kind.
        random: number of layers, from the input on, that draw; None: all.
        layers: number of layers of the network.
        batch_norm: whether images are normalized and convolutions have batch norm; if not, they
            have biases, like a network whose normalizations were folded.
    """

    def __init__(
        self, choice: NeuronChoice | None, random: int | None, layers: int, batch_norm: bool
    ) -> None:
        check_random_layers(random, layers)
        self.choice = NeuronChoice() if choice is None else choice
        self.random = layers if random is None else random
        self.batch_norm = batch_norm

    def build(self, depth: int) -> snn.SpikingNeuron:
        """Build the neurons of a layer; the first is at depth 0."""
        still = depth >= self.random and self.choice.kind == "random"
        return (replace(self.choice, sampling="mean") if still else self.choice).build()

    def normalization(self, channels: int) -> nn.Module:
        """Build the normalization of the images."""
        return ChannelNorm(channels) if self.batch_norm else nn.Identity()

    def unit(
        self, inputs: int, outputs: int, depth: int, *, kernel: int = 3, stride: int = 1
    ) -> nn.Sequential:
        """Build a convolution, batch norm and neurons."""
        return nn.Sequential(
            OrderedDict(
                conv=nn.Conv2d(
                    inputs, outputs, kernel, stride, kernel // 2, bias=not self.batch_norm
                ),
                norm=nn.BatchNorm2d(outputs) if self.batch_norm else nn.Identity(),
                neurons=self.build(depth),
            )
        )


def check_random_layers(random: int | None, layers: int) -> None:
    """Raise InputError unless so many of a network's layers can draw."""
    if random is not None and not 0 <= random <= layers:
        raise InputError(
            f"random_layers is {random}; this network has {layers} layers of neurons: choose from"
            f" 0 to {layers}"
        )
