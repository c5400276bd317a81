"""Output axons: how many a block of neurons needs, given the blocks that it reaches.

A neuron has one axon for each block that its spikes reach, of one entry if the axon is discrete.
The neurons of one place and block share an axon of two entries if it is shared. An axon that
leaves the chip takes one entry more (NxTF). What the host reads of the output is not counted.
"""

import numpy as np

from stochi.deploy.mapping.blocks import Grid, spans
from stochi.deploy.mapping.connections import Connection
from stochi.hardware.cores import DISCRETE_AXON, POPULATION, SHARED_AXON


def axons_by_axis(
    connection: Connection, source: Grid, target: Grid
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return factors of the axons between blocks, along channels, rows and columns.

    The axons from a block of the source to one of the target are the product of one factor of each
    axis. Not for connections with a matrix.

    Returns:
        Three arrays (segments of the source, segments of the target) int64.
    """
    channels = _channels(connection, source, target)
    if connection.dense:
        down, across = (
            np.array([[sum(map(bool, axis.paths[low:high]))] for low, high in spans(bounds)])
            * np.ones((1, len(ends) - 1), np.int64)
            for axis, bounds, ends in (
                (connection.rows, source.rows, target.rows),
                (connection.columns, source.columns, target.columns),
            )
        )
        return channels, down, across
    return (
        channels,
        connection.rows.reach(source.rows, target.rows),
        connection.columns.reach(source.columns, target.columns),
    )


def axons_between(connection: Connection, source: Grid, target: Grid) -> np.ndarray:
    """Return the axons from each block of the source to each of the target, in the grids' order."""
    if connection.matrix is not None:
        present, list_of = connection.matrix.present, connection.matrix.list_of
        reached = np.stack(
            [
                present.reshape(*connection.target, -1)[block.slices].any((0, 1, 2))
                for block in target.blocks()
            ]
        )
        reached = np.concatenate([reached, np.zeros((len(reached), 1), bool)], 1)  # for list −1
        return np.stack([reached[:, list_of[b.slices].ravel()].sum(1) for b in source.blocks()])
    channels, down, across = axons_by_axis(connection, source, target)
    return np.einsum("ab,ij,kl->aikbjl", channels, down, across).reshape(source.size, target.size)


def axons_of_blocks(connection: Connection, source: Grid, target: Grid) -> np.ndarray:
    """Return the axons of each block of the source, in the grid's order."""
    if connection.matrix is not None:
        return axons_between(connection, source, target).sum(1)
    factors = [factor.sum(1) for factor in axons_by_axis(connection, source, target)]
    return np.einsum("a,i,k->aik", *factors).ravel()


def entries_of_axon(connection: Connection) -> int:
    """Return the entries of an axon that stays on the chip."""
    return SHARED_AXON if connection.shared else DISCRETE_AXON


def _channels(connection: Connection, source: Grid, target: Grid) -> np.ndarray:
    ours, theirs = spans(source.channels), spans(target.channels)
    found = np.zeros((len(ours), len(theirs)), np.int64)
    per_group = (
        connection.image[0] // connection.groups,
        connection.target[0] // connection.groups,
    )
    for row, (low, high) in enumerate(ours):
        if connection.groups == 1:
            sent = (high - 1) // POPULATION - low // POPULATION + 1
            found[row] = sent if connection.shared else high - low
            continue
        for column, (first, last) in enumerate(theirs):
            begin = first // per_group[1] * per_group[0]
            end = -(-last // per_group[1]) * per_group[0]
            found[row, column] = max(0, min(high, end) - max(low, begin))
    return found
