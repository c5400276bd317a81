"""VGG9, a deep network without shortcuts."""

from collections import OrderedDict

from torch import nn

from stochi.arguments import check_arguments
from stochi.budget import check_memory
from stochi.errors import InputError, check_at_least_one
from stochi.train.deep_networks.units import LayerNeurons
from stochi.train.networks import RepeatSteps
from stochi.train.neurons.choice import NeuronChoice

STAGES = ((1, 2), (2, 2), (4, 3))
"""Of each stage: its channels, as a factor of the width, and its number of convolutions."""
LAYERS = 1 + sum(convolutions for _, convolutions in STAGES)
"""Layers of neurons: one after each convolution, and one of a linear layer."""
HIDDEN = 16
"""Neurons of the linear layer, as a factor of the width."""
SMALLEST = 2 ** len(STAGES)
"""Smallest height and width of an image, which each stage halves."""


def vgg9(
    input_shape: tuple[int, int, int] = (3, 32, 32),
    classes: int = 10,
    *,
    time_steps: int = 8,
    width: int = 16,
    neuron: NeuronChoice | None = None,
    batch_norm: bool = True,
    random_layers: int | None = None,
) -> RepeatSteps:
    """Build VGG9: seven 3×3 convolutions in three stages, each with mean pooling, and two linear.

    The stages have 2, 2 and 3 convolutions of 1, 2 and 4 times ``width`` channels, each with batch
    norm and neurons, as the first linear layer has, of 16 times ``width`` neurons. Images are
    normalized inside.

    Args:
        input_shape: (channels, height, width) of the images, at least 8×8.
        classes: number of outputs.
        time_steps: number of time steps of a sample.
        width: number of channels of the first stage; 64 is usual.
        neuron: kind of neuron; None: random ones.
        batch_norm: whether images are normalized and there is batch norm; if not, layers have
            biases, like a network whose normalizations were folded.
        random_layers: as for ``sew_resnet19``, from 0 to 8.

    Raises:
        InputError: a number is out of range, or the weights take more memory than the budget.
    """
    check_arguments(vgg9, locals())
    check_at_least_one(width=width, classes=classes)
    check_vgg_input(input_shape)
    weights = count_vgg_weights(input_shape, classes, width)
    check_memory(4 * weights, f"a VGG9 of width {width}")
    layers = LayerNeurons(neuron, random_layers, LAYERS, batch_norm)
    stages: OrderedDict[str, nn.Module] = OrderedDict(
        normalize=layers.normalization(input_shape[0])
    )
    channels, depth = input_shape[0], 0
    for stage, (factor, count) in enumerate(STAGES, 1):
        for _ in range(count):
            stages[f"conv{depth + 1}"] = layers.unit(channels, factor * width, depth)
            channels, depth = factor * width, depth + 1
        stages[f"pool{stage}"] = nn.AvgPool2d(2)
    hidden = HIDDEN * width
    return RepeatSteps(
        nn.Sequential(
            OrderedDict(
                **stages,
                flatten=nn.Flatten(),
                linear=nn.Linear(_left(input_shape, width), hidden, bias=not batch_norm),
                norm=nn.BatchNorm1d(hidden) if batch_norm else nn.Identity(),
                neurons=layers.build(depth),
                readout=nn.Linear(hidden, classes),
            )
        ),
        time_steps,
    )


def count_vgg_weights(input_shape: tuple[int, int, int], classes: int, width: int) -> int:
    """Return the number of weights of :func:`vgg9`, without biases and batch norms."""
    total, channels = 0, input_shape[0]
    for factor, count in STAGES:
        outputs = factor * width
        total += 9 * channels * outputs + (count - 1) * 9 * outputs**2
        channels = outputs
    hidden = HIDDEN * width
    return total + _left(input_shape, width) * hidden + hidden * classes


def check_vgg_input(input_shape: tuple[int, int, int]) -> None:
    """Raise InputError unless images are large enough for :func:`vgg9`."""
    _, height, columns = input_shape
    if min(height, columns) < SMALLEST:
        raise InputError(
            f"input_shape is {input_shape}; VGG9 halves images three times, so they need at least"
            f" {SMALLEST}×{SMALLEST} pixels"
        )


def _left(input_shape: tuple[int, int, int], width: int) -> int:
    """Return the number of values that the last stage leaves."""
    _, height, columns = input_shape
    return STAGES[-1][0] * width * (height // SMALLEST) * (columns // SMALLEST)
