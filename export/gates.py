"""Random gates behind neurons, as nodes of a graph.

A gated neuron's spikes go to a neuron without memory, whose membrane is p times the spike plus
uniform noise in [−½, ½), with a threshold of ½. Without a spike it never fires; with one it fires
with probability p. So the gate and its noise are a noisy neuron like any other
(:mod:`stochi.deploy.graph.membrane_noise`), which a chip's stock generator can make.
"""

import math
from collections.abc import Mapping

import nir
import numpy as np

from stochi.deploy.graph.membrane_noise import MembraneNoise, describe_noise
from stochi.errors import ExportError

NOISE = MembraneNoise(0.5 / math.sqrt(3), "uniform")
"""Uniform noise in [−½, ½)."""


def insert_gates(graph: nir.NIRGraph, gates: Mapping[str, np.ndarray], dt: float) -> nir.NIRGraph:
    """Return a graph in which the spikes of some neurons pass random gates.

    Args:
        graph: a flat graph, which is changed.
        gates: node's name → the probability with which each neuron's gate is open, of its shape.
        dt: length of a time step in seconds.

    Raises:
        ExportError: the membranes of gated neurons are read, or nothing takes their spikes.
    """
    by_membrane = graph.metadata.get("reads") == "membrane"
    for name, shares in gates.items():
        reads = [end for start, end in graph.edges if start == name and end in graph.outputs]
        if by_membrane and reads:
            raise ExportError(
                f"neuron {name!r}: its membrane is read, which no gate changes; take snn.Leaky for"
                " it, or read the spikes"
            )
        share, gate = (_free(graph, f"{name}.{word}") for word in ("share", "gate"))
        nodes = dict(graph.nodes)
        made = {share: nir.Scale(shares), gate: _gate(shares.shape, dt)}
        graph.nodes.clear()
        for other, node in nodes.items():
            graph.nodes[other] = node
            if other == name:
                graph.nodes.update(made)
        edges = [(gate if start == name else start, end) for start, end in graph.edges]
        graph.edges[:] = [*edges, (name, share), (share, gate)]
    return graph


def _gate(shape: tuple[int, ...], dt: float) -> nir.LIF:
    zeros = np.zeros(shape)
    return nir.LIF(
        tau=np.full(shape, float(dt)),
        r=np.ones(shape),
        v_leak=zeros,
        v_threshold=np.full(shape, 0.5),
        v_reset=zeros.copy(),
        metadata={**describe_noise(NOISE), "gate": 1},
    )


def _free(graph: nir.NIRGraph, wanted: str) -> str:
    while wanted in graph.nodes:
        wanted += "_"
    return wanted
