"""What a block of neurons uses: neurons, their settings, and the synapses that feed them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from stochi.deploy.mapping.axes import Pattern
from stochi.deploy.mapping.blocks import Block, Grid, Span, spans
from stochi.deploy.mapping.connections import Connection, Image, Matrix
from stochi.deploy.mapping.lists import (
    INHIBITORY,
    SPARSE,
    Fields,
    Format,
    index_bits,
    matrix_words,
    run_words,
)
from stochi.deploy.mapping.use import Use
from stochi.hardware.broadcasting import over_neurons
from stochi.program.layers import Layer

NEVER = -1
"""Threshold of neurons that never spike, which is one of its own."""
FORGETS = (0, -1, 0, 0)
"""Configuration of neurons whose membranes keep nothing, without synaptic memory and noise."""


@dataclass(frozen=True, eq=False)
class Part:
    """A layer, for the mapping.

    Attributes:
        layer: the layer.
        image: its channels, rows and columns.
        connections: what feeds it; constants are not among them.
        constants: fields of the synapses from a neuron that always spikes, if there are any.
        pairs: whether each of its neurons takes two, to reset by subtraction.
        known: lists that were counted before.
    """

    layer: Layer
    image: Image
    connections: tuple[Connection, ...]
    constants: tuple[Fields, ...] = ()
    pairs: bool = False
    known: dict[object, Any] = field(default_factory=dict, repr=False)

    @property
    def varied(self) -> bool:
        """Whether its neurons differ in decays or thresholds."""
        layer = self.layer
        arrays = (layer.decay.values, layer.current_keep, layer.threshold_mantissa)
        return any(values is not None and values.size > 1 for values in arrays[layer.decay.drawn :])

    @property
    def has_matrix(self) -> bool:
        """Whether its blocks differ in the zeros of their weights."""
        return any(connection.matrix is not None for connection in self.connections)

    def block_class(self, block: Block) -> tuple[object, ...]:
        """Return what a block's lists depend on; equal for blocks whose lists are alike."""
        if self.has_matrix:
            return ("block", block)
        return ("kinds", *(self.span_class(axis, span) for axis, span in enumerate(block.spans)))

    def span_class(self, axis: int, span: Span) -> int:
        """Return the number of a span's kind, along channels (0), rows (1) or columns (2).

        Spans of one kind are equally long, and are reached in the same ways.
        """
        if (axis, span) not in self.known:
            kinds = [_span_kind(connection, axis, span) for connection in self.connections]
            kind = ("kind", axis, span[1] - span[0], tuple(kinds))
            self.known[axis, span] = self.known.setdefault(kind, len(self.known))
        number: int = self.known[axis, span]
        return number


def fan_in(part: Part, block: Block) -> Use:
    """Return what a block uses, its output axons aside.

    One neuron that always spikes serves a block with a constant input: a neuron with a
    configuration and a threshold, an axon, and a list with a synapse for each of the block's
    neurons.
    """
    use = _settings(part, block) + _synapses(part, block)
    for fields_ in part.constants:
        length = np.array([block.neurons])
        best = min(fields_.formats(block.neurons), key=lambda form: int(form.words(length)[0]))
        words = int(best.words(length)[0])
        use += Use(
            *(1, words, block.neurons, 1, 1, 1, 0, words, 0, frozenset([best])),
            configurations=frozenset([FORGETS]),
            thresholds=frozenset([0]),
        )
    return use + _second_neurons(block) if part.pairs else use


def _second_neurons(block: Block) -> Use:
    """Return what resets by subtraction take beside a block's own neurons.

    Two neurons subtract (NxTF): one integrates and never spikes, which is a threshold of its own,
    and one, which forgets at once, a configuration of its own, spikes for it. Assumed: a spike
    comes back by one discrete axon with one synapse, a list of one word.
    """
    n = block.neurons
    back = Format(SPARSE, 8, index_bits(2 * n), 0, 0, INHIBITORY, 0)
    return Use(
        *(n, n, n, n, n, n, 0, 1, 0, frozenset([back])),
        configurations=frozenset([FORGETS]),
        thresholds=frozenset([NEVER]),
    )


def _settings(part: Part, block: Block) -> Use:
    """Return the neurons of a block and their distinct settings."""
    if not part.varied:
        block_of_one = Block((0, 1), (0, 1), (0, 1))
        if "settings" not in part.known:
            part.known["settings"] = _distinct_settings(part, block_of_one)
        return replace(part.known["settings"], neurons=block.neurons)
    return _distinct_settings(part, block)


def _distinct_settings(part: Part, block: Block) -> Use:
    layer = part.layer
    noisy = layer.generator is not None

    def inside(values: np.ndarray) -> np.ndarray:
        if values.size == 1:
            return values.reshape(1)
        return over_neurons(values, layer.shape).reshape(part.image)[block.slices].ravel()

    decays = np.zeros(1, np.int64) if layer.decay.drawn else inside(layer.decay.values)
    currents = np.full(1, -1) if layer.current_keep is None else inside(layer.current_keep)
    pairs = np.unique(np.stack(np.broadcast_arrays(decays, currents)), axis=1).T
    thresholds = layer.threshold_mantissa
    found = {NEVER} if thresholds is None else set(np.unique(inside(thresholds)).tolist())
    generator = layer.generator
    return Use(
        neurons=block.neurons,
        configurations=frozenset(
            (int(decay), int(current), layer.refractory, int(noisy)) for decay, current in pairs
        ),
        thresholds=frozenset(found),
        noise_settings=frozenset()
        if generator is None
        else frozenset([(generator.target, generator.mantissa, generator.exponent)]),
    )


def _synapses(part: Part, block: Block) -> Use:
    """Count all connections' lists and axons on a block, each in the format of fewest words."""
    key = part.block_class(block)
    if key not in part.known:
        found = Use()
        for connection in part.connections:
            if connection.matrix is not None:
                found += _count_matrix(connection, block)
            else:
                found += _count_lists(part, connection, block)
        part.known[key] = found
    known: Use = part.known[key]
    return known


def _count_lists(part: Part, connection: Connection, block: Block) -> Use:
    lists = _dense_lists if connection.dense else _image_lists
    forms = connection.fields.formats(block.neurons)
    total, synapses, longest = np.zeros(len(forms), np.int64), 0, np.zeros(len(forms), np.int64)
    for runs, number, parallel in lists(connection, block):
        key = (connection.fields, index_bits(block.neurons), runs, parallel)
        if key not in part.known:
            part.known[key] = _list_words(runs, parallel, forms)
        words = np.array(part.known[key])
        total += number * words
        longest = np.maximum(longest, words)
        synapses += number * parallel * sum(length for _, length in runs)
    if not synapses:
        return Use()
    usable = np.where(longest < _UNUSABLE, total, np.iinfo(np.int64).max)
    best = int(np.argmin(usable))
    return Use(
        words=int(total[best]),
        synapses=synapses,
        input_axons=_input_axons(connection, block),
        longest_list=int(longest[best]),
        delay_bits=connection.fields.delay_bits,
        formats=frozenset([forms[best]]),
    )


Runs = tuple[tuple[int, int], ...]
"""First target and number of targets of each run of targets that follow each other."""
_UNUSABLE = 2**40


def _span_kind(connection: Connection, axis: int, span: Span) -> object:
    if connection.dense:
        return None
    if not axis:
        return tuple(_channels(connection, span)), _sending(connection, span)
    paths = connection.rows if axis == 1 else connection.columns
    return tuple(paths.patterns(*span).items())


def _list_words(runs: Runs, parallel: int, forms: tuple[Format, ...]) -> tuple[int, ...]:
    starts, lengths = np.array(runs).T
    if parallel > 1:  # several synapses between two neurons: only sparse formats repeat an index
        one = int(forms[0].words(parallel * lengths.sum()))
        return (one, *[_UNUSABLE] * (len(forms) - 1))
    return tuple(run_words(starts, lengths, form) for form in forms)


def _image_lists(connection: Connection, block: Block) -> Iterator[tuple[Runs, int, int]]:
    """Return the different lists of an image's places: runs, number of lists, and synapses each."""
    down = connection.rows.patterns(*block.rows)
    across = connection.columns.patterns(*block.columns)
    channels, _, columns = block.shape
    for length, sources in _channels(connection, block.channels):
        for rows in down:
            for places in across:
                counts = {len(a) * len(b) for _, a in rows for _, b in places}
                runs = _runs(rows, places, length, channels, columns)
                if len(counts) == 1:
                    yield runs, sources, counts.pop()
                else:  # some targets have parallel synapses, so all are listed one by one
                    total = sum(len(a) * len(b) for _, a in rows for _, b in places)
                    yield ((0, length),), sources, total


def _channels(connection: Connection, span: Span) -> list[tuple[int, int]]:
    """Return (channels that a list reaches, number of lists) over a place's channels."""
    per_group = connection.target[0] // connection.groups
    each = 1 if connection.one_list else connection.image[0] // connection.groups
    found: dict[int, int] = {}
    for group in range(span[0] // per_group, -(-span[1] // per_group)):
        low, high = max(span[0], group * per_group), min(span[1], (group + 1) * per_group)
        found[high - low] = each if connection.one_list else found.get(high - low, 0) + each
    return list(found.items())


def _runs(rows: Pattern, places: Pattern, length: int, channels: int, columns: int) -> Runs:
    runs: list[tuple[int, int]] = []
    for row, _ in rows:
        for column, _ in places:
            start = (row * columns + column) * channels
            if runs and runs[-1][0] + runs[-1][1] == start:
                runs[-1] = (runs[-1][0], runs[-1][1] + length)
            else:
                runs.append((start, length))
    return tuple(runs)


def _dense_lists(connection: Connection, block: Block) -> Iterator[tuple[Runs, int, int]]:
    """Return the lists of fully connected weights from shared axons, zeros included."""
    down = {path for path in connection.rows.paths if path}
    across = {path for path in connection.columns.paths if path}
    for rows in down:
        for columns in across:
            paths = sum(len(a) * len(b) for _, a in rows for _, b in columns)
            yield ((0, block.neurons),), connection.image[0], paths


def _count_matrix(connection: Connection, block: Block) -> Use:
    matrix = connection.matrix
    assert matrix is not None
    present = matrix.present.reshape(*connection.target, -1)[block.slices]
    # Numbers on the core run over rows, columns, channels.
    present = present.transpose(1, 2, 0, 3).reshape(block.neurons, -1)
    counts = present.sum(0)
    forms = connection.fields.formats(block.neurons)
    if present.max(initial=0) > 1:
        forms = forms[:1]
    words = [matrix_words(present, form) for form in forms]
    best = int(np.argmin([each.sum() for each in words]))
    if not counts.any():
        return Use()
    return Use(
        words=int(words[best].sum()),
        synapses=int(_stored(present, forms[best]).sum()),
        input_axons=int(matrix.sources[counts > 0].sum()),
        longest_list=int(words[best].max()),
        delay_bits=connection.fields.delay_bits,
        formats=frozenset([forms[best]]),
    )


def _stored(present: np.ndarray, form: Format) -> np.ndarray:
    counts = present.sum(0)
    if form.kind != "dense":
        return counts
    stored: np.ndarray = np.where(counts > 0, len(present), 0)
    return stored


def _input_axons(connection: Connection, block: Block) -> int:
    """Return the axons that arrive at a block."""
    if connection.dense:
        return arriving(connection, Grid(*block.spans))
    down = sum(connection.rows.patterns(*block.rows).values())
    across = sum(connection.columns.patterns(*block.columns).values())
    return down * across * _sending(connection, block.channels)


def arriving(connection: Connection, grid: Grid) -> int:
    """Return the axons that arrive at all blocks of a grid, or of part of one."""
    if connection.matrix is not None:
        return int(connection.matrix.sources.sum()) * grid.size
    if connection.dense:
        places = sum(map(bool, connection.rows.paths)) * sum(map(bool, connection.columns.paths))
        return places * connection.populations * grid.size
    _, rows, columns = connection.image
    down = int(connection.rows.reach((0, rows), grid.rows).sum())
    across = int(connection.columns.reach((0, columns), grid.columns).sum())
    return down * across * sum(_sending(connection, span) for span in spans(grid.channels))


def _sending(connection: Connection, span: Span) -> int:
    """Return the axons from one place to these channels of a block."""
    if connection.shared:
        return connection.populations
    per_group = connection.target[0] // connection.groups
    groups = -(-span[1] // per_group) - span[0] // per_group
    return groups * connection.image[0] // connection.groups


def cut_sources(part: Part, channels: int, rows: int) -> Part:
    """Return a layer whose sources, itself aside, have at most so much of both, to try it.

    Sources of convolutions keep their rows, of which only those of a window matter.
    """
    cut = [
        one if one.source == part.layer.name else _cut(one, channels, rows)
        for one in part.connections
    ]
    return replace(part, connections=tuple(cut), known={})


def _cut(connection: Connection, channels: int, rows: int) -> Connection:
    """Return a connection from the first channels and rows of its source only."""
    if connection.groups > 1:
        return connection
    channels, rows = min(channels, connection.image[0]), min(rows, connection.image[1])
    cut = replace(connection, image=(channels, *connection.image[1:]))
    if not connection.dense:
        return cut
    image = (channels, rows, connection.image[2])
    cut = replace(cut, image=image, rows=replace(cut.rows, paths=cut.rows.paths[:rows]))
    matrix = cut.matrix
    if matrix is None:
        return cut
    lists, sources = np.unique(matrix.list_of[:channels, :rows], return_counts=True)
    kept, sources = lists[lists >= 0], sources[lists >= 0]
    list_of = matrix.list_of[:channels, :rows]
    return replace(cut, matrix=Matrix(matrix.present[:, kept], sources, list_of))


def cut_weights(part: Part, bits: int) -> Part:
    """Return a layer whose weights have at most so many bits, to try it."""
    cut = [
        replace(one, fields=replace(one.fields, weight_bits=min(bits, one.fields.weight_bits)))
        for one in part.connections
    ]
    return replace(part, connections=tuple(cut), known={})
