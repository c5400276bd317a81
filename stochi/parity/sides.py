"""The float model, its twin and the chip, asked in the same way."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import nn

from stochi.attacks.program_model import ProgramModel
from stochi.data.samples import Samples
from stochi.devices import device_of
from stochi.errors import InputError
from stochi.export.model.model import GraphModel
from stochi.export.model.reading import Reading
from stochi.hardware.draws import Draws
from stochi.parity.arguments import ATTACKER_SEED
from stochi.parity.confusion import Confusion
from stochi.parity.own import ask
from stochi.parity.records.float_model import seeded_draws
from stochi.parity.records.outputs import answers_of, probes_for
from stochi.parity.results import CHIP, SIDES, TWIN
from stochi.parity.scores import score_answers
from stochi.program.program import Program
from stochi.sim.backends import run
from stochi.sim.inputs import InOrder
from stochi.sim.record import Record
from stochi.train.twin.forms import form_blamed
from stochi.train.twin.model import (
    FreshDraws,
    Twin,
    answering_as,
    float_model_of,
    set_draws,
    twin_of,
)
from stochi.train.twin.samples import Shown, take_sample


@dataclass(frozen=True)
class Sides:
    """The sides of a comparison, and its draws.

    Attributes:
        own: the model as its author wrote it, which an attacker of the float model asks.
        model, twin, program: the model's graph in real numbers, its twin, and the chip's Program.
        shown: how the model takes samples.
        own_reading: how it reads its output over time.
        reading: how the answers are read over time, on every side.
        seed: of all draws.
        trials: number of repetitions, each with other draws.
        batch_size: number of samples that a torch model is shown at a time.
    """

    own: nn.Module
    model: GraphModel
    twin: Twin
    program: Program
    shown: Shown
    own_reading: Reading
    reading: Reading
    seed: int
    trials: int
    batch_size: int

    def answer(
        self, side: str, inputs: torch.Tensor, trial: int, first_sample: int = 0
    ) -> torch.Tensor:
        """Answer inputs in one trial: (batch, outputs), or if that is read, at every time step.

        Args:
            inputs: a batch that is not larger than ``batch_size``.
            first_sample: number of its first sample.
        """
        if side == CHIP:
            return self._ask_program(inputs, trial, first_sample)
        with torch.no_grad():
            if side == TWIN:
                set_draws(self.twin, seed=self.seed, trial=trial, first_sample=first_sample)
                return self._ask(self.twin, inputs)
            with seeded_draws(Draws(self.seed, trial, first_sample)):
                return self._ask(self.model, inputs)

    def score(
        self,
        samples: Samples,
        known: Mapping[str, torch.Tensor] | None = None,
        *,
        first_trial: int = 0,
        first_sample: int = 0,
        confusion: Confusion | None = None,
    ) -> dict[str, torch.Tensor]:
        """Score each side's answers, side → (trials, samples); see :func:`score_answers`.

        The twin gives the engine's integers, which the exact comparison shows; its answers are
        scored all the same, with the first trial's draws on, as the others' are.

        Args:
            known: scores of some of the sides.
            first_trial: number of the first of the trials.
            first_sample: number of the first of the samples.
            confusion: also counts the answers, of the sides that are not known.
        """
        scores = dict(known or {})
        seen = Confusion() if confusion is None else confusion
        for side in (side for side in SIDES if side not in scores):
            trials = [
                self._score_trial(side, samples, trial, first_sample, seen)
                for trial in range(first_trial, first_trial + self.trials)
            ]
            scores[side] = torch.stack(trials)
        return {side: scores[side] for side in SIDES}

    def answers_of(self, record: Record) -> torch.Tensor:
        """Return a record's answers as :meth:`answer` does."""
        return answers_of(self.program, record, self.reading)

    def surface(self, side: str | None) -> nn.Module:
        """What an attacker of a side asks, with other draws than the victim's.

        The float model stands in if the attack needs no model.
        """
        if side == TWIN:
            return FreshDraws(self.twin, ATTACKER_SEED)
        if side == CHIP:
            return ProgramModel(self.program, ATTACKER_SEED)
        return self.own

    def _score_trial(
        self, side: str, samples: Samples, trial: int, first_sample: int, seen: Confusion
    ) -> torch.Tensor:
        scores = []
        for part in samples.batches(self.batch_size):
            answers = self.answer(side, part.inputs, trial, first_sample)
            scores.append(score_answers(answers, part))
            seen.add(side, answers, part)
            first_sample += len(part)
        return torch.cat(scores)

    def _ask(self, model: GraphModel, inputs: torch.Tensor) -> torch.Tensor:
        shown = inputs.to(device_of(model))
        outputs = [values[model.wiring.output] for values in model.run(shown)]
        return self.reading.flat(self.reading.read(outputs))

    def _ask_program(self, inputs: torch.Tensor, trial: int, first_sample: int) -> torch.Tensor:
        record = run(
            self.program,
            InOrder(inputs),
            seed=self.seed,
            trial=trial,
            probes=probes_for(self.program, self.reading),
            first_sample=first_sample,
            device=device_of(self.model),
        )
        return self.answers_of(record)


def make_sides(
    model: nn.Module,
    origin: nn.Module,
    program: Program,
    few: Samples,
    seed: int,
    trials: int,
    batch_size: int,
) -> Sides:
    """Return the sides of a comparison.

    Args:
        model: the float model, as its author wrote it or as a graph's.
        origin: the model that the Program was lowered from.
        few: some of the samples, whose labels tell how the answers are read.
        seed, trials, batch_size: as for :class:`Sides`.

    Raises:
        InputError, ExportError, LoweringError: the Program cannot come from the origin.
    """
    device = device_of(model)
    with form_blamed(program, origin, few):
        theirs = take_sample(origin, program, few)
        twin = twin_of(program, origin, theirs.sample).eval().to(device)
    shown = theirs if model is origin else take_sample(model, program, few)
    own = float_model_of(model, shown.sample, program.target.dt).to(device)
    if few.batch_dim == 0 or own is not model:
        check_time_steps(own, program)
    in_graph = answering_as(program, own).eval()
    reading = own.reading if few.regression else in_graph.reading
    check_reading(own.reading, few)
    surface = attacked_model(model, in_graph, few, shown)
    return Sides(
        *(surface, in_graph, twin, program, shown, own.reading, reading, seed, trials, batch_size)
    )


def check_time_steps(model: GraphModel, program: Program) -> None:
    """Raise InputError if a model runs another number of time steps than the Program."""
    own, chip = model.reading.time_steps, program.target.time_steps
    if own != chip:
        raise InputError(
            f"the model runs {own} time steps and the Program {chip}, so they answer differently;"
            f" lower the graph for {own}, as it is by default, or let the model run {chip}"
        )


def check_reading(reading: Reading, few: Samples) -> None:
    """Raise InputError if the labels of a regression are not where a model answers.

    Args:
        reading: how the model reads its own output.
        few: some of the samples.
    """
    by_step = reading.readout == "steps"
    if not few.regression or by_step == (few.labels.dim() == 3):
        return
    lead = ("batch", "batch", "time steps, batch")[few.labels.dim() - 1]
    form = f"({', '.join([lead, *map(str, few.labels.shape[2:] or few.labels.shape[1:])])})"
    if by_step:
        raise InputError(
            f"the labels are {form}, and the model answers at every time step; give labels"
            " (time steps, batch, outputs), or let it return the mean over time"
        )
    once = "the output of the last time step"
    if reading.readout != "last":
        once = f"its output's {reading.readout} over time"
    raise InputError(
        f"the labels are {form}, and the model answers once, with {once}; give labels (batch,"
        " outputs), or let it return the output of every time step"
    )


def attacked_model(own: nn.Module, model: GraphModel, few: Samples, shown: Shown) -> nn.Module:
    """Return the model as its author wrote it, or its graph if it does not answer with logits.

    Args:
        own: the model as it was given.
        model: its graph in real numbers, whose answers are (batch, classes).
        few: some of the samples.
        shown: how the model takes them; its graph is attacked if it takes streams batch first.
    """
    if shown.form == "batch first":
        return model
    inputs = few.up_to(2).inputs
    answer, expected = (ask(each, inputs) for each in (own, model))
    assert expected is not None
    return own if answer is not None and answer.shape == expected.shape else model
