"""Words of synaptic memory that lists of synapses take, in each format of Loihi 1.

A list holds the synapses of one axon on one core, cut into entries of at most 60, each of which
fills whole words. An entry has a prefix, and for each synapse a weight and, if there is one, a
delay. A *sparse* format adds an index to each synapse; *run-length* ones add the gap since the
synapse before, in 2 to 5 bits; the *dense* one adds nothing, and its targets follow each other.

Assumed: the entries of dense and run-length formats hold the index of their first target once. Only
that a sparse synapse has an index is documented.
"""

from dataclasses import dataclass

import numpy as np

from stochi.hardware.cores import (
    ENTRY_PREFIX_BITS,
    ENTRY_SYNAPSES,
    INDEX_BITS_MAX,
    INDEX_BITS_MIN,
    SKIP_BITS,
    WORD_BITS,
)

SPARSE, DENSE, RUN_LENGTH = "sparse", "dense", "run-length"
EXCITATORY, INHIBITORY, MIXED = "excitatory", "inhibitory", "mixed"
"""Signs that a format's weights can have (nengo-loihi, ``fanout_type``)."""


@dataclass(frozen=True, order=True)
class Format:
    """A synapse format.

    Attributes:
        kind: "sparse", "dense" or "run-length".
        weight_bits, index_bits, skip_bits, delay_bits: see the module.
        sign: of its weights, one of ``EXCITATORY``, ``INHIBITORY`` and ``MIXED``.
        exponent: exponent of the weights.
    """

    kind: str
    weight_bits: int
    index_bits: int
    skip_bits: int
    delay_bits: int
    sign: str
    exponent: int

    @property
    def largest_gap(self) -> int:
        """Largest distance between two targets of an entry."""
        return max(1, 2**self.skip_bits - 1)

    @property
    def synapse_bits(self) -> int:
        """Bits of one synapse."""
        index = self.index_bits if self.kind == SPARSE else 0
        return self.weight_bits + self.delay_bits + self.skip_bits + index

    def words(self, lengths: np.ndarray) -> np.ndarray:
        """Return the words that runs of so many synapses take, none of which shares an entry."""
        prefix = ENTRY_PREFIX_BITS + (0 if self.kind == SPARSE else self.index_bits)
        full, rest = np.divmod(lengths, ENTRY_SYNAPSES)
        whole = -(-(prefix + ENTRY_SYNAPSES * self.synapse_bits) // WORD_BITS)
        last = -(-(prefix + rest * self.synapse_bits) // WORD_BITS)
        found: np.ndarray = full * whole + np.where(rest > 0, last, 0)
        return found


@dataclass(frozen=True)
class Fields:
    """What all formats of a connection's lists have in common; see :class:`Format`."""

    weight_bits: int
    delay_bits: int
    sign: str
    exponent: int

    def formats(self, neurons: int) -> tuple[Format, ...]:
        """Return the formats for a block of so many neurons, the sparse one first."""
        index = index_bits(neurons)
        kinds = [(SPARSE, 0), (DENSE, 0), *((RUN_LENGTH, bits) for bits in SKIP_BITS)]
        return tuple(
            Format(kind, self.weight_bits, index, skip, self.delay_bits, self.sign, self.exponent)
            for kind, skip in kinds
        )


def index_bits(neurons: int) -> int:
    """Return the bits of an index among so many neurons."""
    return min(INDEX_BITS_MAX, max(INDEX_BITS_MIN, (neurons - 1).bit_length()))


def run_words(starts: np.ndarray, lengths: np.ndarray, form: Format) -> int:
    """Return the words of one list, given the runs of targets that follow each other.

    Args:
        starts, lengths: first target and number of targets of each run, in order.
    """
    if form.kind == SPARSE:
        return int(form.words(lengths.sum()))
    if form.kind == DENSE:
        return int(form.words(lengths).sum())
    gaps = starts[1:] - (starts[:-1] + lengths[:-1] - 1)
    heads = np.flatnonzero(np.concatenate([[True], gaps > form.largest_gap]))
    return int(form.words(np.add.reduceat(lengths, heads)).sum())


def matrix_words(present: np.ndarray, form: Format) -> np.ndarray:
    """Return the words of each source's list to the neurons of a block.

    Args:
        present: (neurons, sources) numbers of synapses; above 1 in sparse formats only. A dense
            list holds the zeros, too, and a source without synapses has no list.
    """
    counts = present.sum(0)
    if form.kind == SPARSE:
        return form.words(counts)
    if form.kind == DENSE:
        return form.words(np.where(counts > 0, len(present), 0))
    sources, targets = np.nonzero(present.T)
    if not len(sources):
        return np.zeros(present.shape[1], np.int64)
    same = sources[1:] == sources[:-1]
    heads = np.flatnonzero(np.concatenate([[True], ~same | (np.diff(targets) > form.largest_gap)]))
    words = form.words(np.diff(np.append(heads, len(sources))))
    return np.bincount(sources[heads], words, present.shape[1]).astype(np.int64)
