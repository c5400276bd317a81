"""What defences against adversarial attacks change in training."""

from dataclasses import asdict, dataclass
from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional


@dataclass(frozen=True)
class Defence:
    """Plain training. A defence overrides what it varies.

    Its hooks draw from torch's default generator, which ``train_classifier`` seeds.

    Attributes:
        name: as in ``stochi.train.defences.DEFENCES``.
    """

    name: ClassVar[str] = "none"

    def loss(self, model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """What a training step lowers: a scalar, the cross-entropy of (batch, classes) logits.

        Args:
            model: in train mode, and left in it.
            inputs: (batch, *shape) images in [0, 1]; labels: (batch,) classes.
        """
        return functional.cross_entropy(model(inputs), labels)

    def after_step(self, model: nn.Module) -> None:
        """Change the weights after the optimizer did; nothing by default."""

    def as_dict(self) -> dict[str, float | str]:
        """For a checkpoint: the name and the parameters."""
        return {"name": self.name, **asdict(self)}
