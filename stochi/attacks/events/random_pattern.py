"""Random patterns of events: the baseline that a trained one must beat."""

from dataclasses import dataclass, field

import torch

from stochi.arguments import check_arguments
from stochi.attacks.base import check_seed
from stochi.attacks.events.budget import EventBudget
from stochi.attacks.events.event_choice import choose_events, rank_events
from stochi.attacks.events.event_pattern import EventPattern


@dataclass(frozen=True, init=False, repr=False)
class RandomPattern(EventPattern):
    """A pattern at random places that inserts as many events into a sample as another one does.

    Of two patterns of as many events, the trained one inserts more, because it avoids the places
    that samples have events in. So this one has more events in reserve, all possible ones of its
    window in a random order. At the same shift, it inserts the first of them that the sample has
    room for, as many as the other pattern would insert. These are fewer only if the window has no
    room for as many.

    Attributes:
        events: the first events of the order, as many as the other pattern has.
        like: the pattern that it is compared with.
        seed: of the order, a whole number in [0, 2⁶⁴).

    Raises:
        InputError: the seed is out of range.
    """

    like: EventPattern = field(kw_only=True)
    seed: int = field(kw_only=True)

    def __init__(self, like: EventPattern, seed: int) -> None:
        check_seed(seed)
        first = choose_events(like.form, _scores(like, seed), len(like.events))
        values = {"form": like.form, "events": first.events, "like": like, "seed": int(seed)}
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def within(self, budget: EventBudget) -> "RandomPattern":
        """Return the pattern that is like the other one within another budget."""
        return RandomPattern(self.like.within(budget), self.seed)

    def show(self, clean: torch.Tensor, offsets: torch.Tensor, most: torch.Tensor) -> torch.Tensor:
        """Return samples with as many events in them as the other pattern inserts."""
        count = (self.like.show(clean, offsets, most) & ~clean).sum(1)
        rest = self.hide(clean, offsets, most)
        left = torch.minimum(count, most - (clean & ~rest).sum(1))
        order = rank_events(self.form, _scores(self.like, self.seed))
        return rest | self.insertions(rest, offsets, left, order)


def random_like(pattern: EventPattern, seed: int) -> RandomPattern:
    """Return a pattern at random places that inserts as many events as another one, in each sample.

    Its budget, shifts and window are those of the other one.

    Args:
        pattern: the pattern that it is compared with.
        seed: whole number in [0, 2⁶⁴).

    Raises:
        InputError: the seed is out of range.
    """
    check_arguments(random_like, locals())
    return RandomPattern(pattern, seed)


def _scores(pattern: EventPattern, seed: int) -> torch.Tensor:
    """Return a random number for each place of a pattern's window."""
    generator = torch.Generator().manual_seed(int(seed))
    return torch.rand(pattern.form.grid, generator=generator)
