"""What each chip can do. Widths and ranges, the same on both, are in ``fixed_point.py``.

Sources: nengo-loihi's validation for Loihi 1; programmable neurons and graded spikes from Intel's
technology brief "Taking Neuromorphic Computing with Loihi 2 to the Next Level" (2021).
"""

from dataclasses import dataclass

from stochi.errors import InputError


@dataclass(frozen=True)
class Chip:
    """What a chip can do.

    Attributes:
        programmable_neuron: a neuron may run microcode of its own.
        configurations: how many distinct (du, dv, refractory period, noise) the neurons of a core
            can have; None where no limit is known. nengo-loihi's validation has 32 for Loihi 1.
        thresholds: how many distinct thresholds the neurons of a core can have; None where no
            limit is known. nengo-loihi's validation has 16 for Loihi 1, marked as to be checked.
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
    """The chip of that name; InputError names the known ones where there is none."""
    if name not in CHIPS:
        raise InputError(f"unknown chip {name!r}; known chips: {', '.join(CHIPS)}")
    return CHIPS[name]
