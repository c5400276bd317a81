"""Noise that a network's own neurons add to their membranes, made by the chip's stock generator.

The generator's values are uniform, and its exponents give about every power of two as a standard
deviation. The layer's scale, free up to a factor of 2, gives the remaining factor, so the chip's
noise has the graph's standard deviation. Its mean goes into the bias.
"""

import warnings
from dataclasses import dataclass

import numpy as np

from stochi.deploy.graph.layers import RealLayer, RealNetwork
from stochi.deploy.graph.membrane_noise import MembraneNoise
from stochi.deploy.lowering.layer import (
    MergedDecays,
    RealValues,
    choose_decay,
    quantize_real_layer,
)
from stochi.deploy.lowering.stand_in import StandIn
from stochi.errors import LoweringError
from stochi.hardware.fixed_point import ALIGN_SHIFT, NOISE_EXPONENT_MAX, shift
from stochi.hardware.noise import generator_std, generator_value
from stochi.program.layers import Decay, Generator, Layer
from stochi.program.program import Program
from stochi.program.target import Target

LARGEST_AMPLITUDE = 2.0**21
"""Largest noise, in units of the membrane; a quarter of its 24 bits leaves room for the input."""


@dataclass(frozen=True)
class NoiseError:
    """How far the chip's noise is off a layer's own.

    Attributes:
        wanted, found: standard deviation in the graph and on the chip, in the model's units.
        exponent: exponent of the generator.
    """

    wanted: float
    found: float
    exponent: int

    @property
    def relative(self) -> float:
        """Relative difference of the standard deviations."""
        return self.found / self.wanted - 1


def own_stand_in(
    layer: RealLayer, form: Decay, values: RealValues, target: Target
) -> StandIn | None:
    """Return the generator's setting, and the scale, that make a layer's own noise.

    Args:
        form: the neuron that the layer takes, from ``choose_decay``.
        values: the current values of the layer's parameters.

    Returns:
        None if the layer has no noise of its own, or none is asked for (noise "none").

    Raises:
        LoweringError: the generator cannot make that noise for these neurons.
    """
    noise = None if layer.neuron is None else layer.neuron.noise
    if noise is None or target.noise == "none":
        return None
    if form.programmable:
        raise LoweringError(
            f"neuron {layer.name!r} adds noise to its membrane, and scales its input by 1 − λ; a"
            " programmable neuron would scale the generator's noise as well. Use"
            " input_gain='mean', or one decay for all neurons of a channel"
        )
    without = quantize_real_layer(layer, form, values, target, warn=False)
    largest = min(without.scale, LARGEST_AMPLITUDE / (2.0**ALIGN_SHIFT * noise.half_width))
    found = _largest_fitting(noise.std, largest)
    if found is None:
        raise LoweringError(
            f"neuron {layer.name!r}: its noise, with a standard deviation of {noise.std:g}, is"
            f" smaller than the least of {target.chip}'s generator at this layer's scale, about"
            f" {1 / (2.0**ALIGN_SHIFT * without.scale):.2g}; train with more noise, or lower"
            " without (noise='none')"
        )
    return found


def _largest_fitting(std: float, largest_scale: float) -> StandIn | None:
    """Return the setting with exactly this deviation that has the largest scale up to another."""
    for exponent in range(NOISE_EXPONENT_MAX, -1, -1):
        scale = generator_std(0, exponent) / (2.0**ALIGN_SHIFT * std)
        if scale <= largest_scale:
            return StandIn(Generator("membrane", 0, exponent), scale, 1.0)
    return None


def noise_of(layer: Layer) -> float:
    """Return the standard deviation of a layer's generator, in the model's units."""
    if layer.generator is None:
        return 0.0
    setting = layer.generator
    return generator_std(setting.mantissa, setting.exponent) / layer.membrane_unit


def own_noise_errors(network: RealNetwork, program: Program) -> dict[str, NoiseError]:
    """Return how far each layer's own noise is off on the chip, by the layer's name.

    Args:
        network: the layers of the graph that the Program was lowered from.
    """
    found = {}
    for layer in network.layers:
        lowered = program.layer(layer.name)
        noise: MembraneNoise | None = None if layer.neuron is None else layer.neuron.noise
        if noise is not None and lowered.generator is not None:
            std, exponent = noise_of(lowered), lowered.generator.exponent
            found[layer.name] = NoiseError(noise.std, std, exponent)
    return found


def opening_shares(layer: Layer) -> np.ndarray:
    """Return the probability with which a layer of gates fires on a spike, () or per neuron.

    It is exact: the share of the generator's codes that lift a spike's weight over the threshold.
    """
    setting, projection = layer.generator, layer.projections[0]
    assert setting is not None and layer.threshold_mantissa is not None
    codes = np.arange(2**16)
    values = np.sort(generator_value(codes >> 8, codes & 0xFF, setting.mantissa, setting.exponent))
    received = shift(projection.weight.astype(np.int64), projection.weight_exponent) << ALIGN_SHIFT
    level = layer.threshold_mantissa.astype(np.int64) << ALIGN_SHIFT
    missing = level - layer.bias() - received
    return np.asarray(1 - np.searchsorted(values, missing, side="right") / len(codes))


def gate_errors(network: RealNetwork, program: Program) -> dict[str, float]:
    """Return the largest error of a gate's probability on the chip, by the layer's name.

    Args:
        network: the layers of the graph that the Program was lowered from.
    """
    found = {}
    for layer in network.layers:
        lowered = program.layer(layer.name)
        if layer.neuron is not None and layer.neuron.gate and lowered.generator is not None:
            wanted = layer.projections[0].weight
            found[layer.name] = float(np.abs(opening_shares(lowered) - wanted).max())
    return found


def with_own_noise(
    network: RealNetwork, target: Target, known: dict[str, StandIn]
) -> dict[str, StandIn]:
    """Return known stand-ins, and those of all other layers that have noise of their own."""
    found = dict(known)
    for layer in network.layers:
        if layer.name in known or layer.neuron is None or layer.neuron.noise is None:
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", MergedDecays)  # lowering the layer warns of them
            form = choose_decay(layer, target)
        own = own_stand_in(layer, form, RealValues.of(layer), target)
        if own is not None:
            found[layer.name] = own
    return found
