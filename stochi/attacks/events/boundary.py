"""A boundary attack on events, by the answered class alone."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional

from stochi.attacks.chosen import Candidate, Chosen
from stochi.attacks.events.base import EventAttack
from stochi.attacks.events.gradient import break_ties
from stochi.attacks.events.judging import choose_sparsest
from stochi.attacks.events.menu import Menu, list_changes
from stochi.attacks.events.places import flatten_places
from stochi.attacks.events.selection import select
from stochi.attacks.expectation import answers, is_random
from stochi.attacks.samplewise import choose

FIRST_SHARE = 0.5
"""Share of the changes that the first step drops."""
LONGER, SHORTER = 1.5, 0.8
"""Factors of a step's share after it led to a wrong answer, and after it did not."""
RETURNED = 0.3
"""Changes of the start that come back in every other step, as a share of those dropped."""


@dataclass(frozen=True)
class Boundary(EventAttack):
    """Walk from a wrong sample back towards the clean one (Brendel et al., ICLR 2018, on events).

    It needs classes only, for a random model the class with the most votes in ``draws`` runs. A
    start makes all changes that lead towards another sample of the batch, or random ones; of those
    that are answered wrong, the nearest is taken. Every step drops a random part of the changes,
    and every other one takes a few of the start's back; it is taken if the answer stays wrong and
    the changes become fewer. The parts grow after a success and shrink after a failure. A sample
    that does not come within the budget stays clean, and so does one for which no start is found.

    Attributes:
        iterations: number of steps, each one vote for every sample.
        starts: number of starts that are tried, half of them other samples, half random.
        draws: runs that vote. A model that answers the same twice gets 1.
    """

    uses_gradients: ClassVar[bool] = False
    iterations: int = 300
    starts: int = field(default=10, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_counts("iterations", "starts")

    @property
    def title(self) -> str:
        """Name in reports, without the budget."""
        return f"boundary-{self.iterations} ({self.draws} votes){self.kinds_title}"

    def perturb(
        self,
        model: nn.Module,
        inputs: torch.Tensor,
        labels: torch.Tensor,
        generator: torch.Generator,
    ) -> Chosen:
        """Find starts, walk, and keep what is within the budget."""
        draws = self.draws if is_random(model, inputs, self.draws, 1) else 1
        menu = list_changes(self.used, inputs)
        voters = _Voters(model, labels, draws)
        start, usable = self.find_starts(voters, menu, inputs, generator)
        pool = menu.keep(start)
        made = self.walk(voters, pool, usable, generator)
        within = made.sum(1) <= self.allowed.limits(inputs)
        found = menu.frames(pool.events(made & within[:, None]), inputs.dtype)
        candidates = [Candidate(self.title, found), Candidate(self.title, inputs)]
        return choose_sparsest(model, candidates, inputs, labels, draws)

    def find_starts(
        self, voters: "_Voters", menu: Menu, inputs: torch.Tensor, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return each sample's nearest wrong start, (n, columns), and whether it has one."""
        samples = len(voters.labels)
        right = voters.vote(inputs) == voters.labels
        best, nearest = menu.none(), torch.full_like(voters.labels, menu.nowhere + 1)
        everything = torch.full_like(nearest, menu.nowhere)
        for number in range(self.starts):
            noise = torch.rand(menu.clean.shape, generator=generator, device=inputs.device)
            if number % 2 or samples == 1:
                share = torch.rand(1, generator=generator, device=inputs.device)
                other = noise < share
            else:
                order = torch.randint(1, samples, (1,), generator=generator, device=inputs.device)
                other = flatten_places(inputs.roll(int(order), 1)) != 0
            # A change leads there if all that it adds is in the other sample, all it takes is not.
            towards = menu.values(other.double() - 0.5)
            values = break_ties(towards, generator).masked_fill(towards <= 0, -torch.inf)
            made = select(menu, values, everything)
            wrong = voters.vote(menu.frames(menu.events(made))) != voters.labels
            nearer = right & wrong & (made.sum(1) < nearest)
            best, nearest = choose(nearer, made, best), torch.where(nearer, made.sum(1), nearest)
        return best, nearest <= menu.nowhere

    def walk(
        self,
        voters: "_Voters",
        pool: Menu,
        usable: torch.Tensor,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """Return the fewest changes of the starts, all in the pool, that were answered wrong."""
        made = pool.legal & usable[:, None]
        share = torch.full(usable.shape, FIRST_SHARE, device=made.device, dtype=torch.double)
        for iteration in range(self.iterations):
            counts = made.sum(1)
            rows = (counts > 0).nonzero().flatten()
            if not len(rows):
                break
            dropped = (share * counts).long().clamp_min(1)
            returned = (RETURNED * dropped).long() if iteration % 2 else torch.zeros_like(dropped)
            order = torch.rand(made.shape, generator=generator, device=made.device)
            tried = made & ~_first(order, made, dropped)
            tried |= _first(order, pool.legal & ~made, returned)
            some = pool.rows(rows)
            wrong = torch.zeros_like(usable)
            frames = some.frames(some.events(tried[rows]))
            wrong[rows] = voters.vote(frames) != voters.labels[rows]
            made = choose(wrong, tried, made)
            share = torch.where(wrong, LONGER * share, SHORTER * share).clamp(0, FIRST_SHARE)
            share = torch.maximum(share, 0.5 / counts.clamp_min(1))
        return made


def _first(order: torch.Tensor, among: torch.Tensor, counts: torch.Tensor) -> torch.Tensor:
    """Return the ``counts`` (n,) columns of the lowest order among some, (n, columns) bool."""
    place = order.masked_fill(~among, torch.inf).argsort(dim=1).argsort(1)
    return among & (place < counts[:, None])


class _Voters:
    """A model's votes about labelled events, over ``draws`` runs."""

    def __init__(self, model: nn.Module, labels: torch.Tensor, draws: int) -> None:
        self.model, self.labels, self.draws = model, labels, draws

    def vote(self, frames: torch.Tensor) -> torch.Tensor:
        """Return the class that most of the runs answer, (rows,)."""
        with torch.no_grad():
            logits = answers(self.model, frames, self.draws, 1)
        return functional.one_hot(logits.argmax(2), logits.shape[2]).sum(0).argmax(1)
