"""The float model, its twin and the chip, asked in the same way."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from stochi.attacks.program_model import ProgramModel
from stochi.data.images import Images
from stochi.export.model.model import GraphModel
from stochi.hardware.draws import Draws
from stochi.parity.arguments import ATTACKER_SEED
from stochi.parity.records.float_model import run_float_model
from stochi.parity.results import CHIP, FLOAT, SIDES, TWIN
from stochi.program.layers import INPUT
from stochi.program.program import Program
from stochi.sim.backends import run
from stochi.train.twin.model import (
    FreshDraws,
    Twin,
    answering_model_of,
    set_draws,
    twin_of,
)


@dataclass(frozen=True)
class Sides:
    """The sides of a comparison, and its draws.

    Attributes:
        own: the model as its author wrote it, which an attacker of the float model asks.
        model, twin, program: the model's graph in real numbers, its twin, and the chip's Program.
        seed: of all draws.
        trials: number of repetitions, each with other draws.
        batch_size: number of images that a torch model is shown at a time.
    """

    own: nn.Module
    model: GraphModel
    twin: Twin
    program: Program
    seed: int
    trials: int
    batch_size: int

    def predict(self, side: str, inputs: torch.Tensor, trial: int) -> torch.Tensor:
        """Predict the classes, (images,), in one trial."""
        if side == CHIP:
            return run(self.program, inputs, seed=self.seed, trial=trial).predictions()
        with torch.no_grad():
            if side == FLOAT:
                draws = Draws(self.seed, trial)
                return run_float_model(self.model, inputs, draws, self.batch_size).argmax(1)
            return torch.cat(
                [
                    self._ask_twin(part, number * self.batch_size, trial)
                    for number, part in enumerate(inputs.split(self.batch_size))
                ]
            )

    def correct(
        self,
        images: Images,
        known: Mapping[str, np.ndarray] | None = None,
        first_trial: int = 0,
    ) -> dict[str, torch.Tensor]:
        """Whether each side is right, side → (trials, images) bool.

        The twin gives the engine's integers, which the exact comparison shows; its accuracy is
        measured all the same, from the first trial's draws on, as for the others.

        Args:
            known: side → (trials, images) classes that it is known to predict.
            first_trial: number of the first of the trials.
        """
        predictions = {side: torch.from_numpy(classes) for side, classes in (known or {}).items()}
        for side in SIDES:
            if side not in predictions:
                trials = range(first_trial, first_trial + self.trials)
                answers = [self.predict(side, images.inputs, trial) for trial in trials]
                predictions[side] = torch.stack(answers)
        return {side: predictions[side] == images.labels for side in SIDES}

    def surface(self, side: str | None) -> nn.Module:
        """What an attacker of a side asks, with other draws than the victim's.

        The float model stands in if the attack needs no model.
        """
        if side == TWIN:
            return FreshDraws(self.twin, ATTACKER_SEED)
        if side == CHIP:
            return ProgramModel(self.program, ATTACKER_SEED)
        return self.own

    def _ask_twin(self, inputs: torch.Tensor, first_sample: int, trial: int) -> torch.Tensor:
        set_draws(self.twin, seed=self.seed, trial=trial, first_sample=first_sample)
        return self.twin(inputs).argmax(1)


def make_sides(
    model: nn.Module,
    origin: nn.Module,
    program: Program,
    sample: torch.Tensor,
    seed: int,
    trials: int,
    batch_size: int,
) -> Sides:
    """Return the sides of a comparison.

    Args:
        model: the float model, as its author wrote it or as a graph's.
        origin: the model that the Program was lowered from.
        sample: an input, with a batch of 1.
        seed, trials, batch_size: as for :class:`Sides`.

    Raises:
        InputError, ExportError, LoweringError: the Program cannot come from the origin.
    """
    twin = twin_of(program, origin, sample).eval()
    in_graph = answering_model_of(model, sample, program).eval()
    return Sides(attacked_model(model, in_graph), in_graph, twin, program, seed, trials, batch_size)


def attacked_model(own: nn.Module, model: GraphModel) -> nn.Module:
    """Return the model as its author wrote it, or its graph if it does not answer with logits.

    Args:
        own: the model as it was given.
        model: its graph in real numbers, whose answers are (batch, classes).
    """
    sample = torch.zeros(2, *model.shapes[INPUT])
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        answer, expected = own(sample), model(sample)
    answer = answer[0] if isinstance(answer, tuple) else answer
    whole = isinstance(answer, torch.Tensor) and answer.shape == expected.shape
    return own if whole else model
