"""Random patterns of events: the baseline that a trained one must beat."""

import torch

from stochi.attacks.base import check_seed
from stochi.attacks.events.event_choice import choose_events
from stochi.attacks.events.event_pattern import EventPattern


def random_like(pattern: EventPattern, seed: int) -> EventPattern:
    """Return a pattern of as many events as another one, at random places of its window.

    Its budget, shifts and window are those of the other one.

    Args:
        pattern: the pattern that it is compared with.
        seed: whole number in [0, 2⁶⁴).

    Raises:
        InputError: the seed is out of range.
    """
    check_seed(seed)
    generator = torch.Generator().manual_seed(int(seed))
    scores = torch.rand(pattern.form.grid, generator=generator)
    return choose_events(pattern.form, scores, len(pattern.events))
