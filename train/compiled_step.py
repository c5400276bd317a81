"""A step of a batch of neurons in the chip's integers, in one pass on the CPU."""

import sys
from functools import cache
from typing import Any

import numpy as np
from numba import njit, uintp

from stochi.hardware import fixed_point, lfsr, neuron, noise
from stochi.hardware.compilation import compile_and_keep
from stochi.hardware.fixed_point import DECAY_UNITY, narrow, shift
from stochi.hardware.neuron import NeuronState, fire, integrate
from stochi.sim.compiled import neurons
from stochi.sim.compiled.neurons import (
    CHUNK,
    KEEPS,
    NOISES,
    STREAMS,
    WORDS,
    draw_keeps,
    draw_noise,
)

_ROUNDING = 1.5 * 2**52
"""A float64 has no bits for fractions beside it, so adding it rounds."""


@njit(nogil=True, error_model="numpy", inline="always")
def nearest(value):  # type: ignore[no-untyped-def]
    """The nearest integer, of 32 bits. Unlike rint, compilers do it to many values at a time."""
    return np.int32(value + _ROUNDING - _ROUNDING)


@cache
def compiled_step() -> Any:
    """The loop of :func:`make_step`, from the sources as they are now."""
    own = sys.modules[__name__]
    return compile_and_keep(make_step, (fixed_point, lfsr, neuron, noise, neurons, own))


def make_step(sources: str, cache: bool):  # type: ignore[no-untyped-def]
    """Compile the loop; see :func:`stochi.hardware.compilation.compile_and_keep`."""

    @njit(nogil=True, error_model="numpy", cache=cache)
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
        coordinates,
        generator,
        registers,
        spikes,
        after,
        updated,
        shares,
    ):
        """Step neurons whose state and input are floats that stand for integers.

        Args:
            current, membrane: (batch, n) floats, the second the integers over ``unit``, the first
                the synaptic sums over ``per_sum`` with ``bias / unit`` added.
            bias, threshold: (n,) int32; exponent: of the weights.
            keep: int32, a table of 256 to draw from, or (n,), or of one element.
            neuron_kind: whether keep is drawn, and whether the neuron is programmable.
            coordinates: seed, trial, first sample, layer, step and the decay draw's step.
            generator: whether there is one, its mantissa and its exponent.
            registers: (batch · streams,) int64, the shift registers at this step, or of no
                elements where Philox is the source; they move on.
            spikes, after, updated, shares: (batch, n) floats to fill: spikes, the membrane after
                the reset, the membrane before it in real numbers, and the share that was kept.
        """
        _ = sources
        drawn, programmable = neuron_kind
        seed, trial, first_sample, layer, step, keep_step = coordinates
        noisy, mantissa, noise_exponent = generator
        words, buffer = np.zeros(2 * WORDS, np.int64), np.zeros(5 * CHUNK, np.int32)
        inverse, size = 1.0 / unit, current.shape[1]
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
                    state = integrate(
                        NeuronState(nearest(before * unit), 0, 0),
                        shift(sums, exponent),
                        kept,
                        0,
                        narrow(offset + added),
                        programmable,
                    )
                    fired, state = fire(state, threshold[place], False, 0)
                    spikes[row, place] = fired
                    after[row, place] = state.membrane * inverse
                    share = kept * (1.0 / DECAY_UNITY)
                    gain = 1.0 - share if programmable else 1.0
                    updated[row, place] = share * before + gain * given + added * inverse
                    shares[row, place] = share

    return step_samples
