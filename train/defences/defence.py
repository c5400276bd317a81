"""The parts of training that a defence against adversarial attacks can change."""

from dataclasses import asdict, dataclass
from typing import ClassVar

import torch
from torch import nn
from torch.nn import functional


@dataclass(frozen=True)
class Defence:
    """Plain training, and the base class of the defences, which override its methods.

    The methods draw from torch's default generator, which ``train_classifier`` seeds.

    Attributes:
        name: the name in ``stochi.train.defences.catalogue.DEFENCES``.
        takes_images: whether it trains on images.
        takes_streams: whether it trains on streams, such as events.
    """

    name: ClassVar[str] = "none"
    takes_images: ClassVar[bool] = True
    takes_streams: ClassVar[bool] = True

    def loss(self, model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the scalar that a training step lowers, the cross-entropy of the logits.

        Args:
            model: maps inputs to (batch, classes) logits; in train mode, and left in it.
            inputs: (batch, *shape) images in [0, 1], or streams (time steps, batch, *shape).
            labels: (batch,) classes.
        """
        return functional.cross_entropy(model(inputs), labels)

    def check_model(self, model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor) -> None:
        """Raise InputError if it cannot train a model; asked once, before the first step.

        Args:
            model: the model, in eval mode.
            inputs, labels: one of the samples.
        """

    def after_step(self, model: nn.Module) -> None:
        """Change the weights after the optimizer's step; does nothing by default."""

    def as_dict(self) -> dict[str, float | str]:
        """Return the name and the parameters as a dictionary, for a checkpoint."""
        return {"name": self.name, **asdict(self)}
