"""Rules of a Program's chip, each named for what it checks; ``rules.py`` has those of all chips.

What one core shares, its neurons can be spread for: counts of a core are no rules of a Program.
"""

import math

import numpy as np

from stochi.hardware.chips import CHIPS, Chip
from stochi.hardware.fixed_point import (
    ALIGN_SHIFT,
    DECAY_BITS,
    WEIGHT_EXPONENT_MAX,
    WEIGHT_MAGNITUDE_MAX,
)
from stochi.hardware.neuron import RESETS
from stochi.hardware.noise import largest_generator_value
from stochi.program.layers import Layer
from stochi.program.network import Network


def the_chip_is_known(network: Network) -> str | None:
    if network.target.chip in CHIPS:
        return None
    return f"chip is {network.target.chip!r}; choose from {', '.join(CHIPS)}"


def the_chip_draws_and_scales_decays(network: Network, layer: Layer) -> str | None:
    chip, what = CHIPS[network.target.chip], decays_in_microcode(layer)
    if not what or chip.programmable_neuron:
        return None
    return (
        f"{what}, which takes a programmable neuron, and {chip.name} has none; lower the graph with"
        " noise 'membrane', 'current' or 'none' for this chip, or for loihi2"
    )


def decays_in_microcode(layer: Layer) -> str:
    """Return what a layer does with its decays that takes a programmable neuron, or ""."""
    if layer.decay.drawn:
        return "draws its decays"
    return "scales its input by its decay" if layer.decay.programmable else ""


def the_chip_has_the_reset(network: Network, layer: Layer) -> str | None:
    if layer.reset not in RESETS:
        return f"reset is {layer.reset!r}; choose from {', '.join(RESETS)}"
    if layer.reset_delay and layer.reset == "none":
        return "a delay of its reset, but reset 'none'; leave out reset_delay"
    if layer.reset_current and layer.current_keep is None:
        return "a spike resets its current, but it has no synaptic memory; leave out reset_current"
    return find_problem_of_reset(layer, CHIPS[network.target.chip])


def find_problem_of_reset(layer: Layer, chip: Chip) -> str | None:
    """Return why a chip's neurons cannot reset as a layer's do, or None."""
    if not layer.resets_in_microcode or chip.programmable_neuron:
        return None
    if layer.reset == "subtract" and layer.reset_delay and not layer.reset_current:
        return _problem_of_a_pair(layer, chip)
    return (
        f"reset {layer.reset!r}, reset_delay {layer.reset_delay}, reset_current"
        f" {layer.reset_current} take a programmable neuron, which {chip.name} does not have;"
        " without one a spike only sets the membrane to 0, in its own time step, or subtracts the"
        " threshold in the next one (reset 'subtract' with reset_delay)"
    )


def _problem_of_a_pair(layer: Layer, chip: Chip) -> str | None:
    """Return why two neurons cannot subtract a layer's thresholds, or None."""
    if layer.current_keep is not None:
        return (
            f"reset 'subtract' with synaptic memory, but on {chip.name} a synapse subtracts the"
            " threshold, and synaptic memory would spread it over several time steps"
        )
    if layer.refractory:
        return (
            f"reset 'subtract' with a refractory period of {layer.refractory} time steps, but the"
            f" two neurons that subtract on {chip.name} have none; set refractory to 0"
        )
    assert layer.threshold_mantissa is not None
    low_bits = int(np.bitwise_or.reduce(layer.threshold_mantissa, axis=None))
    exponent = min((low_bits & -low_bits).bit_length() - 1, WEIGHT_EXPONENT_MAX) if low_bits else 0
    largest = int(layer.threshold_mantissa.max())
    if largest >> exponent <= WEIGHT_MAGNITUDE_MAX:
        return None
    return (
        f"thresholds up to {largest} that one synapse of {chip.name} cannot subtract; it takes"
        f" multiples of one 2^e, e in 0 to {WEIGHT_EXPONENT_MAX}, up to"
        f" {WEIGHT_MAGNITUDE_MAX}·2^e; lower the graph for {chip.name}, which rounds them"
    )


def no_weight_is_clipped(network: Network, layer: Layer) -> str | None:
    chip = CHIPS[network.target.chip]
    if chip.weight_max is None:
        return None
    for projection in layer.projections:
        largest = int(np.abs(projection.weight.astype(np.int64)).max(initial=0))
        size = largest * 2.0 ** (projection.weight_exponent + ALIGN_SHIFT)
        if size > chip.weight_max:
            return (
                f"a weight from {projection.source!r} of mantissa {largest} and exponent"
                f" {projection.weight_exponent}, which is {size:.0f} after the shift by"
                f" {ALIGN_SHIFT}; {chip.name} clips weights at {chip.weight_max}; lower the weight"
                " exponent or the weights"
            )
    return None


def no_weight_loses_bits(network: Network, layer: Layer) -> str | None:
    chip = CHIPS[network.target.chip]
    if not chip.shifts_each_weight:
        return None
    for projection in layer.projections:
        exponent = projection.weight_exponent
        if exponent < 0 and np.any(projection.weight & (2**-exponent - 1)):
            return (
                f"a weight exponent of {exponent} from {projection.source!r}, with mantissas that"
                f" are no multiples of {2**-exponent}; {chip.name} shifts every weight by itself"
                " and drops the rest, but Lava shifts the sum; use whole weights and exponent 0"
            )
    return None


def one_step_s_sum_does_not_wrap(network: Network, layer: Layer) -> str | None:
    chip = CHIPS[network.target.chip]
    if chip.drive_max is None:
        return None  # the rule for 24 bits is all there is
    found = largest_synaptic_sum(network, layer, chip)
    if found <= chip.synaptic_sum_max:
        return None
    also = _with_noise_and_threshold(layer, chip)
    bits = chip.synaptic_sum_max.bit_length()
    return (
        f"one step's synaptic sum{also} may reach {found / 2**ALIGN_SHIFT:.0f}; {chip.name} holds"
        f" {chip.synaptic_sum_max >> ALIGN_SHIFT} ({bits} bits and a sign after the shift by"
        f" {ALIGN_SHIFT}) and wraps beyond, which Lava's model does not; lower the weight"
        f" exponents or the weights, or lower the graph for {chip.name}"
    )


def one_step_s_drive_does_not_wrap(network: Network, layer: Layer) -> str | None:
    chip = CHIPS[network.target.chip]
    if chip.drive_max is None:
        return None
    current = _largest_current(layer, largest_synaptic_sum(network, layer, chip), network)
    bias = int(np.abs(layer.bias()).max(initial=0))
    noise = noise_on(layer, "membrane")
    if current + bias + noise <= chip.drive_max:
        return None
    return (
        f"current {current}, bias {bias} and noise {noise} may add up to {current + bias + noise},"
        f" of which {chip.name} holds {chip.drive_max} (24 bits with the sign) and wraps beyond;"
        " lower the weight exponents, the bias or the noise, or use fewer time steps"
    )


def the_refractory_period_fits_its_register(network: Network, layer: Layer) -> str | None:
    chip = CHIPS[network.target.chip]
    if layer.refractory <= chip.refractory_max:
        return None
    return (
        f"refractory period {layer.refractory}, but {chip.name} has {chip.refractory_max} time"
        " steps at most, for its register takes 1 to 63 and 1 stands for none; shorten it"
    )


def delays_fit_their_bits(network: Network, layer: Layer) -> str | None:
    """Check delays beside the time step that every spike takes, and that feedback's 1 stands for.

    What aligns paths of different length comes on top; only a placement on cores knows it.
    """
    chip = CHIPS[network.target.chip]
    if chip.delay_max is None:
        return None
    order = {other.name: place for place, other in enumerate(network.layers)}
    for projection in layer.projections:
        back = order.get(projection.source, -1) >= order[layer.name]
        longest = projection.longest_delay - back
        if longest > chip.delay_max:
            return (
                f"a delay of {projection.longest_delay} time steps from {projection.source!r}, but"
                f" synapses of {chip.name} delay by {chip.delay_max + back} at most; shorten it,"
                " or pass the spikes on through a layer between"
            )
    return None


def largest_synaptic_sum(network: Network, layer: Layer, chip: Chip) -> int:
    """Return a bound on one step's synaptic sum, in units of the membrane, rounded up.

    A generator's noise on the current is part of it, and the threshold that a pair of neurons
    subtracts through a synapse.
    """
    total = math.ceil(largest_input(network, layer) * 2**ALIGN_SHIFT)
    return total + noise_on(layer, "current") + _subtracted(layer, chip)


def largest_input(network: Network, layer: Layer) -> float:
    """Return a bound on what synapses add to a neuron in one step, before the shift by 6."""
    return sum(
        # Bounds that a float does not hold are far beyond every limit as well.
        min(projection.largest_sum(network.largest_value(projection.source)), 2**100)
        * 2.0**projection.weight_exponent
        for projection in layer.projections
    )


def _subtracted(layer: Layer, chip: Chip) -> int:
    """Return the largest threshold that a synapse subtracts, in units of the membrane."""
    if layer.threshold_mantissa is None or chip.compartments(layer.reset) == 1:
        return 0
    return int(layer.threshold_mantissa.max()) << ALIGN_SHIFT


def noise_on(layer: Layer, state: str) -> int:
    """Return the largest magnitude of a generator's noise on a state, 0 without such noise."""
    generator = layer.generator
    if generator is None or generator.target != state:
        return 0
    return largest_generator_value(generator.mantissa, generator.exponent)


def _with_noise_and_threshold(layer: Layer, chip: Chip) -> str:
    parts = []
    if noise_on(layer, "current"):
        parts.append(f"its noise of {noise_on(layer, 'current') / 2**ALIGN_SHIFT:.0f}")
    if _subtracted(layer, chip):
        parts.append(f"the subtracted threshold of {_subtracted(layer, chip) >> ALIGN_SHIFT}")
    return f", with {' and '.join(parts)}," if parts else ""


def _largest_current(layer: Layer, step: int, network: Network) -> int:
    """Return what the largest sum in every time step of a sample makes of a current."""
    keep = 0 if layer.current_keep is None else int(np.max(layer.current_keep))
    current = 0
    for _ in range(network.target.time_steps):
        before, current = current, (current * keep >> DECAY_BITS) + step
        if current == before:
            break
    return current
