"""How many bits the tables have from which a network's neurons draw their decays."""

from collections.abc import Mapping
from dataclasses import replace

from stochi.deploy.program import Program
from stochi.deploy.real_layers import RealNetwork
from stochi.errors import InputError
from stochi.hardware.decays import check_bits

TableBits = int | Mapping[str, int] | None
"""One number for all layers, one for each by its name, or None: as the graph notes, else 8."""


def check_table_bits(noise: str, bits: TableBits) -> None:
    """Raise InputError where bits are out of [1, 8], or the noise draws no decays from a table."""
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
    """The network whose drawn decays come from tables of so many bits, 1 to 8.

    Raises:
        InputError: a layer that bits are given for draws no decays, or none does.
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
    """The bits of a Program's tables by layer; None where it draws no decays."""
    found = {
        layer.name: len(layer.decay.values).bit_length() - 1
        for layer in program.layers
        if layer.decay.drawn
    }
    return found or None
