"""Trials of all sides on clean samples, a batch at a time."""

from collections.abc import Callable, Iterable, Iterator
from itertools import count
from typing import NamedTuple

import numpy as np
import torch

from stochi.data.samples import Samples
from stochi.devices import device_of
from stochi.parity.confusion import Confusion, Counts
from stochi.parity.distribution.comparison import compare_statistics
from stochi.parity.distribution.image_statistics import (
    ImageStatistics,
    join_statistics,
    statistics_of,
)
from stochi.parity.distribution.results import Distribution, Margins
from stochi.parity.distribution.trials import Trials, chip_side, float_side, take_trials
from stochi.parity.parts import Parts
from stochi.parity.results import CHIP, FLOAT, SIDES
from stochi.parity.scores import score_answers
from stochi.parity.sides import Sides
from stochi.plain_text import counted


class Observed(NamedTuple):
    """What all trials showed.

    Attributes:
        scores: side → (trials, samples).
        distribution: comparison of float model and chip; None if it was left out.
        confusion: side → counts of classes; None for a regression.
    """

    scores: dict[str, torch.Tensor]
    distribution: Distribution | None
    confusion: dict[str, Counts] | None


def observe(
    sides: Sides,
    batches: Iterable[Samples],
    margins: Margins | None,
    parts: Parts,
    total: int | None = None,
) -> Observed:
    """Run all trials of all sides; memory holds a batch, and a few numbers of every sample.

    Args:
        batches: at least one.
        margins: for the comparison of float model and chip in distribution; None leaves it out.
        parts: tells how far this part of the check is.
        total: number of all samples, if it is known.
    """
    of_all = "clean inputs" if total is None else counted(total, "clean input")
    parts.begin(f"{of_all}, {counted(sides.trials, 'trial')} on each side")
    scores: list[dict[str, torch.Tensor]] = []
    found: list[ImageStatistics] = []
    labels: list[torch.Tensor] = []
    confusion = Confusion()
    first, like = 0, None
    for batch in batches:
        known: dict[str, torch.Tensor] = {}
        if margins is not None:
            steps = count(1)

            def after(
                first: int = first, of: int = len(batch), steps: Iterator[int] = steps
            ) -> None:
                parts.count("inputs", first + of * next(steps) // (3 * sides.trials), total)

            ours, theirs = _take_trials(sides, batch, first, like, after)
            like = like or ours
            found.append(statistics_of(ours, theirs))
            known = _known_scores(sides, batch, {FLOAT: ours, CHIP: theirs}, confusion)
        scores.append(sides.score(batch, known, first_sample=first, confusion=confusion))
        labels.append(batch.labels)
        first += len(batch)
        parts.count("inputs", first, total)
    joined = {side: torch.cat([one[side] for one in scores], 1) for side in SIDES}
    if margins is None:
        return Observed(joined, None, confusion.found())
    every = torch.cat(labels, batch.label_dim)
    distribution = compare_statistics(join_statistics(found), every, margins)
    return Observed(joined, distribution, confusion.found())


def _take_trials(
    sides: Sides,
    batch: Samples,
    first_sample: int,
    like: Trials | None,
    after: Callable[[], None],
) -> tuple[Trials, Trials]:
    """Take both sides' trials on a batch, on the grids of the first batch."""
    where = sides.program, batch.inputs, sides.seed, first_sample
    ours = take_trials(float_side(sides.model, *where), sides.trials, like, after)
    chip = chip_side(*where, device_of(sides.model))
    return ours, take_trials(chip, sides.trials, ours, after)


def _known_scores(
    sides: Sides, batch: Samples, taken: dict[str, Trials], confusion: Confusion
) -> dict[str, torch.Tensor]:
    """Return the scores that the logits of trials give; those of a regression may need more."""
    if batch.regression and sides.reading.readout in ("sum", "steps"):
        return {}
    scores = {}
    for side, trials in taken.items():
        answers = torch.from_numpy(np.array(trials.logits))
        scores[side] = torch.stack([score_answers(logits, batch) for logits in answers])
        for logits in answers:
            confusion.add(side, logits, batch)
    return scores
