"""Two records of the same run, compared value for value."""

from dataclasses import dataclass
from typing import Annotated

import torch

from stochi.errors import InputError
from stochi.parity.bounds import Count, OneOf
from stochi.sim.record import Record

QUANTITIES = ("spikes", "membrane")
"""What is compared of a layer."""


@dataclass(frozen=True)
class FirstMismatch:
    """First difference of two runs: the earliest step, there the first sample and neuron."""

    step: Count
    sample: Count
    neuron: tuple[Count, ...]
    left: int
    right: int


@dataclass(frozen=True)
class LayerComparison:
    """One quantity of one layer, "spikes" or "membrane", at every time step of every sample."""

    layer: str
    quantity: Annotated[str, OneOf(QUANTITIES)]
    compared: Count
    mismatches: Count
    first: FirstMismatch | None


def compare_records(left: Record, right: Record) -> list[LayerComparison]:
    """Compare all layers in order, spikes before membranes.

    Raises:
        InputError: the records differ in their layers or shapes.
    """
    comparisons = []
    for quantity in QUANTITIES:
        ours, theirs = getattr(left, quantity), getattr(right, quantity)
        if list(ours) != list(theirs):
            raise InputError(f"the records' {quantity} are of layers {list(ours)}, {list(theirs)}")
        for layer, values in ours.items():
            comparisons.append(compare(layer, quantity, values, theirs[layer]))
    return comparisons


def compare(layer: str, quantity: str, left: torch.Tensor, right: torch.Tensor) -> LayerComparison:
    """Compare (time steps, batch, *shape) values of two runs."""
    if left.shape != right.shape:
        raise InputError(
            f"{quantity} of {layer!r} have shapes {tuple(left.shape)} and {tuple(right.shape)}:"
            " these are not runs of one network; was the Program lowered from this model?"
        )
    different = left != right
    count = int(different.sum())
    first = None
    if count:
        place = tuple(int(i) for i in different.nonzero()[0])
        first = FirstMismatch(place[0], place[1], place[2:], int(left[place]), int(right[place]))
    return LayerComparison(layer, quantity, left.numel(), count, first)
