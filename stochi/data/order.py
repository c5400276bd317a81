"""Where batches of streams count their samples: in the first dimension, or after the time steps."""

import warnings
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple, TypeVar

import torch

from stochi.errors import InputError, StochiWarning

FRONT, BEHIND = 0, 1
"""Orders of a batch: its samples are counted before, or behind, the time steps."""
BOTH = (BEHIND, FRONT)
LOOK_AHEAD = 8
"""Largest number of batches that are held to find out the order of one before them."""

Other = TypeVar("Other")


class AmbiguousOrder(StochiWarning):
    """Streams with as many samples as time steps, taken as (time steps, batch, ...)."""


class Pair(NamedTuple):
    """A batch as its author made it.

    Attributes:
        inputs: images (batch, *shape), or streams, which have the time steps in front or behind.
        labels: (batch,), (batch, outputs), or of every time step, which are in front or behind.
    """

    inputs: torch.Tensor
    labels: torch.Tensor

    def by_step(self, dims: int) -> tuple[bool, bool]:
        """Return whether the inputs, and the labels, have time steps.

        Args:
            dims: number of dimensions of a single input at one time step.
        """
        return self.inputs.dim() == dims + 2, self.labels.dim() == 3

    def from_order(self, order: int, dims: int) -> "Pair":
        """Return the batch with the time steps in front, from one in this order."""
        if order == BEHIND:
            return self
        each = zip(self, self.by_step(dims), strict=True)
        return Pair(*(part.transpose(0, 1) if timed else part for part, timed in each))

    def orders(self, dims: int, time_steps: int) -> tuple[int, ...]:
        """Return the orders that the batch may have by its shapes."""
        each = list(zip(self, self.by_step(dims), strict=True))
        if not all(part.dim() for part in self):
            return ()
        found = []
        for order in BOTH:
            samples = {part.shape[order if timed else 0] for part, timed in each}
            steps = {part.shape[1 - order] for part, timed in each if timed}
            if len(samples) == 1 and steps <= {time_steps}:
                found.append(order)
        return tuple(found)

    def is_ambiguous(self, dims: int, time_steps: int) -> bool:
        """Return whether the shapes do not tell the order, and it matters."""
        matters = any(self.by_step(dims)) and time_steps > 1
        return matters and self.orders(dims, time_steps) == BOTH


def is_ambiguous(shape: tuple[int, ...], dims: int, time_steps: int) -> bool:
    """Return whether inputs of this shape are streams of an order that it does not tell."""
    return len(shape) == dims + 2 and shape[0] == shape[1] == time_steps > 1


def warn_of_order(
    what: str, shape: tuple[int, ...], way_out: str = "", *, stacklevel: int = 2
) -> None:
    """Warn that the samples may be counted in either of the first two dimensions.

    Args:
        what: what has the shape.
        way_out: what makes the order known; streams, if it is left out.
    """
    way_out = way_out or "pass or yield stochi.data.Streams(inputs, labels), in that order"
    warnings.warn(
        f"{what} have shape {shape}, as many samples as time steps, which does not tell which come"
        f" first; they are taken as (time steps, batch, ...). To be sure, {way_out}",
        AmbiguousOrder,
        stacklevel=stacklevel + 1,
    )


def steps_in_front(
    batches: Iterator[Pair | Other],
    dims: int,
    time_steps: int,
    order_of_one: Callable[[], int | None] = lambda: None,
) -> Iterator[Pair | Other]:
    """Yield batches with the time steps in front; all pairs among them must have one order.

    The order of a batch whose shapes do not tell it is that of the other batches.

    Args:
        batches: pairs, and others, which are passed on.
        dims: number of dimensions of a single input at one time step.
        time_steps: of a sample.
        order_of_one: returns the order of a batch of a single sample, which is made in the same
            way, or None if it is not known.

    Raises:
        InputError: two batches have different orders.

    Warns:
        AmbiguousOrder: nothing tells the order of a batch.
    """
    ahead: deque[Pair | Other] = deque()
    known: int | None = None
    number = 0
    while (batch := ahead.popleft() if ahead else next(batches, None)) is not None:
        if not isinstance(batch, Pair):
            yield batch
        elif batch.is_ambiguous(dims, time_steps):
            if known is None:
                ahead.extend(islice(batches, LOOK_AHEAD))
                known = _first_order(ahead, dims, time_steps)
            known = order_of_one() if known is None else known
            if known is None:
                part = batch.inputs if batch.by_step(dims)[0] else batch.labels
                what = "inputs" if part is batch.inputs else "labels"
                warn_of_order(f"{what} of batch {number} of the data", tuple(part.shape))
                known = BEHIND
            yield batch.from_order(known, dims)
        else:
            own = order_of(batch, dims, time_steps)
            if own is not None and known not in (None, own):
                raise InputError(
                    f"inputs of batch {number} of the data have shape {tuple(batch.inputs.shape)},"
                    " and batches before it count samples and time steps in another order; let all"
                    " be (time steps, batch, *shape), or yield stochi.data.Streams(inputs, labels)"
                )
            known = known if own is None else own
            yield batch if own is None else batch.from_order(own, dims)
        number += 1


def order_of(pair: Pair, dims: int, time_steps: int) -> int | None:
    """Return the order that the shapes of a batch tell, None if they do not."""
    orders = pair.orders(dims, time_steps)
    return orders[0] if len(orders) == 1 else None


def _first_order(batches: deque[Pair | Other], dims: int, time_steps: int) -> int | None:
    """Return the order of the first batch whose shapes tell it."""
    orders = (order_of(one, dims, time_steps) for one in batches if isinstance(one, Pair))
    return next((order for order in orders if order is not None), None)
