"""How a graph's network is shown its input, and how its output is read."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from stochi.deploy.graph.readout import READOUTS, READS
from stochi.errors import InputError
from stochi.export.model.running import Output


@dataclass(frozen=True)
class Reading:
    """How a graph is shown its input and how its output is read.

    Attributes:
        dt: seconds per time step.
        time_steps: time steps for which an image is shown.
        readout: how the output is read over time: "mean", "sum", "last" or "steps".
        reads: what is read of output neurons that spike, "spikes" or "membrane".

    Raises:
        InputError: a value is unknown or out of range.
    """

    dt: float
    time_steps: int
    readout: str
    reads: str

    def __post_init__(self) -> None:
        if self.time_steps < 1:
            raise InputError(f"time_steps is {self.time_steps}; a sample needs at least 1")
        for what, value, known in (
            ("readout", self.readout, READOUTS),
            ("reads", self.reads, READS),
        ):
            if value not in known:
                raise InputError(f"{what} is {value!r}; choose from {', '.join(known)}")

    def read(self, outputs: Sequence[Output]) -> torch.Tensor:
        """Return the answer that the output layer's values of all time steps give."""
        by_membrane = self.reads == "membrane"
        read = [
            output.membrane if by_membrane and output.membrane is not None else output.sent
            for output in outputs
        ]
        if self.readout == "last":
            return read[-1]
        stacked = torch.stack(read)
        if self.readout == "steps":
            return stacked
        return stacked.mean(0) if self.readout == "mean" else stacked.sum(0)

    def flat(self, answer: torch.Tensor) -> torch.Tensor:
        """Return an answer with its outputs in one dimension, behind time steps and batch."""
        return answer.flatten(2 if self.readout == "steps" else 1)
