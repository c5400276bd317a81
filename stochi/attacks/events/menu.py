"""All single changes of events that a budget allows, and which of them go together."""

from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch.nn.functional import pad

from stochi.attacks.events.budget import DELETE, INSERT, EventBudget
from stochi.attacks.events.changes import Moves
from stochi.attacks.events.places import as_places, flatten_places


class Grid(NamedTuple):
    """Sizes of one sample's grid of places, which are numbered in this order."""

    time_steps: int
    polarities: int
    height: int
    width: int

    @property
    def places(self) -> int:
        """Number of places."""
        return self.time_steps * self.polarities * self.height * self.width

    def coordinates(self, places: torch.Tensor) -> torch.Tensor:
        """Return the (4, …) time step, polarity, row and column of places."""
        rest, column = places // self.width, places % self.width
        rest, row = rest // self.height, rest % self.height
        return torch.stack([rest // self.polarities, rest % self.polarities, row, column])

    def instants(self, places: torch.Tensor) -> torch.Tensor:
        """Return the number of each place's time step and pixel, whatever its polarity."""
        area = self.height * self.width
        return places // (self.polarities * area) * area + places % area


@dataclass(frozen=True)
class Menu:
    """Single changes of n samples, (n, columns): each takes an event away, adds one, or both.

    Every set of legal changes that are compatible with each other, and not more than the budget's
    number, leads to a sample within the budget, and so does every part of such a set. For that, no
    two changes share a place, an event is added only where the clean sample has none, and it keeps
    the refractory time from all clean events but the one that moved there.

    Attributes:
        clean: (n, places) bool, the events.
        shape: shape of one sample's frames, (time_steps, *shape).
        grid: sizes of its grid of places.
        refractory: number of time steps for which a pixel is dead.
        origins: place of the event that goes, ``grid.places`` if none goes.
        targets: place that gets an event, ``grid.places`` if none does.
        legal: whether the change is allowed by itself; False for columns that only fill up.
    """

    clean: torch.Tensor
    shape: torch.Size
    grid: Grid
    refractory: int
    origins: torch.Tensor
    targets: torch.Tensor
    legal: torch.Tensor

    @property
    def nowhere(self) -> int:
        """The place that stands for none."""
        return self.grid.places

    def none(self) -> torch.Tensor:
        """Return the empty set of changes, (n, columns) bool."""
        return torch.zeros_like(self.legal)

    def rows(self, rows: torch.Tensor) -> "Menu":
        """Return the menu of some samples: numbers, or (n,) bool."""
        names = ("clean", "origins", "targets", "legal")
        return replace(self, **{name: getattr(self, name)[rows] for name in names})

    def take(self, columns: torch.Tensor) -> "Menu":
        """Return a menu of some changes of each sample, by their (n, m) column numbers."""
        names = ("origins", "targets", "legal")
        return replace(self, **{name: getattr(self, name).gather(1, columns) for name in names})

    def keep(self, made: torch.Tensor, order: torch.Tensor | None = None) -> "Menu":
        """Return a menu of the changes of a set alone, all legal, the rest filled up.

        Args:
            made: (n, columns) bool.
            order: (n, columns) numbers by which they are sorted, ascending; by default, they keep
                their order.
        """
        width = int(made.sum(1).max())
        rank = torch.where(made, 0.0, torch.inf) if order is None else order.double()
        columns = rank.masked_fill(~made, torch.inf).argsort(dim=1, stable=True)[:, :width]
        return replace(self.take(columns), legal=made.gather(1, columns))

    def values(self, worth: torch.Tensor) -> torch.Tensor:
        """Return what each change adds to a sum of places' worths, (n, columns).

        Args:
            worth: (n, places), what an event in this place adds.
        """
        worth = pad(worth, (0, 1))
        return worth.gather(1, self.targets) - worth.gather(1, self.origins)

    def touched(self, made: torch.Tensor) -> torch.Tensor:
        """Return the places that a set of changes touches, (n, places + 1) bool."""
        slots = torch.zeros(len(made), self.nowhere + 1, dtype=torch.bool, device=made.device)
        for places in (self.origins, self.targets):
            slots.scatter_(1, torch.where(made, places, self.nowhere), True)
        slots[:, -1] = False
        return slots

    def blocked(self, made: torch.Tensor) -> torch.Tensor:
        """Return which changes are not compatible with a set, or belong to it, (n, columns)."""
        touched = self.touched(made)
        blocked = touched.gather(1, self.origins) | touched.gather(1, self.targets)
        if self.refractory:
            added = torch.where(made, self.targets, self.nowhere)
            near = spread_in_time(self.at_instants(added), self.grid, self.refractory)
            blocked |= (self.targets < self.nowhere) & near.gather(1, self.target_instants())
        return blocked

    def at_instants(self, places: torch.Tensor) -> torch.Tensor:
        """Return at which time steps and pixels these (n, m) places are, (n, instants) bool."""
        size = self.grid.places // self.grid.polarities
        numbers = self.grid.instants(places).clamp_max(size)
        numbers = torch.where(places < self.nowhere, numbers, size)
        slots = torch.zeros(len(places), size + 1, dtype=torch.bool, device=places.device)
        return slots.scatter_(1, numbers, True)[:, :-1]

    def target_instants(self) -> torch.Tensor:
        """Return the time step and pixel of each target, 0 if there is none."""
        return self.grid.instants(torch.where(self.targets < self.nowhere, self.targets, 0))

    def events(self, made: torch.Tensor) -> torch.Tensor:
        """Return the samples after a set of changes, (n, places) bool."""
        slots = pad(self.clean, (0, 1))
        slots.scatter_(1, torch.where(made, self.origins, self.nowhere), False)
        slots.scatter_(1, torch.where(made, self.targets, self.nowhere), True)
        return slots[:, :-1]

    def frames(self, events: torch.Tensor, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        """Return (n, places) events, or numbers in their places, as (time_steps, n, *shape)."""
        return events.view(len(events), *self.shape).transpose(0, 1).to(dtype).contiguous()

    def each(self, events: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
        """Return each sample after each one of some further changes, (n, m, places).

        Args:
            events: (n, places) bool, the samples before.
            columns: (n, m) numbers of the changes.
        """
        slots = pad(events, (0, 1))[:, None].repeat(1, columns.shape[1], 1)
        slots.scatter_(2, self.origins.gather(1, columns)[:, :, None], False)
        slots.scatter_(2, self.targets.gather(1, columns)[:, :, None], True)
        return slots[:, :, :-1]


def list_changes(budget: EventBudget, frames: torch.Tensor) -> Menu:
    """List all single changes of samples that a budget allows.

    The columns begin with one for each place, which deletes its event or inserts one, if the budget
    allows either; those of moves and flips follow, event by event.

    Args:
        frames: (time_steps, n, *shape) events.
    """
    places = as_places(frames)
    grid = Grid(len(places), *places.shape[2:])
    clean = flatten_places(frames) != 0
    shape = torch.Size((len(frames), *frames.shape[2:]))
    bare = Menu(clean, shape, grid, budget.refractory, *(3 * [clean.new_zeros((len(clean), 0))]))
    parts = []
    if INSERT in budget.kinds or DELETE in budget.kinds:
        parts.append(_toggles(bare, INSERT in budget.kinds, DELETE in budget.kinds))
    if budget.moves.any:
        parts.append(_moves(bare, budget.moves))
    origins, targets, legal = (torch.cat(columns, 1) for columns in zip(*parts, strict=True))
    menu = replace(bare, origins=origins, targets=targets, legal=legal)
    return replace(menu, legal=legal & _rests(menu)) if budget.refractory else menu


def spread_in_time(marked: torch.Tensor, grid: Grid, refractory: int) -> torch.Tensor:
    """Return the number of marks less than ``refractory`` steps from each time step and pixel.

    Args:
        marked: (n, instants), bool or numbers.

    Returns:
        (n, instants), bool (whether there is one) for bool marks.
    """
    steps = marked.view(len(marked), grid.time_steps, -1)
    found = torch.zeros_like(steps)
    for apart in range(-min(refractory, grid.time_steps) + 1, min(refractory, grid.time_steps)):
        here = slice(max(0, -apart), grid.time_steps - max(0, apart))
        there = slice(max(0, apart), grid.time_steps - max(0, -apart))
        found[:, here] += steps[:, there]
    return found.view_as(marked)


Columns = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Origins, targets and legality of changes, (n, m) each."""


def _toggles(menu: Menu, insert: bool, delete: bool) -> Columns:
    """Return the insertion or deletion at each place."""
    clean = menu.clean
    numbers = torch.arange(menu.nowhere, device=clean.device).expand_as(clean)
    nowhere = torch.full_like(numbers, menu.nowhere)
    legal = torch.where(clean, delete, insert)
    return torch.where(clean, numbers, nowhere), torch.where(clean, nowhere, numbers), legal


def _moves(menu: Menu, moves: Moves) -> Columns:
    """Return the moves and flips of each event."""
    clean, grid = menu.clean, menu.grid
    events = max(1, int(clean.sum(1).max()))  # a menu is never empty; its change may be illegal
    places = (~clean).to(torch.uint8).argsort(dim=1, stable=True)[:, :events]
    ways = _ways(moves, grid.polarities).to(clean.device)
    at = grid.coordinates(places)[:, :, :, None] + ways.T[:, None, None]
    sizes = torch.tensor(grid, device=clean.device).view(4, 1, 1, 1)
    inside = ((at >= 0) & (at < sizes)).all(0) & clean.gather(1, places)[:, :, None]
    step, polarity, row, column = at
    targets = ((step * grid.polarities + polarity) * grid.height + row) * grid.width + column
    targets = torch.where(inside, targets, menu.nowhere).flatten(1)
    origins = torch.where(inside, places[:, :, None], menu.nowhere).flatten(1)
    free = ~pad(clean, (0, 1), value=True).gather(1, targets)
    return origins, targets, free


def _ways(moves: Moves, polarities: int) -> torch.Tensor:
    """Return the steps by which an event may move, (ways, 4)."""
    delay = torch.arange(-moves.delay, moves.delay + 1)
    distance = torch.arange(-moves.distance, moves.distance + 1)
    turn = torch.arange(1 - polarities, polarities)
    ways = torch.cartesian_prod(delay, turn, distance, distance)
    moved, turned = (ways[:, [0, 2, 3]] != 0).any(1), ways[:, 1] != 0
    allowed = torch.where(turned, torch.where(moved, moves.turns, moves.flips), moved)
    return ways[allowed]


def _rests(menu: Menu) -> torch.Tensor:
    """Return which changes keep the refractory time from the clean events, (n, columns) bool."""
    grid = menu.grid
    clean = menu.clean.view(len(menu.clean), grid.time_steps, grid.polarities, -1)
    around = spread_in_time(clean.sum(2).flatten(1), grid, menu.refractory)
    near = around.gather(1, menu.target_instants())
    moved = (menu.origins < menu.nowhere) & (menu.targets < menu.nowhere)
    area = grid.height * grid.width
    origins = grid.instants(torch.where(moved, menu.origins, 0))
    apart = (origins - menu.target_instants()).abs()
    own = moved & (apart % area == 0) & (apart // area < menu.refractory)
    return (menu.targets == menu.nowhere) | (near == own.long())
