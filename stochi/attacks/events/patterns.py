"""The base of attacks that insert a pattern of events, chosen among variants by answers."""

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Protocol

import torch
from torch import nn

from stochi.attacks.chosen import Candidate, Chosen
from stochi.attacks.events.base import EventAttack
from stochi.attacks.events.budget import INSERT
from stochi.attacks.events.insertion import UNUSED, insert_in_order
from stochi.attacks.events.places import as_places
from stochi.errors import InputError

Grid = tuple[int, int, int, int]
"""Number of time steps, polarities, rows and columns."""


class Pattern(Protocol):
    """One variant of a pattern."""

    @property
    def name(self) -> str:
        """Name in reports."""

    def ranks(self, grid: Grid) -> torch.Tensor:
        """Return the order of insertion, as :func:`insert_in_order` takes it."""


@dataclass(frozen=True)
class PatternAttack(EventAttack):
    """Insert a pattern of events; of its variants, each sample keeps the worst over fresh draws.

    A variant fixes the polarity, the place and the time. If there are more than ``tries``, they are
    drawn at random. The unchanged sample takes part in the choice. A subclass defines ``title`` and
    ``patterns``.

    Attributes:
        tries: largest number of variants that are tried, at least 1.
    """

    uses_gradients: ClassVar[bool] = False
    tries: int = field(default=16, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_counts("tries")
        if INSERT not in self.allowed.kinds:
            raise InputError(
                f"budget allows {', '.join(self.allowed.kinds)}; {type(self).__name__} inserts"
                f" events, so its kinds must include {INSERT!r}"
            )

    @property
    def activity(self) -> int | None:
        """Largest number of events of a pixel that gets new ones, None for no such limit."""
        return None

    @abstractmethod
    def patterns(self, grid: Grid) -> Sequence[Pattern]:
        """Return all variants on a grid, at least one."""

    def perturb(
        self,
        model: nn.Module,
        inputs: torch.Tensor,
        labels: torch.Tensor,
        generator: torch.Generator,
    ) -> Chosen:
        """Try variants on all samples."""
        places = as_places(inputs)
        grid: Grid = (len(places), *places.shape[2:])
        variants = self.patterns(grid)
        if len(variants) > self.tries:
            order = torch.randperm(len(variants), generator=generator, device=inputs.device)
            variants = [variants[number] for number in order[: self.tries].tolist()]
        candidates = [Candidate("unchanged", inputs)]
        for variant in variants:
            ranks = variant.ranks(grid).to(inputs.device)
            found = insert_in_order(inputs, ranks, self.allowed, self.activity)
            candidates.append(Candidate(f"{self.title}: {variant.name}", found))
        return self.choose(model, candidates, labels)


def polarity_choices(grid: Grid) -> dict[str, tuple[int, ...]]:
    """Return the choices of polarities by name: each alone, then all together."""
    polarities = grid[1]
    if polarities == 1:
        return {"events": (0,)}
    names = ("off", "on") if polarities == 2 else tuple(map(str, range(polarities)))
    alone = {name: (number,) for number, name in enumerate(names)}
    return alone | {"both" if polarities == 2 else "all": tuple(range(polarities))}


def spread_ranks(ranks: torch.Tensor, polarities: tuple[int, ...], grid: Grid) -> torch.Tensor:
    """Return (time_steps, height, width) ranks at these polarities, one after the other."""
    spread = torch.full(grid, UNUSED)
    for number, polarity in enumerate(polarities):
        spread[:, polarity] = torch.where(ranks == UNUSED, UNUSED, ranks * grid[1] + number)
    return spread
