"""A budget whose changes lie in one window, as a patch's do."""

from dataclasses import dataclass, fields
from numbers import Integral

import torch

from stochi.attacks.events.budget import EventBudget
from stochi.attacks.events.places import as_places
from stochi.errors import InputError


@dataclass(frozen=True)
class WindowBudget(EventBudget):
    """What a patch may do: changes of each sample lie in a window, whose place is free.

    Attributes:
        window: (height, width) of the window in pixels. It spans all time steps.
    """

    window: tuple[int, int] = (1, 1)

    def __post_init__(self) -> None:
        super().__post_init__()
        sides = self.window if isinstance(self.window, tuple) else ()
        whole = [isinstance(side, Integral) and not isinstance(side, bool) for side in sides]
        if len(sides) != 2 or not all(whole) or min(sides) < 1:
            raise InputError(
                f"window is {self.window}; it must be (height, width), whole numbers from 1"
            )

    @property
    def title(self) -> str:
        """What may change, how much and where, in words."""
        return f"{super().title}, in a window of {self.window[0]}×{self.window[1]}"

    def holds(self, clean: torch.Tensor, attacked: torch.Tensor) -> torch.Tensor:
        """Return whether each attacked sample is within the budget of its clean one, (n,) bool.

        Args, Raises: as for :meth:`count_changes`.
        """
        within = super().holds(clean, attacked)
        changed = (as_places(clean) != as_places(attacked)).any(0).any(1)
        for dim, most in ((2, self.window[0]), (1, self.window[1])):
            within &= (_extent(changed.any(dim)) <= most).cpu()
        return within


def in_window(budget: EventBudget, window: tuple[int, int]) -> WindowBudget:
    """Return the same budget, in a window of (height, width) pixels."""
    kept = {each.name: getattr(budget, each.name) for each in fields(EventBudget)}
    return WindowBudget(**kept, window=window)


def _extent(marks: torch.Tensor) -> torch.Tensor:
    """Return the number of columns from the first mark to the last of each row, (n,) int64."""
    first = marks.int().argmax(1)
    last = marks.shape[1] - 1 - marks.flip(1).int().argmax(1)
    return (last - first + 1) * marks.any(1)
