"""What a NIR graph holds, as rows of text and as plain values.

Commands import this module inside of functions: it brings torch along.
"""

from dataclasses import dataclass
from typing import Any

import nir
import numpy as np

from stochi.commands.program_tables import NOTHING, Rows, reset_words
from stochi.deploy.graph.arrays import as_array
from stochi.deploy.graph.flat import flatten
from stochi.deploy.graph.membrane_noise import read_membrane_noise
from stochi.deploy.graph.neurons import RealNeuron, read_neuron
from stochi.deploy.graph.node_table import node_rows
from stochi.deploy.graph.random_tau import read_random_tau
from stochi.deploy.graph.wiring import WiredLayer, Wiring, wire
from stochi.deploy.lowering.network import find_dt, find_time_steps
from stochi.errors import StochiError
from stochi.plain_text import counted


@dataclass(frozen=True)
class GraphSummary:
    """What ``stochi show`` prints of a graph.

    Attributes:
        layers: rows of its layers, after the head; of its nodes if ``problem`` is set.
        lines: what else there is to say.
        values: the same as plain values.
        problem: why its layers cannot be read; "" if they can.
    """

    layers: Rows
    lines: list[str]
    values: dict[str, Any]
    problem: str


def summarize(graph: nir.NIRGraph, dt: float | None) -> GraphSummary:
    """Summarize a graph whose conventions are resolved.

    Args:
        dt: seconds per time step, if the graph does not hold it.

    Raises:
        GraphError: the graph has no input or no output, or its nodes are not connected.
    """
    noted = graph.metadata
    nodes = flatten(graph).nodes
    values: dict[str, Any] = {
        "convention": noted.get("convention"),
        "readout": str(noted.get("readout", "mean")),
        "reads": str(noted.get("reads", "spikes")),
        "weights": sum(_weights(node) for node in nodes.values()),
        "nodes": {name: type(node).__name__ for name, node in nodes.items()},
    }
    try:
        seconds, steps = find_dt(graph, dt), find_time_steps(graph, None)
        wiring = wire(graph, seconds)
        rows = _layer_rows(wiring, seconds)
    except StochiError as error:
        return GraphSummary(node_rows(graph), [_weights_line(values)], values, str(error))
    values |= {
        "dt": seconds,
        "time_steps": steps,
        "input_shape": list(wiring.input_shape),
        "output": wiring.output,
    }
    shown = counted(steps, "time step") + ("" if "steps" in noted else " unless told otherwise")
    lines = [
        f"Input: {_shape(wiring.input_shape)}; time step: {seconds:g} s; {shown}",
        f"Output: {_read(values, wiring)} of {wiring.output}, {_over_time(values['readout'])}",
        _weights_line(values),
    ]
    return GraphSummary(rows, lines, values, "")


def draws_words(graph: nir.NIRGraph) -> str:
    """Return how a graph from ``to_nir`` differs from a network that draws, as an ending."""
    nodes = flatten(graph).nodes
    taus = (read_random_tau(name, node) for name, node in nodes.items())
    words = []
    if any(tau is not None and tau.sampling != "mean" for tau in taus):
        words.append("with mean τ")
    if any(read_membrane_noise(name, node) is not None for name, node in nodes.items()):
        words.append("without its noise")
    return f" {' and '.join(words)}" if words else "; it draws nothing"


def _layer_rows(wiring: Wiring, dt: float) -> Rows:
    rows = [["layer", "neurons", "kind", "decay", "threshold", "reset", "from", "weights"]]
    for layer in wiring.layers:
        names = dict.fromkeys(name for path in layer.paths for name in path.nodes)
        weights = sum(_weights(wiring.nodes[name]) for name in names)
        sources = dict.fromkeys(path.source for path in layer.paths)
        rows.append(
            [
                *(layer.name, _shape(layer.shape), *_neuron_cells(wiring, layer, dt)),
                *(", ".join(sources), f"{weights:,}"),
            ]
        )
    return rows


def _neuron_cells(wiring: Wiring, layer: WiredLayer, dt: float) -> list[str]:
    """Return kind, λ, threshold and reset of a layer."""
    if not layer.node:
        return ["readout", NOTHING, NOTHING, NOTHING]
    node = wiring.nodes[layer.node]
    neuron = read_neuron(layer.node, node, dt, layer.shape)
    spikes = neuron.threshold is not None
    threshold = NOTHING if neuron.threshold is None else _range(neuron.threshold)
    return [type(node).__name__, _decay(neuron), threshold, reset_words(neuron, spikes)]


def _decay(neuron: RealNeuron) -> str:
    found = _range(neuron.decay)
    if neuron.random is not None:
        found = f"random, mean {found}"
    if neuron.current_decay is not None:
        found = f"{found}; α {_range(neuron.current_decay)}"
    return found if neuron.noise is None else f"{found}; noise {neuron.noise.std:.4g}"


def _weights(node: nir.NIRNode) -> int:
    """Return the number of a node's weights and biases."""
    held = (getattr(node, name, None) for name in ("weight", "bias", "scale"))
    return sum(as_array(values).size for values in held if values is not None)


def _weights_line(values: dict[str, Any]) -> str:
    convention = values["convention"]
    return f"{values['weights']:,} weights and biases; read by the convention {convention!r}"


def _read(values: dict[str, Any], wiring: Wiring) -> str:
    layer = next(layer for layer in wiring.layers if layer.name == wiring.output)
    if not layer.node:
        return "input"
    spikes = hasattr(wiring.nodes[layer.node], "v_threshold")
    return "spikes" if spikes and values["reads"] == "spikes" else "membrane"


def _over_time(readout: str) -> str:
    words = {"steps": "at every time step", "last": "at the last time step"}
    return words.get(readout, f"their {readout} over time")


def _range(values: np.ndarray) -> str:
    low, high = f"{values.min():.4g}", f"{values.max():.4g}"
    return low if low == high else f"{low} … {high}"


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape))
