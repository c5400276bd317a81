"""Splitting of layers into blocks, each of which fits a core.

Greedy: layers are split from the output backwards, since a layer's output axons depend on the
blocks behind it. For every number of cuts along rows and columns, the fewest cuts along the
channels that let all blocks fit are found by bisection; of these grids the cheapest is taken. A
grid costs its blocks, and the cores of its sources whose output axons its input axons will fill:
an axon that is shared by the channels of a place leaves from every core that holds some of them,
so it counts once for each cut that the source has if it is split with no regard to its output.

Improved: then layers behind the largest ones try the next cheapest grids. One is taken if the layer
and its sources, split again, need fewer blocks together.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from stochi.deploy.mapping.blocks import Block, Grid, make_grid, spans, useful_parts
from stochi.deploy.mapping.connections import Connection
from stochi.deploy.mapping.incoming import Part, arriving, fan_in
from stochi.deploy.mapping.outgoing import axons_of_blocks, entries_of_axon
from stochi.deploy.mapping.rules import find_problem
from stochi.deploy.mapping.use import Use
from stochi.hardware.cores import CoreLimits
from stochi.program.layers import INPUT

Grids = dict[str, Grid]
"""Grids of layers, by name; a layer that does not fit has none."""
ALTERNATIVES, IMPROVED = 3, 4
"""Numbers of grids that the improvement tries for a layer, and of layers that it tries."""


@dataclass(frozen=True, eq=False)
class Splitter:
    """Layers to be split, and what they are to fit.

    Attributes:
        parts: the layers, by name, in the Program's order.
        core: limits of a core.
        leaving: whether all axons are taken to leave the chip, as of networks of several chips.
        alone: grids of layers that are split with no regard to their output.
    """

    parts: dict[str, Part]
    core: CoreLimits
    leaving: bool
    alone: Grids = field(default_factory=dict)

    def outgoing(self, name: str) -> Iterator[tuple[str, Connection]]:
        """Return the layers that a layer feeds, each with the connection."""
        for target, part in self.parts.items():
            for connection in part.connections:
                if connection.source == name:
                    yield target, connection

    def split(self) -> Grids:
        """Split all layers, as the module says."""
        alone: Grids = {}
        for name in self.parts:
            self._put(alone, name, self.cheapest(name, {}, 1))
        knowing = replace(self, alone=alone)
        grids: Grids = {}
        for _ in range(2 if self._feeds_back() else 1):
            for name in reversed(self.parts):
                self._put(grids, name, knowing.cheapest(name, grids, 1))
        largest = sorted(grids, key=lambda one: -self._size_of_sources(one, grids))
        for name in largest[:IMPROVED]:
            grids = knowing._improve(name, grids)
        return grids

    def _size_of_sources(self, name: str, grids: Grids) -> int:
        return sum(grids[source].size for source in self._sources(name) if source in grids)

    def _sources(self, name: str) -> list[str]:
        sources = dict.fromkeys(one.source for one in self.parts[name].connections)
        return [source for source in sources if source not in (INPUT, name)]

    def cheapest(self, name: str, grids: Grids, count: int) -> list[Grid]:
        """Return a layer's cheapest grids that fit, given those of the layers that it feeds."""
        part = self.parts[name]
        channels, rows, columns = part.image
        found: list[tuple[float, int, Grid]] = []
        cuts = [(r, c) for r in useful_parts(rows) for c in useful_parts(columns)]
        if rows == columns:  # of two cuts that mirror each other, only the one along the rows
            cuts = [cut for cut in cuts if cut[0] >= cut[1]]
        for down, across in sorted(cuts, key=lambda cut: cut[0] * cut[1]):
            most = found[count - 1][0] / (down * across) if len(found) >= count else channels
            options = [parts for parts in useful_parts(channels) if parts <= most]
            grid = self._fewest_channel_cuts(name, grids, options, (down, across))
            if grid is not None:
                found.append((self._cost(part, grid), len(found), grid))
                found.sort()
        return [grid for _, _, grid in found[:count]]

    def use_of_blocks(self, name: str, grid: Grid, grids: Grids) -> Iterator[tuple[Block, Use]]:
        """Return each block of a grid and what it uses, those alike only once."""
        part = self.parts[name]
        axons, entries = self.fan_out(name, grid, grids)
        for block, index in self._representatives(part, grid, axons, entries):
            use = fan_in(part, block)
            sent = int(axons[index])
            out = Use(output_axons=sent, output_entries=int(entries[index]))
            yield block, use + (replace(out, off_chip=sent) if self.leaving else out)

    def fan_out(self, name: str, grid: Grid, grids: Grids) -> tuple[np.ndarray, np.ndarray]:
        """Return output axons and their entries of each block."""
        axons = np.zeros(grid.size, np.int64)
        entries = np.zeros(grid.size, np.int64)
        for target, connection in self.outgoing(name):
            behind = grid if target == name else grids.get(target)
            if behind is not None:
                found = axons_of_blocks(connection, grid, behind)
                axons += found
                entries += found * (entries_of_axon(connection) + self.leaving)
        return axons, entries

    def _put(self, grids: Grids, name: str, found: list[Grid]) -> None:
        grids.pop(name, None)
        if found:
            grids[name] = found[0]

    def _feeds_back(self) -> bool:
        order = {name: place for place, name in enumerate(self.parts)}
        return any(
            order[name] > order[target] for name in self.parts for target, _ in self.outgoing(name)
        )

    def _fewest_channel_cuts(
        self, name: str, grids: Grids, options: list[int], cuts: tuple[int, int]
    ) -> Grid | None:
        """Return the grid with these cuts of rows and columns that has the fewest of channels."""
        image = self.parts[name].image
        if any(target == name for target, _ in self.outgoing(name)):
            # More cuts of a layer that feeds itself are not always better for its output axons.
            tried = (make_grid(image, (parts, *cuts)) for parts in options)
            return next((grid for grid in tried if self._fits(name, grid, grids)), None)
        low, high, best = 0, len(options), None
        while low < high:
            middle = (low + high) // 2
            grid = make_grid(image, (options[middle], *cuts))
            if self._fits(name, grid, grids):
                high, best = middle, grid
            else:
                low = middle + 1
        return best

    def _fits(self, name: str, grid: Grid, grids: Grids) -> bool:
        size = max(high - low for low, high in spans(grid.channels))
        size *= max(high - low for low, high in spans(grid.rows))
        size *= max(high - low for low, high in spans(grid.columns))
        if size > self.core.neurons:
            return False
        first = fan_in(self.parts[name], next(grid.blocks()))
        if find_problem(first, self.core) is not None:  # quicker to find than output axons
            return False
        return all(
            find_problem(use, self.core) is None for _, use in self.use_of_blocks(name, grid, grids)
        )

    def _representatives(
        self, part: Part, grid: Grid, axons: np.ndarray, entries: np.ndarray
    ) -> Iterator[tuple[Block, int]]:
        """Return one block of each kind, with its number."""
        cuts = (spans(grid.channels), spans(grid.rows), spans(grid.columns))
        kinds = [
            np.array([part.span_class(axis, span) for span in found])
            for axis, found in enumerate(cuts)
        ]
        table = np.stack([*(g.ravel() for g in np.meshgrid(*kinds, indexing="ij")), axons, entries])
        chosen = np.arange(grid.size)
        if not (part.varied or part.has_matrix):
            chosen = np.unique(table, axis=1, return_index=True)[1]
        for index in chosen:
            places = np.unravel_index(index, [len(found) for found in cuts])
            yield Block(*(found[at] for found, at in zip(cuts, places, strict=True))), int(index)

    def _cost(self, part: Part, grid: Grid) -> float:
        """Return the blocks of a grid, and the cores' worth of output axons that it asks for."""
        cost = float(grid.size)
        for connection in part.connections:
            if connection.source == INPUT:
                continue
            axons = arriving(connection, grid)
            shares = [0.0]
            if self.core.output_entries:
                entries = entries_of_axon(connection) + self.leaving
                shares.append(entries / self.core.output_entries)
            if self.core.off_chip and self.leaving:
                shares.append(1 / self.core.off_chip)
            source = self.alone.get(connection.source)
            cuts = len(source.channels) - 1 if connection.shared and source is not None else 1
            cost += cuts * axons * max(shares)
        return cost

    def _improve(self, name: str, grids: Grids) -> Grids:
        sources = self._sources(name)
        best = grids
        for grid in self.cheapest(name, grids, ALTERNATIVES):
            tried = {**grids, name: grid}
            for source in sources:
                self._put(tried, source, self.cheapest(source, tried, 1))
            if len(tried) >= len(best) and _size(tried) < _size(best):
                best = tried
        return best


def _size(grids: Grids) -> int:
    return sum(grid.size for grid in grids.values())
