"""Spikes of one layer of a Program, counted over trials: of all layers, or of that layer alone."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch

from stochi.hardware.draws import Draws
from stochi.program.layers import CONSTANT, INPUT, Layer, Projection
from stochi.program.program import Program
from stochi.sim.backends import run
from stochi.sim.engine.compiled.single_layer import count_spikes
from stochi.sim.engine.layer_step import RunningLayer
from stochi.sim.engine.threads import in_threads, one_torch_thread
from stochi.sim.engine.torch_engine import frames_by_step
from stochi.sim.inputs import InOrder, check_inputs, to_frames

TRIALS = 4
MOST_SUMS = 2**27
"""Largest number of a layer's sums that are kept, over trials, samples and time steps."""


def observe(program: Program, name: str, data: torch.Tensor, seed: int) -> torch.Tensor:
    """Count a layer's spikes over the time steps of each sample, (trials, images, *shape) int32."""
    part, shown = up_to(program, name), InOrder(data)
    return torch.stack(
        [
            run(part, shown, seed=seed, trial=trial, probes=("spikes",)).spikes[name].sum(0).int()
            for trial in range(TRIALS)
        ]
    )


def observer(
    program: Program, name: str, data: torch.Tensor, seed: int
) -> Callable[[Program], torch.Tensor]:
    """Return a function that does what :func:`observe` does, for Programs that differ in one layer.

    Spikes of the layers before it are computed once, and so are the layer's sums, as long as its
    weights stay the same. If the layer feeds back to them, or to itself, or its sums take too much
    memory, each Program is run whole.

    Args:
        program: one of the Programs.
        name: the layer in which they differ.
        data, seed: as for :func:`observe`.
    """
    part = up_to(program, name)
    neurons = part.layer(name).neurons
    values = TRIALS * check_inputs(part, data).shape[1] * part.target.time_steps * neurons
    sources = {p.source for layer in part.layers for p in layer.projections}
    if part.layers[-1].name != name or name in sources or values > MOST_SUMS:
        return lambda other: observe(other, name, data, seed)
    return _LayerAlone(part, name, data, seed).count


def up_to(program: Program, name: str) -> Program:
    """Cut a Program after a layer, and read that layer; keep all layers if later ones feed back."""
    if (program.output, program.readout, program.layers[-1].name) == (name, "spikes", name):
        return program
    layers = program.layers[: program.index(name) + 1]
    known = {layer.name for layer in layers}
    later = {layer.name for layer in program.layers} - known
    if any(projection.source in later for layer in layers for projection in layer.projections):
        layers = program.layers
    return replace(program, layers=layers, output=name, readout="spikes")


class _LayerAlone:
    """The last layer of a Program, on what the layers before it sent in each trial.

    Args:
        program: the Program, which ends with the layer.
        name, data, seed: as for :func:`observe`.
    """

    def __init__(self, program: Program, name: str, data: torch.Tensor, seed: int) -> None:
        self.name, self.seed = name, seed
        self.past = _past(program, data, seed)
        self.samples = check_inputs(program, data).shape[1]
        self.known: tuple[Layer, np.ndarray] | None = None

    def count(self, program: Program) -> torch.Tensor:
        """Count the spikes of another Program's layer, (trials, images, *shape) int32."""
        layer, index = program.layer(self.name), program.index(self.name)
        source = program.target.random_source
        with one_torch_thread() as threads:
            sums = self._sums(program, index)

            def count_in(trial: int) -> np.ndarray:
                rows = slice(trial * self.samples, (trial + 1) * self.samples)
                draws = Draws(self.seed, trial, source=source)
                return count_spikes(layer, index, sums[:, rows], draws)

            found = np.stack(list(in_threads(count_in, range(TRIALS), threads)))
        return torch.from_numpy(found).unflatten(2, layer.shape)

    def _sums(self, program: Program, index: int) -> np.ndarray:
        """Return the layer's sums, (time steps, trials · images, neurons) int32."""
        layer = program.layers[index]
        if self.known is None or not _have_same_sums(layer, self.known[0]):
            running = RunningLayer(program, index, torch.device("cpu"))
            batch, constant = TRIALS * self.samples, running.constant_sums()
            found = [
                sum(
                    (
                        constant[number].expand(batch, *layer.shape)
                        if projection.source == CONSTANT
                        else running.sums(number, self.past, step, batch)
                        for number, projection in enumerate(layer.projections)
                    ),
                    torch.zeros((batch, *layer.shape), dtype=torch.int32),
                )
                for step in range(program.target.time_steps)
            ]
            self.known = layer, torch.stack(found).flatten(2).numpy()
        return self.known[1]


def _past(program: Program, data: torch.Tensor, seed: int) -> dict[str, dict[int, torch.Tensor]]:
    """Return what a Program's input and layers send at each time step, all trials in a row."""
    shown = InOrder(data)
    trials = [
        run(program, shown, seed=seed, trial=trial, probes=("spikes",)).spikes
        for trial in range(TRIALS)
    ]
    steps = range(program.target.time_steps)
    past = {
        name: {step: torch.cat([trial[name][step] for trial in trials]) for step in steps}
        for name in (layer.name for layer in program.layers[:-1])
    }
    frames = frames_by_step(program, to_frames(program, check_inputs(program, data)))
    past[INPUT] = {step: torch.cat([frame] * TRIALS) for step, frame in frames.items()}
    return past


def _have_same_sums(layer: Layer, other: Layer) -> bool:
    """Return whether two forms of a layer have the same sums of the same spikes."""
    return all(map(_is_same, layer.projections, other.projections))


def _is_same(projection: Projection, other: Projection) -> bool:
    exponents = projection.weight_exponent == other.weight_exponent
    return exponents and np.array_equal(projection.weight, other.weight)
