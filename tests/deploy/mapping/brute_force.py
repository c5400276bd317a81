"""Counts of a mapping by enumeration of all paths between two neurons."""

from dataclasses import replace

import numpy as np
import torch
from torch.nn import functional

from stochi.deploy.mapping.blocks import Block
from stochi.deploy.mapping.connections import Image
from stochi.program.layers import (
    Convolution,
    Dense,
    Flatten,
    OneToOne,
    Projection,
    Shape,
    Stage,
    SumPool,
    as_image,
)


def paths_between(projection: Projection, shape: Shape, *, random: bool = False) -> np.ndarray:
    """Return the number of paths from each neuron of the source, (sources, neurons).

    Zeros of fully connected weights are no paths. With ``random`` the weights are random numbers
    of the same shapes, so that paths through different weights can be told apart.
    """
    rng = np.random.default_rng(0)
    values = torch.eye(int(np.prod(shape)), dtype=torch.float64).reshape(-1, *shape)
    for stage in projection.stages:
        values = _apply(_with_weights(stage, rng if random else None), values)
    return values.flatten(1).numpy()


def _with_weights(stage: Stage, rng: np.random.Generator | None) -> Stage:
    if isinstance(stage, SumPool | Flatten):
        return stage
    shape = stage.weight.shape
    weight = np.ones(shape) if rng is None else rng.random(shape)
    return replace(stage, weight=weight * (stage.weight != 0 if isinstance(stage, Dense) else 1))


def _apply(stage: Stage, values: torch.Tensor) -> torch.Tensor:
    if isinstance(stage, Flatten):
        return values.flatten(1)
    if isinstance(stage, SumPool):
        kernel = torch.ones(values.shape[1], 1, *stage.kernel, dtype=torch.float64)
        return functional.conv2d(
            values, kernel, None, stage.stride, stage.padding, 1, values.shape[1]
        )
    weight = torch.from_numpy(np.asarray(stage.weight, np.float64))
    if isinstance(stage, Dense):
        return values @ weight.T
    if isinstance(stage, OneToOne):
        return values * weight
    assert isinstance(stage, Convolution)
    how = (None, stage.stride, stage.padding, stage.dilation, stage.groups)
    shape = as_image(tuple(values.shape[1:]))
    found = functional.conv2d(values.reshape(-1, *shape), weight, *how)
    return found if values.dim() == 4 else found.squeeze(2)


def inside(image: Image, block: Block) -> np.ndarray:
    """Return the numbers of a block's neurons, in the order that they have on the core."""
    numbers = np.arange(np.prod(image)).reshape(image)[block.slices]
    return np.asarray(numbers.transpose(1, 2, 0).ravel())


def count_lists(paths: np.ndarray, weights: np.ndarray) -> int:
    """Return the synapses of all different lists to a block.

    Args:
        paths, weights: of :func:`paths_between`, (sources, neurons of the block in order).
    """
    lists: dict[tuple[object, ...], int] = {}
    for counts, values in zip(paths, weights, strict=True):
        targets = np.flatnonzero(counts)
        if len(targets):
            key = (*(targets - targets[0]), *np.round(values[targets], 9))
            lists[key] = int(counts.sum())
    return sum(lists.values())
