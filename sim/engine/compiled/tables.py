"""A Program as arrays of numbers, the form that compiled loops read.

Each row of ``layers``, ``synapses`` and ``pools`` describes one layer, projection or pooling. The
columns have the names below. Weights, delays and the neurons' parameters are in flat arrays, and
the rows hold their offsets.
"""

from typing import NamedTuple

import numpy as np

from stochi.hardware.decays import look_up
from stochi.program.layers import (
    INPUT,
    Convolution,
    Dense,
    Layer,
    OneToOne,
    Projection,
    Shape,
    Stage,
    SumPool,
    Weighted,
    as_image,
    shape_after,
)
from stochi.program.network import Network
from stochi.program.target import NOISE_TARGETS

# Columns of a layer.
(
    NEURONS,
    FIRST_STATE,
    FIRST_SYNAPSES,
    LAST_SYNAPSES,
    FIRST_SPIKE,
    HISTORY,
    DRAWN,
    REDRAW,
    PROGRAMMABLE,
    SPIKES,
    RESET,
    RESET_DELAY,
    RESET_CURRENT,
    REFRACTORY,
    HAS_CURRENT,
    KEEP,
    KEEP_REPEAT,
    CURRENT_KEEP,
    CURRENT_KEEP_REPEAT,
    THRESHOLD,
    THRESHOLD_REPEAT,
    BIAS,
    BIAS_REPEAT,
    NOISE,
    NOISE_MANTISSA,
    NOISE_EXPONENT,
) = range(26)
RESET_COLUMNS = slice(RESET, REFRACTORY + 1)
"""Columns of what a ``NeuronKind`` has after ``programmable``, in its order."""
NO_NOISE, MEMBRANE_NOISE, CURRENT_NOISE = range(3)

# Columns of synapses. A SOURCE of −1 is the network's input.
(
    KIND,
    SOURCE,
    SOURCE_NEURONS,
    ARRIVING,
    DELAY,
    DELAYS,
    EXPONENT,
    WEIGHTS,
    ROWS,
    WIDTH,
    POOLS_BEFORE,
    POOLS_AFTER,
    POOLS_END,
    LARGEST_VALUE,
    SUMS,
    CHANNELS,
    AREA,
    POSITIONS,
    GROUPS,
    KERNEL,
    TAPS,
    EXTERNAL_START,
    EXTERNAL_STEP,
    EXTERNAL_SAMPLE,
) = range(24)
DENSE, CONVOLUTION, ONE_TO_ONE, EXTERNAL = range(4)

# Columns of a pooling.
(
    POOL_CHANNELS,
    POOL_HEIGHT,
    POOL_WIDTH,
    POOL_HEIGHT_OUT,
    POOL_WIDTH_OUT,
    POOL_KERNEL_Y,
    POOL_KERNEL_X,
    POOL_STRIDE_Y,
    POOL_STRIDE_X,
    POOL_PADDING_Y,
    POOL_PADDING_X,
) = range(11)

NO_DELAYS = -1
NEVER = np.array(2**24, np.int32)
"""Threshold mantissa that no 24-bit membrane exceeds."""


class Tables(NamedTuple):
    """The tables of a Program; see the module's docstring.

    Attributes:
        taps: for each input place of a convolution, pairs of the kernel's place that meets it and
            the output position.
        steps: time steps of a sample.
        output: number of the layer that is read.
        reads_spikes: whether the output's spikes are read, not its membranes.
        step_factors: factor of each time step in what is read.
        states, spikes: number of all neurons, and of all spikes in the histories.
        largest_layer, largest_sum, largest_source, events, widest, lists, places: sizes of buffers.
    """

    layers: np.ndarray
    synapses: np.ndarray
    pools: np.ndarray
    weights: np.ndarray
    delays: np.ndarray
    parameters: np.ndarray
    taps: np.ndarray
    steps: int
    output: int
    reads_spikes: bool
    step_factors: np.ndarray
    states: int
    spikes: int
    largest_layer: int
    largest_sum: int
    largest_source: int
    events: int
    widest: int
    lists: int
    places: int


class _Flat:
    """Arrays laid one after another."""

    def __init__(self, dtype: type) -> None:
        self.parts: list[np.ndarray] = []
        self.dtype = dtype
        self.size = 0

    def add(self, values: np.ndarray) -> int:
        """Append values; return the offset of the first one."""
        offset = self.size
        self.parts.append(np.ascontiguousarray(values, self.dtype).ravel())
        self.size += values.size
        return offset

    def joined(self) -> np.ndarray:
        """Return all values in one array."""
        return np.concatenate([np.zeros(0, self.dtype), *self.parts])


def is_external(network: Network, projection: Projection, single_frame: bool) -> bool:
    """Return whether a projection's sums are computed before the loops.

    These are the sums of graded input, and sums that never change.
    """
    if projection.source == INPUT:
        return not network.target.events or single_frame
    return all(layer.name != projection.source for layer in network.layers)


def make_tables(network: Network, single_frame: bool) -> Tables:
    """Lay a Program out in tables.

    Args:
        single_frame: whether one frame is shown at every time step.
    """
    filling = _Filling(network, single_frame)
    layers = np.zeros((len(network.layers), NOISE_EXPONENT + 1), np.int64)
    state = spike = 0
    for row, layer in zip(layers, network.layers, strict=True):
        history = 1 + _longest_delay_from(network, layer)
        row[[NEURONS, FIRST_STATE, FIRST_SPIKE, HISTORY]] = layer.neurons, state, spike, history
        state, spike = state + layer.neurons, spike + history * layer.neurons
        row[FIRST_SYNAPSES] = len(filling.rows)
        for projection in layer.projections:
            filling.rows.append(filling.projection(layer, projection))
        row[LAST_SYNAPSES] = len(filling.rows)
        _neurons(row, layer, filling.parameters)
    table, pools = np.stack(filling.rows), filling.pools
    places = table[:, POSITIONS] * table[:, GROUPS]
    return Tables(
        layers=layers,
        synapses=table,
        pools=np.stack(pools) if pools else np.zeros((0, 11), np.int64),
        weights=filling.weights.joined(),
        delays=filling.delays.joined(),
        parameters=filling.parameters.joined(),
        taps=filling.taps.joined(),
        steps=network.target.time_steps,
        output=filling.numbers[network.output],
        reads_spikes=network.readout == "spikes",
        step_factors=network.step_factors,
        states=state,
        spikes=spike,
        largest_layer=int(layers[:, NEURONS].max()),
        largest_sum=int(max(table[:, SUMS].max(), layers[:, NEURONS].max(), _largest_map(pools))),
        largest_source=int(max(table[:, SOURCE_NEURONS].max(), _largest_map(pools))),
        events=int((table[:, SOURCE_NEURONS] * table[:, LARGEST_VALUE]).max()),
        widest=int(table[:, WIDTH].max()),
        lists=int((places * table[:, ROWS] * table[:, LARGEST_VALUE]).max()),
        places=int(places.max()),
    )


def make_layer_tables(layer: Layer, index: int, steps: int, batch: int) -> Tables:
    """Lay a layer out whose sums are known, with nothing in place of the layers before it.

    Args:
        index: the layer's number in its Program.
        steps: number of time steps.
        batch: number of samples.
    """
    parameters = _Flat(np.int32)
    layers = np.zeros((index + 1, NOISE_EXPONENT + 1), np.int64)
    layers[:, HISTORY] = 1
    row, synapses = layers[index], np.zeros((1, EXTERNAL_SAMPLE + 1), np.int64)
    row[NEURONS], row[LAST_SYNAPSES] = layer.neurons, 1
    _neurons(row, layer, parameters)
    synapses[0, [KIND, SUMS]] = EXTERNAL, layer.neurons
    synapses[0, [EXTERNAL_STEP, EXTERNAL_SAMPLE]] = batch * layer.neurons, layer.neurons
    return Tables(
        layers=layers,
        synapses=synapses,
        pools=np.zeros((0, POOL_PADDING_X + 1), np.int64),
        weights=np.zeros(0, np.int16),
        delays=np.zeros(0, np.int32),
        parameters=parameters.joined(),
        taps=np.zeros(0, np.int32),
        steps=steps,
        output=index,
        reads_spikes=True,
        step_factors=np.ones(steps, np.int64),
        states=layer.neurons,
        spikes=layer.neurons,
        largest_layer=layer.neurons,
        largest_sum=layer.neurons,
        largest_source=0,
        events=0,
        widest=0,
        lists=0,
        places=0,
    )


def _longest_delay_from(network: Network, source: Layer) -> int:
    """Return the longest delay of any projection from a layer, in time steps."""
    delays = (
        projection.longest_delay
        for layer in network.layers
        for projection in layer.projections
        if projection.source == source.name
    )
    return max(delays, default=0)


def _largest_map(pools: list[np.ndarray]) -> int:
    """Return the size of the largest map before or after a pooling; padding may enlarge a map."""
    sizes = [
        p[POOL_CHANNELS]
        * max(p[POOL_HEIGHT] * p[POOL_WIDTH], p[POOL_HEIGHT_OUT] * p[POOL_WIDTH_OUT])
        for p in pools
    ]
    return int(max(sizes, default=0))


def _neurons(row: np.ndarray, layer: Layer, parameters: _Flat) -> None:
    decay = layer.decay
    row[DRAWN], row[REDRAW], row[PROGRAMMABLE] = decay.drawn, decay.redraw, decay.programmable
    row[SPIKES] = layer.spikes
    row[RESET_COLUMNS] = layer.kind[1:]
    row[HAS_CURRENT] = layer.current_keep is not None
    if layer.generator is not None:
        row[NOISE] = 1 + NOISE_TARGETS.index(layer.generator.target)
        row[NOISE_MANTISSA] = layer.generator.mantissa
        row[NOISE_EXPONENT] = layer.generator.exponent
    if decay.drawn:
        row[KEEP] = parameters.add(look_up(decay.values, np.arange(256)))
    none = np.zeros((), np.int32)
    for column, array in (
        (KEEP, None if decay.drawn else decay.values),
        (CURRENT_KEEP, none if layer.current_keep is None else layer.current_keep),
        (THRESHOLD, NEVER if layer.threshold_mantissa is None else layer.threshold_mantissa),
        (BIAS, layer.bias()),
    ):
        if array is not None:
            row[column], row[column + 1] = parameters.add(array), layer.neurons // array.size


class _Filling:
    """The flat arrays while they are filled, and the rows of projections and poolings so far."""

    def __init__(self, network: Network, single_frame: bool) -> None:
        self.network, self.single_frame = network, single_frame
        self.numbers = {layer.name: index for index, layer in enumerate(network.layers)}
        self.weights = _Flat(np.int16)
        self.delays = _Flat(np.int32)
        self.parameters = _Flat(np.int32)
        self.taps = _Flat(np.int32)
        self.rows: list[np.ndarray] = []
        self.pools: list[np.ndarray] = []

    def projection(self, layer: Layer, projection: Projection) -> np.ndarray:
        """Add a projection's values to the flat arrays, and return its row."""
        row = np.zeros(24, np.int64)
        row[SUMS] = layer.neurons
        if is_external(self.network, projection, self.single_frame):
            row[KIND] = EXTERNAL
            return row
        shape, delay = self.network.source_shape(projection, layer), projection.delay
        row[SOURCE] = self.numbers.get(projection.source, -1)
        row[SOURCE_NEURONS] = int(np.prod(shape))
        row[DELAYS] = NO_DELAYS if delay.ndim == 0 else self.delays.add(delay)
        row[DELAY] = projection.longest_delay
        row[LARGEST_VALUE] = 1
        row[POOLS_BEFORE] = row[POOLS_AFTER] = len(self.pools)
        after = False
        for stage in projection.stages:
            out = shape_after(stage, shape)
            assert out is not None
            if isinstance(stage, SumPool):
                self.pools.append(_pool(stage, shape, out))
                if not after:
                    row[LARGEST_VALUE] *= stage.kernel[0] * stage.kernel[1]
            elif isinstance(stage, Weighted):
                row[POOLS_AFTER], after = len(self.pools), True
                row[ARRIVING], row[SUMS] = int(np.prod(shape)), int(np.prod(out))
                self._add_weights(row, projection, stage, shape, out)
            shape = out
        row[POOLS_END] = len(self.pools)
        row[EXPONENT] = projection.weight_exponent + projection.even
        return row

    def _add_weights(
        self, row: np.ndarray, projection: Projection, stage: Stage, shape: Shape, out: Shape
    ) -> None:
        assert isinstance(stage, Weighted)
        if isinstance(stage, Dense):
            row[KIND] = DENSE
            row[WIDTH], row[ROWS] = stage.weight.shape
            row[WEIGHTS] = self.weights.add(projection.by_axon)
            return
        # Even mantissas are stored halved, and the exponent is larger by one.
        weight = stage.weight >> projection.even
        if isinstance(stage, OneToOne):
            row[KIND] = ONE_TO_ONE
            row[WEIGHTS] = self.weights.add(np.broadcast_to(weight, shape))
            return
        shape, out = as_image(shape), as_image(out)
        outputs, inputs, kernel_height, kernel_width = weight.shape
        row[KIND] = CONVOLUTION
        row[CHANNELS], row[AREA], row[POSITIONS] = shape[0], shape[1] * shape[2], out[1] * out[2]
        row[GROUPS], row[KERNEL] = stage.groups, kernel_height * kernel_width
        row[ROWS], row[WIDTH] = inputs * kernel_height * kernel_width, outputs // stage.groups
        # A row of a group's outputs for each of its inputs and kernel places.
        grouped = weight.reshape(stage.groups, -1, inputs, kernel_height, kernel_width)
        row[WEIGHTS] = self.weights.add(grouped.transpose(0, 2, 3, 4, 1))
        row[TAPS] = self.taps.add(_taps(stage, shape, out))


def _taps(stage: Convolution, shape: tuple[int, ...], out: tuple[int, ...]) -> np.ndarray:
    """Return the taps of a convolution.

    The pairs of input place i have the numbers ``taps[i]`` to ``taps[i + 1]``, and the pairs begin
    at ``taps[area + 1]``.
    """
    (row, y, row_kernel), (column, x, column_kernel) = (
        _meetings(stage, axis, shape[1 + axis], out[1 + axis]) for axis in (0, 1)
    )
    place = np.add.outer(row * shape[2], column).ravel()
    kernel = np.add.outer(row_kernel * stage.weight.shape[3], column_kernel).ravel()
    position = np.add.outer(y * out[2], x).ravel()
    order = np.argsort(place, kind="stable")
    taps = np.empty(shape[1] * shape[2] + 1 + 2 * len(order), np.int32)
    starts, pairs = np.split(taps, [shape[1] * shape[2] + 1])
    starts[0] = 0
    np.cumsum(np.bincount(place, minlength=len(starts) - 1), out=starts[1:])
    np.take(kernel, order, out=pairs[::2])
    np.take(position, order, out=pairs[1::2])
    return taps


def _meetings(
    stage: Convolution, axis: int, size: int, size_out: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return input places, the output places whose windows meet them, and the kernel's places."""
    kernel = np.arange(stage.weight.shape[2 + axis], dtype=np.int32)
    hop = np.subtract.outer(
        np.arange(size) + stage.padding[axis], kernel.astype(np.int64) * stage.dilation[axis]
    )
    stride = stage.stride[axis]
    met = np.nonzero((hop >= 0) & (hop % stride == 0) & (hop // stride < size_out))
    place, kernel_place = (index.astype(np.int32) for index in met)
    return place, (hop[met] // stride).astype(np.int32), kernel_place


def _pool(stage: SumPool, shape: tuple[int, ...], out: tuple[int, ...]) -> np.ndarray:
    return np.array([*shape, *out[1:], *stage.kernel, *stage.stride, *stage.padding], np.int64)
