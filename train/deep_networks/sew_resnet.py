"""SEW-ResNet19, the network of the RandHet-SNN paper."""

from collections import OrderedDict

import torch
from torch import nn

from stochi.arguments import check_arguments
from stochi.budget import check_memory
from stochi.errors import check_at_least_one
from stochi.train.deep_networks.units import LayerNeurons
from stochi.train.networks import RepeatSteps
from stochi.train.neurons.choice import NeuronChoice

STAGES = ((1, 3), (2, 3), (4, 2))
"""Of each stage: its channels, as a factor of the width, and its number of blocks."""
LAYERS = 1 + 2 * sum(blocks for _, blocks in STAGES)
"""Layers of neurons on the main path: the first one, and two of each block."""


class SewBlock(nn.Module):
    """Two convolutions with neurons, whose spikes are added to the block's input.

    Where the shape changes, the input passes a 1×1 convolution, batch norm and neurons of its own.
    After Fang et al., NeurIPS 2021 (spike-element-wise addition).

    Args:
        layers: builds the neurons.
        inputs, outputs: numbers of channels.
        depth: depth of the block's first layer. The neurons of the shortcut count with the second.
        stride: of the first convolution, and of that of the shortcut.
    """

    def __init__(
        self, layers: LayerNeurons, inputs: int, outputs: int, depth: int, stride: int
    ) -> None:
        super().__init__()
        self.first = layers.unit(inputs, outputs, depth, stride=stride)
        self.second = layers.unit(outputs, outputs, depth + 1)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = layers.unit(inputs, outputs, depth + 1, kernel=1, stride=stride)

    def forward(self, spikes: torch.Tensor) -> torch.Tensor:
        """Map (batch, C, H, W) sums of spikes to such sums."""
        found: torch.Tensor = self.second(self.first(spikes)) + self.shortcut(spikes)
        return found


def sew_resnet19(
    input_shape: tuple[int, int, int] = (3, 32, 32),
    classes: int = 10,
    *,
    time_steps: int = 8,
    width: int = 16,
    neuron: NeuronChoice | None = None,
    batch_norm: bool = True,
    random_layers: int | None = None,
) -> RepeatSteps:
    """Build RandHet-SNN's network (Wang et al., iScience 2025), a SEW-ResNet19.

    A 3×3 convolution, then stages of 3, 3 and 2 blocks (:class:`SewBlock`) with 1, 2 and 4 times
    ``width`` channels, the second and third with a stride of 2, global average pooling and a linear
    readout; batch norm after each convolution. Images are normalized inside.

    Args:
        input_shape: (channels, height, width) of the images.
        classes: number of outputs.
        time_steps: number of time steps of a sample.
        width: number of channels of the first stage; 128 in the paper.
        neuron: kind of neuron; None: random ones.
        batch_norm: whether images are normalized and there is batch norm; if not, layers have
            biases, like a network whose normalizations were folded.
        random_layers: number of layers of neurons, from the input on, that draw, from 0 to 17;
            those after them have their mean decay. None: all.

    Raises:
        InputError: a number is out of range, or the weights take more memory than the budget.
    """
    check_arguments(sew_resnet19, locals())
    check_at_least_one(width=width, classes=classes)
    weights = count_sew_weights(input_shape, classes, width)
    check_memory(4 * weights, f"a SEW-ResNet19 of width {width}")
    layers = LayerNeurons(neuron, random_layers, LAYERS, batch_norm)
    blocks: OrderedDict[str, nn.Module] = OrderedDict()
    channels, depth = width, 1
    stem = layers.unit(input_shape[0], width, 0)
    for stage, (factor, count) in enumerate(STAGES):
        for place in range(count):
            stride = 2 if stage and not place else 1
            block = SewBlock(layers, channels, factor * width, depth, stride)
            blocks[f"block{len(blocks) + 1}"] = block
            channels, depth = factor * width, depth + 2
    return RepeatSteps(
        nn.Sequential(
            OrderedDict(
                normalize=layers.normalization(input_shape[0]),
                stem=stem,
                **blocks,
                pool=nn.AdaptiveAvgPool2d(1),
                flatten=nn.Flatten(),
                readout=nn.Linear(channels, classes),
            )
        ),
        time_steps,
    )


def count_sew_weights(input_shape: tuple[int, int, int], classes: int, width: int) -> int:
    """Return the number of weights of :func:`sew_resnet19`, without biases and batch norms."""
    total, channels = 9 * input_shape[0] * width, width
    for stage, (factor, count) in enumerate(STAGES):
        outputs = factor * width
        total += 9 * channels * outputs + (2 * count - 1) * 9 * outputs**2
        total += channels * outputs if stage else 0
        channels = outputs
    return total + channels * classes
