"""A layer's additive noise in place of drawn decays, in numbers that outlast changed weights."""

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

from stochi.deploy.program import Generator, Program
from stochi.deploy.weight_comparison import weight_cosine
from stochi.errors import InputError
from stochi.hardware.fixed_point import ALIGN_SHIFT, NOISE_EXPONENT_MAX

UNIFORM_SPREAD = 127.5
"""√3 times the standard deviation of a whole number drawn uniformly from [−127, 127]."""
LEAST_COSINE = 0.7
"""Between weights and those that noise was fitted to. Tuning leaves it above 0.9, training from
another start near 0."""


class CalibrationWarning(UserWarning):
    """A layer could not be matched to the reference."""


@dataclass(frozen=True)
class StandIn:
    """What the calibration of a layer found.

    Attributes:
        generator: its setting; None where the layer needs less noise than the generator makes.
        scale: S, integers per unit of current. The generator knows powers of two only; S, free up
            to a factor of 2, gives the noise any size beside the weights.
        threshold_factor: by which the model's thresholds are multiplied.
    """

    generator: Generator | None
    scale: float
    threshold_factor: float


def make_stand_in(
    target: str, amplitude: float, largest_scale: float, threshold_factor: float
) -> StandIn:
    """The stand-in whose noise is uniform in ± ``amplitude``, in the model's units.

    Args:
        target: "membrane" or "current".
        amplitude: > 0; one too small for the generator's least exponent gives no generator.
        largest_scale: the S that fits the layer with all 8 bits for its weights.
    """
    units = 2.0**ALIGN_SHIFT * amplitude / UNIFORM_SPREAD
    places = math.floor(math.log2(units * largest_scale))
    acting = places + 7
    if not 1 <= acting <= NOISE_EXPONENT_MAX:
        return StandIn(None, largest_scale, threshold_factor)
    exponent = acting - 1 if acting <= 7 else acting  # under 7 it acts as one more
    return StandIn(Generator(target, 0, exponent), 2.0**places / units, threshold_factor)


def take_over(
    program: Program, noise: str, shapes: Mapping[str, tuple[int, ...]]
) -> dict[str, StandIn]:
    """The fits that a Program holds, by layer, for a network with layers of these shapes.

    Raises:
        InputError: the Program holds no fit of that noise, or one of another network.
    """
    if program.noise != noise:
        raise InputError(
            f"the Program passed as calibration has noise {program.noise!r}, so it holds no fit of"
            f" {noise!r}; pass one that was fitted, or images"
        )
    found = {
        layer.name: StandIn(layer.generator, layer.scale, layer.threshold_factor)
        for layer in program.layers
        if layer.generator is not None or layer.threshold_factor != 1.0
    }
    theirs = {name: program.layer(name).shape for name in found}
    if any(shapes.get(name) != shape for name, shape in theirs.items()):
        raise InputError(
            "the Program was fitted to another network: it has"
            f" {', '.join(f'{name} {shape}' for name, shape in theirs.items())}, this one"
            f" {', '.join(f'{name} {shape}' for name, shape in shapes.items())}"
        )
    return found


def warn_of_other_source(fitted: Program, program: Program) -> None:
    """Warn where a Program that took over a fit draws from another source of random bits."""
    if fitted.random_source != program.random_source:
        warnings.warn(
            f"the fit is of a Program that draws from {fitted.random_source!r}; this one draws"
            f" from {program.random_source!r}. A fit does not bring its source: name it"
            f" (random_source={fitted.random_source!r}, --random-source) if the network was tuned"
            " with it",
            CalibrationWarning,
            stacklevel=3,
        )


def warn_of_other_weights(fitted: Program, program: Program) -> None:
    """Warn where a Program that took over a fit has weights far from those it was fitted to."""
    for layer in fitted.layers:
        if layer.generator is None:
            continue
        cosine = weight_cosine(layer, program.layer(layer.name))
        if cosine < LEAST_COSINE:
            warnings.warn(
                f"layer {layer.name!r}: its weights are not those that the noise was fitted to, nor"
                f" near them (their cosine is {cosine:.2f}); fit the noise anew",
                CalibrationWarning,
                stacklevel=3,
            )
