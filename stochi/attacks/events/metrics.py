"""What attacks on events achieved, in the numbers that publications give."""

from dataclasses import dataclass

import torch

from stochi.arguments import check_arguments
from stochi.attacks.events.budget import EventBudget
from stochi.attacks.events.places import count_events, flatten_places
from stochi.errors import InputError
from stochi.statistics.intervals import Estimate, estimate_accuracy


@dataclass(frozen=True)
class Timing:
    """How events moved in time, as means over samples.

    Attributes:
        largest: B∞, the largest delay of an event, in time steps.
        total: B1, the sum of all delays, in time steps.
        moved: B0, the number of events that moved.
    """

    largest: float
    total: float
    moved: float


@dataclass(frozen=True)
class EventMetrics:
    """What an attack on events achieved.

    Attributes:
        success: share of wrong answers on attacked samples, of those that are right when clean,
            with Wilson's interval over the samples.
        mean_changes, median_changes: L0, the number of changes of those samples that the attack
            made wrong in most trials; NaN if there is none.
        median_share: median of the same as a share of the sample's own events.
        timing: of the same samples, if only times differ; None otherwise.
    """

    success: Estimate
    mean_changes: float
    median_changes: float
    median_share: float
    timing: Timing | None


def measure_attack(
    clean: torch.Tensor,
    attacked: torch.Tensor,
    right_clean: torch.Tensor,
    right_attacked: torch.Tensor,
    budget: EventBudget | None = None,
) -> EventMetrics:
    """Measure an attack on events.

    A sample counts if it is right when clean in most trials.

    Args:
        clean, attacked: (time_steps, n, *shape) events.
        right_clean, right_attacked: (trials, n) bool, whether the model is right.
        budget: what counts as one change; by default, each insertion and deletion.

    Raises:
        InputError: the shapes do not fit, no sample is right when clean, or an attacked sample
            cannot be reached by the budget's changes.
    """
    check_arguments(measure_attack, locals())
    for name, events in (("clean", clean), ("attacked", attacked)):
        if events.dim() < 3 or events.shape != clean.shape or events.is_complex():
            raise InputError(
                f"{name} is {events.dtype} of shape {tuple(events.shape)}; clean and attacked are"
                " events of one shape, (time_steps, n, *shape)"
            )
    samples = clean.shape[1]
    for name, right in (("right_clean", right_clean), ("right_attacked", right_attacked)):
        if right.dim() != 2 or right.shape[1] != samples or not len(right):
            raise InputError(
                f"{name} has shape {tuple(right.shape)}; it must be (trials, {samples})"
            )
        if not bool(((right == 0) | (right == 1)).all()):
            raise InputError(f"{name} has other values than 0 and 1; pass True for a right answer")
    changes = (EventBudget() if budget is None else budget).count_changes(clean, attacked)
    if bool((changes < 0).any()):
        raise InputError(
            f"{int((changes < 0).sum())} attacked samples cannot be reached by the budget's kinds"
            " of change; pass the budget of the attack"
        )
    counted = (right_clean.double().mean(0) > 0.5).cpu()
    if not bool(counted.any()):
        raise InputError("no sample is right when clean, so no attack can succeed")
    wrong = counted & (right_attacked.double().mean(0) < 0.5).cpu()
    sizes = changes[wrong].double()
    shares = sizes / count_events(clean).cpu()[wrong].clamp_min(1)
    return EventMetrics(
        success=estimate_accuracy(right_attacked.cpu()[:, counted] == 0),
        mean_changes=float(sizes.mean()),
        median_changes=_median(sizes),
        median_share=_median(shares),
        timing=measure_timing(clean[:, wrong], attacked[:, wrong]) if bool(wrong.any()) else None,
    )


def measure_timing(clean: torch.Tensor, attacked: torch.Tensor) -> Timing | None:
    """Measure how events moved in time; None if that does not lead from one to the other.

    The events of a place keep their order: the n-th of the clean sample becomes the n-th of the
    attacked one. No other assignment has a smaller largest or total delay. The number of moved
    events is the least: those that are not where an event was before.

    Args:
        clean, attacked: (time_steps, n, *shape) events, exactly 0 or 1.
    """
    steps = len(clean)
    before, after = (flatten_places(x).view(x.shape[1], steps, -1) != 0 for x in (clean, attacked))
    if not torch.equal(before.sum(1), after.sum(1)):
        return None
    # An event's delay adds up over the time steps between the cumulative counts.
    crossing = (before.cumsum(1) - after.cumsum(1)).abs()
    first, second = (_ordered_times(x) for x in (before, after))
    return Timing(
        largest=float((first - second).abs().flatten(1).amax(1).double().mean()),
        total=float(crossing.flatten(1).sum(1).double().mean()),
        moved=float((before & ~after).flatten(1).sum(1).double().mean()),
    )


def _ordered_times(events: torch.Tensor) -> torch.Tensor:
    """Return (n, steps, places): at each place the times of its events first, then ``steps``."""
    steps = events.shape[1]
    times = torch.arange(steps, device=events.device)[None, :, None].expand(events.shape)
    return torch.where(events, times, steps).sort(dim=1).values


def _median(values: torch.Tensor) -> float:
    return float(values.quantile(0.5)) if len(values) else float("nan")
