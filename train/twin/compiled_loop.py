"""One time step of a batch of neurons in the chip's integers, in one pass on the CPU."""

import sys
from functools import cache
from typing import Any

import numpy as np
from numba import njit, uintp

from stochi.hardware import fixed_point, lfsr, neuron, noise
from stochi.hardware.compilation import compile_and_keep
from stochi.hardware.fixed_point import ALIGN_SHIFT, DECAY_UNITY, narrow, shift
from stochi.hardware.neuron import (
    SUBTRACT,
    NeuronKind,
    NeuronParameters,
    NeuronState,
    fire,
    integrate,
)
from stochi.sim.engine.compiled import neurons
from stochi.sim.engine.compiled.neurons import (
    CHUNK,
    KEEPS,
    NOISES,
    STREAMS,
    WORDS,
    draw_keeps,
    draw_noise,
)

_ROUNDING = 1.5 * 2**52
"""A float64 of this size has no bits for fractions, so adding it rounds."""


@njit(nogil=True, error_model="numpy", inline="always")
def nearest(value):  # type: ignore[no-untyped-def]
    """Round to the nearest 32-bit integer, in a way that compilers vectorize, unlike ``rint``."""
    return np.int32(value + _ROUNDING - _ROUNDING)


@cache
def compiled_step() -> Any:
    """Return the loop of :func:`make_step`, compiled from the current sources."""
    own = sys.modules[__name__]
    return compile_and_keep(make_step, (fixed_point, lfsr, neuron, noise, neurons, own))


def make_step(sources: str):  # type: ignore[no-untyped-def]
    """Compile the loop; see :func:`stochi.hardware.compilation.compile_and_keep`."""

    @njit(nogil=True, error_model="numpy")
    def step_samples(  # type: ignore[no-untyped-def]
        current,
        membrane,
        bias,
        threshold,
        unit,
        per_sum,
        exponent,
        keep,
        neuron_kind,
        drawn,
        coordinates,
        generator,
        registers,
        spikes,
        after,
        updated,
        shares,
    ):
        """Step neurons whose states and inputs are floats that represent integers.

        Args:
            current: (batch, n) floats, the synaptic sums over ``per_sum``, plus ``bias / unit``.
            membrane: (batch, n) floats, the integers over ``unit``.
            bias, threshold: (n,) int32.
            unit, per_sum: integers per unit of the model, of membranes and of synaptic sums.
            exponent: exponent of the weights.
            keep: int32 decays: a table of 256 to draw from, or (n,), or one element.
            neuron_kind: numbers of a :class:`stochi.hardware.neuron.NeuronKind` without current or
                refractory period.
            drawn: whether decays are drawn.
            coordinates: seed, trial, first sample, layer, step and the step of the decay draw.
            generator: whether there is a generator, its mantissa and its exponent.
            registers: (batch · streams,) int64, the shift registers at this step, which are
                advanced; without elements if Philox is the source.
            spikes, after, updated, shares: (batch, n) floats to fill with the spikes, the membranes
                after the reset, those before the reset in real numbers, and the decays in [0, 1].
        """
        _ = sources
        programmable, reset, reset_delay = neuron_kind
        seed, trial, first_sample, layer, step, keep_step = coordinates
        noisy, mantissa, noise_exponent = generator
        words, buffer = np.zeros(2 * WORDS, np.int64), np.zeros(5 * CHUNK, np.int32)
        inverse, size = 1.0 / unit, current.shape[1]
        kind = NeuronKind(programmable, reset, reset_delay, False, 0)
        for row in range(current.shape[0]):
            sample = first_sample + row
            for start in range(0, size, CHUNK):
                count = min(CHUNK, size - start)
                if drawn:
                    where = (seed, trial, sample, layer, keep_step)
                    draw_keeps(
                        keep, 0, start, count, where, registers, STREAMS * row, words, buffer
                    )
                else:
                    for i in range(count):
                        buffer[KEEPS + i] = keep[start + i if keep.size > 1 else 0]
                if noisy:
                    where = (seed, trial, sample, layer, step)
                    draw_noise(
                        start,
                        count,
                        where,
                        mantissa,
                        noise_exponent,
                        registers,
                        STREAMS * row,
                        words,
                        buffer,
                    )
                for i in range(uintp(count)):
                    place = uintp(start) + i
                    kept, added = buffer[uintp(KEEPS) + i], narrow(0)
                    if noisy:
                        added = buffer[uintp(NOISES) + i]
                    offset, given = bias[place], current[row, place]
                    before = membrane[row, place]
                    sums = nearest((given - offset * inverse) * per_sum)
                    parameters = NeuronParameters(kept, 0, narrow(offset + added), threshold[place])
                    state = integrate(
                        NeuronState(nearest(before * unit), 0, 0),
                        shift(sums, exponent),
                        parameters,
                        kind,
                    )
                    fired, state = fire(state, parameters.threshold, kind)
                    spikes[row, place] = fired
                    after[row, place] = state.membrane * inverse
                    share = kept * (1.0 / DECAY_UNITY)
                    gain = 1.0 - share if programmable else 1.0
                    lost = 0.0
                    if reset_delay and nearest(before * unit) > threshold[place] << ALIGN_SHIFT:
                        if reset == SUBTRACT:
                            lost = (threshold[place] << ALIGN_SHIFT) * inverse
                        else:
                            before = before * 0
                    real = share * before + gain * given + added * inverse
                    updated[row, place] = real - lost
                    shares[row, place] = share

    return step_samples
