"""One time step of a layer's neurons for one sample: draw, integrate and fire in one pass."""

from numba import njit, uintp

from stochi.hardware.fixed_point import narrow
from stochi.hardware.lfsr import advance
from stochi.hardware.neuron import (
    TO_ZERO,
    NeuronKind,
    NeuronParameters,
    NeuronState,
    fire,
    integrate,
)
from stochi.hardware.noise import (
    DECAY_STREAM,
    DRAWS_PER_BLOCK,
    HIGH_STREAM,
    LOW_STREAM,
    first_register,
    generator_value,
    philox4x32,
)
from stochi.sim.engine.compiled import tables as t

CHUNK = 512
"""Number of neurons at a time, whole blocks of draws; their values then stay in the first cache."""
KEEPS, CURRENT_KEEPS, BIASES, THRESHOLDS, NOISES = (CHUNK * i for i in range(5))
"""Places of a chunk's parameters in its buffer."""
WORDS = CHUNK // 4
"""Number of words of four bytes that a chunk draws; it may need them twice."""
STREAMS = 3
"""Number of a layer's streams; each has a shift register if the random source is "lfsr"."""


@njit(nogil=True, error_model="numpy")
def draw_words(first, count, coordinates, stream, registers, own, words, start):  # type: ignore[no-untyped-def]
    """Draw bytes for neurons ``first`` to ``first + count``, four per word, to ``words[start:]``.

    Args:
        first: the first neuron, which begins a block of draws.
        registers: shift registers, which advance with every draw and start with each sample;
            without elements if Philox is the source.
        own: place of the first of the layer's ``STREAMS`` registers.

    Returns:
        The number of words.
    """
    seed, trial, sample, layer, step = coordinates
    if registers.size:
        place = uintp(own + stream)
        if step == 0 and first == 0:
            registers[place] = first_register((seed, trial), sample, layer, stream)
        return shift_words(registers, place, count, words, start)
    block = first // DRAWS_PER_BLOCK
    blocks = (count + DRAWS_PER_BLOCK - 1) // DRAWS_PER_BLOCK
    to = uintp(start)
    for i in range(uintp(blocks)):
        drawn = philox4x32((block + int(i), step, sample, layer << 16 | stream), (seed, trial))
        words[to + 4 * i] = drawn[0]
        words[to + 4 * i + 1] = drawn[1]
        words[to + 4 * i + 2] = drawn[2]
        words[to + 4 * i + 3] = drawn[3]
    return 4 * blocks


@njit(nogil=True, error_model="numpy")
def shift_words(registers, place, count, words, start):  # type: ignore[no-untyped-def]
    """Draw a register's next ``count`` bytes, four per word, to ``words[start:]``.

    The register itself is the next word; after that it advances by 32 bits.

    Returns:
        The number of words.
    """
    register, to = registers[place], uintp(start)
    for i in range(uintp(count // 4)):
        words[to + i] = register
        register = advance(advance(advance(advance(register, 8), 8), 8), 8)
    if count % 4:
        words[to + uintp(count // 4)] = register
    for _ in range(count % 4):
        register = advance(register, 8)
    registers[place] = register
    return (count + 3) // 4


@njit(nogil=True, error_model="numpy")
def draw_noise(  # type: ignore[no-untyped-def]
    first, count, coordinates, mantissa, exponent, registers, own, words, buffer
):
    """Draw the stock generator's values for neurons ``first`` to ``first + count``, to NOISES."""
    draw_words(first, count, coordinates, HIGH_STREAM, registers, own, words, 0)
    number = draw_words(first, count, coordinates, LOW_STREAM, registers, own, words, WORDS)
    for i in range(uintp(number)):
        high, low = words[i], words[uintp(WORDS) + i]
        for byte in range(uintp(4)):
            buffer[uintp(NOISES) + 4 * i + byte] = generator_value(
                high >> 8 * int(byte) & 0xFF, low >> 8 * int(byte) & 0xFF, mantissa, exponent
            )


@njit(nogil=True, error_model="numpy")
def draw_keeps(  # type: ignore[no-untyped-def]
    parameters, table, first, count, coordinates, registers, own, words, keeps
):
    """Draw the decays of neurons ``first`` to ``first + count``; ``first`` begins a block."""
    number = draw_words(first, count, coordinates, DECAY_STREAM, registers, own, words, 0)
    for i in range(uintp(number)):
        word = words[i]
        keeps[4 * i] = parameters[uintp(table + (word & 0xFF))]
        keeps[4 * i + 1] = parameters[uintp(table + (word >> 8 & 0xFF))]
        keeps[4 * i + 2] = parameters[uintp(table + (word >> 16 & 0xFF))]
        keeps[4 * i + 3] = parameters[uintp(table + (word >> 24))]


@njit(nogil=True, error_model="numpy", inline="always")
def step_neurons(  # type: ignore[no-untyped-def]
    layers,
    layer,
    parameters,
    coordinates,
    synaptic,
    membrane,
    current,
    waiting,
    spikes,
    slot,
    registers,
    words,
    buffer,
):
    """Advance all neurons of a layer, whose states begin at its FIRST_STATE.

    Args:
        coordinates: seed, trial, sample and time step, for the draws.
        current, waiting: without elements if no layer needs them.
        slot: place of the layer's first spike in ``spikes``.
        registers: shift registers of all layers; see ``draw_words``.
    """
    neurons, start = layers[layer, t.NEURONS], layers[layer, t.FIRST_STATE]
    kind = NeuronKind(
        layers[layer, t.PROGRAMMABLE] != 0,
        layers[layer, t.RESET],
        layers[layer, t.RESET_DELAY] != 0,
        layers[layer, t.RESET_CURRENT] != 0,
        layers[layer, t.REFRACTORY],
    )
    seed, trial, sample, step = coordinates
    noise = layers[layer, t.NOISE]
    for first in range(0, neurons, CHUNK):
        count = min(CHUNK, neurons - first)
        if layers[layer, t.DRAWN]:
            drawn_at = (seed, trial, sample, layer, step if layers[layer, t.REDRAW] else 0)
            draw_keeps(
                parameters,
                layers[layer, t.KEEP],
                first,
                count,
                drawn_at,
                registers,
                STREAMS * layer,
                words,
                buffer,
            )
        else:
            fill(buffer, KEEPS, parameters, layers[layer], t.KEEP, first, count)
        fill(buffer, BIASES, parameters, layers[layer], t.BIAS, first, count)
        fill(buffer, THRESHOLDS, parameters, layers[layer], t.THRESHOLD, first, count)
        n, v, a, s = uintp(count), uintp(start + first), uintp(first), uintp(slot + first)
        if noise:
            draw_noise(
                first,
                count,
                (seed, trial, sample, layer, step),
                layers[layer, t.NOISE_MANTISSA],
                layers[layer, t.NOISE_EXPONENT],
                registers,
                STREAMS * layer,
                words,
                buffer,
            )
            if noise == t.MEMBRANE_NOISE:
                for i in range(n):
                    buffer[BIASES + i] += buffer[NOISES + i]
        if layers[layer, t.HAS_CURRENT] or kind.refractory or noise == t.CURRENT_NOISE:
            fill(buffer, CURRENT_KEEPS, parameters, layers[layer], t.CURRENT_KEEP, first, count)
            for i in range(n):
                numbers = NeuronParameters(
                    buffer[KEEPS + i],
                    buffer[CURRENT_KEEPS + i],
                    buffer[BIASES + i],
                    buffer[THRESHOLDS + i],
                )
                state = integrate(
                    NeuronState(membrane[v + i], current[v + i], waiting[v + i]),
                    synaptic[a + i],
                    numbers,
                    kind,
                    buffer[NOISES + i] * (noise == t.CURRENT_NOISE),
                )
                fired, state = fire(state, numbers.threshold, kind)
                spikes[s + i] = fired
                membrane[v + i], current[v + i] = state.membrane, state.current
                waiting[v + i] = state.waiting
        # The case of nearly all networks, compiled for each kind of neuron without the rest.
        elif kind.reset != TO_ZERO or kind.reset_delay:
            step_plain(membrane, v, synaptic, a, buffer, spikes, s, n, kind)
        elif kind.programmable:
            plain = NeuronKind(True, TO_ZERO, False, False, 0)
            step_plain(membrane, v, synaptic, a, buffer, spikes, s, n, plain)
        else:
            plain = NeuronKind(False, TO_ZERO, False, False, 0)
            step_plain(membrane, v, synaptic, a, buffer, spikes, s, n, plain)


@njit(nogil=True, error_model="numpy", inline="always")
def step_plain(membrane, v, synaptic, a, buffer, spikes, s, n, kind):  # type: ignore[no-untyped-def]
    """Advance a chunk of neurons that have neither synaptic memory nor a refractory period."""
    for i in range(n):
        numbers = NeuronParameters(buffer[KEEPS + i], 0, buffer[BIASES + i], buffer[THRESHOLDS + i])
        state = integrate(NeuronState(membrane[v + i], 0, 0), synaptic[a + i], numbers, kind)
        fired, state = fire(state, numbers.threshold, kind)
        spikes[s + i] = fired
        membrane[v + i] = state.membrane


@njit(nogil=True, error_model="numpy")
def fill(buffer, to, parameters, row, column, first, count):  # type: ignore[no-untyped-def]
    """Copy the parameters of neurons ``first`` to ``first + count`` into the buffer.

    A layer's ``column`` holds the place where its parameters begin, and the next column the number
    of neighbouring neurons that share one.
    """
    start, repeat = row[column], row[column + 1]
    if repeat == 1:
        here, there = uintp(to), uintp(start + first)
        for i in range(uintp(count)):
            buffer[here + i] = parameters[there + i]
        return
    place = 0
    while place < count:
        share = (first + place) // repeat
        end = min(count, (share + 1) * repeat - first)
        value, here = narrow(parameters[start + share]), uintp(to + place)
        for i in range(uintp(end - place)):
            buffer[here + i] = value
        place = end
