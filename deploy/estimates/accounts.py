"""Energy and time of counted events, in three accounts that stand side by side.

The first has synaptic operations only, as most comparisons do. The second has all events, memory
included. The third is an ANN of the same shape at 8 bits, which runs once. Comparing only the first
with an ANN flatters a spiking network (Yan, Bai, Tang and Wong, "Reconsidering the energy
efficiency of spiking neural networks", arXiv 2409.08290).
"""

from dataclasses import dataclass

from stochi.deploy.estimates.counts import Counts, LayerCounts
from stochi.hardware.energy import DigitalFigures, Figures


@dataclass(frozen=True)
class LayerCost:
    """Cost of a layer's events, over all samples.

    Attributes:
        name: the layer's name.
        synapses, neurons, messages, random_numbers: energies in pJ.
        nanoseconds: time of all its events, one after another.
    """

    name: str
    synapses: float
    neurons: float
    messages: float
    random_numbers: float
    nanoseconds: float

    @property
    def picojoules(self) -> float:
        """Energy of all events in pJ."""
        return self.synapses + self.neurons + self.messages + self.random_numbers


@dataclass(frozen=True)
class Accounts:
    """Energies in nJ and times in µs, for a sample.

    Attributes:
        operations_only: synaptic operations alone.
        synapses: synaptic operations in their formats, dense ones with their zeros.
        neurons: accesses, updates and spikes of neurons.
        messages: messages sent by neurons; hops between tiles are not in it.
        random_numbers: draws.
        serial_time: all events one after another, as on a single core.
        slowest_layer: the largest time of a layer, one event after another: the least time if each
            layer has one core of its own.
        layers: cost of each layer, over all samples.
    """

    operations_only: float
    synapses: float
    neurons: float
    messages: float
    random_numbers: float
    serial_time: float
    slowest_layer: float
    layers: tuple[LayerCost, ...]

    @property
    def all_events(self) -> float:
        """Energy of all events in nJ."""
        return self.synapses + self.neurons + self.messages + self.random_numbers

    @property
    def random_share(self) -> float:
        """Share of the random numbers in the energy of all events."""
        return self.random_numbers / self.all_events if self.all_events else 0.0


@dataclass(frozen=True)
class AnnAccount:
    """Energy of an ANN of the same shape at 8 bits, which runs once for a sample, in nJ.

    Attributes:
        multiply_accumulates: number of them.
        arithmetic: an 8-bit product and a 32-bit sum each.
        memory: a weight and an activation of 8 bits read for each, nothing used twice.
        memory_bytes: size of the memory whose energy is taken.
    """

    multiply_accumulates: int
    arithmetic: float
    memory: float
    memory_bytes: int

    @property
    def total(self) -> float:
        """Energy with memory, in nJ."""
        return self.arithmetic + self.memory


def account_for(counts: Counts, figures: Figures) -> Accounts:
    """Return the energy and time of counted events at published figures."""
    layers = tuple(_layer_cost(layer, figures) for layer in counts.layers)
    from_input = counts.input_messages * figures.axon_in.nanoseconds
    nanoseconds = sum(layer.nanoseconds for layer in layers) + from_input
    only = sum(
        projection.operations * figures.synapses[projection.format].picojoules
        for layer in counts.layers
        for projection in layer.projections
    )
    per = 1000 * counts.samples  # of pJ and ns over all samples
    return Accounts(
        operations_only=only / per,
        synapses=sum(layer.synapses for layer in layers) / per,
        neurons=sum(layer.neurons for layer in layers) / per,
        messages=sum(layer.messages for layer in layers) / per,
        random_numbers=sum(layer.random_numbers for layer in layers) / per,
        serial_time=nanoseconds / per,
        slowest_layer=max(layer.nanoseconds for layer in layers) / per,
        layers=layers,
    )


def account_for_ann(counts: Counts, weights: int, figures: DigitalFigures) -> AnnAccount:
    """Return the energy of an 8-bit ANN of the same shape.

    Args:
        counts: of the spiking network, whose dense operations of one time step the ANN does.
        weights: number of weights that its memory holds, a byte each.
        figures: published energies.
    """
    dense = sum(p.dense for layer in counts.layers for p in layer.projections)
    operations = dense // (counts.samples * counts.time_steps)
    size, byte = figures.byte_read(weights)
    arithmetic = operations * (figures.multiply + figures.add)
    return AnnAccount(operations, arithmetic / 1000, operations * 2 * byte / 1000, size)


def _layer_cost(layer: LayerCounts, figures: Figures) -> LayerCost:
    events = (
        (layer.accesses, figures.access),
        (layer.updates, figures.update),
        (layer.spikes, figures.spike),
    )
    synapses = [(p.processed, figures.synapses[p.format]) for p in layer.projections]
    time = sum(count * cost.nanoseconds for count, cost in (*events, *synapses))
    time += layer.messages * (figures.message_out.nanoseconds + figures.axon_in.nanoseconds)
    time += layer.random_numbers * figures.random_number.nanoseconds
    return LayerCost(
        layer.name,
        synapses=sum(count * cost.picojoules for count, cost in synapses),
        neurons=sum(count * cost.picojoules for count, cost in events),
        messages=layer.messages * figures.message_out.picojoules,
        random_numbers=layer.random_numbers * figures.random_number.picojoules,
        nanoseconds=time,
    )
