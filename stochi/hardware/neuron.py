"""One time step of the chip's neurons as pure functions on integers, defined only here.

The twin in training, the engine and the Lava processes all call them, on numpy arrays, torch
tensors or, in a compiled loop, one neuron's integers. The rules are those of lava-nc 0.10.0's
bit-accurate LIF (``lava/proc/lif/models.py``) for every feature that it has. Resets other than to
zero at the spike itself are those of snnTorch 1.0, in the same arithmetic.
"""

from typing import Any, NamedTuple

from stochi.hardware.fixed_point import (
    ALIGN_SHIFT,
    DECAY_UNITY,
    Integers,
    narrow,
    saturate,
    scale_by_decay,
    wrap,
)
from stochi.hardware.jitable import register_jitable

RESETS = ("zero", "subtract", "none")
"""What a spike does to its neuron's membrane."""
TO_ZERO, SUBTRACT, NO_RESET = range(len(RESETS))
"""Places in :data:`RESETS`, the form that compiled loops read."""


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


class NeuronParameters(NamedTuple):
    """Parameters of neurons as integers of any kind.

    Attributes:
        keep: ``4096 − dv`` in [0, 4096]; with 4096 the membrane does not leak.
        current_keep: ``4095 − du`` in [0, 4095]; with 0 the neuron has no synaptic memory.
        bias: the effective bias, ``mantissa << exponent``, in units of the membrane, plus the
            noise that a generator adds to the membrane.
        threshold: mantissa m of the threshold ``θ = m << 6``, m in [0, 2¹⁷ − 1].
    """

    keep: Any
    current_keep: Any
    bias: Any
    threshold: Any


class NeuronKind(NamedTuple):
    """What neurons do; a compiled loop takes it as numbers.

    Attributes:
        programmable: whether the input is scaled by ``1 − keep``.
        reset: what a spike does to the membrane, a place in :data:`RESETS`.
        reset_delay: whether the reset acts at the beginning of the next time step.
        reset_current: whether a spike also sets the current to 0.
        refractory: time steps after a spike without integration.
    """

    programmable: Any
    reset: Any = TO_ZERO
    reset_delay: Any = False
    reset_current: Any = False
    refractory: Any = 0


@register_jitable
def integrate(
    state: NeuronState,
    synaptic: Integers,
    parameters: NeuronParameters,
    kind: NeuronKind,
    current_noise: Integers | int = 0,
) -> NeuronState:
    """Update currents and membranes by one time step, without spikes.

    The current becomes ``u := wrap(trunc(k_u·u / 2¹²) + (a << 6) + noise)``, with the synaptic sum
    a already shifted by the weight exponent. The membrane becomes
    ``v := saturate(trunc(k·v / 2¹²) + d − l)``. In Loihi's own neuron the drive is
    ``d = u + bias``. A programmable neuron also scales its input by the (drawn) decay,
    ``d = trunc((2¹² − k)·(u + bias) / 2¹²)``, the integer form of ``u := λu + (1 − λ)I``
    (RandHet-SNN, Wang et al., iScience 2025). The sum saturates once, when it is complete.

    A delayed reset acts here. s is 1 for a neuron that spiked in the time step before, whose
    membrane is still above θ, and otherwise 0. A reset to zero takes ``(1 − s)·v`` in place of v,
    and a subtraction has ``l = s·θ``. In all other cases l is 0.

    A neuron in its refractory period keeps its membrane, less what a delayed reset takes away,
    while its current still changes, as in Lava's ``LIFRefractory``.

    Args:
        state: the state before the step.
        synaptic: a, with ``|a << 6|`` below 2²³.
        current_noise: the noise that a generator adds to the current.

    Returns:
        The state after integration, before spikes.
    """
    decayed = scale_by_decay(state.current, parameters.current_keep)
    current = wrap(narrow(decayed + narrow(synaptic << ALIGN_SHIFT) + current_noise))
    drive = narrow(current + parameters.bias)
    if kind.programmable:
        drive = scale_by_decay(drive, narrow(DECAY_UNITY - parameters.keep))
    before = kept = state.membrane
    if kind.reset_delay:
        level = narrow(parameters.threshold << ALIGN_SHIFT)
        # A refractory period as long as at first began in the time step before.
        fired = (state.waiting == kind.refractory) & (state.membrane > level)
        if kind.reset == SUBTRACT:
            lost = narrow(fired * level)
            drive = narrow(drive - lost)
            kept = narrow(kept - lost)
        else:
            before = kept = narrow(before - fired * before)
    updated = saturate(narrow(scale_by_decay(before, parameters.keep) + drive))
    ready = state.waiting == 0
    membrane = narrow(kept + ready * narrow(updated - kept))
    return NeuronState(membrane, current, state.waiting)


@register_jitable
def fire(state: NeuronState, threshold: Integers, kind: NeuronKind) -> tuple[Integers, NeuronState]:
    """Emit spikes and reset the neurons that fired.

    A neuron fires if ``v > θ``, strictly, and it is not in a refractory period. Its membrane is
    set to 0, reduced by θ, or left as it is; a delayed reset is left to :func:`integrate`, so that
    the membrane is the one before the reset. The current, if it is reset, is 0 from here on; it
    counts in the next time step only, so a delay would not change it. A spike at step t is followed
    by ``refractory`` time steps without integration.

    Args:
        threshold: m in ``θ = m << 6``.

    Returns:
        Spikes (bool) and the state after them.
    """
    level = narrow(threshold << ALIGN_SHIFT)
    spikes = (state.waiting == 0) & (state.membrane > level)
    membrane, current = state.membrane, state.current
    if kind.reset != NO_RESET and not kind.reset_delay:
        lost = level if kind.reset == SUBTRACT else membrane
        membrane = narrow(membrane - spikes * lost)
    if kind.reset_current:
        current = narrow(current - spikes * current)
    waiting = narrow(state.waiting - 1 * (state.waiting > 0) + spikes * kind.refractory)
    return spikes, NeuronState(membrane, current, waiting)
