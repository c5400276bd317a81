"""How often attacks succeed, from a study's answers."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch

from stochi.statistics.intervals import (
    Estimate,
    estimate_accuracy,
    estimate_difference,
    estimate_over_trainings,
)
from stochi.statistics.worst import take_worst
from stochi.study.events.answers import EventAnswers
from stochi.study.events.questions import EventQuestion
from stochi.study.victims import Victim


@dataclass(frozen=True)
class Wrong:
    """How often a network is wrong about each recording, by training seed.

    Attributes:
        shares: (seeds, samples) float64, shares of wrong answers in the reported trials.
        counted: (seeds, samples) bool, whether the network is right about it without an attack.
        trials: number of the reported trials.
    """

    shares: torch.Tensor
    counted: torch.Tensor
    trials: int = 1

    @property
    def anything_counts(self) -> bool:
        """Whether the network is right about any of the recordings without an attack."""
        return bool(self.counted.any())

    def success(self) -> tuple[Estimate, Estimate | None]:
        """Return the share of wrong answers among those that count, and over training seeds.

        A recording's share is its mean over the seeds for which it counts.
        """
        found = replace(estimate_accuracy(self.by_sample()[None]), trials=self.trials)
        return found, estimate_over_trainings(self.by_seed())

    def by_sample(self) -> torch.Tensor:
        """Return the share of wrong answers for each recording that counts."""
        times = self.counted.sum(0)
        means = (self.shares * self.counted).sum(0) / times.clamp_min(1)
        return means[times > 0]

    def by_seed(self) -> torch.Tensor:
        """Return the share of wrong answers for each seed for which a recording counts."""
        counts = self.counted.sum(1)
        return ((self.shares * self.counted).sum(1) / counts)[counts > 0]

    def minus(self, other: "Wrong") -> tuple[Estimate, Estimate | None] | None:
        """Return the difference of success from another one's, on what counts for both, if any."""
        size = min(self.shares.shape[1], other.shares.shape[1])
        both = self.counted[:, :size] & other.counted[:, :size]
        if not bool(both.any()):
            return None
        ours, theirs = (Wrong(w.shares[:, :size], both) for w in (self, other))
        return (
            replace(
                estimate_difference(theirs.by_sample()[None], ours.by_sample()[None]),
                trials=min(self.trials, other.trials),
            ),
            estimate_over_trainings(ours.by_seed() - theirs.by_seed()),
        )


def wrong_about(answers: EventAnswers, victim: Victim, questions: Sequence[EventQuestion]) -> Wrong:
    """Return how often a victim is wrong about the worst of several attacks on each recording.

    The worst is chosen by the first trials, and reported by the last.

    Args:
        questions: of one place; the recordings that all have are compared.

    Raises:
        InputError: an answer is missing.
    """
    shares, counted, trials = [], [], answers.plan.trials
    for trained in answers.trained(victim, questions):
        each = [answers.right(trained, question) for question in questions]
        size = min(right.shape[1] for right in each)
        right = torch.stack([one[:, :size] for one in each])
        worst = take_worst(right[:, :-trials], right[:, -trials:])
        shares.append(1 - worst.double().mean(0))
        counted.append(answers.counted(trained, questions[0].place)[:size])
    return Wrong(torch.stack(shares), torch.stack(counted), trials)


@dataclass(frozen=True)
class Sizes:
    """Sizes of the changes of recordings that an attack made wrong in most trials.

    Attributes:
        median_changes, mean_changes: L0; None if there is none.
        median_share: median of the same as a share of the recording's own events.
        timing: means of B∞, B1 and B0, if events were moved.
    """

    median_changes: float | None = None
    mean_changes: float | None = None
    median_share: float | None = None
    timing: tuple[float, float, float] | None = None


def sizes_of(answers: EventAnswers, victim: Victim, question: EventQuestion) -> Sizes:
    """Return the sizes of an attack's successful changes, over all training seeds.

    Raises:
        InputError: an answer is missing.
    """
    wrong = wrong_about(answers, victim, [question])
    changes, events, timing = [], [], []
    for seed, trained in enumerate(answers.trained(victim, [question])):
        answer = answers.answer(trained, question)
        fooled = wrong.counted[seed] & (wrong.shares[seed] > 0.5)
        rows = fooled.nonzero().flatten().tolist()
        changes += [answer["changes"][row] for row in rows]
        events += [answer["events"][row] for row in rows]
        timing += [answer["timing"][row] for row in rows if "timing" in answer]
    if not changes:
        return Sizes()
    sizes = torch.tensor(changes, dtype=torch.float64)
    shares = sizes / torch.tensor(events, dtype=torch.float64).clamp_min(1)
    means = torch.tensor(timing, dtype=torch.float64).mean(0).tolist() if timing else None
    return Sizes(
        float(sizes.quantile(0.5)),
        float(sizes.mean()),
        float(shares.quantile(0.5)),
        None if means is None else (means[0], means[1], means[2]),
    )
