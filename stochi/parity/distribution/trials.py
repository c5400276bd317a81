"""Sums and histograms of many trials of the float model or of the chip."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

from stochi.hardware.draws import Draws
from stochi.parity.distribution.membranes import Grid, MembraneHistogram
from stochi.parity.distribution.spikes import SpikeSums
from stochi.parity.records.float_model import record_float_model
from stochi.program.program import Program
from stochi.sim.backends import run
from stochi.sim.record import Record
from stochi.sim.recording import PROBES
from stochi.train.twin.model import answering_model_of


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
    model: nn.Module,
    program: Program,
    inputs: torch.Tensor,
    seed: int,
    batch_size: int | None = None,
) -> Side:
    """The float model, shown ``batch_size`` inputs at a time; it has the Program's layer names."""
    in_graph = answering_model_of(model, inputs[:1], program)
    return Side(
        lambda trial: record_float_model(in_graph, program, inputs, Draws(seed, trial), batch_size),
        {layer.name: 1.0 for layer in program.layers},
    )


def chip_side(program: Program, inputs: torch.Tensor, seed: int) -> Side:
    """The Program on the engine."""
    return Side(
        lambda trial: run(program, inputs, seed=seed, trial=trial, probes=PROBES),
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


def take_trials(side: Side, trials: int, like: Trials | None = None) -> Trials:
    """Run a side's trials 0, 1, … and sum them up one by one.

    Memory holds one trial's record, a count for each place and the histograms, whatever the
    number of trials.

    Args:
        trials: at least 1.
        like: trials of the reference, whose grids are used; by default the first trial chooses.
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
    taken.logits = np.stack(logits)
    return taken
