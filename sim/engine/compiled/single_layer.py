"""One layer of a Program in the compiled loops, from sums that are known."""

import numpy as np

from stochi.hardware.draws import Draws
from stochi.program.layers import Layer
from stochi.sim.engine.compiled.compilation import compiled_kernel
from stochi.sim.engine.compiled.engine import state_of_a_sample
from stochi.sim.engine.compiled.synapses import scratch
from stochi.sim.engine.compiled.tables import make_layer_tables


def count_spikes(layer: Layer, index: int, sums: np.ndarray, draws: Draws) -> np.ndarray:
    """Count the spikes of a layer's neurons over the time steps.

    Args:
        layer: the layer.
        index: its number in the Program, for the draws.
        sums: (time steps, batch, neurons) int32, shifted, of all projections.
        draws: draws of the batch.

    Returns:
        (batch, neurons) int32.
    """
    steps, batch, neurons = sums.shape
    tables = make_layer_tables(layer, index, steps, batch)
    read = np.zeros((batch, neurons), np.int64)
    compiled_kernel()(
        tables,
        batch,
        draws.first_sample,
        draws.seed,
        draws.trial,
        np.zeros(0, np.uint8),
        np.ascontiguousarray(sums).ravel(),
        scratch(tables),
        state_of_a_sample(tables, draws.source),
        np.zeros((0, 0, 0), np.uint8),
        np.zeros((0, 0, 0), np.int32),
        read,
    )
    return read.astype(np.int32)
