"""Adversarial attacks on models that are random."""

from stochi.attacks.pgd import PGD
from stochi.attacks.uniform_noise import UniformNoise

__all__ = ["PGD", "UniformNoise"]
