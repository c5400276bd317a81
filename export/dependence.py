"""What an answer depends on besides tensors: values that Python read, and draws."""

from dataclasses import dataclass

import torch
from torch import nn

from stochi.errors import ExportError, StochiWarning, warn_caller
from stochi.export.problems import Problems
from stochi.export.reads import Read, listed
from stochi.export.recording import Recording, record, tensors

_MOST = 20
_CHECKS = AssertionError, ValueError


class ReadValuesWarning(StochiWarning):
    """Warning that forward reads values, by which it answers, where the export's check saw none."""


@dataclass(frozen=True, eq=False)
class Dependence:
    """The places where forward reads values that its answer depends on.

    Attributes:
        on_inputs: values that depend on the input.
        on_draws: values that are drawn at random.
    """

    on_inputs: list[Read]
    on_draws: list[Read]


def find_dependence(model: nn.Module, recording: Recording) -> Dependence:
    """Run a model again with each value that it reads altered; return the reads that matter.

    A check that refuses the altered value (``assert``, ``raise``) and a value that is only logged
    do not matter.
    """
    found = [read for read in recording.reads[:_MOST] if _matters(model, recording, read)]
    found += recording.reads[_MOST:]
    return Dependence([r for r in found if not r.drawn], [r for r in found if r.drawn])


def _matters(model: nn.Module, recording: Recording, read: Read) -> bool:
    try:
        altered = record(model, recording.sample, altered=read)
    except ExportError as error:
        return not (read.name == "__bool__" or isinstance(error.__cause__, _CHECKS))
    return not _same(recording, altered)


def _same(one: Recording, two: Recording) -> bool:
    """Return whether all neurons received and sent the same, and the output is the same."""
    if {n: len(c) for n, c in one.calls.items()} != {n: len(c) for n, c in two.calls.items()}:
        return False
    pairs = list(zip(tensors(one.output), tensors(two.output), strict=False))
    for name, calls in one.calls.items():
        for mine, theirs in zip(calls, two.calls[name], strict=True):
            pairs += [(mine.current, theirs.current), (mine.spikes, theirs.spikes)]
    return all(torch.equal(a, b) for a, b in pairs)


def note_draws(reads: list[Read], problems: Problems) -> None:
    """Note a problem if forward reads values that are drawn at random."""
    if reads:
        problems.add(
            f"forward draws random numbers and decides by them at {listed(reads)}; a graph holds"
            " one run. Draw outside the model and pass the draws as inputs, or use RandomTauLeaky"
            " for random time constants"
        )


def note_dependence(dependence: Dependence, problems: Problems) -> None:
    """Note decisions by random numbers, and warn of other values that the answer depends on.

    Warns:
        ReadValuesWarning: the answer depends on values that forward reads.
    """
    note_draws(dependence.on_draws, problems)
    if dependence.on_inputs and not dependence.on_draws:
        warn_caller(
            f"forward reads values out of tensors at {listed(dependence.on_inputs)}, and its answer"
            " depends on them. The graph holds what they were on the sample; it agreed on zeros,"
            " ones, dimmed and single inputs, but not every input was tried. Compute with tensors"
            " alone, or outside the model, to be sure",
            ReadValuesWarning,
        )


def describe_reads(recording: Recording) -> str:
    """Return why a graph may differ from a model on another input, with the way out."""
    if recording.reads:
        return (
            f"forward reads values at {listed(recording.reads)}, and a graph holds what they were"
            " on the sample; compute with tensors alone, or outside the model"
        )
    if recording.drew_outside:
        return (
            "forward draws random numbers with numpy or random; draw them outside and pass them as"
            " inputs, or use RandomTauLeaky for random time constants"
        )
    return (
        "look for values that forward takes from an input without torch, or that change by"
        " themselves"
    )
