"""A Program to ask questions of, as an attacker without the model does."""

import torch
from torch import nn

from stochi.deploy.program import Program
from stochi.errors import InputError
from stochi.hardware.noise import check_coordinates
from stochi.sim.run import check_backend, run


class ProgramModel(nn.Module):
    """A Program that answers like a torch model: inputs → (batch, classes) logits, no gradients.

    Every call draws anew, as a chip in use would, so an attack repeats only on a new ProgramModel.

    Args:
        program: from ``stochi.deploy.lower``.
        seed: of its draws; it should differ from the victim's, whose draws no attacker knows.
        backend: "engine" or "lava".

    Attributes:
        queries: how many samples it has answered so far.
        calls: how often it was called; the next call's trial.

    Raises:
        InputError: an argument is out of range.
    """

    def __init__(self, program: Program, seed: int, backend: str = "engine") -> None:
        super().__init__()
        if not isinstance(program, Program):
            raise InputError(
                f"a Program is needed, of stochi.deploy.lower; this is a {type(program).__name__}"
            )
        check_coordinates(seed=seed)
        check_backend(backend)
        self.program = program
        self.seed = seed
        self.backend = backend
        self.queries = 0
        self.calls = 0

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """(batch, *shape) images or (steps, batch, *shape) events → (batch, classes) logits.

        Raises:
            InputError: the inputs do not fit the Program.
            LavaUnavailable: the back end is Lava, which is not installed.
        """
        shown = inputs.detach().cpu()
        if self.program.input_levels == 1 and not torch.equal(shown * shown, shown):
            raise InputError(
                "this Program takes events, exactly 0 or 1, and is shown other numbers; attacks on"
                " images make such, so use GreedySpikes, which flips events"
            )
        record = run(self.program, shown, self.backend, seed=self.seed, trial=self.calls)
        self.calls += 1
        self.queries += len(record.logits)
        return record.logits.to(inputs.device)
