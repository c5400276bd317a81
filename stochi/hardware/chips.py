"""What each chip can do. Widths and ranges, the same on both, are in ``fixed_point.py``.

Sources: nengo-loihi's validation for Loihi 1; programmable neurons and graded spikes from Intel's
technology brief "Taking Neuromorphic Computing with Loihi 2 to the Next Level" (2021).
"""

from dataclasses import dataclass

from stochi.errors import InputError


@dataclass(frozen=True)
class Chip:
    """What a chip can do. ``programmable_neuron``: a neuron may run microcode of its own."""

    name: str
    programmable_neuron: bool
    graded_spikes: bool


CHIPS = {
    "loihi1": Chip("loihi1", programmable_neuron=False, graded_spikes=False),
    "loihi2": Chip("loihi2", programmable_neuron=True, graded_spikes=True),
}


def find_chip(name: str) -> Chip:
    """The chip of that name; InputError names the known ones where there is none."""
    if name not in CHIPS:
        raise InputError(f"unknown chip {name!r}; known chips: {', '.join(CHIPS)}")
    return CHIPS[name]
