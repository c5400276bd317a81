"""Training a pattern of events over data, shifts and the model's draws.

Gradients of the loss at the samples with the pattern in them tell, for every place of the window,
what an event there gains. Their running mean is added up, and the places with the highest sums are
the next pattern: a binary network is trained in this way by straight-through gradients (Bengio,
Léonard and Courville, arXiv:1308.3432). Universal perturbations: Moosavi-Dezfooli et al., CVPR
2017; patches: Brown et al., arXiv:1712.09665; both on event cameras: Büchel et al., Frontiers in
Neuroscience 2022.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn

from stochi.arguments import check_fields
from stochi.attacks.base import check_seed, guarded
from stochi.attacks.events.base import check_events
from stochi.attacks.events.event_choice import choose_events
from stochi.attacks.events.event_pattern import EventPattern
from stochi.attacks.events.pattern_form import EventSamples, PatternForm
from stochi.attacks.events.places import as_places
from stochi.attacks.events.placing import all_places, by_sample, locate, near_events
from stochi.attacks.expectation import expected_outcome, expected_slope, is_random
from stochi.attacks.objectives import TINY, Objective, cross_entropy, targeted_cross_entropy
from stochi.attacks.surrogates.choice import SurrogateChoice, make_surrogates
from stochi.attacks.surrogates.replacement import surrogate_in
from stochi.attacks.surrogates.surrogate import Surrogate
from stochi.devices import device_of
from stochi.errors import InputError, check_at_least_one

RETAINED = 0.9
"""Share of the running mean of the gains that an iteration keeps."""
JUDGINGS = 5
"""Number of times that a training judges its pattern."""
GRADIENTS, JUDGED = 2**31, 3 * 2**30
"""First trials of the shifts of gradients and of judgings; applications count from 0."""


@dataclass(frozen=True)
class PatternTraining:
    """How a pattern is trained.

    Attributes:
        iterations: number of gradients from each of two starts.
        batch: number of samples of a gradient.
        draws: runs of the model that each is averaged over; 1 if the model is not random.
        surrogates: what stands in for a spike's derivative, as for gradient attacks; with several,
            the best pattern is kept.
        target: class that every sample shall be taken for; None: any wrong one.
        held_out: n, if one sample in n is held out to judge patterns.
        seed: of the samples' order, the shifts and the model's draws, in [0, 2⁶⁴).
    """

    iterations: int = 50
    batch: int = 50
    draws: int = 4
    surrogates: SurrogateChoice | Sequence[SurrogateChoice] = "own"
    target: int | None = None
    held_out: int = 5
    seed: int = 0

    def __post_init__(self) -> None:
        check_fields(self)
        check_at_least_one(
            iterations=self.iterations, batch=self.batch, draws=self.draws, held_out=self.held_out
        )
        object.__setattr__(self, "surrogates", make_surrogates(self.surrogates))
        check_seed(self.seed)
        if self.target is not None and self.target < 0:
            raise InputError(f"target is {self.target}; it must be the number of a class")

    @property
    def choices(self) -> tuple[Surrogate, ...]:
        """The surrogates as values."""
        return make_surrogates(self.surrogates)


class Judged(NamedTuple):
    """A pattern and how it does on held-out samples.

    Attributes:
        pattern: the pattern.
        hits: share of the answers that are as the attacker wants.
        loss: mean value of what the attacker raises.
    """

    pattern: EventPattern
    hits: float
    loss: float


def train_pattern(
    model: nn.Module, samples: EventSamples, form: PatternForm, training: PatternTraining
) -> EventPattern:
    """Train a pattern of a form.

    Args:
        model: (time steps, batch, *shape) → (batch, classes) logits, with gradients.
        samples: labelled events.

    Returns:
        The pattern that held-out samples judged best, over draws and shifts.

    Raises:
        InputError: the samples are not events, none is of another class than the target, or the
            model fails on them, has no gradient, or is not finite.
    """
    rows = torch.arange(len(samples))
    if training.target is not None:
        rows = rows[samples.labels != training.target]
    if not len(rows):
        raise InputError(
            f"none of the {len(samples)} samples can be trained on; give samples of a class other"
            " than the target"
        )
    first = samples.select(rows[:1]).to(device_of(model))
    check_events(first.inputs, "training a pattern")
    classes = [*samples.labels.tolist(), training.target or 0]
    with guarded(model, first.inputs, torch.tensor(classes), training.seed, batch_dim=1):
        random = is_random(model, first.inputs, training.draws, 1)
        trainer = _Trainer(model, samples, form, training, training.draws if random else 1)
        judged = [
            judged
            for surrogate in training.choices
            for start in trainer.starts()
            for judged in trainer.climb(surrogate, start, *_parts(rows, training))
        ]
    return max(judged, key=lambda each: (each.hits, each.loss)).pattern


def _parts(rows: torch.Tensor, training: PatternTraining) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the rows to train on and those held out, the same if there are too few."""
    generator = torch.Generator().manual_seed(int(training.seed))
    mixed = rows[torch.randperm(len(rows), generator=generator)]
    held = len(rows) // training.held_out
    return (mixed[held:], mixed[:held]) if 0 < held < len(rows) else (mixed, mixed)


class _Trainer:
    """The model, samples and form of one training."""

    def __init__(
        self,
        model: nn.Module,
        samples: EventSamples,
        form: PatternForm,
        training: PatternTraining,
        draws: int,
    ) -> None:
        self.model, self.samples, self.form = model, samples, form
        self.training, self.draws = training, draws
        self.device = device_of(model)
        self.places = all_places(form.grid).to(self.device)

    def starts(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the scores of no event, and of as many random ones as are allowed.

        A few events may gain nothing where many do, so that no way leads from the one to the other.
        """
        generator = torch.Generator().manual_seed(int(self.training.seed))
        some = torch.rand(self.form.grid, generator=generator).to(self.device)
        return torch.zeros_like(some), some

    def climb(
        self, surrogate: Surrogate, scores: torch.Tensor, rows: torch.Tensor, held: torch.Tensor
    ) -> list[Judged]:
        """Train with one surrogate from one start; return the patterns judged on the way."""
        training, mean = self.training, torch.zeros_like(scores)
        pattern, judged = self._choose(scores), []
        size = min(training.batch, len(rows))
        last = {training.iterations * (n + 1) // JUDGINGS for n in range(JUDGINGS)}
        with surrogate_in(self.model, surrogate, size):
            for iteration, batch in zip(
                range(training.iterations), self._batches(rows, size), strict=False
            ):
                gain = self.gains(pattern, batch, iteration)
                gain /= gain.abs().mean().clamp_min(TINY)
                mean = RETAINED * mean + (1 - RETAINED) * gain
                scores = scores + mean
                pattern = self._choose(scores)
                if iteration + 1 in last:
                    judged.append(self.judge(pattern, held))
        return judged

    def _batches(self, rows: torch.Tensor, size: int) -> Iterator[torch.Tensor]:
        """Yield rows without end, in an order drawn anew for each epoch."""
        generator = torch.Generator().manual_seed(int(self.training.seed))
        while True:
            order = torch.randperm(len(rows), generator=generator)
            for part in order[: len(rows) // size * size].split(size):
                yield rows[part]

    def gains(self, pattern: EventPattern, rows: torch.Tensor, iteration: int) -> torch.Tensor:
        """Return what an event at each place of the window raises the loss by, to first order."""
        clean, labels = self._read(rows)
        offsets = self._offsets(len(rows), GRADIENTS + iteration)
        shown = pattern.apply_at(clean, offsets)
        slope = expected_slope(self.model, shown, labels, self.draws, self._objective(labels), 1)
        at = locate(self.places, offsets, self.form.shape)
        found = by_sample(as_places(slope.gradients)).gather(1, at.places)
        rest = by_sample(as_places(clean) != 0)
        if self.form.occludes:
            rest = rest & ~pattern.window(offsets)
        close = near_events(rest, self.form.shape, self.form.budget.refractory)
        free = at.inside & ~rest.gather(1, at.places) & ~close.gather(1, at.pixels)
        return (found * free).mean(0).view(self.form.grid)

    def judge(self, pattern: EventPattern, rows: torch.Tensor) -> Judged:
        """Judge a pattern on samples, each at a shift of its own and over fresh draws."""
        hits = loss = 0.0
        target = self.training.target
        for part in rows.split(self.training.batch):
            clean, labels = self._read(part)
            shown = pattern.apply_at(clean, self._offsets(len(part), JUDGED + int(part[0])))
            wanted = labels if target is None else torch.full_like(labels, target)
            seen = expected_outcome(self.model, shown, wanted, self.draws, batch_dim=1)
            sign = 1 if target is None else -1
            hits += float((seen.right if target is not None else 1 - seen.right).sum())
            loss += sign * float(seen.loss.sum())
        return Judged(pattern, hits / len(rows), loss / len(rows))

    def _choose(self, scores: torch.Tensor) -> EventPattern:
        """Return the pattern of the highest scores; an event that gains nothing is left out."""
        return choose_events(self.form, scores.where(scores > 0, -torch.inf))

    def _read(self, rows: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        found = self.samples.select(rows).to(self.device)
        check_events(found.inputs, "training a pattern")
        return found.inputs, found.labels

    def _offsets(self, count: int, trial: int) -> torch.Tensor:
        return self.form.offsets.draw(count, self.training.seed, trial).to(self.device)

    def _objective(self, labels: torch.Tensor) -> Objective:
        if self.training.target is None:
            return cross_entropy
        return targeted_cross_entropy(torch.full_like(labels, self.training.target))
