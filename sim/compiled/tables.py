"""A Program as arrays of numbers, the form that compiled loops read.

Each row of ``layers``, ``synapses`` and ``pools`` is one of those, and the columns have the names
below. Weights, delays and per-neuron parameters stand in flat arrays, found by offset.
"""

from typing import NamedTuple

import numpy as np

from stochi.deploy.program import (
    INPUT,
    NOISE_TARGETS,
    Convolution,
    Dense,
    Layer,
    OneToOne,
    Program,
    Stage,
    SumPool,
    Synapses,
    Weighted,
)
from stochi.deploy.stage_shapes import shape_after
from stochi.hardware.decays import look_up

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
    SUBTRACT,
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
) = range(24)
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
"""A threshold mantissa that no 24-bit membrane exceeds."""


class Tables(NamedTuple):
    """See the module. ``taps`` holds, for each input place of a convolution, which of the kernel's
    places meets it in which output position."""

    layers: np.ndarray
    synapses: np.ndarray
    pools: np.ndarray
    weights: np.ndarray
    delays: np.ndarray
    parameters: np.ndarray
    taps: np.ndarray
    steps: int
    output: int
    readout_sums: bool
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
        """Append; returns the offset of the first value."""
        offset = self.size
        self.parts.append(np.ascontiguousarray(values, self.dtype).ravel())
        self.size += values.size
        return offset

    def joined(self) -> np.ndarray:
        return np.concatenate([np.zeros(0, self.dtype), *self.parts])


def is_external(program: Program, synapses: Synapses, single_frame: bool) -> bool:
    """Whether sums are computed before the loops: of graded input, or of what never changes."""
    if synapses.source == INPUT:
        return program.input_levels > 1 or single_frame
    return all(layer.name != synapses.source for layer in program.layers)


def make_tables(program: Program, single_frame: bool) -> Tables:
    """Lay a Program out. ``single_frame``: one frame is shown at every step."""
    weights, delays, parameters, taps = (
        _Flat(np.int16),
        _Flat(np.int32),
        _Flat(np.int32),
        _Flat(np.int32),
    )
    layers = np.zeros((len(program.layers), 24), np.int64)
    rows: list[np.ndarray] = []
    pools: list[np.ndarray] = []
    numbers = {layer.name: index for index, layer in enumerate(program.layers)}
    state = spike = 0
    for index, layer in enumerate(program.layers):
        delays_from_here = (
            synapses.longest_delay
            for other in program.layers
            for synapses in other.synapses
            if synapses.source == layer.name
        )
        history = 1 + max(delays_from_here, default=0)
        row = layers[index]
        row[[NEURONS, FIRST_STATE, FIRST_SPIKE, HISTORY]] = layer.neurons, state, spike, history
        state, spike = state + layer.neurons, spike + history * layer.neurons
        row[FIRST_SYNAPSES] = len(rows)
        for synapses in layer.synapses:
            rows.append(
                _synapses(
                    program, layer, synapses, numbers, single_frame, weights, delays, taps, pools
                )
            )
        row[LAST_SYNAPSES] = len(rows)
        _neurons(row, layer, parameters)
    table = np.stack(rows)
    places = table[:, POSITIONS] * table[:, GROUPS]
    return Tables(
        layers=layers,
        synapses=table,
        pools=np.stack(pools) if pools else np.zeros((0, 11), np.int64),
        weights=weights.joined(),
        delays=delays.joined(),
        parameters=parameters.joined(),
        taps=taps.joined(),
        steps=program.steps,
        output=numbers[program.output],
        readout_sums=program.readout != "input",
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


def _largest_map(pools: list[np.ndarray]) -> int:
    """What goes into a pooling or comes out of it; padding can make that the larger one."""
    sizes = [
        p[POOL_CHANNELS]
        * max(p[POOL_HEIGHT] * p[POOL_WIDTH], p[POOL_HEIGHT_OUT] * p[POOL_WIDTH_OUT])
        for p in pools
    ]
    return int(max(sizes, default=0))


def _neurons(row: np.ndarray, layer: Layer, parameters: _Flat) -> None:
    decay = layer.decay
    row[DRAWN], row[REDRAW], row[PROGRAMMABLE] = decay.drawn, decay.redraw, decay.programmable
    row[SPIKES], row[SUBTRACT], row[REFRACTORY] = layer.spikes, layer.subtract, layer.refractory
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


def _synapses(
    program: Program,
    layer: Layer,
    synapses: Synapses,
    numbers: dict[str, int],
    single_frame: bool,
    weights: _Flat,
    delays: _Flat,
    taps: _Flat,
    pools: list[np.ndarray],
) -> np.ndarray:
    row = np.zeros(24, np.int64)
    row[SUMS] = layer.neurons
    if is_external(program, synapses, single_frame):
        row[KIND] = EXTERNAL
        return row
    shape = program.source_shape(synapses, layer)
    row[SOURCE] = numbers.get(synapses.source, -1)
    row[SOURCE_NEURONS] = int(np.prod(shape))
    row[DELAYS] = NO_DELAYS if synapses.delay.ndim == 0 else delays.add(synapses.delay)
    row[DELAY] = synapses.longest_delay
    row[LARGEST_VALUE] = 1
    row[POOLS_BEFORE] = row[POOLS_AFTER] = len(pools)
    after = False
    for stage in synapses.stages:
        out = shape_after(stage, shape)
        assert out is not None
        if isinstance(stage, SumPool):
            pools.append(_pool(stage, shape, out))
            if not after:
                row[LARGEST_VALUE] *= stage.kernel[0] * stage.kernel[1]
        elif isinstance(stage, Weighted):
            row[POOLS_AFTER], after = len(pools), True
            row[ARRIVING], row[SUMS] = int(np.prod(shape)), int(np.prod(out))
            _weights(row, synapses, stage, shape, out, weights, taps)
        shape = out
    row[POOLS_END] = len(pools)
    row[EXPONENT] = synapses.weight_exponent + synapses.even
    return row


def _weights(
    row: np.ndarray,
    synapses: Synapses,
    stage: Stage,
    shape: tuple[int, ...],
    out: tuple[int, ...],
    weights: _Flat,
    taps: _Flat,
) -> None:
    assert isinstance(stage, Weighted)
    if isinstance(stage, Dense):
        row[KIND] = DENSE
        row[WIDTH], row[ROWS] = stage.weight.shape
        row[WEIGHTS] = weights.add(synapses.by_axon)
        return
    # Even mantissas are stored halved, and the exponent makes up for it.
    weight = stage.weight >> synapses.even
    if isinstance(stage, OneToOne):
        row[KIND] = ONE_TO_ONE
        row[WEIGHTS] = weights.add(np.broadcast_to(weight, shape))
    else:
        outputs, inputs, kernel_height, kernel_width = weight.shape
        row[KIND] = CONVOLUTION
        row[CHANNELS], row[AREA], row[POSITIONS] = shape[0], shape[1] * shape[2], out[1] * out[2]
        row[GROUPS], row[KERNEL] = stage.groups, kernel_height * kernel_width
        row[ROWS], row[WIDTH] = inputs * kernel_height * kernel_width, outputs // stage.groups
        # One row of a group's outputs for each of its inputs and kernel places.
        grouped = weight.reshape(stage.groups, -1, inputs, kernel_height, kernel_width)
        row[WEIGHTS] = weights.add(grouped.transpose(0, 2, 3, 4, 1))
        row[TAPS] = taps.add(_taps(stage, shape, out))


def _taps(stage: Convolution, shape: tuple[int, ...], out: tuple[int, ...]) -> np.ndarray:
    """``[i]`` and ``[i + 1]`` count the pairs up to input place i; pairs from ``area + 1`` on."""
    rows, columns = (
        [_meetings(stage, axis, place, out[1 + axis]) for place in range(shape[1 + axis])]
        for axis in (0, 1)
    )
    kernel_width, width_out = stage.weight.shape[3], out[2]
    starts, pairs = [0], []
    for row in rows:
        for column in columns:
            pairs += [
                (k * kernel_width + kernel_x, y * width_out + x)
                for k, y in row
                for kernel_x, x in column
            ]
            starts.append(len(pairs))
    return np.concatenate([np.array(starts), np.array(pairs, np.int64).ravel()])


def _meetings(stage: Convolution, axis: int, place: int, size_out: int) -> list[tuple[int, int]]:
    """(kernel place, output place) of all windows that see an input place, along an axis."""
    found = []
    for k in range(stage.weight.shape[2 + axis]):
        hop = place + stage.padding[axis] - k * stage.dilation[axis]
        if hop >= 0 and hop % stage.stride[axis] == 0 and hop // stage.stride[axis] < size_out:
            found.append((k, hop // stage.stride[axis]))
    return found


def _pool(stage: SumPool, shape: tuple[int, ...], out: tuple[int, ...]) -> np.ndarray:
    return np.array([*shape, *out[1:], *stage.kernel, *stage.stride, *stage.padding], np.int64)
