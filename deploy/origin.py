"""The network that a Program comes from."""

import warnings
from copy import copy

import nir

from stochi.deploy.graph.arrays import map_nodes
from stochi.deploy.graph.conventions import ConventionWarning, resolve_conventions
from stochi.deploy.graph.layers import RealNetwork, cut_into_layers
from stochi.deploy.lowering.network import lower_network_like
from stochi.deploy.lowering.stand_in import StandIn, take_over
from stochi.deploy.lowering.tables import choose_table_bits, table_bits
from stochi.errors import InputError
from stochi.program.program import Program


def check_same_layers(program: Program, network: RealNetwork) -> None:
    """Raise InputError unless a Program has the layers that a network would give it."""
    theirs = {layer.name: layer.shape for layer in program.layers}
    ours = network.shapes
    if list(theirs.items()) != list(ours.items()):
        raise InputError(
            f"the Program comes from another network: its layers are {_listed(theirs)}, this"
            f" model's are {_listed(ours)}; lower this model, or use the model that the Program"
            " came from"
        )
    random = {
        layer.name
        for layer in network.layers
        if layer.neuron is not None and layer.neuron.random is not None
    }
    drawn = [layer.name for layer in program.layers if layer.decay.drawn]
    fixed = [name for name in drawn if name not in random]
    if fixed:
        raise InputError(
            f"the Program comes from another network: it draws the decays of {', '.join(fixed)},"
            " this model does not; lower this model, or use the model that the Program came from"
        )


def read_again(program: Program, graph: nir.NIRGraph) -> tuple[RealNetwork, dict[str, StandIn]]:
    """Read the network that a Program came from, and the noise fitted to its layers.

    Args:
        graph: the graph that the Program was lowered from, or one with other weights. If a
            convention was given then, pass what ``resolve_conventions`` makes of it.

    Returns:
        The network in real numbers, and the stand-ins by the layer's name.

    Raises:
        InputError, LoweringError: the Program cannot come from this graph.
    """
    network = cut_into_layers(resolve_like(program, graph), program.target.dt)
    check_same_layers(program, network)
    network = choose_table_bits(network, table_bits(program))
    return network, take_over(program, program.target.noise, network.shapes)


def resolve_like(program: Program, graph: nir.NIRGraph) -> nir.NIRGraph:
    """Return a graph that says its time step and resets, which its Program shows if it does not.

    Raises:
        GraphError, InputError: as for ``stochi.deploy.resolve_conventions``.
    """
    resets = {layer.name: layer.reset for layer in program.layers if layer.spikes}
    graph = map_nodes(graph, lambda name, node: _with_reset(resets, name, node))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConventionWarning)
        return resolve_conventions(graph, dt=program.target.dt)


def _with_reset(resets: dict[str, str], name: str, node: nir.NIRNode) -> nir.NIRNode:
    """Return a node that says how its neurons reset; those that do not get the Program's."""
    noted = node.metadata if isinstance(node.metadata, dict) else {}
    if "reset" in noted or name not in resets:
        return node
    node = copy(node)
    node.metadata = {**noted, "reset": resets[name]}
    return node


def lower_again(program: Program, graph: nir.NIRGraph) -> Program:
    """Lower a graph for a Program's target, with its fit and its sizes of decay tables.

    The graph that the Program came from gives the same Program again.

    Raises:
        InputError, LoweringError: the Program cannot come from this graph.
    """
    network, stand_ins = read_again(program, graph)
    return lower_network_like(program, network, program.target.noise, stand_ins)


def _listed(shapes: dict[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {shape}" for name, shape in shapes.items())
