"""Which network a Program comes from."""

import nir

from stochi.deploy.lowering import lower_network_like
from stochi.deploy.program import Program
from stochi.deploy.real_layers import RealNetwork, cut_into_layers
from stochi.deploy.stand_in import StandIn, take_over
from stochi.deploy.table_bits import choose_table_bits, table_bits
from stochi.errors import InputError


def check_same_layers(program: Program, network: RealNetwork) -> None:
    """Raise InputError where a Program's layers are not those that a network would give it."""
    theirs = {layer.name: layer.shape for layer in program.layers}
    ours = network.shapes
    if list(theirs.items()) != list(ours.items()):
        raise InputError(
            f"the Program is of another network: its layers are {_listed(theirs)}, this model's are"
            f" {_listed(ours)}; lower this model, or take the one that the Program came from"
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
            f"the Program is of another network: it draws the decays of {', '.join(fixed)}, this"
            " model does not; lower this model, or take the one that the Program came from"
        )


def read_again(program: Program, graph: nir.NIRGraph) -> tuple[RealNetwork, dict[str, StandIn]]:
    """The real network that a Program came from, and the noise that was fitted to its layers.

    Raises:
        InputError, LoweringError: the graph is not one that the Program can come from.
    """
    network = cut_into_layers(graph, program.dt)
    check_same_layers(program, network)
    network = choose_table_bits(network, table_bits(program))
    return network, take_over(program, program.noise, network.shapes)


def lower_again(program: Program, graph: nir.NIRGraph) -> Program:
    """A graph lowered as a Program was: for its chip, with its noise and fit, tables and source.

    The graph that the Program came from gives the same Program again.

    Raises:
        InputError: the graph is of a network with other layers.
    """
    network, stand_ins = read_again(program, graph)
    return lower_network_like(program, network, program.noise, stand_ins)


def _listed(shapes: dict[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {shape}" for name, shape in shapes.items())
