"""Connections as the mapping sees them: which source reaches which neuron, by what paths.

All linear stages of a projection become one set of synapses, from the source's neurons to the
layer's: there is no core in between. Where pooling joins two neurons by several paths, each path
is a synapse of its own, since the sum of their weights may need more than 8 bits.

Neurons that spike are sent in one of two ways:

* **Discrete axons**: one input axon for each neuron that reaches the core.
* **Shared axons**, from images whose channels, more than 2, all reach the same neurons: one input
  axon for the neurons of one place, up to 512 of them, since each spike carries the number of its
  neuron (nengo-loihi, "population"; 512 is its limit of 9 bits). Their lists are equally long.

Lists of synapses are shared: two places of an image whose targets on the core lie alike, and have
the same weights, use one list with two bases. Convolutions store all taps of the kernel, zeros
included; fully connected weights from discrete axons leave zeros out where the format can.
"""

import math
from dataclasses import dataclass, replace

import numpy as np

from stochi.deploy.mapping.axes import Axis, Pattern, Window, make_axis
from stochi.deploy.mapping.lists import EXCITATORY, INHIBITORY, MIXED, Fields
from stochi.errors import InputError
from stochi.hardware.cores import POPULATION, WEIGHT_BITS
from stochi.program.layers import (
    CONSTANT,
    Convolution,
    Dense,
    Flatten,
    Layer,
    OneToOne,
    Projection,
    Stage,
    SumPool,
    Weighted,
    as_image,
    shape_after,
)
from stochi.program.network import Network

Image = tuple[int, int, int]
"""Channels, rows and columns; (N, 1, 1) for a vector."""


@dataclass(frozen=True, eq=False)
class Matrix:
    """Synapses of fully connected weights from discrete axons.

    Attributes:
        present: (neurons of the layer, lists) numbers of synapses.
        sources: (lists,) number of neurons of the source that use the list.
        list_of: list of each neuron of the source, −1 for none, of the source's image.
    """

    present: np.ndarray
    sources: np.ndarray
    list_of: np.ndarray


@dataclass(frozen=True, eq=False)
class Connection:
    """A projection, for the mapping.

    Attributes:
        source: name of the source.
        image, target: channels, rows and columns of source and layer.
        rows, columns: paths along both axes, to the layer's, or to those of the fully connected
            weights.
        dense: whether every neuron of the layer is reached from every place that is.
        groups: groups of channels; as many as channels if channels are not mixed.
        one_list: whether all channels use the same list, as with one weight for all.
        matrix: synapses, for fully connected weights from discrete axons.
        shared: whether axons are shared.
        fields: of its synapses.
    """

    source: str
    image: Image
    target: Image
    rows: Axis
    columns: Axis
    dense: bool
    groups: int
    one_list: bool
    matrix: Matrix | None
    shared: bool
    fields: Fields

    @property
    def populations(self) -> int:
        """Shared axons of one place."""
        return -(-self.image[0] // POPULATION)


def image_of(layer: Layer, network: Network) -> Image:
    """Return a layer's channels, rows and columns; a flat layer has those that were flattened."""
    if len(layer.shape) > 1:
        channels, *sides = as_image(layer.shape)
        return (channels, sides[0], sides[1])
    for projection in layer.projections:
        if not any(isinstance(stage, Dense) for stage in projection.stages):
            shape = network.source_shape(projection, layer)
            for stage in projection.stages:
                if isinstance(stage, Flatten):
                    break
                shape = shape_after(stage, shape) or shape
            if len(shape) > 1 and projection.source != CONSTANT:
                channels, *sides = as_image(shape)
                return (channels, sides[0], sides[1])
    return (layer.neurons, 1, 1)


def make_connection(
    projection: Projection, layer: Layer, images: dict[str, Image], delay_bits: int
) -> Connection:
    """Return a projection as a connection.

    Args:
        images: of all sources and of the layer, by name.
        delay_bits: bits of its synapses' delays.

    Raises:
        InputError: the mapping does not know how the layer's neurons lie.
    """
    source, target = images[projection.source], images[layer.name]
    dense = any(isinstance(stage, Dense) for stage in projection.stages)
    several = len(np.unique(projection.delay)) > 1
    rows, columns = (
        make_axis(source[1 + axis], _windows(projection.stages, axis, source), distinct=several)
        for axis in (0, 1)
    )
    groups = _groups(projection.stages, source)
    if not dense and (rows.targets, columns.targets) != target[1:]:
        raise InputError(
            f"layer {layer.name!r}: its neurons lie as {_times(target)}, and its projection from"
            f" {projection.source!r} ends in {rows.targets}×{columns.targets} places; the mapping"
            " needs one form for all projections of a layer"
        )
    connection = Connection(
        projection.source,
        source,
        target,
        rows,
        columns,
        dense,
        groups,
        _one_list(projection.stages) and not several,
        None,
        groups == 1 and source[0] > 2 and source[1] * source[2] > 1,
        Fields(weight_bits(projection.weight), delay_bits, *_sign_and_exponent(projection)),
    )
    return replace(connection, matrix=_matrix(connection, projection, several))


def weight_bits(weight: np.ndarray) -> int:
    """Return the fewest bits that hold these mantissas exactly.

    Mantissas are stored without their lowest bits, which are 0: of weights of both signs one bit
    more is cut, the sign's (nengo-loihi, ``shift_bits``).
    """
    union = int(np.bitwise_or.reduce(np.abs(weight.astype(np.int64)), axis=None))
    zeros = (union & -union).bit_length() - 1 if union else 8
    mixed = bool((weight < 0).any() and (weight > 0).any())
    needed = 8 - zeros + mixed
    return next((bits for bits in WEIGHT_BITS if bits >= needed), WEIGHT_BITS[-1])


def constant_fields(projection: Projection, layer: Layer) -> Fields:
    """Return the fields of the synapses from the neuron that always spikes.

    Raises:
        InputError: the projection is not one-to-one, as lowering makes it.
    """
    if not all(isinstance(stage, OneToOne | Flatten) for stage in projection.stages):
        raise InputError(
            f"layer {layer.name!r}: its constant input passes other stages than one-to-one weights;"
            " the mapping knows constants as lowering makes them"
        )
    return Fields(weight_bits(projection.weight), 0, *_sign_and_exponent(projection))


def _sign_and_exponent(projection: Projection) -> tuple[str, int]:
    weight = projection.weight
    negative, positive = bool((weight < 0).any()), bool((weight > 0).any())
    sign = MIXED if negative and positive else INHIBITORY if negative else EXCITATORY
    return sign, projection.weight_exponent


def _times(image: Image) -> str:
    return "×".join(map(str, image))


def _windows(stages: tuple[Stage, ...], axis: int, source: Image) -> list[Window]:
    windows = []
    for stage in stages:
        if isinstance(stage, SumPool):
            windows.append(Window(stage.kernel[axis], stage.stride[axis], stage.padding[axis]))
        elif isinstance(stage, Convolution):
            size = stage.weight.shape[2 + axis]
            windows.append(
                Window(
                    *(size, stage.stride[axis], stage.padding[axis], stage.dilation[axis]),
                    weighted=True,
                )
            )
        elif isinstance(stage, OneToOne):
            sides = _one_to_one_sides(stage, source, windows)
            windows.append(Window(1, placed=sides[1 + axis] > 1))
    return windows


def _one_to_one_sides(stage: OneToOne, source: Image, windows: list[Window]) -> Image:
    """Return the sides of one-to-one weights as an image; 1 where one weight is for all."""
    shape = stage.weight.shape
    if stage.weight.size == 1:
        return (1, 1, 1)
    if len(shape) == 1 and source[1] * source[2] > 1:
        # Flattened in front of the weights, or along the last axis of (channels, length).
        return (2, 2, 2)
    sides = as_image(shape) if len(shape) > 1 else (shape[0], 1, 1)
    return (sides[0], sides[1], sides[2])


def _one_list(stages: tuple[Stage, ...]) -> bool:
    weighted = next(stage for stage in stages if isinstance(stage, Weighted))
    if not isinstance(weighted, OneToOne):
        return False
    shape = weighted.weight.shape
    return weighted.weight.size == 1 or (len(shape) == 3 and shape[0] == 1)


def _groups(stages: tuple[Stage, ...], source: Image) -> int:
    weighted = next(stage for stage in stages if isinstance(stage, Weighted))
    if isinstance(weighted, Convolution):
        return weighted.groups
    return source[0] if isinstance(weighted, OneToOne) else 1


def _matrix(connection: Connection, projection: Projection, several: bool) -> Matrix | None:
    """Return the lists of fully connected weights from discrete axons; None for others."""
    if not connection.dense or connection.shared:
        return None
    weight = projection.weight
    channels, height, width = connection.image
    sides = (connection.rows.targets, connection.columns.targets)
    present = (weight != 0).reshape(len(weight), channels, *sides)
    lists: dict[tuple[Pattern, Pattern], list[tuple[int, int]]] = {}
    for row, down in enumerate(connection.rows.paths):
        for column, across in enumerate(connection.columns.paths):
            if down and across:
                lists.setdefault((down, across), []).append((row, column))
    list_of = np.full((channels, height, width), -1)
    found: list[np.ndarray] = []
    sources: list[np.ndarray] = []
    for (down, across), places in lists.items():
        counted = sum(
            math.prod((len(down_taps), len(across_taps))) * present[:, :, p, q].astype(np.int64)
            for p, down_taps in down
            for q, across_taps in across
        )
        first = channels * len(found)
        for row, column in places:
            list_of[:, row, column] = np.arange(first, first + channels)
        found.append(np.asarray(counted))
        sources.append(np.full(channels, len(places)))
    if not found:
        return Matrix(np.zeros((len(weight), 0), np.int64), np.zeros(0, np.int64), list_of)
    return Matrix(np.concatenate(found, 1), np.concatenate(sources), list_of)
