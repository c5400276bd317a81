"""What a sample costs, in words and as rows of text."""

from collections.abc import Mapping

from stochi.parity.costs import Costs, Energy
from stochi.plain_text import amount, counted

NOTHING = "–"
REFERENCE = "reference"
SIDE_BY_SIDE = "What a sample costs on the chip, energy at published figures"


def cores_words(costs: Costs) -> str:
    """Return the cores that a Program takes, of how many."""
    cores = costs.cores
    if cores is None:
        return f"on no cores of {costs.chip}"
    if cores.chips == 1:
        return f"{cores.taken:,} of the {counted(cores.of_chip, 'core')} of {costs.chip}"
    return f"{counted(cores.taken, 'core')} on {cores.chips:,} chips of {costs.chip}"


def figures_words(energy: Energy) -> str:
    """Return whose figures energies are at."""
    words = f"{energy.title}'s figures"
    return f"{words} (a reference)" if energy.reference else words


def cost_line(costs: Costs | None) -> str | None:
    """Return a sentence on what a sample costs; None if that was not estimated."""
    if costs is None or not costs.layers:
        return None
    operations = f"{amount(costs.operations)} synaptic operations"
    line = f"Costs: {cores_words(costs)}; a sample takes {operations}"
    if costs.energy is None:
        return f"{line} and {amount(costs.spikes)} spikes"
    energy = f"{amount(costs.energy.all_events)} nJ at {figures_words(costs.energy)}"
    return f"{line}, {amount(costs.spikes)} spikes and {energy}"


def cost_rows(costs: Mapping[str, Costs | None]) -> list[list[str]]:
    """Return a row for each report that has costs, after the head."""
    rows = [["report", "chip", "cores", "operations", "spikes", "nJ"]]
    for name, one in costs.items():
        if one is not None and one.layers:
            cores = NOTHING if one.cores is None else f"{one.cores.taken:,}"
            events = [amount(one.operations), amount(one.spikes)]
            rows.append([name, one.chip, cores, *events, energy_words(one.energy)])
    return rows


def energy_words(energy: Energy | None) -> str:
    """Return the energy of all events in nJ, and below it whether it is a reference."""
    if energy is None:
        return NOTHING
    return amount(energy.all_events) + f"\n{REFERENCE}" * energy.reference
