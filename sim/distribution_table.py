"""The comparison in distribution, in words."""

from collections.abc import Mapping
from typing import Any

from stochi.sim.verdicts import entries

NAMES = {
    "rate": "firing rate",
    "fano": "Fano factor",
    "distance": "spike distance",
    "distance_across": "  float, chip",
    "membrane": "membrane W1",
    "accuracy": "accuracy",
    "logit_mean": "logit, class",
    "logit_spread": "logit spread",
    "agreement": "agreement",
    "agreement_across": "  float, chip",
}


def distribution_rows(distribution: Mapping[str, Any] | None) -> list[list[str]]:
    """Rows of text, the first one the head; of the classes' logits only the one furthest off.

    The column "±" has the margins.
    """
    rows = [["layer", "quantity", "GPU float", "chip", "difference, %", "±", "verdict"]]
    if distribution is None:
        return rows
    for layer, compared in distribution["layers"].items():
        for number, name in enumerate(_in_order(compared)):
            rows.append([layer if not number else "", NAMES[name], *_cells(compared[name])])
    for number, name in enumerate(_in_order(distribution["network"])):
        quantity, entry = NAMES[name], distribution["network"][name]
        if name == "logit_mean":
            worst = max(entry, key=lambda number: _furthest(entry[number]))
            quantity, entry = f"{quantity} {worst}", entry[worst]
        rows.append(["network" if not number else "", quantity, *_cells(entry)])
    return rows


def distribution_warnings(distribution: Mapping[str, Any] | None) -> list[str]:
    """What differs by more than its margin, and what could not be compared."""
    if distribution is None:
        return []
    found = []
    different = [
        " ".join(NAMES.get(name, name).strip() for name in place[1:])
        for place, entry in entries(distribution)
        if entry["verdict"] == "different"
    ]
    if different:
        found.append(f"float model and chip differ beyond the margin in: {'; '.join(different)}")
    if distribution["left_out"]:
        found.append("a single trial tells nothing of variability; run at least 2")
    return found


def _in_order(compared: Mapping[str, Any]) -> list[str]:
    return [name for name in NAMES if name in compared]


def _furthest(entry: Mapping[str, Any]) -> float:
    ends = (entry["low"], entry["high"])
    return max((abs(end) for end in ends if end is not None), default=0.0)


def _cells(entry: Mapping[str, Any]) -> list[str]:
    return [
        f"{entry['float']:.4f}",
        f"{entry['chip']:.4f}",
        _difference(entry),
        f"{100 * entry['margin']:g}",
        entry["verdict"],
    ]


def _difference(entry: Mapping[str, Any]) -> str:
    if entry["difference"] is None:
        return "–"
    text = f"{100 * entry['difference']:+.2f}"
    if entry["low"] is not None:
        text += f" [{100 * entry['low']:+.2f}, {100 * entry['high']:+.2f}]"
    return text
