"""What a sample costs on the chip: its cores, its events by layer, and their energy."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from stochi.data.samples import Samples
from stochi.deploy.estimates.accounts import Accounts
from stochi.deploy.estimates.counts import LayerCounts
from stochi.deploy.estimates.estimation import CostEstimate, estimate
from stochi.deploy.estimates.fan_out import count_fan_out
from stochi.errors import StochiError
from stochi.hardware.energy import FIGURES, LOIHI1_FIGURES, Figures
from stochi.parity.bounds import Count, NotNegative
from stochi.plain_text import escape_text
from stochi.program.layers import CONSTANT
from stochi.program.program import Program


@dataclass(frozen=True)
class CoresTaken:
    """Cores that a Program takes.

    Attributes:
        taken: number of cores in use, on all chips.
        chips: number of chips.
        of_chip: number of cores that a chip has.
        unchecked: what of the chip's cores has limits of which nothing public is known.
    """

    taken: Count
    chips: Count
    of_chip: Count
    unchecked: tuple[str, ...]


@dataclass(frozen=True)
class LayerCosts:
    """What a layer takes, and its events of a sample, on average.

    Attributes:
        layer: its name.
        cores: number of cores that hold neurons of it; None if the Program is on no cores.
        neurons: number of its neurons, with those that carry biases.
        synapses: number of its connections with weights other than 0.
        spikes: spikes that it sends.
        operations: synaptic operations: what arrives, times the synapses that it reaches.
        updates: neurons that compute, over all time steps.
        random_numbers: numbers that are drawn.
    """

    layer: str
    cores: Count | None
    neurons: Count
    synapses: Count
    spikes: NotNegative
    operations: NotNegative
    updates: NotNegative
    random_numbers: NotNegative


@dataclass(frozen=True)
class Energy:
    """Energies in nJ and times in µs of a sample, at published figures.

    Attributes:
        title, process: the chip whose figures these are, and its manufacturing process.
        reference: whether the Program is for another chip, of which nothing is published.
        operations_only: synaptic operations alone.
        all_events: sum of the following four.
        synapses, neurons, messages, random_numbers: energies of these.
        serial_time: all events, one after another.
        slowest_layer: the largest time of a layer, one event after another.
    """

    title: str
    process: str
    reference: bool
    operations_only: NotNegative
    all_events: NotNegative
    synapses: NotNegative
    neurons: NotNegative
    messages: NotNegative
    random_numbers: NotNegative
    serial_time: NotNegative
    slowest_layer: NotNegative


@dataclass(frozen=True)
class AnnEnergy:
    """Energy in nJ of an 8-bit ANN of the same shape, which runs once for a sample.

    Attributes:
        operations: number of multiply-accumulates.
        arithmetic: their energy.
        with_memory: the same, and 2 bytes read for each.
    """

    operations: Count
    arithmetic: NotNegative
    with_memory: NotNegative


@dataclass(frozen=True)
class Costs:
    """What a sample costs on the chip, as :func:`stochi.deploy.estimate` counts it.

    Attributes:
        chip: the Program's chip.
        samples, seed: the first samples that were compared exactly, and the seed of their draws;
            the trial is 0.
        input_sent: values other than 0 that a sample sends into the network, on average.
        layers: in the network's order.
        cores: None if the Program is on no cores; the notes say why.
        energy: None if there is no estimate.
        ann: None if there is no estimate.
        notes: what the numbers assume and leave out, and their sources; or why there are none.
    """

    chip: str
    samples: Count
    seed: int
    input_sent: NotNegative
    layers: tuple[LayerCosts, ...]
    cores: CoresTaken | None
    energy: Energy | None
    ann: AnnEnergy | None
    notes: tuple[str, ...]

    @property
    def spikes(self) -> float:
        """Spikes of a sample in all layers."""
        return sum(layer.spikes for layer in self.layers)

    @property
    def operations(self) -> float:
        """Synaptic operations of a sample in all layers."""
        return sum(layer.operations for layer in self.layers)


def find_costs(program: Program, samples: Samples, seed: int) -> Costs:
    """Estimate what samples cost on the chip; a Program without an estimate has the reason.

    Energies are at the chip's own published figures, or at those of Loihi 1, as a reference.
    """
    chip = program.target.chip
    figures = FIGURES.get(chip, LOIHI1_FIGURES)
    try:
        shown = samples.to(torch.device("cpu"))
        found = estimate(program, shown, figures=figures.chip, seed=seed)
    except StochiError as error:
        why = (f"no estimate: {escape_text(str(error))}",)
        return Costs(chip, len(samples), seed, 0.0, (), None, None, None, why)
    counts, ann = found.counts, found.ann
    return Costs(
        chip=chip,
        samples=counts.samples,
        seed=seed,
        input_sent=counts.input_sent / counts.samples,
        layers=tuple(_layers(program, found)),
        cores=_cores(found),
        energy=None if found.accounts is None else _energy(found.accounts, figures, chip),
        ann=AnnEnergy(ann.multiply_accumulates, ann.arithmetic, ann.total),
        notes=found.notes,
    )


def _layers(program: Program, found: CostEstimate) -> Iterator[LayerCosts]:
    for layer in found.counts.layers:
        cores = None if found.mapping is None else len(found.mapping.cores_of(layer.name))
        yield _layer(program, layer, cores, found.counts.samples)


def _layer(program: Program, counts: LayerCounts, cores: int | None, samples: int) -> LayerCosts:
    layer = program.layer(counts.name)
    synapses = 0
    for projection in layer.projections:
        if projection.source != CONSTANT:
            shape = program.source_shape(projection, layer)
            synapses += int(count_fan_out(projection.stages, shape).sum())
    return LayerCosts(
        layer=counts.name,
        cores=cores,
        neurons=counts.neurons + counts.constant,
        synapses=synapses,
        spikes=counts.spikes / samples,
        operations=counts.operations / samples,
        updates=counts.updates / samples,
        random_numbers=counts.random_numbers / samples,
    )


def _cores(found: CostEstimate) -> CoresTaken | None:
    mapping = found.mapping
    if mapping is None:
        return None
    return CoresTaken(len(mapping.cores), mapping.chips, mapping.limits.cores, mapping.unknown)


def _energy(accounts: Accounts, figures: Figures, chip: str) -> Energy:
    return Energy(
        title=figures.title,
        process=figures.process,
        reference=figures.chip != chip,
        operations_only=accounts.operations_only,
        all_events=accounts.all_events,
        synapses=accounts.synapses,
        neurons=accounts.neurons,
        messages=accounts.messages,
        random_numbers=accounts.random_numbers,
        serial_time=accounts.serial_time,
        slowest_layer=accounts.slowest_layer,
    )
