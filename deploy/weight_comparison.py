"""How near the weights of two layers are."""

import numpy as np

from stochi.deploy.program import Layer


def share_of_other_weights(ours: Layer, theirs: Layer) -> float:
    """How many of the 8-bit weights differ, from 0 to 1; 1 where their shapes do."""
    if not _alike(ours, theirs):
        return 1.0
    return float(np.mean(_weights(ours) != _weights(theirs)))


def weight_cosine(ours: Layer, theirs: Layer) -> float:
    """The cosine between the weights; 0 where their shapes differ, or one has only zeros."""
    if not _alike(ours, theirs):
        return 0.0
    a, b = _weights(ours), _weights(theirs)
    norms = float(np.linalg.norm(a) * np.linalg.norm(b))
    return float(a @ b) / norms if norms else 0.0


def _alike(ours: Layer, theirs: Layer) -> bool:
    shapes = [[synapses.weight.shape for synapses in layer.synapses] for layer in (ours, theirs)]
    return shapes[0] == shapes[1]


def _weights(layer: Layer) -> np.ndarray:
    parts = [synapses.weight.ravel() for synapses in layer.synapses]
    return np.concatenate(parts).astype(np.float64)
