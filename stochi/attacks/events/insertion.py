"""Insertion of events in a given order, as many as a budget allows."""

import torch

from stochi.attacks.events.budget import EventBudget
from stochi.attacks.events.places import as_places

UNUSED = -1
"""Rank of a place where a pattern inserts nothing."""


def insert_in_order(
    clean: torch.Tensor, ranks: torch.Tensor, budget: EventBudget, activity: int | None = None
) -> torch.Tensor:
    """Insert events at free places, those of the lowest rank first, within a budget.

    Places whose pixel would not rest for the budget's refractory time are left out, in the order of
    time, before ranks count.

    Args:
        clean: (time_steps, n, *shape) events.
        ranks: (time_steps, polarities, height, width) int64, ``UNUSED`` for places left alone.
        budget: limits the number of events and the time between those of a pixel.
        activity: largest number of events, over all time steps and polarities, of a pixel that gets
            new ones; None for no such limit.
    """
    places = as_places(clean)
    free = (ranks != UNUSED)[:, None] & (places == 0)
    free = rested(places, free, budget.refractory)
    if activity is not None:
        free = free & _few(places, free, activity)
    behind = torch.iinfo(torch.int64).max
    by_sample = torch.where(free, ranks[:, None], behind).transpose(0, 1).flatten(1)
    allowed = torch.minimum(budget.limits(clean), free.sum((0, 2, 3, 4)))
    order = by_sample.argsort(dim=1, stable=True)
    chosen = torch.zeros_like(by_sample, dtype=clean.dtype)
    first = torch.arange(order.shape[1], device=order.device) < allowed[:, None]
    chosen.scatter_(1, order, first.to(clean.dtype))
    steps, samples = clean.shape[:2]
    inserted = chosen.view(samples, steps, *places.shape[2:]).transpose(0, 1)
    return (places + inserted).view(clean.shape)


def rested(places: torch.Tensor, wanted: torch.Tensor, refractory: int) -> torch.Tensor:
    """Return which of the wanted events can be inserted, each pixel's earliest first.

    Args:
        places: (time_steps, n, polarities, height, width) events that are there already.
        wanted: the same shape, bool.
        refractory: number of steps for which a pixel is dead, see :class:`EventBudget`.
    """
    if not refractory:
        return wanted
    seen = (places != 0).any(2)
    kept = torch.zeros_like(wanted)
    for step in range(len(places)):
        around = seen[max(0, step - refractory + 1) : step + refractory]
        for polarity in range(places.shape[2]):
            kept[step, :, polarity] = wanted[step, :, polarity] & ~around.any(0)
            seen[step] |= kept[step, :, polarity]
    return kept


def _few(places: torch.Tensor, wanted: torch.Tensor, activity: int) -> torch.Tensor:
    """Return at which places a pixel still has at most ``activity`` events, earliest first."""
    own = (places != 0).sum((0, 2))
    by_pixel = wanted.permute(1, 3, 4, 0, 2)
    counted = by_pixel.flatten(3).cumsum(3) + own[..., None]
    return (counted <= activity).view(by_pixel.shape).permute(3, 0, 4, 1, 2)
