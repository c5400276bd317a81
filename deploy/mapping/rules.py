"""Rules of a core, and of a Program on a chip: what is wrong and what to change, or None.

Each function is named for what holds if it returns None. An unknown limit breaks no rule.
"""

from collections.abc import Callable

from stochi.deploy.mapping.use import Use
from stochi.hardware.chips import CHIPS
from stochi.hardware.cores import CoreLimits
from stochi.program.chip_rules import decays_in_microcode, find_problem_of_reset
from stochi.program.network import Network


def neurons_fit(use: Use, core: CoreLimits) -> str | None:
    if use.neurons <= core.neurons:
        return None
    return f"{use.neurons:,} neurons, a core has {core.neurons:,}; put fewer on it"


def synaptic_memory_fits(use: Use, core: CoreLimits) -> str | None:
    if core.words is None or use.words <= core.words:
        return None
    return (
        f"{use.words:,} words of synapses, a core has {core.words:,}; put fewer neurons on it, or"
        " give them fewer inputs or weight bits"
    )


def lists_fit(use: Use, core: CoreLimits) -> str | None:
    if core.words_of_axon is None or use.longest_list <= core.words_of_axon:
        return None
    return (
        f"{use.longest_list:,} words of synapses for one axon, which reaches {core.words_of_axon:,}"
        "; put fewer neurons on the core, or give them fewer weight bits"
    )


def input_axons_fit(use: Use, core: CoreLimits) -> str | None:
    if core.input_axons is None or use.input_axons <= core.input_axons:
        return None
    return (
        f"{use.input_axons:,} input axons, a core has {core.input_axons:,}; put fewer neurons on"
        " it, or give them fewer inputs"
    )


def output_axons_fit(use: Use, core: CoreLimits) -> str | None:
    if core.output_entries is None or use.output_entries <= core.output_entries:
        return None
    return (
        f"{use.output_entries:,} entries of output axons, a core has {core.output_entries:,}; put"
        " fewer neurons on it, or let them reach fewer cores"
    )


def axons_off_chip_fit(use: Use, core: CoreLimits) -> str | None:
    if core.off_chip is None or use.off_chip <= core.off_chip:
        return None
    return (
        f"{use.off_chip:,} output axons that leave the chip, a core has {core.off_chip:,}; put"
        " fewer neurons on it, or let them reach fewer cores of other chips"
    )


def formats_fit(use: Use, core: CoreLimits) -> str | None:
    if core.formats is None or len(use.formats) <= core.formats:
        return None
    return (
        f"{len(use.formats)} formats of synapses, a core has {core.formats}; give its layers fewer"
        " projections, or put them on different cores"
    )


def configurations_fit(use: Use, core: CoreLimits) -> str | None:
    if core.configurations is None or len(use.configurations) <= core.configurations:
        return None
    return (
        f"{len(use.configurations)} distinct decays, refractory periods and uses of noise, a core"
        f" has {core.configurations}; let neurons share them, or put fewer on it"
    )


def thresholds_fit(use: Use, core: CoreLimits) -> str | None:
    if core.thresholds is None or len(use.thresholds) <= core.thresholds:
        return None
    return (
        f"{len(use.thresholds)} distinct thresholds, a core has {core.thresholds}; let neurons"
        " share them, or put fewer on it"
    )


def one_noise_setting_is_enough(use: Use, core: CoreLimits) -> str | None:
    if core.noise_settings is None or len(use.noise_settings) <= core.noise_settings:
        return None
    return (
        f"{len(use.noise_settings)} settings of the noise generator, a core has"
        f" {core.noise_settings}; put the layers on different cores"
    )


def delays_leave_room_for_neurons(use: Use, core: CoreLimits) -> str | None:
    room = core.neurons_with_delays(use.delay_bits)
    if not use.delay_bits or use.neurons <= room:
        return None
    return (
        f"{use.neurons:,} neurons with delays of {use.delay_bits} bits, which leave {room:,}; put"
        " fewer neurons on the core, or shorten the delays"
    )


CORE_RULES: tuple[Callable[[Use, CoreLimits], str | None], ...] = (
    neurons_fit,
    synaptic_memory_fits,
    lists_fit,
    input_axons_fit,
    output_axons_fit,
    axons_off_chip_fit,
    formats_fit,
    configurations_fit,
    thresholds_fit,
    one_noise_setting_is_enough,
    delays_leave_room_for_neurons,
)


def find_problem(use: Use, core: CoreLimits) -> str | None:
    """Return the first broken rule of a core."""
    return next((found for rule in CORE_RULES if (found := rule(use, core))), None)


def its_neurons_exist(network: Network, chip: str) -> str | None:
    if CHIPS[chip].programmable_neuron:
        return None
    for layer in network.layers:
        what = decays_in_microcode(layer)
        if what:
            return (
                f"layer {layer.name!r} {what}, which takes programmable neurons, and {chip} has"
                " none; smallest change that fits: lower the graph with --noise membrane, current"
                " or none for this chip, or map it to loihi2"
            )
    return None


def its_resets_exist(network: Network, chip: str) -> str | None:
    for layer in network.layers:
        problem = find_problem_of_reset(layer, CHIPS[chip])
        if problem is not None:
            return (
                f"layer {layer.name!r}: {problem}; smallest change that fits: lower the graph for"
                f" {chip}, or map it to loihi2"
            )
    return None


def its_input_can_be_sent(network: Network, chip: str) -> str | None:
    if CHIPS[chip].graded_spikes or network.target.events:
        return None
    return (
        f"the input has {network.target.input_levels + 1} levels, and spikes of {chip} carry no"
        " number; smallest change that fits: lower the graph with --events, or map it to loihi2"
    )


PROGRAM_RULES: tuple[Callable[[Network, str], str | None], ...] = (
    its_neurons_exist,
    its_resets_exist,
    its_input_can_be_sent,
)
