"""The choice of a pattern's events by scores."""

import torch

from stochi.attacks.events.event_pattern import EventPattern
from stochi.attacks.events.pattern_form import PatternForm
from stochi.attacks.events.placing import spread


def choose_events(form: PatternForm, scores: torch.Tensor, most: int | None = None) -> EventPattern:
    """Return the pattern of the events with the highest scores, as many as the budget allows.

    An event that is closer than the refractory time to one with a higher score is left out.

    Args:
        form: the pattern's form.
        scores: of the window's places; only those above −∞ are taken.
        most: largest number of events; None: the budget alone counts.
    """
    limits = [n for n in (most, form.budget.count) if n is not None]
    events = rank_events(form, scores, min(limits, default=None))
    return EventPattern(form, tuple((t, p, y, x) for t, p, y, x in events.tolist()))


def rank_events(form: PatternForm, scores: torch.Tensor, most: int | None = None) -> torch.Tensor:
    """Return the events with the highest scores, the best one first, (events, 4) int64.

    Args:
        form, scores: as for :func:`choose_events`.
        most: largest number of events; None for all that go together.
    """
    order = scores.flatten().argsort(descending=True, stable=True)
    ranks = torch.empty_like(order)
    ranks[order] = torch.arange(len(order), 0, -1, device=order.device)
    ranks = torch.where(scores.isneginf(), 0, ranks.view(scores.shape))
    if form.budget.refractory:
        ranks = _suppress(ranks, form.budget.refractory, form.offsets.loops)
    possible = int((ranks > 0).sum())
    chosen = ranks.flatten().topk(possible if most is None else min(possible, most)).indices
    return torch.stack(torch.unravel_index(chosen, scores.shape), 1)


def _suppress(ranks: torch.Tensor, reach: int, loops: bool) -> torch.Tensor:
    """Keep the highest rank of each pixel, and then the next ones that are far enough from it.

    Args:
        ranks: (time steps, polarities, height, width), different whole numbers from 1; 0 for
            places that are not to be taken.
    """
    kept = torch.zeros_like(ranks)
    while bool((ranks > 0).any()):
        highest = _largest_near(ranks.amax(1), reach, loops)[:, None]
        peaks = (ranks == highest) & (ranks > 0)
        kept = torch.where(peaks, ranks, kept)
        ranks = ranks.masked_fill(spread(peaks.any(1), reach, 0, loops)[:, None], 0)
    return kept


def _largest_near(values: torch.Tensor, reach: int, loops: bool) -> torch.Tensor:
    """Return the largest value less than ``reach`` steps away, along the first dimension."""
    found = values.clone()
    for apart in range(1, min(reach, len(values))):
        if loops:
            nearest = torch.maximum(values.roll(apart, 0), values.roll(-apart, 0))
            found = torch.maximum(found, nearest)
        else:
            found[:-apart] = torch.maximum(found[:-apart], values[apart:])
            found[apart:] = torch.maximum(found[apart:], values[:-apart])
    return found
