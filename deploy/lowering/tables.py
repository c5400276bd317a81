"""The tables from which neurons draw their decays."""

from collections.abc import Mapping
from dataclasses import replace

from stochi.deploy.graph.layers import RealNetwork
from stochi.errors import InputError
from stochi.hardware.decays import TableError, check_bits, table_error
from stochi.program.program import Program

TableBits = int | Mapping[str, int] | None
"""Bits for all layers, bits by the layer's name, or None for those in the graph, else 8."""


def check_table_bits(noise: str, bits: TableBits) -> None:
    """Raise InputError if bits are out of [1, 8], or if the noise does not draw from tables."""
    if bits is None:
        return
    for number in bits.values() if isinstance(bits, Mapping) else [bits]:
        check_bits(number)
    if noise != "decay":
        raise InputError(
            f"bits is {bits}, but noise {noise!r} draws no decays from a table; leave bits out, or"
            " choose noise='decay'"
        )


def choose_table_bits(network: RealNetwork, bits: TableBits) -> RealNetwork:
    """Choose the bits, 1 to 8, of the tables that a network draws its decays from.

    Raises:
        InputError: bits are given for a layer that does not draw its decays, or no layer does.
    """
    if bits is None:
        return network
    random = {
        layer.name: layer.neuron.random
        for layer in network.layers
        if layer.neuron is not None and layer.neuron.random is not None
    }
    chosen = bits if isinstance(bits, Mapping) else dict.fromkeys(random, bits)
    foreign = [name for name in chosen if name not in random]
    if foreign or not random:
        raise InputError(
            f"bits is {bits}, but {', '.join(map(repr, foreign)) or 'this graph'} has no neurons"
            " that draw their decays; leave those bits out"
        )
    layers = []
    for layer in network.layers:
        if layer.name in chosen:
            assert layer.neuron is not None
            noted = replace(random[layer.name], bits=chosen[layer.name])
            layer = replace(layer, neuron=replace(layer.neuron, random=noted))
        layers.append(layer)
    return replace(network, layers=tuple(layers))


def table_bits(program: Program) -> dict[str, int] | None:
    """Return the bits of a Program's tables by layer; None if it does not draw decays."""
    found = {
        layer.name: len(layer.decay.values).bit_length() - 1
        for layer in program.layers
        if layer.decay.drawn
    }
    return found or None


def decay_table_errors(network: RealNetwork, program: Program) -> dict[str, TableError]:
    """Return the error of every decay table, by the layer's name.

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
