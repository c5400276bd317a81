"""What all attacks share."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import nn

from stochi.errors import InputError


@dataclass(frozen=True)
class Attack(ABC):
    """Perturb images in [0, 1] by at most ``epsilon`` in every pixel (L∞).

    Attributes:
        epsilon: ε in [0, 1].
        seed: of the attack's own random choices.
        uses_gradients: whether the attack depends on the model it is made on.
    """

    uses_gradients: ClassVar[bool] = True
    epsilon: float
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0 <= self.epsilon <= 1:
            raise InputError(f"epsilon is {self.epsilon}; images lie in [0, 1], so it must too")

    def __call__(
        self, model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor
    ) -> torch.Tensor:
        """Adversarial images for ``model``, of the shape of ``inputs``.

        Args:
            model: (batch, *shape) → (batch, classes) logits, differentiable.
            inputs: (batch, *shape) in [0, 1]; labels: (batch,) the true classes.
        """
        if len(inputs) != len(labels) or not len(labels):
            raise InputError(f"{len(inputs)} inputs and {len(labels)} labels; both must be as many")
        generator = torch.Generator(device=inputs.device).manual_seed(self.seed)
        # A random model may draw from torch's own generator: seed that too, and put it back.
        devices = [inputs.device] if inputs.is_cuda else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(self.seed)
            return self.perturb(model, inputs, labels, generator)

    @property
    @abstractmethod
    def name(self) -> str:
        """How the attack is called in reports."""

    @abstractmethod
    def perturb(
        self,
        model: nn.Module,
        inputs: torch.Tensor,
        labels: torch.Tensor,
        generator: torch.Generator,
    ) -> torch.Tensor:
        """What the attack does; may use the generator for its own choices."""

    def random_start(self, inputs: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """A point drawn uniformly from the ε-ball around the inputs."""
        noise = torch.rand(inputs.shape, generator=generator, device=inputs.device)
        return self.project(inputs + self.epsilon * (2 * noise - 1), inputs)

    def project(self, perturbed: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        """Back into the ε-ball and into [0, 1]."""
        nearest = torch.minimum(
            torch.maximum(perturbed, inputs - self.epsilon), inputs + self.epsilon
        )
        return nearest.clamp(0, 1)
