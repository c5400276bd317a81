"""The engine in torch operations, on any device: all samples of a batch at once."""

from collections.abc import Iterator

import torch

from stochi.hardware.draws import Draws
from stochi.program.layers import INPUT
from stochi.program.network import Network
from stochi.sim.engine.layer_step import LayerState, RunningLayer


def run_torch(
    network: Network, frames: torch.Tensor, draws: Draws
) -> Iterator[dict[str, LayerState]]:
    """Yield every layer's state after each of the Program's time steps.

    Args:
        frames: (1 or time steps, batch, *shape) int32, on the device that computes.
        draws: draws of the batch.
    """
    device, batch = frames.device, frames.shape[1]
    layers = [RunningLayer(network, index, device) for index in range(len(network.layers))]
    states = [layer.resting_state(batch) for layer in layers]
    constant = [layer.constant_sums(frames) for layer in layers]
    longest = max(p.longest_delay for layer in network.layers for p in layer.projections)
    past = {INPUT: frames_by_step(network, frames)}
    past |= {layer.name: {} for layer in network.layers}
    for step in range(network.target.time_steps):
        for index, running in enumerate(layers):
            synaptic = torch.zeros_like(states[index].membrane)
            for number in range(len(running.layer.projections)):
                sums = constant[index].get(number)
                if sums is None:
                    sums = running.sums(number, past, step, batch)
                synaptic += sums
            states[index] = running.step(states[index], synaptic, draws, step)
            sent = past[running.layer.name]
            sent[step] = states[index].spikes
            sent.pop(step - longest - 1, None)
        yield {running.layer.name: state for running, state in zip(layers, states, strict=True)}


def frames_by_step(network: Network, frames: torch.Tensor) -> dict[int, torch.Tensor]:
    """Return the frame of each time step; a single frame is shown at all of them."""
    return {
        step: frames[step if len(frames) > 1 else 0] for step in range(network.target.time_steps)
    }
