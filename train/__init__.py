"""The snnTorch side: neurons, networks, training, and the model as the chip will compute it."""

from stochi.train.hardware_aware import hardware_aware
from stochi.train.neurons import RandomTauLeaky

__all__ = ["RandomTauLeaky", "hardware_aware"]
