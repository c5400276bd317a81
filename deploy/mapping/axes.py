"""Paths along one axis of an image, from a source's coordinates to a layer's.

Windows of convolutions and pooling are rectangles, so paths along rows and along columns are
independent: the paths between two places are all pairs of a path along the rows and one along the
columns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

Taps = tuple[tuple[int, ...], ...]
"""Paths between two coordinates: for each, the places in the weights that it goes through."""
Pattern = tuple[tuple[int, Taps], ...]
"""Targets of a coordinate, in order, each with its paths."""


@dataclass(frozen=True)
class Window:
    """A stage along an axis.

    Attributes:
        kernel, stride, padding, dilation: of its windows.
        weighted: whether it has weights that differ within the kernel.
        placed: whether its weights differ from coordinate to coordinate, as in one-to-one ones.
    """

    kernel: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    weighted: bool = False
    placed: bool = False


@dataclass(frozen=True)
class Axis:
    """Paths from each coordinate of a source.

    Attributes:
        targets: number of coordinates of the target.
        paths: of each coordinate of the source.
    """

    targets: int
    paths: tuple[Pattern, ...]

    def patterns(self, low: int, high: int) -> dict[Pattern, int]:
        """Return the different patterns of paths into [low, high), with their numbers of sources.

        Targets are counted from the first one, so that sources with the same pattern can use the
        same list of synapses.
        """
        found: dict[Pattern, int] = {}
        for path in self.paths:
            inside = [(target, taps) for target, taps in path if low <= target < high]
            if inside:
                first = inside[0][0]
                pattern = tuple((target - first, taps) for target, taps in inside)
                found[pattern] = found.get(pattern, 0) + 1
        return found

    def reach(self, sources: Sequence[int], targets: Sequence[int]) -> np.ndarray:
        """Return how many coordinates of each source segment reach each target segment.

        Args:
            sources, targets: bounds of the segments, from 0 to the number of coordinates.

        Returns:
            (source segments, target segments) int64.
        """
        reached = np.add.reduceat(self._joined, targets[:-1], axis=1) > 0
        found: np.ndarray = np.add.reduceat(reached.astype(np.int64), sources[:-1], axis=0)
        return found

    @cached_property
    def _joined(self) -> np.ndarray:
        """Whether there is a path, (coordinates of the source, of the target) int64."""
        found = np.zeros((len(self.paths), self.targets), np.int64)
        for place, path in enumerate(self.paths):
            found[place, [target for target, _ in path]] = 1
        return found


def make_axis(size: int, windows: Sequence[Window], *, distinct: bool = False) -> Axis:
    """Follow all paths from ``size`` coordinates through the windows.

    Args:
        distinct: whether no two coordinates share a list of synapses, since their delays differ.
    """
    paths: list[list[tuple[int, tuple[int, ...]]]] = [
        [(place, (place,) if distinct else ())] for place in range(size)
    ]
    for window in windows:
        span = window.dilation * (window.kernel - 1) + 1
        size = (size + 2 * window.padding - span) // window.stride + 1
        paths = [
            [step for place, taps in path for step in _through(window, place, taps, size)]
            for path in paths
        ]
    return Axis(size, tuple(_by_target(path) for path in paths))


def _through(
    window: Window, place: int, taps: tuple[int, ...], size: int
) -> list[tuple[int, tuple[int, ...]]]:
    found = []
    for tap in range(window.kernel):
        target, rest = divmod(place + window.padding - tap * window.dilation, window.stride)
        if not rest and 0 <= target < size:
            passed = (tap,) if window.weighted else (place,) if window.placed else ()
            found.append((target, taps + passed))
    return found


def _by_target(path: list[tuple[int, tuple[int, ...]]]) -> Pattern:
    targets: dict[int, list[tuple[int, ...]]] = {}
    for target, taps in sorted(path):
        targets.setdefault(target, []).append(taps)
    return tuple((target, tuple(taps)) for target, taps in targets.items())
