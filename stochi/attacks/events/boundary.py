"""A boundary attack on events, by the answered class alone."""

from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple

import torch
from torch import nn

from stochi.attacks.chosen import Candidate, Chosen
from stochi.attacks.events.base import EventAttack
from stochi.attacks.events.gradient import break_ties
from stochi.attacks.events.judging import choose_sparsest, confirm_wrong
from stochi.attacks.events.menu import Menu, list_changes
from stochi.attacks.events.places import flatten_places
from stochi.attacks.events.selection import select
from stochi.attacks.expectation import is_random
from stochi.attacks.samplewise import choose
from stochi.data.streams import Streams
from stochi.errors import InputError

FIRST_SHARE = 0.5
"""Share of the changes that the first step drops."""
LONGER, SHORTER = 1.5, 0.8
"""Factors of a step's share after it led to a wrong answer, and after it did not."""
CONFIRMING = 20
"""Further runs of a random model that must all be wrong."""
RETURNED = 0.3
"""Changes of the start that come back in every other step, as a share of those dropped."""


@dataclass(frozen=True)
class Boundary(EventAttack):
    """Walk from a wrong sample back towards the clean one (Brendel et al., ICLR 2018, on events).

    It needs classes only. A random model counts as wrong if no run of ``draws`` is right, and then
    none of 20 fresh ones or more. A start makes all changes that lead towards another sample, or
    random ones; of those that are answered wrong, the nearest is taken. Every step drops a random
    part of the changes, and every other one takes a few of the start's back; it is taken if the
    answer stays wrong and the changes become fewer. The parts grow after a success and shrink after
    a failure. A sample that does not come within the budget stays clean, and so does one for which
    no start is found.

    Attributes:
        iterations: number of steps, each ``draws`` queries for every sample, and up to 20 more for
            a random model as long as it is wrong.
        starts: number of starts that are tried, half of them other samples, half random.
        draws: runs of an answer. A model that answers the same twice gets 1.
        pool: labelled events to start from: for each sample, the nearest ones of other classes.
            None: the other samples of the batch, in a random order.
    """

    uses_gradients: ClassVar[bool] = False
    iterations: int = 300
    starts: int = field(default=10, kw_only=True)
    pool: Streams | None = field(default=None, kw_only=True, compare=False, repr=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_counts("iterations", "starts")

    @property
    def title(self) -> str:
        """Name in reports, without the budget."""
        pool = "" if self.pool is None else f", {len(self.pool)} to start from"
        return f"boundary-{self.iterations} ({self.draws} draws{pool}){self.kinds_title}"

    def perturb(
        self,
        model: nn.Module,
        inputs: torch.Tensor,
        labels: torch.Tensor,
        generator: torch.Generator,
    ) -> Chosen:
        """Find starts, walk, and keep what is within the budget."""
        random = is_random(model, inputs, self.draws, 1)
        draws = self.draws if random else 1
        menu = list_changes(self.used, inputs)
        asked = _Asked(model, labels, draws, random)
        start, usable = self.find_starts(asked, menu, inputs, generator)
        pool = menu.keep(start)
        made = self.walk(asked, pool, usable, generator)
        within = made.sum(1) <= self.allowed.limits(inputs)
        found = menu.frames(pool.events(made & within[:, None]), inputs.dtype)
        candidates = [Candidate(self.title, found), Candidate(self.title, inputs)]
        return choose_sparsest(model, candidates, inputs, labels, draws)

    def find_starts(
        self, asked: "_Asked", menu: Menu, inputs: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return each sample's nearest wrong start, (n, columns), and whether it has one."""
        samples = len(asked.labels)
        right = ~asked.are_wrong(inputs)
        best, nearest = menu.none(), torch.full_like(asked.labels, menu.nowhere + 1)
        everything = torch.full_like(nearest, menu.nowhere)
        others = None if self.pool is None else self.find_nearest(menu.clean, asked.labels)
        for number in range(self.starts):
            noise = torch.rand(menu.clean.shape, generator=generator, device=inputs.device)
            if number % 2 or (samples == 1 and others is None):
                share = torch.rand(1, generator=generator, device=inputs.device)
                other = noise < share
            elif others is not None:
                other = others[:, number // 2 % others.shape[1]]
            else:
                order = torch.randint(1, samples, (1,), generator=generator, device=inputs.device)
                other = flatten_places(inputs.roll(int(order), 1)) != 0
            # A change leads there if all that it adds is in the other sample, all it takes is not.
            towards = menu.values(other.double() - 0.5)
            values = break_ties(towards, generator).masked_fill(towards <= 0, -torch.inf)
            made = select(menu, values, everything)
            nearer = right & (made.sum(1) < nearest)
            nearer = nearer & asked.are_wrong(menu.frames(menu.events(made)), nearer)
            best, nearest = choose(nearer, made, best), torch.where(nearer, made.sum(1), nearest)
        return best, nearest <= menu.nowhere

    def find_nearest(self, clean: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the samples of the pool to start from, the nearest first, (n, starts, places)."""
        assert self.pool is not None
        pool = self.pool.to(clean.device)
        events = flatten_places(pool.inputs) != 0
        _check_pool(events, clean)
        of_others = labels[:, None] != pool.labels
        # Where two samples differ: the events of both, less those that they share, twice.
        shared = clean.float() @ events.float().T
        apart = (events.sum(1) - 2 * shared).masked_fill(~of_others, torch.inf)
        nearest = apart.topk(min((self.starts + 1) // 2, len(events)), 1, largest=False)
        # A sample without such others starts at random ones alone: itself is no start.
        own = nearest.values.isinf()[:, :, None]
        return torch.where(own, clean[:, None], events[nearest.indices])

    def walk(
        self,
        asked: "_Asked",
        pool: Menu,
        usable: torch.Tensor,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """Return the fewest changes of the starts, all in the pool, that were answered wrong."""
        made = pool.legal & usable[:, None]
        share = torch.full(usable.shape, FIRST_SHARE, device=made.device, dtype=torch.double)
        for iteration in range(self.iterations):
            counts = made.sum(1)
            if not bool(counts.any()):
                break
            dropped = (share * counts).long().clamp_min(1)
            returned = (RETURNED * dropped).long() if iteration % 2 else torch.zeros_like(dropped)
            order = torch.rand(made.shape, generator=generator, device=made.device)
            tried = made & ~_first(order, made, dropped)
            tried |= _first(order, pool.legal & ~made, returned)
            wrong = asked.are_wrong(pool.frames(pool.events(tried)), counts > 0)
            made = choose(wrong, tried, made)
            share = torch.where(wrong, LONGER * share, SHORTER * share).clamp(0, FIRST_SHARE)
            share = torch.maximum(share, 0.5 / counts.clamp_min(1))
        return made


def _first(order: torch.Tensor, among: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """Return the ``counts`` (n,) columns of the lowest order among some, (n, columns) bool."""
    place = order.masked_fill(~among, torch.inf).argsort(dim=1).argsort(1)
    return among & (place < counts[:, None])


def _check_pool(events: torch.Tensor, clean: torch.Tensor) -> None:
    """Raise InputError unless a pool has samples, as many places long as those attacked."""
    if not len(events) or events.shape[1] != clean.shape[1]:
        raise InputError(
            f"the pool has {len(events)} samples of {events.shape[1]} places; Boundary needs at"
            f" least one, of as many places as those that it attacks, {clean.shape[1]}"
        )


class _Asked(NamedTuple):
    """A model that is asked about labelled events.

    Attributes:
        model: the model.
        labels: (n,) the true classes.
        draws: runs of an answer.
        random: whether the model answers differently when asked again.
    """

    model: nn.Module
    labels: torch.Tensor
    draws: int
    random: bool

    def are_wrong(self, frames: torch.Tensor, among: torch.Tensor | None = None) -> torch.Tensor:
        """Return which samples the model is wrong about in all runs, (n,) bool.

        Args:
            frames: (time_steps, n, *shape) events.
            among: (n,) bool, the samples to ask about; None for all.
        """
        among = torch.ones_like(self.labels, dtype=torch.bool) if among is None else among
        rows, wrong = among.nonzero().flatten(), torch.zeros_like(among)
        if len(rows):
            runs = self.draws + (CONFIRMING if self.random else 0)
            asked = (frames[:, rows], self.labels[rows])
            wrong[rows] = confirm_wrong(self.model, *asked, self.draws, runs)
        return wrong
