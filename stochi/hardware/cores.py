"""Limits of a core and of a chip's cores; None is a limit of which nothing public was found.

Sources for Loihi 1: nengo-loihi (``block.py``, ``hardware/allocators.py``,
``hardware/validate.py``, ``hardware/nxsdk_objects.py``) and NxTF (intel-nrc-ecosystem/models).
Where they disagree, the stricter number stands here: synapses of an entry are 60 in NxTF and 64 in
nengo-loihi; formats are 7 in NxTF, 8 in nengo-loihi's register table and 16 in its validation.

Sources for Loihi 2: arXiv 2408.03076 for cores and their neurons; open-neuromorphic.org for the
neurons and synapses of a chip. Its axons, synaptic memory, formats and profiles are unknown.
"""

from dataclasses import dataclass

from stochi.errors import InputError
from stochi.hardware.chips import CHIPS

WORD_BITS = 64
"""Bits of a word of synaptic memory (nengo-loihi, NxTF)."""
ENTRY_PREFIX_BITS = 4 + 6
"""Bits in front of an entry: its format and its number of synapses (nengo-loihi, NxTF)."""
ENTRY_SYNAPSES = 60
"""Largest number of synapses of an entry (NxTF; 64 in nengo-loihi)."""
INDEX_BITS_MIN, INDEX_BITS_MAX = 6, 12
"""Bits of a target's index, if a format has one (nengo-loihi, ``INDEX_BITS_MAP``)."""
WEIGHT_BITS = (1, 2, 3, 4, 5, 6, 8)
"""Bits that a weight can have (nengo-loihi, ``WEIGHT_BITS_MAP``)."""
SKIP_BITS = (2, 3, 4, 5)
"""Bits that a gap of a run-length format can have (NxTF)."""
DISCRETE_AXON, SHARED_AXON = 1, 2
"""Entries that an output axon takes (NxTF); one more if it leaves the chip."""
POPULATION = 2**9
"""Largest number of neurons that share an axon: 9 bits say which one spiked (nengo-loihi)."""


@dataclass(frozen=True)
class CoreLimits:
    """Limits of a core, and of the chip that it is on.

    Attributes:
        chip: name of the chip.
        cores: cores of a chip.
        neurons: neurons of a core.
        words: words of synaptic memory of a core.
        words_of_axon: words that one axon can reach.
        input_axons: input axons of a core.
        output_entries: entries of a core's table of output axons.
        off_chip: output axons of a core that leave the chip.
        formats: synapse formats of a core.
        configurations: distinct (decays, refractory period, noise) of a core's neurons.
        thresholds: distinct thresholds of a core's neurons.
        noise_settings: settings of the noise generator of a core.
        delay_slots: slots in which delayed input waits (slayer_rec, ``s2lWrapper.py``; Fugu).
        chip_neurons, chip_synapses: what the chip holds altogether.
    """

    chip: str
    cores: int
    neurons: int
    words: int | None = None
    words_of_axon: int | None = None
    input_axons: int | None = None
    output_entries: int | None = None
    off_chip: int | None = None
    formats: int | None = None
    configurations: int | None = None
    thresholds: int | None = None
    noise_settings: int | None = None
    delay_slots: int | None = None
    chip_neurons: int | None = None
    chip_synapses: int | None = None

    def neurons_with_delays(self, bits: int) -> int:
        """Return the largest number of neurons on a core whose synapses have these delay bits.

        Delays of b bits take 2^b of :attr:`delay_slots` for each neuron.
        """
        if self.delay_slots is None or bits == 0:
            return self.neurons
        return min(self.neurons, self.delay_slots >> bits)


CORES = {
    "loihi1": CoreLimits(
        "loihi1",
        cores=128,
        neurons=1024,
        words=16_384,
        words_of_axon=256,
        input_axons=4096,
        output_entries=4096,
        off_chip=1024,
        formats=7,
        configurations=CHIPS["loihi1"].configurations,
        thresholds=CHIPS["loihi1"].thresholds,
        noise_settings=1,  # Fugu, ``loihi_backend.py``
        delay_slots=2**13,
    ),
    "loihi2": CoreLimits(
        "loihi2",
        cores=128,
        neurons=8192,
        chip_neurons=1_000_000,
        chip_synapses=120_000_000,
    ),
}


def find_core(chip: str) -> CoreLimits:
    """Return the limits of a chip's cores.

    Raises:
        InputError: the chip is unknown; the message lists the known ones.
    """
    if chip not in CORES:
        raise InputError(f"unknown chip {chip!r}; known chips: {', '.join(CORES)}")
    return CORES[chip]
