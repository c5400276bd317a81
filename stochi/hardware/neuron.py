"""One step of each kind of neuron on the chip, as pure functions on integer arrays.

Training (hardware-aware), the engine and the Lava process all call these. A step is
``(membrane, synaptic input, parameters) → (spikes, membrane)``; ``synaptic`` is what the
synapses summed, already shifted by the weight exponent, before the alignment by 6 bits.
``bias`` is the effective bias, ``mantissa << exponent``, in units of the membrane.
"""

from stochi.hardware.fixed_point import (
    ALIGN_SHIFT,
    DECAY_UNITY,
    Integers,
    saturate,
    scale_by_decay,
    wrap,
)


def coupled_step(
    membrane: Integers,
    synaptic: Integers,
    keep: Integers | int,
    bias: Integers | int,
    threshold_mantissa: Integers | int,
) -> tuple[Integers, Integers]:
    """The programmable random-τ neuron, whose drawn decay scales its input too.

    ``v := trunc(k·v / 2¹²) + trunc((2¹² − k)·((a << 6) + bias) / 2¹²)``, the integer form of
    ``u := λu + (1 − λ)I`` (RandHet-SNN, Wang et al., iScience 2025), with k = ``keep`` in
    [0, 4096]. Spikes where ``v > mantissa << 6``, strictly; those membranes are set to 0.
    """
    current = (synaptic << ALIGN_SHIFT) + bias
    updated = saturate(scale_by_decay(membrane, keep) + scale_by_decay(current, DECAY_UNITY - keep))
    return _fire(updated, threshold_mantissa)


def stock_step(
    membrane: Integers,
    synaptic: Integers,
    keep: Integers | int,
    bias: Integers | int,
    threshold_mantissa: Integers | int,
) -> tuple[Integers, Integers]:
    """Loihi's own LIF with ``du = 4095`` (no synaptic memory) and ``4096 − dv = keep``.

    ``v := saturate(trunc(k·v / 2¹²) + wrap(a << 6) + bias)``: the input gain is expected in the
    weights. Lava's ``PyLifModelBitAcc`` gives the same integers.
    """
    current = wrap(synaptic << ALIGN_SHIFT)
    updated = saturate(scale_by_decay(membrane, keep) + current + bias)
    return _fire(updated, threshold_mantissa)


def integrator_step(membrane: Integers, synaptic: Integers, bias: Integers | int) -> Integers:
    """A neuron that neither leaks, fires nor resets: ``v := saturate(v + wrap(a << 6) + bias)``."""
    return saturate(membrane + wrap(synaptic << ALIGN_SHIFT) + bias)


def _fire(membrane: Integers, threshold_mantissa: Integers | int) -> tuple[Integers, Integers]:
    spikes = membrane > (threshold_mantissa << ALIGN_SHIFT)
    return spikes, membrane * ~spikes
