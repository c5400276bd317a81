"""A Program as a torch model without gradients, for attacks by queries."""

import torch
from torch import nn

from stochi.arguments import check_arguments
from stochi.errors import InputError
from stochi.hardware.draws import check_coordinates
from stochi.program.program import Program
from stochi.sim.backends import check_backend, run
from stochi.sim.inputs import InOrder


class ProgramModel(nn.Module):
    """A Program that answers like a torch model: inputs → (batch, classes) logits, no gradients.

    Every call uses new draws, as a chip in use would. So an attack gives the same result again only
    on a new ProgramModel.

    Args:
        program: from ``stochi.deploy.lower``.
        seed: seed of the model's draws. It should differ from the victim's, whose draws no
            attacker knows.
        backend: "engine" or "lava".

    Attributes:
        queries: number of samples answered so far.
        calls: number of calls so far, which is the next call's trial.

    Raises:
        InputError: an argument is out of range.
    """

    def __init__(self, program: Program, seed: int, backend: str = "engine") -> None:
        check_arguments(ProgramModel.__init__, locals(), besides=("program",))
        super().__init__()
        if not isinstance(program, Program):
            raise InputError(
                f"program has type {type(program).__name__}; a Program is needed, as"
                " stochi.deploy.lower returns it"
            )
        check_coordinates(seed=seed)
        check_backend(backend)
        self.program = program
        self.seed = seed
        self.backend = backend
        self.queries = 0
        self.calls = 0

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Answer (batch, *shape) images or (time_steps, batch, *shape) events.

        Returns:
            (batch, classes) logits.

        Raises:
            InputError: the inputs do not fit the Program.
            LavaUnavailable: the back end is Lava, which is not installed.
        """
        shown = inputs.detach().cpu()
        if self.program.target.events and not torch.equal(shown * shown, shown):
            raise InputError(
                "this Program takes events, exactly 0 or 1, and got other numbers, as attacks on"
                " images make them; use GreedySpikes, which flips events"
            )
        record = run(self.program, InOrder(shown), self.backend, seed=self.seed, trial=self.calls)
        self.calls += 1
        self.queries += len(record.logits)
        return record.logits.to(inputs.device)
