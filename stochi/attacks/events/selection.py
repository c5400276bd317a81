"""The choice of the best changes that go together within a budget."""

import torch

from stochi.attacks.events.menu import Menu

FIRST_WIDTH = 64
"""Smallest number of changes that are looked at first."""


def select(
    menu: Menu, values: torch.Tensor, limits: torch.Tensor, made: torch.Tensor | None = None
) -> torch.Tensor:
    """Return the changes that a greedy choice by value makes, (n, columns) bool.

    The best change that is legal and compatible with those before it is made, until the limit is
    reached.

    Args:
        values: (n, columns); −∞ for changes that are not wanted.
        limits: (n,) largest number of changes that are made here.
        made: (n, columns) bool, changes made before, with which these must be compatible.
    """
    legal = menu.legal if made is None else menu.legal & ~menu.blocked(made)
    values = values.masked_fill(~legal | values.isnan(), -torch.inf)
    limits = limits.to(values.device)
    columns = values.shape[1]
    width = min(columns, max(FIRST_WIDTH, 2 * int(limits.max())))
    while True:
        # The choice among the best changes is the beginning of the choice among all.
        best = values.topk(width, 1)
        wanted = best.values > -torch.inf
        kept = first_compatible(menu.take(best.indices), wanted)
        kept &= kept.cumsum(1) <= limits[:, None]
        enough = (kept.sum(1) >= limits) | ~wanted[:, -1]
        if width == columns or bool(enough.all()):
            return torch.zeros_like(menu.legal).scatter(1, best.indices, kept)
        width = min(columns, 4 * width)


def first_compatible(menu: Menu, wanted: torch.Tensor) -> torch.Tensor:
    """Return the changes that are compatible with all chosen ones in the columns before them.

    In every round, all changes are chosen that come before all others that they are not compatible
    with. This is the choice one by one, in few rounds.

    Args:
        wanted: (n, columns) bool, the changes to choose from.
    """
    columns = wanted.shape[1]
    ranks = torch.arange(columns, device=wanted.device).expand_as(wanted)
    kept, open_ = torch.zeros_like(wanted), wanted
    while bool(open_.any()):
        rank = torch.where(open_, ranks, columns)
        first = open_
        slots = rank.new_full((len(rank), menu.nowhere + 1), columns)
        for places in (menu.origins, menu.targets):
            slots.scatter_reduce_(1, places, rank, "amin")
        for places in (menu.origins, menu.targets):
            first = first & ((slots.gather(1, places) == rank) | (places == menu.nowhere))
        if menu.refractory:
            first = first & _first_of_pixel(menu, rank)
        kept = kept | first
        open_ = open_ & ~first & ~menu.blocked(first)
    return kept


def _first_of_pixel(menu: Menu, rank: torch.Tensor) -> torch.Tensor:
    """Return whether no change of a lower rank adds an event too close at the same pixel."""
    grid, instants = menu.grid, menu.target_instants()
    adds = menu.targets < menu.nowhere
    latest = rank.shape[1]
    size = grid.places // grid.polarities
    slots = rank.new_full((len(rank), size), latest)
    slots.scatter_reduce_(1, instants, torch.where(adds, rank, latest), "amin")
    near = spread_least(slots, grid.time_steps, menu.refractory)
    return ~adds | (near.gather(1, instants) >= rank)


def spread_least(ranks: torch.Tensor, time_steps: int, refractory: int) -> torch.Tensor:
    """Return the least rank less than ``refractory`` steps from each time step and pixel."""
    steps = ranks.view(len(ranks), time_steps, -1)
    least = steps.clone()
    for apart in range(1, min(refractory, time_steps)):
        least[:, apart:] = torch.minimum(least[:, apart:], steps[:, :-apart])
        least[:, :-apart] = torch.minimum(least[:, :-apart], steps[:, apart:])
    return least.view_as(ranks)
