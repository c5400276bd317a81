"""What a block of neurons, or a core, uses of what a core has."""

from dataclasses import dataclass

from stochi.deploy.mapping.lists import Format


@dataclass(frozen=True)
class Use:
    """Numbers that a core's limits are for; those of a core are the sum of its blocks'.

    Attributes:
        neurons: neurons of the core; two for each of those that reset by subtraction on Loihi 1.
        words: words of synaptic memory.
        synapses: synapses in the lists, each stored once.
        input_axons, output_axons: axons that arrive and leave.
        output_entries: entries of output axons.
        off_chip: output axons that leave the chip.
        longest_list: words of the longest list.
        delay_bits: most bits of a delay.
        formats, configurations, thresholds, noise_settings: the distinct ones.
    """

    neurons: int = 0
    words: int = 0
    synapses: int = 0
    input_axons: int = 0
    output_axons: int = 0
    output_entries: int = 0
    off_chip: int = 0
    longest_list: int = 0
    delay_bits: int = 0
    formats: frozenset[Format] = frozenset()
    configurations: frozenset[tuple[int, ...]] = frozenset()
    thresholds: frozenset[int] = frozenset()
    noise_settings: frozenset[tuple[str, int, int]] = frozenset()

    def __add__(self, other: "Use") -> "Use":
        return Use(
            self.neurons + other.neurons,
            self.words + other.words,
            self.synapses + other.synapses,
            self.input_axons + other.input_axons,
            self.output_axons + other.output_axons,
            self.output_entries + other.output_entries,
            self.off_chip + other.off_chip,
            max(self.longest_list, other.longest_list),
            max(self.delay_bits, other.delay_bits),
            self.formats | other.formats,
            self.configurations | other.configurations,
            self.thresholds | other.thresholds,
            self.noise_settings | other.noise_settings,
        )
