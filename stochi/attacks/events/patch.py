"""Patches of events: a small window, somewhere on the sensor."""

import math

from torch import nn

from stochi.arguments import check_arguments
from stochi.attacks.events.budget import EventBudget, as_budget
from stochi.attacks.events.event_pattern import EventPattern
from stochi.attacks.events.offsets import Offsets
from stochi.attacks.events.pattern_form import EventSamples, PatternForm, shape_of
from stochi.attacks.events.pattern_training import PatternTraining, train_pattern
from stochi.attacks.events.window_budget import in_window
from stochi.errors import InputError

AREA = 0.025
"""Share of the sensor that a patch covers in Büchel et al. (Frontiers in Neuroscience 2022)."""
REALIZABLE = EventBudget(refractory=1)
"""Any number of events, of which no pixel has two in a time step."""
Place = tuple[int, int]


def train_patch(
    model: nn.Module,
    samples: EventSamples,
    budget: EventBudget | int = REALIZABLE,
    *,
    side: int | None = None,
    place: Place | None = None,
    occludes: bool = False,
    training: PatternTraining | None = None,
) -> EventPattern:
    """Train a patch: events in a square window, at any time step.

    Args:
        model, samples: as for :func:`stochi.attacks.train_universal`.
        budget: largest number of events, or what may change. The rate of a pixel is at most one
            event in its refractory time.
        side: of the window in pixels; None: as many as cover 2.5 % of the sensor.
        place: row and column of the window's upper left corner; None: drawn for each sample, from
            all at which the window is on the sensor.
        occludes: whether the window hides the sample's own events.
        training: how it is trained, averaged over places, times and draws.

    Raises:
        InputError: as for :func:`train_pattern`, or the window does not fit.
    """
    check_arguments(train_patch, locals())
    form = patch_form(samples, as_budget(budget), side, place, occludes)
    return train_pattern(model, samples, form, training or PatternTraining())


def patch_form(
    samples: EventSamples,
    budget: EventBudget,
    side: int | None = None,
    place: Place | None = None,
    occludes: bool = False,
) -> PatternForm:
    """Return the form of a patch; it begins in any time step, and plays in a loop."""
    shape = shape_of(samples)
    steps, _, height, width = shape
    side = max(1, round(math.sqrt(AREA * height * width))) if side is None else side
    if not 1 <= side <= min(height, width):
        raise InputError(
            f"side is {side}; a window on samples of {height}×{width} pixels has 1 to"
            f" {min(height, width)}"
        )
    rows, columns = (0, height - side), (0, width - side)
    if place is not None:
        if not (0 <= place[0] <= rows[1] and 0 <= place[1] <= columns[1]):
            raise InputError(
                f"place is {place}; a window of {side}×{side} on {height}×{width} pixels begins in"
                f" row 0 to {rows[1]} and column 0 to {columns[1]}"
            )
        rows, columns = (place[0], place[0]), (place[1], place[1])
    return PatternForm(
        (side, side),
        shape,
        Offsets((0, steps - 1), rows, columns),
        in_window(budget, (side, side)),
        occludes,
        f"{'occluding ' if occludes else ''}{side}×{side} patch",
    )
