"""One step of the chip's neurons, as a pure function on integers: the one definition of it.

Training (hardware-aware), the engine and the Lava processes all call it, on numpy arrays, torch
tensors or, in a compiled loop, one neuron's integers. The rules are those of lava-nc 0.10.0's
bit-accurate LIF (``lava/proc/lif/models.py``) wherever that has the feature.
"""

from typing import Any, NamedTuple

from numba.extending import register_jitable

from stochi.hardware.fixed_point import (
    ALIGN_SHIFT,
    DECAY_UNITY,
    Integers,
    narrow,
    saturate,
    scale_by_decay,
    wrap,
)


class NeuronState(NamedTuple):
    """What neurons remember, as integers of any kind; what they do not need is the number 0.

    Attributes:
        membrane: in ±(2²³ − 1).
        current: synaptic memory, 24 bits.
        waiting: steps until it may integrate again, in a refractory period.
    """

    membrane: Any
    current: Any
    waiting: Any


@register_jitable
def integrate(
    state: NeuronState,
    synaptic: Integers,
    keep: Integers | int,
    current_keep: Integers | int,
    bias: Integers | int,
    programmable: bool,
    current_noise: Integers | int = 0,
) -> NeuronState:
    """Everything but spikes.

    ``u := wrap(trunc(k_u·u / 2¹²) + (a << 6) + noise)``, with a the synaptic sum, already shifted
    by the weight exponent. Then Loihi's own neuron does
    ``v := saturate(trunc(k·v / 2¹²) + u + bias)``. A programmable one scales its input by the
    (drawn) decay too,
    ``v := saturate(trunc(k·v / 2¹²) + trunc((2¹² − k)·(u + bias) / 2¹²))``, the integer form of
    ``u := λu + (1 − λ)I`` (RandHet-SNN, Wang et al., iScience 2025). A neuron in its refractory
    period keeps its membrane; its current goes on, as in Lava's ``LIFRefractory``.

    Args:
        state: before the step.
        synaptic: a, with ``|a << 6|`` below 2²³.
        keep: ``4096 − dv`` in [0, 4096]; 4096 does not leak.
        current_keep: ``4095 − du`` in [0, 4095]; 0 is a neuron without synaptic memory.
        bias: the effective bias, ``mantissa << exponent``, in units of the membrane, and with it
            what a noise generator adds to the membrane.
        current_noise: what a noise generator adds to the current.
    """
    decayed = scale_by_decay(state.current, current_keep)
    current = wrap(narrow(decayed + narrow(synaptic << ALIGN_SHIFT) + current_noise))
    drive = narrow(current + bias)
    if programmable:
        drive = scale_by_decay(drive, narrow(DECAY_UNITY - keep))
    updated = saturate(narrow(scale_by_decay(state.membrane, keep) + drive))
    ready = state.waiting == 0
    membrane = narrow(state.membrane + ready * narrow(updated - state.membrane))
    return NeuronState(membrane, current, state.waiting)


@register_jitable
def fire(
    state: NeuronState, threshold_mantissa: Integers, subtract: bool, refractory: int
) -> tuple[Integers, NeuronState]:
    """Spikes (bool) where ``v > mantissa << 6``, strictly, and no refractory period runs.

    Those membranes are set to 0 or, with ``subtract``, lose the threshold. A spike at step t is
    followed by ``refractory`` steps without integration.
    """
    level = narrow(threshold_mantissa << ALIGN_SHIFT)
    spikes = (state.waiting == 0) & (state.membrane > level)
    lost = level if subtract else state.membrane
    membrane = narrow(state.membrane - spikes * lost)
    waiting = narrow(state.waiting - 1 * (state.waiting > 0) + spikes * refractory)
    return spikes, NeuronState(membrane, state.current, waiting)
