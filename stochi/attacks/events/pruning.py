"""Removal of changes that are not needed."""

import torch

from stochi.attacks.events.gradient import Surface
from stochi.attacks.events.judging import any_right
from stochi.attacks.events.menu import Menu


def prune_by_value(surface: Surface, menu: Menu, made: torch.Tensor, queries: int) -> torch.Tensor:
    """Return the samples after those of a set's changes that are needed, (n, places) bool.

    As :func:`prune`; the changes that the gradient values least are tried first.
    """
    slope = surface.slope(menu.frames(menu.events(made)))
    pool = menu.keep(made, menu.values(slope.gradients))
    return pool.events(prune(surface, pool, queries))


def prune(surface: Surface, pool: Menu, queries: int) -> torch.Tensor:
    """Return which changes are left once those are dropped that the answer is wrong without.

    Half of the changes are tried at once, then a quarter, and so on to single ones. Samples that
    are right in some run with all of their changes keep them all.

    Args:
        pool: the legal changes are those that are made; the first columns are tried first.
        queries: largest number of answers for each sample, of the surface's draws each.

    Returns:
        (n, columns) bool.
    """
    kept = pool.legal.clone()
    sizes = (kept.sum(1) + 1) // 2
    begins = torch.zeros_like(sizes)
    open_ = kept.any(1)
    open_ &= ~_any_right(surface, pool, kept)
    for _ in range(queries):
        if not bool(open_.any()):
            break
        rows = open_.nonzero().flatten()
        number = kept[rows].cumsum(1) - 1
        begin, end = begins[rows, None], (begins + sizes)[rows, None]
        tried = kept[rows] & ~((number >= begin) & (number < end))
        wrong = torch.zeros_like(open_)
        wrong[rows] = ~_any_right(surface, pool, tried, rows)
        kept[rows] = torch.where(wrong[rows, None], tried, kept[rows])
        begins = torch.where(open_ & ~wrong, begins + sizes, begins)
        over = begins >= kept.sum(1)
        open_ &= kept.any(1) & ~(over & (sizes == 1))
        sizes = torch.where(over, (sizes + 1) // 2, sizes)
        begins = torch.where(over, 0, begins)
    return kept


def _any_right(
    surface: Surface, pool: Menu, made: torch.Tensor, rows: torch.Tensor | None = None
) -> torch.Tensor:
    """Return whether some run is right about these samples after these changes, (rows,) bool."""
    labels = surface.labels
    if rows is not None:
        pool, labels = pool.rows(rows), labels[rows]
    return any_right(surface.model, pool.frames(pool.events(made)), labels, surface.draws)
