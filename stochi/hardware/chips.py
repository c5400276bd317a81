"""Features and limits of each chip; ``fixed_point.py`` has the widths and ranges, common to both.

Sources: nengo-loihi's validation for Loihi 1; for programmable neurons and graded spikes, Intel's
technology brief "Taking Neuromorphic Computing with Loihi 2 to the Next Level" (2021).
"""

from dataclasses import dataclass

from stochi.errors import InputError


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
            no limit is known. It is 16 for Loihi 1 in nengo-loihi's validation, where a comment
            marks the number as still to be checked.
    """

    name: str
    programmable_neuron: bool
    graded_spikes: bool
    configurations: int | None
    thresholds: int | None


CHIPS = {
    "loihi1": Chip(
        "loihi1",
        programmable_neuron=False,
        graded_spikes=False,
        configurations=32,
        thresholds=16,
    ),
    "loihi2": Chip(
        "loihi2",
        programmable_neuron=True,
        graded_spikes=True,
        configurations=None,
        thresholds=None,
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
