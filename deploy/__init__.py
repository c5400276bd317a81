"""From a NIR graph to a Program: integers, limits and noise of a chip."""

from stochi.deploy.calibration import calibrate
from stochi.deploy.layer_lowering import MergedDecays, MergedThresholds
from stochi.deploy.lowering import lower
from stochi.deploy.program import Program
from stochi.deploy.stand_in import CalibrationWarning

__all__ = [
    "CalibrationWarning",
    "MergedDecays",
    "MergedThresholds",
    "Program",
    "calibrate",
    "lower",
]
