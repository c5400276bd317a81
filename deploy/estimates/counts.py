"""Numbers of events of a run, exact whole numbers over all samples."""

from dataclasses import dataclass


@dataclass(frozen=True)
class ProjectionCounts:
    """Events of a projection.

    Attributes:
        source: name of its source.
        format: format of its synapses, of ``stochi.hardware.energy``.
        graded: whether its source sends graded values, which are multiplied, not only added.
        operations: synaptic operations: values that were not 0, each times the synapses with a
            weight other than 0 that it reached within the sample.
        processed: as ``operations``, with those weights of 0 that the format stores.
        multiplied: whether the weights receive numbers other than 0 and 1: graded values, or sums
            over pooling windows.
        effective: values other than 0 that the weights received, times weights other than 0. It
            differs from ``operations`` where pooling comes before the weights. 0 for one-to-one
            weights, which NeuroBench does not count.
        dense: as ``effective``, if no value and no weight were 0.
    """

    source: str
    format: str
    graded: bool
    operations: int
    processed: int
    multiplied: bool
    effective: int
    dense: int


@dataclass(frozen=True)
class LayerCounts:
    """Events of a layer.

    Attributes:
        name: the layer's name.
        neurons: number of its neurons.
        constant: number of further neurons that spike at every time step and carry its biases, one
            for each block of neurons and constant source.
        has_spikes: whether its neurons have a threshold.
        accesses: neurons that were read, all at every time step.
        updates: of these, neurons that were not at rest. A neuron is at rest if its membrane is 0
            before and after the time step, it does not spike, has no bias and draws nothing.
        spikes: spikes that were sent.
        messages: spikes, each times the destinations of its neuron.
        random_numbers: numbers that were drawn.
        projections: events of its projections.
    """

    name: str
    neurons: int
    constant: int
    has_spikes: bool
    accesses: int
    updates: int
    spikes: int
    messages: int
    random_numbers: int
    projections: tuple[ProjectionCounts, ...]

    @property
    def operations(self) -> int:
        """Synaptic operations of all projections."""
        return sum(projection.operations for projection in self.projections)

    @property
    def accumulates(self) -> int:
        """Synaptic operations of spikes, which only add."""
        return sum(p.operations for p in self.projections if not p.graded)

    @property
    def multiply_accumulates(self) -> int:
        """Synaptic operations of graded values, which multiply and add."""
        return sum(p.operations for p in self.projections if p.graded)


@dataclass(frozen=True)
class Counts:
    """Events of a run.

    Attributes:
        samples: number of samples that were shown.
        time_steps: of a sample.
        input_values: number of an input's values at one time step.
        input_sent: values other than 0 that were sent into the network.
        input_messages: these, times the destinations of each.
        layers: events of the layers, in the Program's order.
    """

    samples: int
    time_steps: int
    input_values: int
    input_sent: int
    input_messages: int
    layers: tuple[LayerCounts, ...]

    def total(self, what: str) -> int:
        """Return a sum over the layers, of a number's name in :class:`LayerCounts`."""
        return sum(getattr(layer, what) for layer in self.layers)
