"""How far a chip's decay tables are from the distributions that they stand for."""

from stochi.deploy.program import Program
from stochi.deploy.real_layers import RealNetwork
from stochi.hardware.decays import TableError, table_error


def decay_table_errors(network: RealNetwork, program: Program) -> dict[str, TableError]:
    """By layer, for those that draw their decays.

    Args:
        network: the layers of the graph that the Program was lowered from.
    """
    found = {}
    for layer in network.layers:
        lowered = program.layer(layer.name).decay
        if lowered.drawn and layer.neuron is not None and layer.neuron.random is not None:
            distribution = layer.neuron.random.distribution
            found[layer.name] = table_error(lowered.values, distribution)
    return found
