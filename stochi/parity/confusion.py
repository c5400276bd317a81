"""Counts of the classes that a side answers with, by the right class."""

from dataclasses import dataclass, field

import torch

from stochi.data.samples import Samples
from stochi.parity.results import CHIP, FLOAT

MOST = 100
"""Number of classes up to which the counts are kept."""
Counts = tuple[tuple[int, ...], ...]
"""(classes, classes): right class, then answered class."""


@dataclass
class Confusion:
    """Counts that grow with every answer of the float model and of the chip."""

    counts: dict[str, torch.Tensor] = field(default_factory=dict)

    def add(self, side: str, answers: torch.Tensor, samples: Samples) -> None:
        """Count answers, (samples, classes); those of a regression have none."""
        if samples.regression or side not in (FLOAT, CHIP) or answers.dim() != 2:
            return
        classes = answers.shape[1]
        places = samples.labels.cpu() * classes + answers.argmax(1).cpu()
        found = torch.bincount(places, minlength=classes**2).view(classes, classes)
        self.counts[side] = self.counts[side] + found if side in self.counts else found

    def found(self) -> dict[str, Counts] | None:
        """Return the counts of each side; None if there are none, or too many classes."""
        if set(self.counts) != {FLOAT, CHIP} or len(self.counts[CHIP]) > MOST:
            return None
        return {side: tuple(map(tuple, self.counts[side].tolist())) for side in (FLOAT, CHIP)}
