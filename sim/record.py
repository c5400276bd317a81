"""What a run leaves behind."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from stochi.files import written_aside


@dataclass
class Record:
    """A run's outcome, on the CPU.

    Attributes:
        logits: (batch, classes) float64, in the model's units: the mean input of the readout's
            integrators over the steps, or the mean of the last layer's spikes.
        spikes: layer name → (steps, batch, *shape) bool, where the probe was asked for. An
            integrator has none.
        membrane: layer name → (steps, batch, *shape) int32 after the reset, in the chip's units
            (of a float model: floats in the model's).
    """

    logits: torch.Tensor
    spikes: dict[str, torch.Tensor] = field(default_factory=dict)
    membrane: dict[str, torch.Tensor] = field(default_factory=dict)

    def predictions(self) -> torch.Tensor:
        """(batch,) the class with the largest logit."""
        return self.logits.argmax(1)

    def save(self, path: str | Path) -> None:
        """Write ``logits``, ``spikes.<layer>`` and ``membrane.<layer>`` as a numpy archive.

        The same record gives the same bytes. Read it with ``numpy.load``.
        """
        arrays = {"logits": self.logits.numpy()}
        arrays |= {f"spikes.{name}": values.numpy() for name, values in self.spikes.items()}
        arrays |= {f"membrane.{name}": values.numpy() for name, values in self.membrane.items()}
        with written_aside(path) as aside, aside.open("wb") as file:
            np.savez_compressed(file, **arrays)


def join_records(records: Sequence[Record]) -> Record:
    """Records of one network on batches that follow each other, as the record of all of them."""
    if len(records) == 1:
        return records[0]
    first = records[0]
    return Record(
        torch.cat([record.logits for record in records]),
        {name: torch.cat([r.spikes[name] for r in records], 1) for name in first.spikes},
        {name: torch.cat([r.membrane[name] for r in records], 1) for name in first.membrane},
    )
