"""Adversarial attacks on models that are random. ``docs/attacks.md`` says which is for what."""

from stochi.attacks.apgd import APGD
from stochi.attacks.art_library import ArtUnavailable
from stochi.attacks.auto_attack import AutoAttack
from stochi.attacks.catalogue import ATTACK_NAMES, make_attack
from stochi.attacks.fab import FAB
from stochi.attacks.fgsm import FGSM
from stochi.attacks.greedy_spikes import GreedySpikes
from stochi.attacks.hop_skip_jump import HopSkipJump
from stochi.attacks.mi_fgsm import MIFGSM
from stochi.attacks.pgd import PGD
from stochi.attacks.program_model import ProgramModel
from stochi.attacks.square import Square
from stochi.attacks.surrogate import with_surrogate
from stochi.attacks.uniform_noise import UniformNoise

__all__ = [
    "APGD",
    "ATTACK_NAMES",
    "FAB",
    "FGSM",
    "MIFGSM",
    "PGD",
    "ArtUnavailable",
    "AutoAttack",
    "GreedySpikes",
    "HopSkipJump",
    "ProgramModel",
    "Square",
    "UniformNoise",
    "make_attack",
    "with_surrogate",
]
