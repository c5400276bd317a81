"""Rules of every Program: the chip's limits, and the bounds of exact sums."""

from collections.abc import Callable

import numpy as np

from stochi.errors import ProgramError
from stochi.hardware.draws import RANDOM_SOURCES
from stochi.hardware.fixed_point import (
    ALIGN_SHIFT,
    BIAS_EXPONENT_MAX,
    BIAS_MANTISSA_MAX,
    BIAS_MANTISSA_MIN,
    CURRENT_KEEP_MAX,
    DECAY_UNITY,
    GRADED_INPUT_MAX,
    NOISE_EXPONENT_MAX,
    NOISE_MANTISSA_MAX,
    NOISE_MANTISSA_MIN,
    REFRACTORY_MAX,
    STATE_MAX,
    THRESHOLD_MANTISSA_MAX,
    WEIGHT_EXPONENT_MAX,
    WEIGHT_EXPONENT_MIN,
    WEIGHT_MAGNITUDE_MAX,
    WEIGHT_MIXED_MAX,
    WEIGHT_MIXED_MIN,
)
from stochi.hardware.noise import largest_generator_value
from stochi.program.chip_rules import (
    delays_fit_their_bits,
    largest_input,
    no_weight_is_clipped,
    no_weight_loses_bits,
    noise_on,
    one_step_s_drive_does_not_wrap,
    one_step_s_sum_does_not_wrap,
    the_chip_draws_and_scales_decays,
    the_chip_has_the_reset,
    the_chip_is_known,
    the_refractory_period_fits_its_register,
)
from stochi.program.demands import check_count, check_demands
from stochi.program.fields import LARGEST_INDEX, check_fields
from stochi.program.layers import CONSTANT, INPUT, Layer, SumPool, Weighted, shape_after
from stochi.program.network import OVER_TIME, READOUTS, Network
from stochi.program.target import NOISE_TARGETS, NOISES


def check_network(network: Network) -> None:
    """Raise ProgramError, naming the layer, if a field or a rule is broken, or a budget."""
    check_fields(network)
    check_count(network)
    for network_rule in NETWORK_RULES:
        problem = network_rule(network)
        if problem:
            raise ProgramError(problem)
    for layer in network.layers:
        for layer_rule in LAYER_RULES:
            problem = layer_rule(network, layer)
            if problem:
                raise ProgramError(f"layer {layer.name!r}: {problem}")
    check_demands(network)


def it_has_steps_and_an_output(network: Network) -> str | None:
    names = [layer.name for layer in network.layers]
    if network.target.time_steps < 1:
        return f"time_steps is {network.target.time_steps}; a sample needs at least 1"
    if network.output not in names:
        return f"the output {network.output!r} is not a layer; layers: {_listed(names)}"
    if len(set(names)) < len(names) or {INPUT, CONSTANT} & set(names):
        return (
            "layer names must differ from each other, and from 'input' and 'constant':"
            f" {_listed(names)}"
        )
    if network.readout not in READOUTS:
        return f"readout is {network.readout!r}; choose from {', '.join(READOUTS)}"
    unsuited = "input" if network.layer(network.output).spikes else "spikes"
    if network.readout == unsuited:
        return f"readout {network.readout!r} does not suit the neurons of {network.output!r}"
    if network.over_time not in OVER_TIME:
        return f"over_time is {network.over_time!r}; choose from {', '.join(OVER_TIME)}"
    return None


def the_noise_is_known(network: Network) -> str | None:
    if network.target.noise in NOISES:
        return None
    return f"noise is {network.target.noise!r}; choose from {', '.join(NOISES)}"


def the_input_is_8_bit(network: Network) -> str | None:
    if 1 <= network.target.input_levels <= GRADED_INPUT_MAX:
        return None
    return (
        f"input_levels is {network.target.input_levels}; a graded spike has 1 to {GRADED_INPUT_MAX}"
    )


def the_random_source_is_known(network: Network) -> str | None:
    if network.target.random_source in RANDOM_SOURCES:
        return None
    source = network.target.random_source
    return f"random_source is {source!r}; choose from {', '.join(RANDOM_SOURCES)}"


def sources_exist_and_come_first(network: Network, layer: Layer) -> str | None:
    order = {other.name: place for place, other in enumerate(network.layers)}
    for projection in layer.projections:
        source = projection.source
        for delay in (np.min(projection.delay), np.max(projection.delay)):
            if not 0 <= delay <= LARGEST_INDEX:
                return (
                    f"a delay of {delay} time steps from {source!r}, outside 0 to {LARGEST_INDEX}"
                )
        if source in (INPUT, CONSTANT):
            continue
        if source not in order:
            return f"its source {source!r} is not a layer"
        if not network.layer(source).spikes:
            return f"its source {source!r} never spikes; only spikes travel between layers"
        if order[source] >= order[layer.name] and np.min(projection.delay) < 1:
            return (
                f"its source {source!r} comes later; such a connection needs a delay of 1 time step"
            )
    return None


def shapes_fit(network: Network, layer: Layer) -> str | None:
    if not layer.projections:
        return "it has no projections"
    for projection in layer.projections:
        shape = network.source_shape(projection, layer)
        if projection.delay.shape not in ((), shape):
            return f"delays of shape {projection.delay.shape} on a source of shape {shape}"
        if sum(isinstance(stage, Weighted) for stage in projection.stages) != 1:
            return f"its projection from {projection.source!r} needs exactly one stage with weights"
        for stage in projection.stages:
            if isinstance(stage, SumPool) and any(
                2 * pad > side for pad, side in zip(stage.padding, stage.kernel, strict=True)
            ):
                return f"pooling windows of {stage.kernel} padded by {stage.padding}, over half"
            after = shape_after(stage, shape)
            if after is None:
                return f"{type(stage).__name__} does not fit an input of shape {shape}"
            shape = after
        if shape != layer.shape:
            ends = f"its projection from {projection.source!r} ends in shape {shape}"
            return f"{ends}, its neurons have {layer.shape}"
    parameters = {"threshold": layer.threshold_mantissa, "current_keep": layer.current_keep}
    if not layer.decay.drawn:
        parameters["decay"] = layer.decay.values
    for what, values in parameters.items():
        if values is not None and values.shape not in ((), layer.shape):
            return f"{what} of shape {values.shape} for neurons of shape {layer.shape}"
    if layer.bias_mantissa.shape not in ((1,), layer.shape[:1], layer.shape):
        return f"bias of shape {layer.bias_mantissa.shape} for neurons of shape {layer.shape}"
    return None


def weights_are_on_the_grid(network: Network, layer: Layer) -> str | None:
    for projection in layer.projections:
        weight = projection.weight
        low, high = int(weight.min()), int(weight.max())
        even = projection.even and low >= WEIGHT_MIXED_MIN and high <= WEIGHT_MIXED_MAX
        one_sign = low * high >= 0 and max(-low, high) <= WEIGHT_MAGNITUDE_MAX
        if not even and not one_sign:
            return (
                f"weights from {low} to {high}; 8 bits hold even ones from {WEIGHT_MIXED_MIN} to"
                f" {WEIGHT_MIXED_MAX}, or any of one sign up to {WEIGHT_MAGNITUDE_MAX}"
            )
        if not WEIGHT_EXPONENT_MIN <= projection.weight_exponent <= WEIGHT_EXPONENT_MAX:
            return (
                f"weight exponent {projection.weight_exponent}, outside {WEIGHT_EXPONENT_MIN} to"
                f" {WEIGHT_EXPONENT_MAX}"
            )
    return None


def neurons_are_in_range(network: Network, layer: Layer) -> str | None:
    ranges: list[tuple[str, np.ndarray | int | None, int, int]] = [
        ("bias mantissa", layer.bias_mantissa, BIAS_MANTISSA_MIN, BIAS_MANTISSA_MAX),
        ("bias exponent", layer.bias_exponent, 0, BIAS_EXPONENT_MAX),
        ("decay", layer.decay.values, 0, DECAY_UNITY),
        ("current_keep", layer.current_keep, 0, CURRENT_KEEP_MAX),
        ("threshold mantissa", layer.threshold_mantissa, 0, THRESHOLD_MANTISSA_MAX),
        ("refractory period", layer.refractory, 0, REFRACTORY_MAX),
    ]
    for what, values, low, high in ranges:
        if values is not None and (np.min(values) < low or np.max(values) > high):
            return f"{what} from {np.min(values)} to {np.max(values)}, outside {low} to {high}"
    if layer.decay.drawn and (
        layer.decay.values.ndim != 1 or len(layer.decay.values) not in TABLE_SIZES
    ):
        return f"a decay table of shape {layer.decay.values.shape}; it needs 2 to 256 levels, 2^b"
    if layer.refractory and not layer.spikes:
        return "a refractory period, but no threshold"
    return None


def the_generator_is_in_range(network: Network, layer: Layer) -> str | None:
    generator = layer.generator
    if generator is None:
        return None
    if generator.target not in NOISE_TARGETS:
        return f"noise on {generator.target!r}; choose from {', '.join(NOISE_TARGETS)}"
    for what, value, low, high in (
        ("mantissa", generator.mantissa, NOISE_MANTISSA_MIN, NOISE_MANTISSA_MAX),
        ("exponent", generator.exponent, 0, NOISE_EXPONENT_MAX),
    ):
        if not low <= value <= high:
            return f"noise {what} {value}, outside {low} to {high}"
    largest = largest_generator_value(generator.mantissa, generator.exponent)
    if largest > STATE_MAX:
        return f"its noise reaches {largest}, the chip's 24-bit states hold {STATE_MAX}"
    return None


def one_step_s_input_fits_24_bits(network: Network, layer: Layer) -> str | None:
    """Limit of the input, which also keeps sums exact: below 2²⁵ before the weight exponent."""
    total, noise = largest_input(network, layer), noise_on(layer, "current")
    if total * 2**ALIGN_SHIFT + noise <= STATE_MAX:
        return None
    also = f" and its noise {noise >> ALIGN_SHIFT}" if noise else ""
    return (
        f"one step's synaptic input may reach {total:.0f}{also}, of which the chip's 24-bit"
        f" current holds {STATE_MAX >> ALIGN_SHIFT}; lower the weight exponents or the weights"
    )


def _listed(names: list[str]) -> str:
    """Return names as the end of a message."""
    return ", ".join(map(repr, names[:8])) + (", …" if len(names) > 8 else "")


TABLE_SIZES = tuple(2**bits for bits in range(1, 9))

NETWORK_RULES: tuple[Callable[[Network], str | None], ...] = (
    it_has_steps_and_an_output,
    the_chip_is_known,
    the_noise_is_known,
    the_input_is_8_bit,
    the_random_source_is_known,
)
LAYER_RULES: tuple[Callable[[Network, Layer], str | None], ...] = (
    sources_exist_and_come_first,
    shapes_fit,
    weights_are_on_the_grid,
    neurons_are_in_range,
    the_chip_has_the_reset,
    the_chip_draws_and_scales_decays,
    the_generator_is_in_range,
    no_weight_is_clipped,
    no_weight_loses_bits,
    one_step_s_sum_does_not_wrap,
    one_step_s_input_fits_24_bits,
    one_step_s_drive_does_not_wrap,
    the_refractory_period_fits_its_register,
    delays_fit_their_bits,
)
