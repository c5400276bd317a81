"""Derivatives of surrogate spikes, as functions of the distance from the threshold."""

import math
from collections.abc import Callable, Mapping

import torch

Kernel = Callable[[torch.Tensor, torch.Tensor | float], torch.Tensor]
"""Distance u − θ and sharpness → derivative, of the distance's shape."""


def arctan(distance: torch.Tensor, sharpness: torch.Tensor | float) -> torch.Tensor:
    """Return the derivative of ``arctan(π/2·α·x)/π + 1/2`` (Fang et al., ICCV 2021)."""
    return sharpness / 2 / (1 + (math.pi / 2 * sharpness * distance).square())


def triangle(distance: torch.Tensor, sharpness: torch.Tensor | float) -> torch.Tensor:
    """Return ``α·max(0, 1 − α·|x|)`` (Esser et al., PNAS 2016); 0 beyond 1/α."""
    return sharpness * (1 - sharpness * distance.abs()).clamp_min(0)


def gaussian(distance: torch.Tensor, sharpness: torch.Tensor | float) -> torch.Tensor:
    """Return the density of a normal distribution of standard deviation 1/α."""
    return sharpness / math.sqrt(2 * math.pi) * torch.exp(-(sharpness * distance).square() / 2)


def fast_sigmoid(distance: torch.Tensor, sharpness: torch.Tensor | float) -> torch.Tensor:
    """Return ``1/(1 + α·|x|)²`` (Zenke and Ganguli, Neural Computation 2018)."""
    return 1 / (1 + sharpness * distance.abs()).square()


KERNELS: Mapping[str, Kernel] = {
    "atan": arctan,
    "triangle": triangle,
    "gaussian": gaussian,
    "fast-sigmoid": fast_sigmoid,
}
"""The kernels by name."""
