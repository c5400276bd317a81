"""The float model, its hardware-aware twin and the chip, asked in the same way."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from stochi.data.images import Images
from stochi.deploy.program import Program
from stochi.sim.float_record import run_float_model
from stochi.sim.report import SIDES
from stochi.sim.run import run
from stochi.train.hardware_aware import set_draws


@dataclass(frozen=True)
class Sides:
    """What is compared, and the draws of the comparison.

    Attributes:
        model, twin, program: the float model, the hardware-aware one, and the chip's.
        seed: of all draws.
        trials: repetitions, each with other draws.
        batch_size: how many images a torch model is shown at a time.
    """

    model: nn.Module
    twin: nn.Module
    program: Program
    seed: int
    trials: int
    batch_size: int

    def predict(self, side: str, inputs: torch.Tensor, trial: int) -> torch.Tensor:
        """(images,) predicted classes of one trial."""
        if side == "chip":
            return run(self.program, inputs, seed=self.seed, trial=trial).predictions()
        with torch.no_grad():
            if side == "float":
                logits = run_float_model(self.model, inputs, self.seed, trial, self.batch_size)
                return logits.argmax(1)
            return torch.cat(
                [
                    self._ask_twin(part, number * self.batch_size, trial)
                    for number, part in enumerate(inputs.split(self.batch_size))
                ]
            )

    def correct(
        self, images: Images, known: Mapping[str, np.ndarray] | None = None
    ) -> dict[str, torch.Tensor]:
        """side → (trials, images) whether the class is right.

        The hardware-aware model gives the engine's integers, which the exact comparison shows;
        its accuracy is measured all the same, on the first trial's draws and on, as the others.
        What a side is known to predict, (trials, images), it is not asked again.
        """
        predictions = {side: torch.from_numpy(classes) for side, classes in (known or {}).items()}
        for side in SIDES:
            if side not in predictions:
                answers = [self.predict(side, images.inputs, t) for t in range(self.trials)]
                predictions[side] = torch.stack(answers)
        return {side: predictions[side] == images.labels for side in SIDES}

    def _ask_twin(self, inputs: torch.Tensor, first_sample: int, trial: int) -> torch.Tensor:
        set_draws(self.twin, seed=self.seed, trial=trial, first_sample=first_sample)
        return self.twin(inputs).argmax(1)
