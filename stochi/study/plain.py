"""Results as plain values, for JSON."""

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

FLAT = ("accuracy", "difference", "finding", "success")
"""Fields of a cell whose numbers stand beside its other fields."""


def as_plain(cells: Iterable[Any]) -> list[dict[str, Any]]:
    """Return dataclasses as plain values, with an estimate's numbers beside the other fields."""
    found = []
    for cell in cells:
        flat: dict[str, Any] = {}
        for name, value in asdict(cell).items():
            flat.update(value if name in FLAT else {name: value})
        found.append(flat)
    return found
