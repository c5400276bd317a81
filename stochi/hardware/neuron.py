"""One time step of the chip's neurons as pure functions on integers, defined only here.

The twin in training, the engine and the Lava processes all call them, on numpy arrays, torch
tensors or, in a compiled loop, one neuron's integers. The rules are those of lava-nc 0.10.0's
bit-accurate LIF (``lava/proc/lif/models.py``) for every feature that it has.
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
    """State of neurons as integers of any kind; a part that they do not need is the number 0.

    Attributes:
        membrane: in ±(2²³ − 1).
        current: synaptic memory, 24 bits.
        waiting: time steps left of the refractory period, until the neuron integrates again.
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
    """Update currents and membranes by one time step, without spikes.

    The current becomes ``u := wrap(trunc(k_u·u / 2¹²) + (a << 6) + noise)``, with the synaptic sum
    a already shifted by the weight exponent. Loihi's own neuron then computes
    ``v := saturate(trunc(k·v / 2¹²) + u + bias)``. A programmable neuron also scales its input by
    the (drawn) decay,
    ``v := saturate(trunc(k·v / 2¹²) + trunc((2¹² − k)·(u + bias) / 2¹²))``, the integer form of
    ``u := λu + (1 − λ)I`` (RandHet-SNN, Wang et al., iScience 2025). A neuron in its refractory
    period keeps its membrane, while its current still changes, as in Lava's ``LIFRefractory``.

    Args:
        state: the state before the step.
        synaptic: a, with ``|a << 6|`` below 2²³.
        keep: ``4096 − dv`` in [0, 4096]; with 4096 the membrane does not leak.
        current_keep: ``4095 − du`` in [0, 4095]; with 0 the neuron has no synaptic memory.
        bias: the effective bias, ``mantissa << exponent``, in units of the membrane, plus the
            noise that a generator adds to the membrane.
        programmable: whether the neuron is a programmable one.
        current_noise: the noise that a generator adds to the current.

    Returns:
        The state after integration, before spikes.
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
    """Emit spikes and reset the membranes that fired.

    A neuron fires if ``v > mantissa << 6``, strictly, and it is not in a refractory period. Its
    membrane is set to 0 or, with ``subtract``, reduced by the threshold. A spike at step t is
    followed by ``refractory`` time steps without integration.

    Returns:
        Spikes (bool) and the state after them.
    """
    level = narrow(threshold_mantissa << ALIGN_SHIFT)
    spikes = (state.waiting == 0) & (state.membrane > level)
    lost = level if subtract else state.membrane
    membrane = narrow(state.membrane - spikes * lost)
    waiting = narrow(state.waiting - 1 * (state.waiting > 0) + spikes * refractory)
    return spikes, NeuronState(membrane, state.current, waiting)
