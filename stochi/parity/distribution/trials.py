"""Sums and histograms of many trials of the float model or of the chip."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch

from stochi.export.model.model import GraphModel
from stochi.hardware.draws import Draws
from stochi.parity.distribution.membranes import Grid, MembraneHistogram
from stochi.parity.distribution.spikes import SpikeSums
from stochi.parity.records.float_model import record_float_model
from stochi.program.program import Program
from stochi.sim.backends import run
from stochi.sim.inputs import InOrder
from stochi.sim.record import Record
from stochi.sim.recording import PROBES


@dataclass(frozen=True)
class Side:
    """A side of the comparison, which runs trials on the same images.

    Attributes:
        run: trial → a Record with spikes and membranes.
        units: layer → numbers of its membrane per unit of the model's membrane.
    """

    run: Callable[[int], Record]
    units: Mapping[str, float]


def float_side(
    model: GraphModel, program: Program, inputs: torch.Tensor, seed: int, first_sample: int = 0
) -> Side:
    """Return the float model's graph as a side; it has the Program's layer names."""
    return Side(
        lambda trial: record_float_model(model, program, inputs, Draws(seed, trial, first_sample)),
        {layer.name: 1.0 for layer in program.layers},
    )


def chip_side(
    program: Program,
    inputs: torch.Tensor,
    seed: int,
    first_sample: int = 0,
    device: str | torch.device = "cpu",
) -> Side:
    """Return the Program on the engine as a side."""
    return Side(
        lambda trial: run(
            program,
            InOrder(inputs),
            seed=seed,
            trial=trial,
            probes=PROBES,
            first_sample=first_sample,
            device=device,
        ),
        {layer.name: layer.membrane_unit for layer in program.layers},
    )


@dataclass
class Trials:
    """A side's trials, as sums and histograms for each image, and the logits.

    Attributes:
        grids: layer → the grid of its membranes.
        logits: (trials, images, classes).
    """

    trials: int
    grids: dict[str, Grid]
    spikes: dict[str, SpikeSums] = field(default_factory=dict)
    membranes: dict[str, MembraneHistogram] = field(default_factory=dict)
    logits: np.ndarray = field(default_factory=lambda: np.zeros((0, 0, 0)))

    @property
    def predictions(self) -> np.ndarray:
        """Classes with the largest logits, (trials, images)."""
        return self.logits.argmax(2)


def take_trials(
    side: Side,
    trials: int,
    like: Trials | None = None,
    after: Callable[[], None] = lambda: None,
) -> Trials:
    """Run a side's trials 0, 1, … and sum them up one by one.

    Memory holds one trial's record, a count for each place and the histograms, whatever the
    number of trials.

    Args:
        trials: at least 1.
        like: trials of the reference, whose grids are used; by default the first trial chooses.
        after: called after each trial.
    """
    taken = Trials(trials, dict(like.grids) if like else {})
    logits = []
    for trial in range(trials):
        record = side.run(trial)
        logits.append(record.logits.numpy())
        for name, spikes in record.spikes.items():
            taken.spikes.setdefault(name, SpikeSums()).add(spikes.flatten(2).numpy())
        for name, membrane in record.membrane.items():
            values, unit = membrane.flatten(2).numpy(), side.units[name]
            if name not in taken.grids:
                taken.grids[name] = Grid.around(values / unit)
            if name not in taken.membranes:
                taken.membranes[name] = MembraneHistogram(taken.grids[name], values.shape[1])
            taken.membranes[name].add(values, unit, trial)
        after()
    taken.logits = np.stack(logits)
    return taken
