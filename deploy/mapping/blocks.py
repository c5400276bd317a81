"""Blocks of a layer's neurons, and the grids that cut layers into blocks."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from stochi.deploy.mapping.connections import Image

Span = tuple[int, int]
"""First coordinate, and the one after the last."""


@dataclass(frozen=True)
class Block:
    """A box of a layer's neurons, whose numbers on the core run over rows, columns and channels."""

    channels: Span
    rows: Span
    columns: Span

    @property
    def spans(self) -> tuple[Span, Span, Span]:
        """Spans of all axes."""
        return (self.channels, self.rows, self.columns)

    @property
    def shape(self) -> Image:
        """Channels, rows and columns."""
        first, second, third = (high - low for low, high in self.spans)
        return (first, second, third)

    @property
    def neurons(self) -> int:
        """Number of neurons."""
        channels, rows, columns = self.shape
        return channels * rows * columns

    @property
    def slices(self) -> tuple[slice, slice, slice]:
        """Index of an array of the layer's image."""
        return (slice(*self.channels), slice(*self.rows), slice(*self.columns))


@dataclass(frozen=True)
class Grid:
    """Cuts of a layer into blocks of nearly one size.

    Attributes:
        channels, rows, columns: bounds along each axis, from 0 to its length.
    """

    channels: tuple[int, ...]
    rows: tuple[int, ...]
    columns: tuple[int, ...]

    @property
    def size(self) -> int:
        """Number of blocks."""
        return (len(self.channels) - 1) * (len(self.rows) - 1) * (len(self.columns) - 1)

    def blocks(self) -> Iterator[Block]:
        """Return all blocks; channels vary slowest, columns fastest."""
        for channels in spans(self.channels):
            for rows in spans(self.rows):
                for columns in spans(self.columns):
                    yield Block(channels, rows, columns)


def spans(bounds: tuple[int, ...]) -> list[Span]:
    """Return the spans between bounds."""
    return list(pairwise(bounds))


def make_grid(image: Image, parts: tuple[int, int, int]) -> Grid:
    """Cut each axis into so many parts, whose lengths differ by 1 at most."""
    first, second, third = (
        tuple(length * part // count for part in range(count + 1))
        for length, count in zip(image, parts, strict=True)
    )
    return Grid(first, second, third)


def useful_parts(length: int) -> list[int]:
    """Return the numbers of parts that make the largest part smaller than fewer parts do."""
    found, largest = [], length + 1
    for parts in range(1, length + 1):
        size = -(-length // parts)
        if size < largest:
            found.append(parts)
            largest = size
    return found
