"""Insertion of events in a given order, as many as a budget allows."""

import torch

from stochi.attacks.events.menu import Menu
from stochi.attacks.events.selection import select

UNUSED = -1
"""Rank of a place where a pattern inserts nothing."""


def insert_in_order(
    menu: Menu, ranks: torch.Tensor, limits: torch.Tensor, activity: int | None = None
) -> torch.Tensor:
    """Return events after insertions at free places, those of the lowest rank first.

    Args:
        menu: all insertions in n samples that the budget allows.
        ranks: (time_steps, polarities, height, width) int64, each rank once, ``UNUSED`` for places
            left alone.
        limits: (n,) largest number of insertions.
        activity: largest number of events, over all time steps and polarities, of a pixel that gets
            new ones; None for no such limit.

    Returns:
        (n, places) bool.
    """
    wanted = (ranks != UNUSED).flatten() & menu.legal
    if activity is not None:
        wanted = wanted & _few(menu, wanted, activity)
    values = torch.where(wanted, -ranks.flatten().double(), -torch.inf)
    return menu.events(select(menu, values, limits))


def _few(menu: Menu, wanted: torch.Tensor, activity: int) -> torch.Tensor:
    """Return at which places a pixel still has at most ``activity`` events, the earliest first."""
    shape = (len(wanted), *menu.grid)
    own, added = (places.view(shape).permute(0, 3, 4, 1, 2) for places in (menu.clean, wanted))
    counted = added.flatten(3).cumsum(3) + own.flatten(3).sum(3, keepdim=True)
    few = (counted <= activity).view(added.shape).permute(0, 3, 4, 1, 2)
    return few.reshape(wanted.shape)
