"""What a block of neurons, or a core, uses of what a core has."""

from dataclasses import dataclass, fields

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
        def joined(name: str) -> object:
            ours, theirs = getattr(self, name), getattr(other, name)
            if isinstance(ours, frozenset):
                return ours | theirs
            return max(ours, theirs) if name in _LARGEST else ours + theirs

        return Use(**{field.name: joined(field.name) for field in fields(Use)})  # type: ignore[arg-type]


_LARGEST = ("longest_list", "delay_bits")
