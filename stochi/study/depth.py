"""How large the part of a study is that asks what depth changes."""

from dataclasses import dataclass

from stochi.arguments import check_fields
from stochi.errors import InputError, check_at_least_one
from stochi.study.variants import Variant, varied
from stochi.study.victims import UNTRAINED


@dataclass(frozen=True)
class DepthPlan:
    """What is varied on random-τ networks of the first training, without training them again.

    Cosines between draws are found for each defence of ``compared``; accuracy under attack against
    the number of EOT draws, for those that the study attacks.

    Attributes:
        compared: defences in training, or "untrained", of networks whose draws are compared.
            Networks with a defence that is not among the study's are not attacked.
        layers: numbers of layers that draw λ, besides all.
        sigmas: spreads of λ's logit, besides 1.
        time_steps: numbers of time steps, besides the study's.
        widths: widths of untrained networks, besides the study's.
        attacked_layers: numbers of layers that draw λ, besides all, of networks that are attacked
            with several numbers of EOT draws.
        draws: these numbers.
        images: largest number of images of these attacks.
    """

    compared: tuple[str, ...] = (UNTRAINED, "none", "fgsm")
    layers: tuple[int, ...] = (1, 3, 5, 7, 9, 11, 13, 15)
    sigmas: tuple[float, ...] = (0.5, 2.0, 4.0)
    time_steps: tuple[int, ...] = (1, 2, 8)
    widths: tuple[int, ...] = (8, 32)
    attacked_layers: tuple[int, ...] = (1, 5)
    draws: tuple[int, ...] = (1, 2, 10, 20)
    images: int = 32

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("draws", "time_steps", "widths"):
            for value in getattr(self, name):
                check_at_least_one(**{name: value})
        check_at_least_one(depth_images=self.images)
        for count in (*self.layers, *self.attacked_layers):
            if count < 0:
                raise InputError(f"a number of random layers is {count}; it must be at least 0")

    def variants(self, defence: str) -> list[Variant]:
        """Return the networks whose draws are compared, for one defence in training."""
        widths = self.widths if defence == UNTRAINED else ()
        return varied(self.layers, self.sigmas, self.time_steps, widths)
