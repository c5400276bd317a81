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
from stochi.attacks.events.menu import Grid, list_changes


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
    usable: ClassVar[tuple[str, ...]] = (INSERT,)
    tries: int = field(default=16, kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_counts("tries")

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
        menu, limits = list_changes(self.used, inputs), self.allowed.limits(inputs)
        variants = self.patterns(menu.grid)
        if len(variants) > self.tries:
            order = torch.randperm(len(variants), generator=generator, device=inputs.device)
            variants = [variants[number] for number in order[: self.tries].tolist()]
        candidates = [Candidate("unchanged", inputs)]
        for variant in variants:
            ranks = variant.ranks(menu.grid).to(inputs.device)
            events = insert_in_order(menu, ranks, limits, self.activity)
            frames = menu.frames(events, inputs.dtype)
            candidates.append(Candidate(f"{self.title}: {variant.name}", frames))
        return self.choose(model, candidates, labels)


def polarity_choices(grid: Grid) -> dict[str, tuple[int, ...]]:
    """Return the choices of polarities by name: each alone, then all together."""
    if grid.polarities == 1:
        return {"events": (0,)}
    names = ("off", "on") if grid.polarities == 2 else tuple(map(str, range(grid.polarities)))
    return {name: (number,) for number, name in enumerate(names)} | {
        "all polarities": tuple(range(grid.polarities))
    }


def spread_ranks(ranks: torch.Tensor, polarities: tuple[int, ...], grid: Grid) -> torch.Tensor:
    """Return (time_steps, height, width) ranks at these polarities, one after the other."""
    spread = torch.full(grid, UNUSED)
    for number, polarity in enumerate(polarities):
        spread[:, polarity] = torch.where(ranks == UNUSED, UNUSED, ranks * grid.polarities + number)
    return spread
