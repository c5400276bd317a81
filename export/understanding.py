"""A model's run, understood as a network: on its sample, on two inputs, and over several steps.

One input hides whether inputs of a batch mix, and one time step hides how the output is read over
time. A sample of one is therefore doubled, or repeated over time, if the model takes that.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import nn

from stochi.errors import ExportError
from stochi.export.dependence import note_draws
from stochi.export.interpretation import interpret
from stochi.export.problems import Problems
from stochi.export.recording import Recording, record
from stochi.export.rolling import Template, roll_up
from stochi.export.run import Run
from stochi.export.verification import note_changes, note_stale

SECOND_SEED = 1
_LONGER = 3


@dataclass(frozen=True, eq=False)
class Understood:
    """An interpreted run.

    Attributes:
        run: the run.
        again: the same, recorded again with other draws, without events.
        template: the network; None if there are problems.
        time_axis: axis of the sample that is time, or None.
        problems: what cannot be exported.
    """

    run: Run
    again: Recording
    template: Template | None
    time_axis: int | None
    problems: Problems

    @property
    def batch_axis(self) -> int:
        """Axis of the sample that counts the inputs."""
        return 1 if self.time_axis == 0 else 0


def understand(model: nn.Module, sample: torch.Tensor, samplings: Mapping[str, str]) -> Understood:
    """Understand a model, on a sample of at least two inputs if the model takes two.

    Args:
        model: the model, which is a copy.
        sample: a batch of inputs.
        samplings: how each RandomTauLeaky draws in the model, by its name.

    Raises:
        ExportError: the model fails on the sample.
    """
    found = _with_two_inputs(_understand(model, sample, samplings), model, samplings)
    template, axis = found.template, found.time_axis
    if template is None or axis is None or template.steps > 1 or template.readout != "mean":
        return found
    try:
        repeated = found.run.recording.sample.repeat_interleave(_LONGER, axis)
        longer = _understand(model, repeated, samplings).template
    except ExportError:
        return found
    if longer is None or longer.steps != _LONGER:
        return found
    return replace(found, template=replace(template, readout=longer.readout))


def _with_two_inputs(
    found: Understood, model: nn.Module, samplings: Mapping[str, str]
) -> Understood:
    sample, sure = found.run.recording.sample, found.batch_axis
    for axis in dict.fromkeys((sure, 0, 1)):
        if sample.shape[axis] != 1 or (axis != sure and not found.problems.found):
            continue
        try:
            doubled = _understand(model, torch.cat([sample, sample], axis), samplings)
        except ExportError:  # it takes one input at a time
            continue
        if axis == sure or len(doubled.problems.found) < len(found.problems.found):
            return doubled
    return found


def _understand(model: nn.Module, sample: torch.Tensor, samplings: Mapping[str, str]) -> Understood:
    """Return the interpretation of the sample's axes that has the fewest problems.

    The sample is one input for all time steps, or its first or second axis is time.
    """
    recording = record(model, sample)
    again = record(model, sample, events=False, seed=SECOND_SEED)
    counts = {len(calls) for calls in recording.calls.values()}
    shape = sample.shape
    axes: list[int | None] = [None]
    axes += [axis for axis in (0, 1) if len(shape) > 2 and shape[axis] in counts]
    found: list[Understood] = []
    for axis in axes:
        problems = Problems()
        note_stale(again, problems)
        if recording.drew_outside:
            note_changes(recording, again, problems)
        run = Run(recording, problems, samplings=dict(samplings))
        run.parameters = {id(p): name for name, p in model.named_parameters()}
        interpret(run, axis)
        found.append(Understood(run, again, roll_up(run), axis, problems))
        if problems.found:
            note_draws([read for read in recording.reads if read.drawn], problems)
    return min(found, key=lambda one: len(one.problems.found))
