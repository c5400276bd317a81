"""A study's results as rows of text."""

from typing import Any

import torch

from stochi.sim.statistics import estimate_mean
from stochi.study.results import Cell

COLUMNS = ("clean", "noise", "FGSM", "PGD", "PGD, transferred", "AutoAttack rand", "Square")
PLACES = {
    "float": "float",
    "decay": "chip, decay",
    "membrane": "chip, membrane",
    "none": "chip, no noise",
}


def accuracy_rows(cells: list[Cell]) -> list[list[str]]:
    """Networks and places down, attacks across; accuracy in % and its 95 % interval."""
    return _across(cells, _accuracy)


def difference_rows(cells: list[Cell]) -> list[list[str]]:
    """The same for differences, in points."""
    return _across(cells, _points)


def masking_rows(cells: list[Cell]) -> list[list[str]]:
    """One row for each sign."""
    rows = [["defence", "network", "place", "sign", "value", "limit"]]
    for cell in cells:
        where = [cell["defence"], cell["network"], PLACES[cell["place"]], cell["sign"]]
        value = f"{cell['value']:.1%} [{cell['low']:.1%}, {cell['high']:.1%}]"
        rows.append([*where, value, f"{cell['limit']:.0%}"])
    return rows


def similarity_rows(cells: list[Cell]) -> list[list[str]]:
    """Mean cosines between draws, with 95 % intervals."""
    rows = [["defence", "network", "gradients", "perturbations"]]
    for cell in cells:
        means = [
            estimate_mean(torch.tensor(cell[name], dtype=torch.float64), 1)
            for name in ("gradient", "perturbation")
        ]
        texts = [f"{mean.value:.2f} [{mean.low:.2f}, {mean.high:.2f}]" for mean in means]
        rows.append([cell["defence"], cell["network"], *texts])
    return rows


def _across(cells: list[Cell], text: Any) -> list[list[str]]:
    present = [column for column in COLUMNS if any(cell["column"] == column for cell in cells)]
    heads = [column.replace("PGD, ", "PGD,\n").replace("Attack ", "Attack\n") for column in present]
    lines: dict[tuple[str, str, str], dict[str, str]] = {}
    for cell in cells:
        line = (cell["defence"], cell["network"], PLACES[cell["place"]])
        lines.setdefault(line, {})[cell["column"]] = text(cell)
    return [
        ["defence", "network", "place", *heads],
        *([*line, *(found.get(c, "–") for c in present)] for line, found in lines.items()),
    ]


def _accuracy(cell: Cell) -> str:
    return f"{cell['value']:.1%}\n{100 * cell['low']:.0f}–{100 * cell['high']:.0f}"


def _points(cell: Cell) -> str:
    value, low, high = (100 * cell[key] for key in ("value", "low", "high"))
    mark = " *" if low > 0 or high < 0 else ""
    return f"{value:+.1f}{mark}\n{low:+.1f}…{high:+.1f}"
