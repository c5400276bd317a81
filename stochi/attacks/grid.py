"""The chip's 8-bit input grid."""

import torch

SLACK = 1e-6
"""Pixels are floats of 32 bits, so k/255 and ε hold to about this much."""


def onto_grid(
    perturbed: torch.Tensor, inputs: torch.Tensor, epsilon: float, levels: int = 255
) -> torch.Tensor:
    """Images on k/levels that stay within ε of the clean ones.

    A chip rounds its input to k/255. So it would see 26/255 > 0.1 where an attack says 0.1. Here
    each pixel goes to the nearest level, as on the chip, and one level nearer to the clean pixel
    where that one lies outside the ε-ball. A pixel whose ball holds no level stays clean.

    Args:
        perturbed, inputs: images of one shape in [0, 1], found and clean, within ε of each other.
        epsilon: ε in [0, 1].
        levels: 255 for 8 bits.
    """
    level = (perturbed * levels).round()
    beyond = (level / levels - inputs).abs() > epsilon + SLACK
    level = torch.where(beyond, level + (inputs * levels - level).sign(), level)
    rounded = level / levels
    return torch.where((rounded - inputs).abs() <= epsilon + SLACK, rounded, inputs)
