"""Stand-ins: additive noise in place of drawn decays, kept when the weights change."""

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

from stochi.errors import InputError, StochiWarning
from stochi.hardware.fixed_point import ALIGN_SHIFT, NOISE_EXPONENT_MAX
from stochi.hardware.noise import generator_mean
from stochi.program.comparison import weight_cosine
from stochi.program.layers import Generator, Layer
from stochi.program.program import Program

UNIFORM_SPREAD, UNIFORM_SPREAD_BELOW_7 = 128.0, 127.5
"""√3 times the standard deviation of the generator's r, rounded; the latter below exponent 7."""
LEAST_COSINE = 0.7
"""Least cosine between weights and those that noise was fitted to.

Tuning keeps it above 0.9; training from another start gives about 0.
"""


class CalibrationWarning(StochiWarning):
    """Warning that fitted noise may not match the reference."""


@dataclass(frozen=True)
class StandIn:
    """The result of a layer's calibration.

    Attributes:
        generator: setting of the generator; None if the layer needs less noise than it can make.
        scale: S, integers per unit of current. The generator has powers of two only. S is free up
            to a factor of 2, and so gives the noise any amplitude relative to the weights.
        threshold_factor: factor of the model's thresholds.
    """

    generator: Generator | None
    scale: float
    threshold_factor: float

    @staticmethod
    def of(layer: Layer) -> "StandIn":
        """Return what a Program's layer holds of its fit."""
        return StandIn(layer.generator, layer.scale, layer.threshold_factor)

    @cached_property
    def mean_noise(self) -> float:
        """Mean of the generator's noise at every time step, in the model's units."""
        if self.generator is None:
            return 0.0
        mean = generator_mean(self.generator.mantissa, self.generator.exponent)
        return mean / (2.0**ALIGN_SHIFT * self.scale)


def make_stand_in(
    target: str, amplitude: float, largest_scale: float, threshold_factor: float
) -> StandIn:
    """Make the stand-in whose noise is uniform in ± ``amplitude``.

    Args:
        target: "membrane" or "current".
        amplitude: amplitude > 0 in the model's units; if it is too small for the generator's least
            exponent, the stand-in has no generator.
        largest_scale: the S that fits the layer with all 8 bits for its weights.
        threshold_factor: factor of the model's thresholds.
    """
    aligned = 2.0**ALIGN_SHIFT * amplitude
    places = math.floor(math.log2(aligned * largest_scale / UNIFORM_SPREAD))
    acting = places + 7
    if not 1 <= acting <= NOISE_EXPONENT_MAX:
        return StandIn(None, largest_scale, threshold_factor)
    below = acting <= 7  # an exponent below 7 acts as one more
    spread = UNIFORM_SPREAD_BELOW_7 if below else UNIFORM_SPREAD
    generator = Generator(target, 0, acting - below)
    return StandIn(generator, 2.0**places * spread / aligned, threshold_factor)


def take_over(
    program: Program, noise: str, shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, StandIn]:
    """Take a Program's fit over, for a network with layers of these shapes.

    Returns:
        Stand-ins by the layer's name.

    Raises:
        InputError: the Program does not hold a fit of that noise, or holds one of another network.
    """
    if program.target.noise != noise:
        raise InputError(
            f"the Program passed as fitted has noise {program.target.noise!r}, so it holds no fit"
            f" of {noise!r}; pass a Program that was fitted, or pass images as calibration"
        )
    found = {
        layer.name: StandIn.of(layer)
        for layer in program.layers
        if layer.generator is not None or layer.threshold_factor != 1.0
    }
    theirs = {name: program.layer(name).shape for name in found}
    if any(shapes.get(name) != shape for name, shape in theirs.items()):
        raise InputError(
            "the Program was fitted to another network: it has"
            f" {', '.join(f'{name} {shape}' for name, shape in theirs.items())}, this one has"
            f" {', '.join(f'{name} {shape}' for name, shape in shapes.items())}; fit the noise anew"
        )
    return found


def warn_of_other_origin(fitted: Program | None, program: Program) -> None:
    """Warn if a fit was made for other random bits, or for weights far from the Program's.

    Args:
        fitted: Program that was fitted; None if no fit was taken over.
        program: Program that took its fit over.
    """
    if fitted is None:
        return
    theirs, ours = fitted.target.random_source, program.target.random_source
    if theirs != ours:
        warnings.warn(
            f"the fit was made for a Program that draws from {theirs!r}, but this one draws from"
            f" {ours!r}; if the network was tuned with {theirs!r}, choose it here too"
            f" (random_source={theirs!r}, --random-source), since a fit does not bring it along",
            CalibrationWarning,
            stacklevel=3,
        )
    for layer in fitted.layers:
        if layer.generator is None:
            continue
        cosine = weight_cosine(layer, program.layer(layer.name))
        if cosine < LEAST_COSINE:
            warnings.warn(
                f"layer {layer.name!r}: its weights are far from those that the noise was fitted to"
                f" (their cosine is {cosine:.2f}); fit the noise anew",
                CalibrationWarning,
                stacklevel=3,
            )
