"""The results of a study on events as tables of text."""

from collections.abc import Sequence

from stochi.plain_text import counted, decimal, in_percent, interval_in_percent
from stochi.study.events.plan import EventStudyPlan
from stochi.study.events.results import (
    DifferenceCell,
    EventMaskingCell,
    EventStudyResults,
    ShareCell,
    SuccessCell,
)
from stochi.study.layout import PLACES, Table, across, percent, points

NETWORK_PLACE = ("network", "place")
ATTACK = (*NETWORK_PLACE, "attack", "made on")
MOVED = "step"
"""Part of a column's name if events are moved in time."""
PART_OF = {"nmnist": "a part of N-MNIST"}
"""Data set → what is studied of it, as long as not all of its recordings are."""
WHOLE = {"nmnist": (60_000, 10_000)}
"""Data set → its numbers of training and test recordings."""


def make_tables(results: EventStudyResults) -> list[Table]:
    """Return all tables of a study; that of masked gradients is the last, if there are signs."""
    plan = results.plan
    tables = [
        _table("Accuracy, %", plan, share_rows(results.accuracies), 2),
        _table(
            "Success of the worst attack on each recording, %", plan, _worst_rows(results.worst), 2
        ),
    ]
    for title, cells in (
        ("Success of attacks on the network and place of the row, %", results.attacks),
        ("Success on the chip of what was made on the float model, %", results.transferred),
        ("Success of what was made on another network's float model, %", results.crossed),
        ("Fooling rate of universal patterns on unseen recordings, %", results.patterns),
        ("Fooling rate of patches on unseen recordings, at random places, %", results.patches),
    ):
        tables += _by_network(title, plan, cells)
    for title, differences in (
        ("Success minus that on the plain LIF, in points, paired", results.against_lif),
        ("Success minus that on the float model, in points, paired", results.against_float),
        ("Fooling rate minus that of random patterns, in points, paired", results.against_random),
    ):
        if differences:
            tables.append(_table(title, plan, difference_rows(differences), 4))
    if results.masking:
        tables.append(_table("Signs of masked gradients", plan, masking_rows(results.masking), 5))
    return tables


def describe_data(plan: EventStudyPlan) -> str:
    """Return how many recordings of which set were used, and that it is a part if it is one."""
    training, test = plan.training.samples, plan.samples
    found = f"{plan.data}: {training} training and {test} test recordings"
    whole = WHOLE.get(plan.data)
    if whole and (training, test) != whole:
        found += f", {PART_OF[plan.data]}, which has {whole[0]:,} and {whole[1]:,}"
    return found


def describe_plan(plan: EventStudyPlan) -> str:
    """Return a plan's recordings and trials in a sentence."""
    seeds = ", ".join(str(seed) for seed in range(plan.training.seeds))
    return (
        f"{describe_data(plan)}; {counted(plan.trials, 'trial')}, training seed"
        f"{'s' if plan.training.seeds > 1 else ''} {seeds}, {plan.training.network}; 95 % intervals"
    )


def share_rows(cells: Sequence[ShareCell]) -> list[list[str]]:
    """Return networks and places down, attacks across; accuracy in %."""
    return across(cells, NETWORK_PLACE, _where, lambda c: percent(c.accuracy, c.over_trainings))


def success_rows(cells: Sequence[SuccessCell]) -> list[list[str]]:
    """Return attacks down, budgets across; success in %, and median L0 with its share."""
    return across(cells, ATTACK, _attack_of, describe_success)


def difference_rows(cells: Sequence[DifferenceCell]) -> list[list[str]]:
    """Return attacks down, budgets across; differences in points."""
    return across(cells, ATTACK, _attack_of, lambda c: points(c.difference, c.over_trainings))


def masking_rows(cells: Sequence[EventMaskingCell]) -> list[list[str]]:
    """Return one row for each sign."""
    rows = [["network", "place", "attack", "budget", "sign", "value", "limit"]]
    for cell in cells:
        sign = cell.finding
        value = interval_in_percent(sign.value, sign.low, sign.high)
        where = [*_where(cell), cell.attack, cell.column]
        rows.append([*where, sign.sign, value, in_percent(sign.limit, 0)])
    return rows


def describe_success(cell: SuccessCell) -> str:
    """Return a success in %, then the sizes of the changes that succeeded.

    They are the median L0 and its share of the recording's events, or for events that moved the
    mean B∞, B1 and B0.
    """
    lines = [percent(cell.success, cell.over_trainings)]
    if cell.timing is not None:
        lines.append(" / ".join(f"{value:.3g}" for value in cell.timing))
    elif cell.median_changes is not None and cell.median_share is not None:
        lines.append(f"{cell.median_changes:g} ({decimal(100 * cell.median_share, 1)} %)")
    return "\n".join(lines)


def _worst_rows(cells: Sequence[SuccessCell]) -> list[list[str]]:
    return across(cells, NETWORK_PLACE, _where, describe_success)


def _by_network(title: str, plan: EventStudyPlan, cells: Sequence[SuccessCell]) -> list[Table]:
    """Return a table for each network, those with moves in time apart from the others."""
    tables = []
    for network in dict.fromkeys(cell.network for cell in cells):
        here = [cell for cell in cells if cell.network == network]
        for sizes, moved in (
            ("median L0 (share of the recording's events)", False),
            ("mean B∞ / B1 / B0", True),
        ):
            some = [cell for cell in here if (MOVED in cell.column) == moved]
            if some:
                text = f"{title}\nbelow: {sizes} of what succeeded"
                tables.append(_table(text, plan, success_rows(some), len(ATTACK)))
    return tables


def _table(title: str, plan: EventStudyPlan, rows: list[list[str]], text_columns: int) -> Table:
    return Table(f"{title}\n{describe_plan(plan)}", rows, text_columns)


def _where(cell: ShareCell | SuccessCell | EventMaskingCell) -> list[str]:
    return [cell.network, PLACES[cell.place]]


def _attack_of(cell: SuccessCell | DifferenceCell) -> list[str]:
    return [cell.network, PLACES[cell.place], cell.attack, PLACES.get(cell.made_on, cell.made_on)]
