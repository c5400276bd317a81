"""The share of samples that a pattern fools, with its interval."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn

from stochi.arguments import check_arguments
from stochi.attacks.base import guarded
from stochi.attacks.events.base import check_events
from stochi.attacks.events.event_pattern import EventPattern
from stochi.attacks.events.pattern_form import EventSamples
from stochi.attacks.expectation import answers, is_random
from stochi.attacks.program_model import ProgramModel
from stochi.data.events.event_set import EventSet
from stochi.devices import device_of
from stochi.errors import InputError, check_at_least_one
from stochi.hardware.draws import check_coordinates
from stochi.plain_text import decimal
from stochi.program.program import Program
from stochi.statistics.intervals import Estimate, estimate_accuracy

BATCH = 100
"""Samples that a model is shown at once."""


@dataclass(frozen=True)
class Fooling:
    """How often a pattern fools a network, among the samples that the network gets right.

    A sample counts as right if most runs on it are. Random networks are wrong about some of these
    in other runs, without any pattern.

    Attributes:
        rate: share of wrong answers, or of answers that are the target, with the pattern; averaged
            over trials, with Wilson's interval over the samples.
        without: the same without the pattern, in other runs than those that chose the samples.
        samples: number of samples, right or not.
    """

    rate: Estimate
    without: Estimate
    samples: int

    def __str__(self) -> str:
        rate, without = (
            f"{decimal(100 * e.value, 1)} % [{decimal(100 * e.low, 1)}, {decimal(100 * e.high, 1)}]"
            for e in (self.rate, self.without)
        )
        return f"{rate} of {self.rate.images}, without the pattern {without}"


def fooling_rate(
    model: nn.Module | Program,
    pattern: EventPattern,
    samples: EventSamples,
    *,
    trials: int = 10,
    target: int | None = None,
    seed: int = 0,
) -> Fooling:
    """Measure how often a pattern fools a network, on samples that it was not trained on.

    Each trial shifts the pattern anew for every sample, and a random network draws anew.

    Args:
        model: (time steps, batch, *shape) → (batch, classes) logits: a float model or a twin; or a
            Program, which the engine runs.
        pattern: the pattern.
        samples: labelled events.
        trials: number of runs on each sample.
        target: the class that samples of other classes shall be taken for. None: any wrong class.
        seed: of the shifts and of the network's draws, a whole number in [0, 2³²).

    Raises:
        InputError: an argument is out of range, the samples do not fit, or the network gets none of
            them right.
    """
    check_arguments(fooling_rate, locals())
    check_at_least_one(trials=trials)
    check_coordinates(seed=seed)
    if target is not None and target < 0:
        raise InputError(f"target is {target}; it must be a class, of 0 or more")
    if not len(samples):
        raise InputError("there are no samples; a fooling rate needs at least one")
    if isinstance(samples, EventSet) and isinstance(model, Program):
        samples.check_outputs(model.classes)
    asked = ProgramModel(model, seed) if isinstance(model, Program) else model
    first = samples.select(torch.arange(1)).to(device_of(asked))
    check_events(first.inputs, "a fooling rate")
    classes = torch.tensor([*samples.labels.tolist(), target or 0])
    with guarded(asked, first.inputs, classes, seed, batch_dim=1):
        parts = [
            _ask(asked, pattern, frames, number, trials, seed)
            for frames, number in _batches(samples, asked)
        ]
    before, clean, fooled = (torch.cat(each, 1) for each in zip(*parts, strict=True))
    labels = samples.labels.cpu()
    chosen = (before == labels).double().mean(0) > 0.5
    if target is not None:
        chosen &= labels != target
    if not bool(chosen.any()):
        raise InputError(
            f"the network gets none of the {len(labels)} samples right, so that none can be fooled;"
            " train it, or check that it was made for these samples"
        )
    wanted = labels if target is None else torch.full_like(labels, target)
    rate, without = (
        estimate_accuracy(((found == wanted) == (target is not None))[:, chosen])
        for found in (fooled, clean)
    )
    return Fooling(rate, without, len(labels))


def _batches(samples: EventSamples, model: nn.Module) -> Iterator[tuple[torch.Tensor, int]]:
    """Yield events and the number of the first sample."""
    first = 0
    for part in samples.batches(BATCH):
        part = part.to(device_of(model))
        check_events(part.inputs, "a fooling rate")
        yield part.inputs, first
        first += len(part)


def _ask(
    model: nn.Module,
    pattern: EventPattern,
    frames: torch.Tensor,
    first: int,
    trials: int,
    seed: int,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return (trials, samples) answers: without the pattern, again, and with it."""

    def answer(shown: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return answers(model, shown, 1, 1)[0].argmax(1).cpu()

    runs = trials if is_random(model, frames, 1, 1) else 1
    before, clean = (torch.stack([answer(frames) for _ in range(runs)]) for _ in range(2))
    shown = (pattern.apply(frames, seed, trial, first) for trial in range(trials))
    fooled = torch.stack([answer(each) for each in shown])
    return before.expand(trials, -1), clean.expand(trials, -1), fooled
