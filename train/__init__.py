"""The snnTorch side: neurons, networks, training, and the model as the chip will compute it."""

from stochi.train.hardware_aware import hardware_aware, set_draws
from stochi.train.networks import RepeatSteps
from stochi.train.neurons import RandomTauLeaky

__all__ = ["RandomTauLeaky", "RepeatSteps", "hardware_aware", "set_draws"]
