"""What an attack on events may change, as a value that can tell whether it was kept."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from numbers import Integral, Real

import torch

from stochi.arguments import check_fields
from stochi.attacks.events.changes import Moves, least_changes
from stochi.attacks.events.places import POLARITIES, as_places, count_events
from stochi.errors import InputError
from stochi.plain_text import text_of

INSERT, DELETE, FLIP, MOVE_TIME, MOVE_SPACE = "insert", "delete", "flip", "move-time", "move-space"
KINDS = (INSERT, DELETE, FLIP, MOVE_TIME, MOVE_SPACE)
_MOST, _LARGEST_SHARE = 2**62, 2**20


@dataclass(frozen=True)
class EventBudget:
    """What an attack may do to a sample of events, and how often.

    A change inserts an event, deletes one, flips one's polarity at its place and time step, or
    moves one in time, in space, or in both if both are allowed. The number of changes from one
    sample to another is the least that leads there. A place (polarity, row, column) holds at most
    one event in a time step.

    Attributes:
        count: largest number of changes of a sample; None for no such limit.
        share: the same, as a share of the sample's own events, rounded down; None for no such
            limit. With both, the smaller one counts.
        kinds: what may change: "insert", "delete", "flip", "move-time", "move-space".
        max_delay: largest number of time steps by which an event may move, earlier or later.
        max_distance: largest number of rows and of columns by which an event may move.
        keep_polarity: whether a moved event keeps its polarity.
        refractory: number of time steps for which a pixel is dead: an event in a new place is at
            least that many steps away from all other events of its pixel, of either polarity. 0
            for no such limit. Events that the clean sample has may be closer.

    Raises:
        InputError: a value is out of range, or moves are allowed without a distance.
    """

    count: int | None = None
    share: float | None = None
    kinds: tuple[str, ...] = (INSERT, DELETE)
    max_delay: int = 0
    max_distance: int = 0
    keep_polarity: bool = True
    refractory: int = 0

    def __post_init__(self) -> None:
        check_fields(self)
        if self.count is not None:
            _check_whole("count", self.count)
        for name in ("max_delay", "max_distance", "refractory"):
            _check_whole(name, getattr(self, name))
        if self.share is not None and not (
            isinstance(self.share, Real) and 0 <= self.share <= _LARGEST_SHARE
        ):
            raise InputError(
                f"share is {self.share}; it must be a number from 0 to {_LARGEST_SHARE}"
            )
        object.__setattr__(self, "kinds", _checked_kinds(self.kinds))
        for kind, name in ((MOVE_TIME, "max_delay"), (MOVE_SPACE, "max_distance")):
            if (kind in self.kinds) != (getattr(self, name) > 0):
                raise InputError(
                    f"kinds are {', '.join(self.kinds)} and {name} is {getattr(self, name)};"
                    f" {kind!r} needs {name} of 1 or more, and {name} needs {kind!r}"
                )

    @property
    def moves(self) -> Moves:
        """Which event may take which place."""
        return Moves(self.max_delay, self.max_distance, FLIP in self.kinds, not self.keep_polarity)

    @property
    def title(self) -> str:
        """What may change and how much, in words."""
        limits = [] if self.count is None else [f"{self.count} events"]
        limits += [] if self.share is None else [f"{100 * self.share:g} % of the events"]
        return f"{' and '.join(limits) or 'any number of events'}: {self.title_of_kinds}"

    @property
    def title_of_kinds(self) -> str:
        """What may change, in words."""
        how = [kind for kind in self.kinds if kind not in (MOVE_TIME, MOVE_SPACE)]
        how += [f"move ≤ {self.max_delay} steps"] if self.max_delay else []
        how += [f"move ≤ {self.max_distance} px"] if self.max_distance else []
        how += ["turn"] if not self.keep_polarity else []
        how += [f"refractory {self.refractory} steps"] if self.refractory else []
        return ", ".join(how)

    def with_count(self, count: int) -> "EventBudget":
        """Return the same budget with another number of changes, and no share."""
        return replace(self, count=count, share=None)

    def only(self, kinds: Iterable[str]) -> "EventBudget":
        """Return the same budget with those of its kinds alone that are among these.

        Raises:
            InputError: it has none of them.
        """
        left = tuple(kind for kind in self.kinds if kind in set(kinds))
        return replace(
            self,
            kinds=left,
            max_delay=self.max_delay if MOVE_TIME in left else 0,
            max_distance=self.max_distance if MOVE_SPACE in left else 0,
        )

    def limits(self, clean: torch.Tensor) -> torch.Tensor:
        """Return the largest number of changes of each sample, (n,) int64.

        Without a limit it is the number of places, more than any attack can use.

        Args:
            clean: (time_steps, n, *shape) events.
        """
        largest = torch.full((clean.shape[1],), clean[:, :1].numel(), device=clean.device)
        if self.count is not None:
            largest = largest.clamp_max(self.count)
        if self.share is not None:
            own = (count_events(clean).double() * self.share + 1e-9).floor().long()
            largest = torch.minimum(largest, own)
        return largest

    def count_changes(self, clean: torch.Tensor, attacked: torch.Tensor) -> torch.Tensor:
        """Return the least number of allowed changes from each sample to its attacked one.

        Args:
            clean, attacked: (time_steps, n, *shape) events, exactly 0 or 1.

        Returns:
            (n,) int64; −1 if no number of allowed changes leads there.

        Raises:
            InputError: the shapes differ, values other than 0 or 1 occur, or a kind needs two
                polarities that the events do not have.
        """
        first, second = self._places(clean), self._places(attacked)
        if clean.shape != attacked.shape:
            raise InputError(
                f"clean events have shape {tuple(clean.shape)}, attacked ones"
                f" {tuple(attacked.shape)}; both must be equal"
            )
        counts = [
            least_changes(a, b, self.moves, INSERT in self.kinds, DELETE in self.kinds)
            for a, b in zip(first.unbind(1), second.unbind(1), strict=True)
        ]
        return torch.tensor(counts, dtype=torch.int64)

    def rests(self, clean: torch.Tensor, attacked: torch.Tensor) -> torch.Tensor:
        """Return whether each sample's new events keep the refractory time, (n,) bool."""
        first, second = self._places(clean), self._places(attacked)
        if not self.refractory:
            return torch.ones(clean.shape[1], dtype=torch.bool)
        added = (second & ~first).sum(2)
        around = torch.zeros_like(added)
        seen = second.sum(2)
        steps = len(seen)
        for apart in range(-min(self.refractory, steps) + 1, min(self.refractory, steps)):
            here = slice(max(0, -apart), steps - max(0, apart))
            there = slice(max(0, apart), steps - max(0, -apart))
            around[here] += seen[there]
        return ~((added > 0) & (around > 1)).flatten(2).any(2).any(0).cpu()

    def holds(self, clean: torch.Tensor, attacked: torch.Tensor) -> torch.Tensor:
        """Return whether each attacked sample is within the budget of its clean one, (n,) bool.

        Args, Raises: as for :meth:`count_changes`.
        """
        changes = self.count_changes(clean, attacked)
        few = (changes >= 0) & (changes <= self.limits(clean).cpu())
        return few & self.rests(clean, attacked)

    def _places(self, frames: torch.Tensor) -> torch.Tensor:
        """Return frames as a bool grid of places."""
        if not torch.equal(frames * frames, frames):
            raise InputError("events must be exactly 0 or 1; these hold other numbers")
        places = as_places(frames)
        turns = FLIP in self.kinds or not self.keep_polarity
        if turns and places.shape[2] != POLARITIES:
            raise InputError(
                f"events of shape {tuple(frames.shape)} do not have two polarities, which a budget"
                " with 'flip' or keep_polarity=False needs"
            )
        return places != 0


def as_budget(budget: "EventBudget | int") -> EventBudget:
    """Return a budget; a whole number allows that many insertions and deletions.

    Raises:
        InputError: it is neither.
    """
    if isinstance(budget, EventBudget):
        return budget
    if not isinstance(budget, Integral) or isinstance(budget, bool):
        raise InputError(
            f"budget is {budget!r}; pass a whole number of events or a stochi.attacks.EventBudget"
        )
    return EventBudget(count=int(budget))


def _check_whole(name: str, value: object) -> None:
    if not isinstance(value, Integral) or isinstance(value, bool) or value < 0:
        raise InputError(f"{name} is {text_of(value)}; it must be a whole number of at least 0")
    if int(value) > _MOST:
        raise InputError(f"{name} is {value}; it must be at most {_MOST}")


def _checked_kinds(kinds: str | Iterable[str]) -> tuple[str, ...]:
    named = (kinds,) if isinstance(kinds, str) else tuple(kinds)
    unknown = [kind for kind in named if kind not in KINDS]
    if unknown or not named:
        raise InputError(
            f"kinds are {', '.join(map(repr, named)) or 'empty'}; choose from {', '.join(KINDS)}"
        )
    return tuple(kind for kind in KINDS if kind in named)
