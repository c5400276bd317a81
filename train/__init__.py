"""The snnTorch side: neurons, networks, training, and the model as the chip will compute it."""

from stochi.train.fine_tuning import FineTuningConfig, fine_tune
from stochi.train.hardware_aware import FreshDraws, hardware_aware, set_draws, twin_of
from stochi.train.networks import RepeatSteps
from stochi.train.neurons import RandomTauLeaky

__all__ = [
    "FineTuningConfig",
    "FreshDraws",
    "RandomTauLeaky",
    "RepeatSteps",
    "fine_tune",
    "hardware_aware",
    "set_draws",
    "twin_of",
]
