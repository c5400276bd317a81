"""Comparison of two layers' weights."""

import numpy as np

from stochi.program.layers import Layer


def share_of_other_weights(ours: Layer, theirs: Layer) -> float:
    """Share of the 8-bit weights that differ, in [0, 1]; 1 if their shapes differ."""
    if not _alike(ours, theirs):
        return 1.0
    return float(np.mean(_weights(ours) != _weights(theirs)))


def weight_cosine(ours: Layer, theirs: Layer) -> float:
    """Cosine between the weights; 0 if their shapes differ, or if one has only zeros."""
    if not _alike(ours, theirs):
        return 0.0
    a, b = _weights(ours), _weights(theirs)
    norms = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / norms if norms else 0.0


def _alike(ours: Layer, theirs: Layer) -> bool:
    shapes = [
        [projection.weight.shape for projection in layer.projections] for layer in (ours, theirs)
    ]
    return shapes[0] == shapes[1]


def _weights(layer: Layer) -> np.ndarray:
    parts = [projection.weight.ravel() for projection in layer.projections]
    return np.concatenate(parts).astype(np.float64)
