"""The choice among attacked samples: success first, then few changes."""

from collections.abc import Sequence

import torch
from torch import nn

from stochi.attacks.chosen import Candidate, Chosen
from stochi.attacks.expectation import answers, expected_outcome, judging_runs, where_outcome
from stochi.attacks.samplewise import choose


def any_right(
    model: nn.Module, frames: torch.Tensor, labels: torch.Tensor, draws: int
) -> torch.Tensor:
    """Return whether the model is right about each sample in any of ``draws`` runs, (n,) bool."""
    with torch.no_grad():
        return (answers(model, frames, draws, 1).argmax(2) == labels).any(0)


def confirm_wrong(
    model: nn.Module, frames: torch.Tensor, labels: torch.Tensor, draws: int, runs: int
) -> torch.Tensor:
    """Return about which samples a random model is wrong in so many fresh runs, (n,) bool.

    Among many steps of a search, a few draws are sure to be wrong by luck once. A sample is not
    asked about any more once a run is right.

    Args:
        model: the model.
        frames: (time_steps, n, *shape) events.
        labels: (n,) the true classes.
        draws: runs side by side.
        runs: smallest number of runs.
    """
    wrong = torch.ones_like(labels, dtype=torch.bool)
    for _ in range(-(-runs // draws)):
        rows = wrong.nonzero().flatten()
        if not len(rows):
            break
        wrong[rows] = ~any_right(model, frames[:, rows], labels[rows], draws)
    return wrong


def choose_sparsest(
    model: nn.Module,
    candidates: Sequence[Candidate],
    inputs: torch.Tensor,
    labels: torch.Tensor,
    draws: int,
) -> Chosen:
    """Choose the candidate of each sample that the model gets right least often.

    They are judged over fresh draws, because the draws that a candidate was optimized on overrate
    it. Among those that it never gets right, the one with the fewest changed places wins; among
    others that are equal, the one with the higher loss.

    Args:
        inputs: (time_steps, n, *shape) clean events.
        draws: runs side by side.
    """
    best, numbers = candidates[0].images, torch.zeros_like(labels)
    if len(candidates) > 1:
        runs = judging_runs(model, best, draws, 1)
        kept, size = expected_outcome(model, best, labels, *runs, 1), _changed(best, inputs)
        for number, (_, frames) in enumerate(candidates[1:], 1):
            found, new = expected_outcome(model, frames, labels, *runs, 1), _changed(frames, inputs)
            sparser = (found.right == 0) & (new != size)
            tied = torch.where(sparser, new < size, found.loss > kept.loss)
            better = (found.right < kept.right) | ((found.right == kept.right) & tied)
            best = choose(better, frames, best, 1)
            numbers, size = torch.where(better, number, numbers), torch.where(better, new, size)
            kept = where_outcome(better, found, kept)
    return Chosen(best, tuple(candidates[number].name for number in numbers.tolist()))


def _changed(frames: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
    return (frames != inputs).flatten(2).sum((0, 2))
