"""Which network a Program comes from."""

import warnings

import nir

from stochi.deploy.layer_lowering import MergedDecays, MergedThresholds
from stochi.deploy.lowering import lower_network
from stochi.deploy.program import NOISE_TARGETS, Program
from stochi.deploy.real_layers import RealNetwork, cut_into_layers
from stochi.deploy.stand_in import take_over
from stochi.deploy.table_bits import choose_table_bits, table_bits
from stochi.errors import InputError


def check_same_layers(program: Program, network: RealNetwork) -> None:
    """Raise InputError where a Program's layers are not those that a network would give it."""
    theirs = {layer.name: layer.shape for layer in program.layers}
    ours = {layer.name: layer.shape for layer in network.layers}
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


def lower_again(program: Program, graph: nir.NIRGraph) -> Program:
    """A graph lowered as a Program was: for its chip, with its noise and fit, tables and source.

    The graph that the Program came from gives the same Program again.

    Raises:
        InputError: the graph is of a network with other layers.
    """
    network = cut_into_layers(graph, program.dt)
    check_same_layers(program, network)
    shapes = {layer.name: layer.shape for layer in network.layers}
    fitted = program.noise in NOISE_TARGETS
    with warnings.catch_warnings():
        for told in (MergedDecays, MergedThresholds):  # it was said when the Program was made
            warnings.simplefilter("ignore", told)
        return lower_network(
            choose_table_bits(network, table_bits(program)),
            program.chip,
            program.noise,
            program.steps,
            program.input_levels,
            program.dt,
            take_over(program, program.noise, shapes) if fitted else {},
            program.random_source,
        )


def _listed(shapes: dict[str, tuple[int, ...]]) -> str:
    return ", ".join(f"{name} {shape}" for name, shape in shapes.items())
