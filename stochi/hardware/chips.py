"""Features and limits of each chip; ``fixed_point.py`` has the widths and ranges, common to both.

Sources for Loihi 1, all public, none from its maker's manuals:

- nengo-loihi: ``builder/discretize.py`` (``Q_BITS``, ``U_BITS``, vmin, vmax, the shift of weights),
  ``emulator/interface.py`` (what wraps), ``block.py`` and ``hardware/nxsdk_objects.py``
  (refractory), ``hardware/validate.py``, ``hardware/nxsdk_objects.py`` and ``hardware/builder.py``
  (configurations, thresholds).
- Brian2Loihi (``loihi_synapses.py``): the size of one weight, and its last bits.
- NxTF (intel-nrc-ecosystem/models, ``dnn_layers.py``, ``dnn_mapper.py``): reset by subtraction.
- Fugu (``loihi_backend.py``): delays.

For programmable neurons and graded spikes: Intel's technology brief "Taking Neuromorphic Computing
with Loihi 2 to the Next Level" (2021). Of Loihi 2 no other limit here is public; where one is
needed, Lava's model of it is taken.
"""

from dataclasses import dataclass

from stochi.errors import InputError
from stochi.hardware.fixed_point import REFRACTORY_MAX, STATE_MAX

FLOOR_EXPONENT_MAX, CEILING_EXPONENT_MAX = 31, 7
"""Largest exponents of :func:`membrane_floor` and :func:`membrane_ceiling` (nengo-loihi)."""
FLOOR_EXPONENT, CEILING_EXPONENT = 23, 7
"""Exponents with which a core's membranes saturate as ``fixed_point.saturate`` does, at ±(2²³ − 1).

A Program is for cores with this setting; NxTF sets the same (negVmLimit, posVmLimit).
"""
DELAY_BITS = (3, 4, 5, 6)
"""Numbers of bits that synapses of Loihi 1 can have for delays, beside none (NxTF, Fugu)."""
LONGEST_DELAY = 2 ** DELAY_BITS[-1] - 2
"""Longest delay, in time steps, that :func:`delay_bits` has bits for."""


@dataclass(frozen=True)
class Chip:
    """Features and limits of a chip.

    Attributes:
        name: the name by which users choose it.
        programmable_neuron: whether a neuron can run its own microcode.
        graded_spikes: whether a spike can carry an integer.
        configurations: the largest number of distinct (du, dv, refractory period, noise) among the
            neurons of a core; None if no limit is known. It is 32 for Loihi 1 in nengo-loihi's
            validation.
        thresholds: the largest number of distinct thresholds among the neurons of a core; None if
            no limit is known. For Loihi 1, nengo-loihi's validation allows 16, with a comment that
            the number is still to be checked, but the code that programs the chip asserts fewer
            than 8. The stricter number is taken.
        synaptic_sum_max: largest magnitude of one time step's synaptic sum, which a generator's
            noise on the current is part of, in units of the membrane, that is after the shift by 6.
            Larger sums wrap. Loihi 1 has 21 bits and a sign (nengo-loihi's ``Q_BITS``); Lava's
            model of the neuron has the 24 bits of the current.
        drive_max: largest magnitude of what one time step adds to a membrane: current, bias, and a
            generator's noise on the membrane. A larger drive wraps on Loihi 1 (nengo-loihi's
            ``U_BITS``). None if no limit is known; Lava's model adds them without one.
        weight_max: largest magnitude of one weight, in units of the membrane; larger ones are
            clipped (Brian2Loihi). None if no limit is known.
        shifts_each_weight: whether a negative weight exponent drops bits of every weight, as on
            Loihi 1 (nengo-loihi's ``lossy_shift``; Brian2Loihi zeroes the last 6 bits of a weight),
            and not bits of the sum, as in Lava's model.
        refractory_max: longest refractory period, in time steps without integration. The register
            of Loihi 1 takes 1 to 63, where 1 stands for no such time step (nengo-loihi).
        delay_max: longest delay of a synapse in time steps, beside the one that every spike takes;
            None if no limit is known. Fugu uses two slots less than the synapses' bits can count.
    """

    name: str
    programmable_neuron: bool
    graded_spikes: bool
    configurations: int | None
    thresholds: int | None
    synaptic_sum_max: int
    drive_max: int | None
    weight_max: int | None
    shifts_each_weight: bool
    refractory_max: int
    delay_max: int | None

    def compartments(self, reset: str) -> int:
        """Return the number of the chip's own neurons that one neuron takes.

        Without microcode, a neuron that subtracts its threshold takes two: one that integrates and
        never resets, and one that spikes for it, whose spike comes back through an inhibitory
        synapse in the next time step (NxTF).

        Args:
            reset: one of ``stochi.hardware.neuron.RESETS``.
        """
        return 2 if reset == "subtract" and not self.programmable_neuron else 1


CHIPS = {
    "loihi1": Chip(
        "loihi1",
        programmable_neuron=False,
        graded_spikes=False,
        configurations=32,
        thresholds=7,
        synaptic_sum_max=2**21 - 1,
        drive_max=STATE_MAX,
        weight_max=2**21 - 2**6,
        shifts_each_weight=True,
        refractory_max=REFRACTORY_MAX - 1,
        delay_max=LONGEST_DELAY,
    ),
    "loihi2": Chip(
        "loihi2",
        programmable_neuron=True,
        graded_spikes=True,
        configurations=None,
        thresholds=None,
        synaptic_sum_max=STATE_MAX,
        drive_max=None,
        weight_max=None,
        shifts_each_weight=False,
        refractory_max=REFRACTORY_MAX,
        delay_max=None,
    ),
}


def find_chip(name: str) -> Chip:
    """Return the chip with this name.

    Raises:
        InputError: the name is unknown; the message lists the known chips.
    """
    if name not in CHIPS:
        raise InputError(f"unknown chip {name!r}; known chips: {', '.join(CHIPS)}")
    return CHIPS[name]


def delay_bits(longest: int) -> int:
    """Return the bits of Loihi 1's synapses for delays of up to ``longest`` time steps; 0 for none.

    Args:
        longest: in [0, :data:`LONGEST_DELAY`]; b bits hold 2^b − 2 (Fugu uses two slots less than
            the bits can count).
    """
    return 0 if longest == 0 else next(bits for bits in DELAY_BITS if longest <= 2**bits - 2)


def membrane_floor(exponent: int) -> int:
    """Return vmin of a core of Loihi 1, ``1 − 2^exponent``, with an exponent in [0, 31]."""
    return 1 - 2**exponent


def membrane_ceiling(exponent: int) -> int:
    """Return vmax of a core of Loihi 1, ``2^(9 + 2·exponent) − 1``, with an exponent in [0, 7]."""
    return 2 ** (9 + 2 * exponent) - 1
