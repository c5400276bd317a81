"""What a Program costs on data: counted events, energy and time at published figures."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from stochi.arguments import check_argument, check_arguments
from stochi.data.batches import Data
from stochi.deploy.estimates.accounts import Accounts, AnnAccount, account_for, account_for_ann
from stochi.deploy.estimates.counting import count_events
from stochi.deploy.estimates.counts import Counts
from stochi.deploy.estimates.destinations import Destinations, Placement, choose_placement
from stochi.deploy.estimates.metrics import Metrics, measure, number_of_weights
from stochi.deploy.mapping.results import Mapping as CoreMapping
from stochi.hardware.chips import CHIPS
from stochi.hardware.energy import (
    DIGITAL_45NM,
    FIGURES,
    LOIHI1_FIGURES,
    Figures,
    find_figures,
)
from stochi.program.program import Program
from stochi.sim.inputs import Given
from stochi.sim.recording import Progress, ignore_progress


@dataclass(frozen=True)
class CostEstimate:
    """What a Program did on data, and what that costs.

    Attributes:
        chip: the Program's chip.
        counts: exact numbers of events.
        messages_by: what messages are counted by: "mapping" to cores, "fewest" if the Program
            cannot be mapped (each layer on one core), or "given" destinations.
        mapping: the cores by which messages are counted, or None.
        metrics: under NeuroBench's names.
        figures: the published figures of the accounts, or None.
        accounts: energy and time at these figures; None if there are none for the chip.
        random_energy: energy of the random numbers of a sample in nJ, at Loihi 1's figure, the only
            one that is published.
        ann: the same shape as an 8-bit ANN.
        notes: what the numbers assume, and what they leave out.
    """

    chip: str
    counts: Counts
    messages_by: str
    mapping: CoreMapping | None
    metrics: Metrics
    figures: Figures | None
    accounts: Accounts | None
    random_energy: float
    ann: AnnAccount
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain values."""
        accounts = None
        if self.accounts is not None:
            derived = ("all_events", "random_share")
            accounts = asdict(self.accounts) | {n: getattr(self.accounts, n) for n in derived}
        return {
            "chip": self.chip,
            "counts": asdict(self.counts),
            "messages_by": self.messages_by,
            "metrics": self.metrics.named(),
            "figures": None if self.figures is None else asdict(self.figures),
            "accounts": accounts,
            "random_energy": self.random_energy,
            "ann": {**asdict(self.ann), "total": self.ann.total},
            "notes": list(self.notes),
        }


def estimate(
    program: Program,
    data: Given | Data,
    *,
    figures: str | None = None,
    destinations: Destinations | None = None,
    seed: int = 0,
    trial: int = 0,
    progress: Progress = ignore_progress,
) -> CostEstimate:
    """Count what a Program does on data, and estimate its energy and time.

    Args:
        program: from ``stochi.deploy.lower``.
        data: inputs as for ``stochi.sim.run``, or labelled data as for ``check_parity``; read and
            run in batches.
        figures: chip whose published figures apply, "loihi1". By default those of the Program's
            chip, so that a Program for Loihi 2 has no energy: none is published.
        destinations: source, ``"input"`` or a layer's name → number of messages that each of its
            spikes takes, or an array of them by neuron. By default one for each output axon in the
            mapping to the Program's chip (:func:`stochi.deploy.map_cores`); if it cannot be
            mapped, the number of layers that the neuron reaches, the fewest of any placement.
        seed, trial: as for ``stochi.sim.run``.
        progress: function that is called with (done, total) samples after every batch.

    Raises:
        InputError: an argument is out of range, there are no figures of that chip, the data do not
            fit the Program, or there is no sample.
    """
    check_arguments(estimate, locals(), besides=("data", "destinations"))
    check_argument("destinations", destinations, Mapping[str, object] | None)
    chosen = FIGURES.get(program.target.chip) if figures is None else find_figures(figures)
    placement = choose_placement(program, destinations)
    counts = count_events(
        program, data, placement=placement, seed=seed, trial=trial, progress=progress
    )
    numbers = counts.total("random_numbers") / counts.samples
    return CostEstimate(
        program.target.chip,
        counts,
        placement.kind,
        placement.mapping,
        measure(program, counts),
        chosen,
        None if chosen is None else account_for(counts, chosen),
        numbers * LOIHI1_FIGURES.random_number.picojoules / 1000,
        account_for_ann(counts, number_of_weights(program), DIGITAL_45NM),
        _notes(program, chosen, placement),
    )


def _notes(program: Program, figures: Figures | None, placement: Placement) -> tuple[str, ...]:
    """Return what an estimate assumes and leaves out, a sentence each."""
    chip = program.target.chip
    notes = [f"messages: {placement.words}"]
    twice = sum(layer.compartments(CHIPS[chip]) - layer.neurons for layer in program.layers)
    if twice:
        notes.append(
            f"{twice:,} neurons that reset by subtraction take a second one each on {chip}; events"
            " of the second ones are left out"
        )
    if figures is None:
        notes.append(f"no energy or time is published for {chip}, and none is scaled from another")
    else:
        notes.append(f"figures of {figures.title}, {figures.process}: {figures.source}")
        notes.append("left out: hops between tiles, leakage, the barrier at a time step, the host")
        if figures.chip != chip:
            notes.append(_foreign(program, figures))
    if program.is_random:
        notes.append(
            f"random numbers: {LOIHI1_FIGURES.random_number.picojoules:g} pJ each, Loihi 1's"
            " figure; their time is not published"
        )
    ann = DIGITAL_45NM
    notes.append(
        f"the ANN's figures are of {ann.process}: {ann.source}; no other network, accuracy or"
        " process is scaled to them"
    )
    return tuple(notes)


def _foreign(program: Program, figures: Figures) -> str:
    """Return what is wrong with another chip's figures for a Program."""
    lacks = []
    if not program.target.events:
        lacks.append("graded inputs, counted as its synaptic operations")
    if any(layer.decay.programmable or layer.resets_in_microcode for layer in program.layers):
        lacks.append("programmable neurons, counted as its stock ones")
    also = f"; it has no {', and no '.join(lacks)}" if lacks else ""
    return f"a reference, not an estimate of {program.target.chip}: {figures.title}'s figures{also}"
