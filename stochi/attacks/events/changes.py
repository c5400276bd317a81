"""The least number of changes that lead from one sample of events to another."""

from typing import NamedTuple

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import maximum_bipartite_matching, min_weight_full_bipartite_matching
from scipy.spatial import cKDTree

UNREACHABLE = -1
"""Number of changes if none lead there."""
STAY, CHANGE = 1, 2
"""Weights of an unchanged event and of a changed one; scipy drops edges of weight 0."""


class Moves(NamedTuple):
    """Which place an event may take.

    Attributes:
        delay: largest number of time steps.
        distance: largest number of rows and of columns.
        flips: whether an event may change its polarity where it is.
        turns: whether a moved event may change its polarity.
    """

    delay: int
    distance: int
    flips: bool
    turns: bool

    @property
    def any(self) -> bool:
        """Whether an event may take any other place."""
        return self.delay > 0 or self.distance > 0 or self.flips

    def allowed(self, origins: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """Return whether events at ``origins`` may take ``targets``, (n, 4) each: t, p, y, x."""
        apart = np.abs(origins - targets)
        near = (apart[:, 0] <= self.delay) & (apart[:, 2:].max(1) <= self.distance)
        moved = (apart[:, 0] > 0) | (apart[:, 2:].max(1) > 0)
        turned = apart[:, 1] > 0
        return near & np.where(turned, np.where(moved, self.turns, self.flips), True)


def least_changes(
    clean: torch.Tensor, attacked: torch.Tensor, moves: Moves, insert: bool, delete: bool
) -> int:
    """Return the least number of changes from one sample to another, or ``UNREACHABLE``.

    Args:
        clean, attacked: (time_steps, polarities, height, width) bool.
        moves: how an event may move.
        insert, delete: whether events may be inserted and deleted.
    """
    removed = (clean & ~attacked).nonzero().cpu().numpy()
    added = (attacked & ~clean).nonzero().cpu().numpy()
    more_added, more_removed = len(added) > len(removed), len(removed) > len(added)
    if (more_added and not insert) or (more_removed and not delete):
        return UNREACHABLE
    if not moves.any:
        possible = (insert or not len(added)) and (delete or not len(removed))
        return len(removed) + len(added) if possible else UNREACHABLE
    most = max(len(removed), len(added))
    if _can_pair(removed, added, moves):
        return most
    return _assign(clean, attacked, moves, insert, delete)


def _can_pair(removed: np.ndarray, added: np.ndarray, moves: Moves) -> bool:
    """Return whether all of the fewer events pair with others, so that no count can be smaller."""
    fewer = min(len(removed), len(added))
    if not fewer:
        return True
    origins, targets = _pairs(removed, added, moves)
    graph = coo_array(
        (np.ones(len(origins), np.int8), (origins, targets)), (len(removed), len(added))
    ).tocsr()
    return int((maximum_bipartite_matching(graph) >= 0).sum()) == fewer


def _assign(
    clean: torch.Tensor, attacked: torch.Tensor, moves: Moves, insert: bool, delete: bool
) -> int:
    """Assign each clean event its attacked one, or a deletion, at the least number of changes.

    An event may take the place of another one that moved away itself, so events in both samples
    take part. Rows are the clean events, then one insertion for each attacked event; columns are
    the attacked events, then one deletion for each clean event. An insertion and a deletion that
    are not used take each other.
    """
    before, after = (sample.nonzero().cpu().numpy() for sample in (clean, attacked))
    rows, columns = len(before), len(after)
    origins, targets = _pairs(before, after, moves)
    same = (before[origins] == after[targets]).all(1)
    edges = [
        (origins, targets, np.where(same, STAY, CHANGE)),
        (rows + targets, columns + origins, np.full(len(origins), STAY)),
    ]
    if delete:
        each = np.arange(rows)
        edges.append((each, columns + each, np.full(rows, CHANGE)))
    if insert:
        each = np.arange(columns)
        edges.append((rows + each, each, np.full(columns, CHANGE)))
    starts, ends, weights = (np.concatenate(part) for part in zip(*edges, strict=True))
    size = rows + columns
    graph = coo_array((weights.astype(float), (starts, ends)), (size, size)).tocsr()
    try:
        chosen = min_weight_full_bipartite_matching(graph)
    except ValueError:  # no full matching exists
        return UNREACHABLE
    return round(float(graph[chosen].sum())) - STAY * size


def _pairs(origins: np.ndarray, targets: np.ndarray, moves: Moves) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of all pairs of an event and a place that it may take, its own too."""
    # Scaled so that all limits are 1; a limit of 0 lets nothing but equal coordinates pass.
    scale = np.array([max(moves.delay, 0.5), 1.0, *(2 * [max(moves.distance, 0.5)])])
    near = cKDTree(origins / scale).query_ball_tree(cKDTree(targets / scale), 1.0 + 1e-9, p=np.inf)
    first = np.repeat(np.arange(len(origins)), [len(found) for found in near])
    second = np.fromiter((j for found in near for j in found), np.int64, len(first))
    kept = moves.allowed(origins[first], targets[second])
    return first[kept], second[kept]
