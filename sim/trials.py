"""Many trials of the float model or of the chip, and what is kept of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

from stochi.deploy.program import Program
from stochi.sim.float_record import record_float_model
from stochi.sim.hardware_record import membrane_unit
from stochi.sim.membrane_statistics import Grid, MembraneHistogram
from stochi.sim.record import Record
from stochi.sim.run import PROBES, run
from stochi.sim.spike_statistics import SpikeSums


@dataclass(frozen=True)
class Side:
    """Something that runs trials on the same images.

    Attributes:
        run: trial → a Record with spikes and membranes.
        units: layer → the numbers of its membrane that make up 1 in the model's units.
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
    """The float torch model, whose layers have the Program's names; it is shown so many of the
    inputs at a time."""
    return Side(
        lambda trial: record_float_model(model, program, inputs, seed, trial, batch_size),
        {layer.name: 1.0 for layer in program.layers},
    )


def chip_side(program: Program, inputs: torch.Tensor, seed: int) -> Side:
    """The Program on the engine."""
    return Side(
        lambda trial: run(program, inputs, seed=seed, trial=trial, probes=PROBES),
        {layer.name: membrane_unit(layer) for layer in program.layers},
    )


@dataclass
class Trials:
    """What is kept of a side's trials: sums and histograms for each image, and the logits.

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
        """(trials, images) the classes with the largest logits."""
        return self.logits.argmax(2)


def take_trials(side: Side, trials: int, like: Trials | None = None) -> Trials:
    """Run a side's trials 0, 1, … and take them in one by one.

    Memory holds one trial's record, a count for each place and the histograms, whatever the
    number of trials.

    Args:
        trials: at least 1.
        like: trials of the reference, whose grids are used; else the first trial chooses them.
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
