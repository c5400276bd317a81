"""The chip's 8-bit input grid."""

import torch

SLACK = 1e-6
"""Precision of k/255 and ε, since pixels are 32-bit floats."""


def onto_grid(
    perturbed: torch.Tensor, inputs: torch.Tensor, epsilon: float, levels: int = 255
) -> torch.Tensor:
    """Round images to k/levels such that they stay within ε of the clean ones.

    A chip rounds its input to k/255, so that a change of 0.1 can become 26/255 > 0.1 on the chip.
    Here each pixel goes to the nearest level, as on the chip, or one level nearer to the clean
    pixel if that level lies outside the ε-ball. A pixel whose ball holds no level stays clean.

    Args:
        perturbed, inputs: attacked and clean images of one shape, in [0, 1] and within ε of each
            other.
        epsilon: ε in [0, 1].
        levels: number of steps of the grid, 255 for 8 bits.
    """
    level = (perturbed * levels).round()
    beyond = (level / levels - inputs).abs() > epsilon + SLACK
    level = torch.where(beyond, level + (inputs * levels - level).sign(), level)
    rounded = level / levels
    return torch.where((rounded - inputs).abs() <= epsilon + SLACK, rounded, inputs)
