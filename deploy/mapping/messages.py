"""Messages that a spike takes in a mapping.

A chip sends a spike once for each output axon of its neuron, and a neuron has one axon for each
block of neurons that it reaches (``outgoing.py``). At the borders of blocks neurons reach several:
the number differs from neuron to neuron.
"""

import numpy as np

from stochi.deploy.mapping.blocks import Grid, make_grid
from stochi.deploy.mapping.front import make_parts
from stochi.deploy.mapping.outgoing import axons_of_blocks
from stochi.deploy.mapping.pipeline import find_pipeline
from stochi.deploy.mapping.results import Mapping
from stochi.program.layers import INPUT
from stochi.program.program import Program


def axons_of_neurons(program: Program, mapping: Mapping) -> dict[str, np.ndarray]:
    """Return the output axons of every neuron, without those of neurons that carry biases.

    Args:
        program: the Program that was mapped.
        mapping: a mapping of it that fits.

    Returns:
        Source, ``"input"`` or a layer's name → (*source shape) int64.
    """
    found = {layer.name: np.zeros(layer.shape, np.int64) for layer in program.layers}
    found[INPUT] = np.zeros(program.input_shape, np.int64)
    parts = make_parts(program, find_pipeline(program), mapping.limits)
    for name, part in parts.items():
        for connection in part.connections:
            each = make_grid(connection.image, connection.image)  # blocks of one neuron
            axons = axons_of_blocks(connection, each, grid_of(mapping, name))
            found[connection.source] += axons.reshape(found[connection.source].shape)
    return found


def grid_of(mapping: Mapping, layer: str) -> Grid:
    """Return the grid that cuts a layer into the blocks that a mapping placed."""
    spans = [
        part.block.spans
        for core in mapping.cores_of(layer)
        for part in core.parts
        if part.layer == layer
    ]
    channels, rows, columns = (
        tuple(sorted({bound for span in along for bound in span}))
        for along in zip(*spans, strict=True)
    )
    return Grid(channels, rows, columns)
