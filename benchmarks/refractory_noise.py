"""Noise on the refractory delay: after each spike a neuron waits for a random number of steps.

The stock generator can add its noise to the refractory delay (Fugu's ``loihi_backend.py`` names the
exponent and mantissa of that place). A delay is 1 to 63 time steps; a delay of 1 is none, since
nengo-loihi sets ``round(tau_ref / dt) + 1`` (``block.py``). No public source says in which unit the
noise is added, nor what a sum out of range does. Assumed here: whole time steps, cut to the range.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch

from benchmarks.changed_twin import ChangedLayer, ChangedTwin
from stochi.export.model.neuron import State
from stochi.export.model.running import RunningLayer as RunningModelLayer
from stochi.hardware.draws import Draws, LayerDraws
from stochi.hardware.fixed_point import REFRACTORY_MAX, Integers
from stochi.hardware.neuron import NeuronParameters, fire, integrate
from stochi.hardware.noise import draw_generator, generator_value
from stochi.program.layers import INPUT
from stochi.program.program import Program
from stochi.sim.engine.layer_step import LayerState, RunningLayer
from stochi.sim.engine.torch_engine import frames_by_step
from stochi.sim.inputs import check_inputs, to_frames
from stochi.sim.record import Record
from stochi.sim.recording import read_logits
from stochi.train.twin.layer import RunningTwinLayer
from stochi.train.twin.model import Twin


@dataclass(frozen=True)
class Waits:
    """Setting of the noise on the refractory delay of neurons whose own delay is 1.

    Attributes:
        exponent, mantissa: see :func:`stochi.hardware.noise.generator_value`.
    """

    exponent: int
    mantissa: int

    @property
    def mean(self) -> float:
        """Mean number of time steps without integration after a spike."""
        return float(np.mean(self._each))

    @property
    def longest(self) -> int:
        """Largest number of time steps without integration after a spike."""
        return int(np.max(self._each))

    @property
    def _each(self) -> np.ndarray:
        codes = np.arange(2**16)
        values = generator_value(codes >> 8, codes & 0xFF, self.mantissa, self.exponent)
        return values.clip(0, REFRACTORY_MAX - 1)


def draw_waits(samples: Integers, neurons: Integers, draws: LayerDraws, waits: Waits) -> Integers:
    """Draw how long each neuron would wait if it spiked now, (samples, neurons) integers.

    Args:
        samples, neurons, draws: as for :func:`stochi.hardware.noise.random_bytes`; numpy or torch.
        waits: the setting.
    """
    noise = draw_generator(samples, neurons, draws, waits.mantissa, waits.exponent)
    return noise.clip(0, REFRACTORY_MAX - 1)


def run_waiting(
    program: Program, waits: Mapping[str, Waits], inputs: torch.Tensor, draws: Draws
) -> Record:
    """Run a Program whose neurons wait at random after a spike, with all probes.

    Args:
        program: stock neurons without synaptic memory, without noise of their own.
        waits: layer's name → setting.
        inputs: as for ``stochi.sim.run``.
        draws: the draws.
    """
    frames = to_frames(program, check_inputs(program, inputs))
    batch, cpu = frames.shape[1], torch.device("cpu")
    layers = [RunningLayer(program, index, cpu) for index in range(len(program.layers))]
    states = [layer.resting_state(batch) for layer in layers]
    past = {INPUT: frames_by_step(program, frames)} | {layer.name: {} for layer in program.layers}
    read = np.zeros((batch, program.classes), np.int64)
    membranes: dict[str, list[torch.Tensor]] = {layer.name: [] for layer in program.layers}
    for step, factor in enumerate(program.step_factors):
        for index, running in enumerate(layers):
            name = running.layer.name
            first, *others = range(len(running.layer.projections))
            synaptic = running.sums(first, past, step, batch)
            for number in others:
                synaptic = synaptic + running.sums(number, past, step, batch)
            waiting = waits.get(name)
            if waiting is None:
                states[index] = running.step(states[index], synaptic, draws, step)
            else:
                states[index] = _step(running, states[index], synaptic, draws, step, waiting)
            past[name][step] = states[index].spikes
            membranes[name].append(states[index].membrane)
        output = states[program.index(program.output)]
        values = output.spikes if program.readout == "spikes" else output.membrane
        read += factor * values.flatten(1).numpy()
    spikes = {
        layer.name: torch.stack(list(past[layer.name].values()))
        for layer in program.layers
        if layer.spikes
    }
    stacked = {name: torch.stack(steps) for name, steps in membranes.items()}
    return Record(read_logits(program, read), spikes, stacked)


def _step(
    running: RunningLayer,
    state: LayerState,
    synaptic: torch.Tensor,
    draws: Draws,
    step: int,
    waits: Waits,
) -> LayerState:
    layer = running.layer
    samples, neurons = draws.samples(len(synaptic)), torch.arange(layer.neurons)
    drawn = draw_waits(samples, neurons, draws.at(running.index, step), waits)
    drawn = drawn.view(synaptic.shape).int()
    keep, threshold = (
        torch.as_tensor(values, dtype=torch.int32)
        for values in (layer.decay.values, layer.threshold_mantissa)
    )
    after = integrate(
        state.neurons, synaptic, NeuronParameters(keep, 0, running.bias, threshold), layer.kind
    )
    spikes, after = fire(
        after._replace(current=0), threshold, layer.kind._replace(refractory=drawn)
    )
    return replace(state, spikes=spikes, neurons=after)


def waiting_twin(twin: Twin, waits: Mapping[str, Waits]) -> Twin:
    """Return the twin of a Program whose neurons wait at random, as :func:`run_waiting` runs it.

    Args:
        twin: twin of the Program, new; parameters and draws are shared.
        waits: layer's name → setting.
    """
    for name in waits:
        twin.layers[name].fuses = False  # which is for neurons that never wait

    def change(name: str, layer: RunningTwinLayer) -> RunningModelLayer:
        return _WaitingLayer(layer, waits[name]) if name in waits else layer

    return ChangedTwin(twin, change)


class _WaitingLayer(ChangedLayer):
    def __init__(self, layer: RunningTwinLayer, waits: Waits) -> None:
        super().__init__(layer)
        self.waits = waits

    def advance(self, current: torch.Tensor, state: State, step: int) -> tuple[torch.Tensor, State]:
        moves, shape = self.inner.layer.step, state.membrane.shape
        draws, neurons = moves.now.draws, torch.arange(state.membrane[0].numel())
        drawn = draw_waits(
            draws.samples(shape[0]), neurons, draws.at(moves.layer, step), self.waits
        )
        if state.waiting is None:
            state = state._replace(waiting=torch.zeros_like(state.membrane))
        moves = replace(moves, kind=moves.kind._replace(refractory=drawn.view(shape)))
        assert self.neuron is not None
        return moves.advance(current, state, step, self.neuron, self.inner.numbers.step)
