"""The Program's integers in torch operations, on any device: all samples of a batch at once."""

from collections.abc import Iterator

import torch

from stochi.deploy.program import CONSTANT, INPUT, Layer, Program, Synapses
from stochi.sim.layer_step import (
    DrawCoordinates,
    LayerState,
    LayerTensors,
    delayed,
    resting_state,
    step_neurons,
    synaptic_sums,
    to_tensors,
)

Past = dict[str, dict[int, torch.Tensor]]


def run_torch(
    program: Program, frames: torch.Tensor, draws: DrawCoordinates
) -> Iterator[dict[str, LayerState]]:
    """Yield every layer's state after each of the Program's steps.

    Args:
        frames: (1 or steps, batch, *shape) int32 on the device to run on.
    """
    device, batch = frames.device, frames.shape[1]
    layers = [to_tensors(program, layer, device) for layer in program.layers]
    states = [resting_state(layer, batch, device) for layer in program.layers]
    constant = constant_sums(program, layers, frames)
    longest = max(s.longest_delay for layer in program.layers for s in layer.synapses)
    past: Past = {INPUT: frames_by_step(program, frames)}
    past |= {layer.name: {} for layer in program.layers}
    for step in range(program.steps):
        for index, (layer, tensors) in enumerate(zip(program.layers, layers, strict=True)):
            synaptic = torch.zeros_like(states[index].membrane)
            for number, synapses in enumerate(layer.synapses):
                sums = constant.get((index, number))
                if sums is None:
                    sums = sums_at(program, layer, synapses, tensors, number, past, step, batch)
                synaptic += sums
            states[index] = step_neurons(
                layer, tensors, states[index], synaptic, draws, index, step
            )
            past[layer.name][step] = states[index].spikes
            past[layer.name].pop(step - longest - 1, None)
        yield {layer.name: state for layer, state in zip(program.layers, states, strict=True)}


def sums_at(
    program: Program,
    layer: Layer,
    synapses: Synapses,
    tensors: LayerTensors,
    number: int,
    past: Past,
    step: int,
    batch: int,
) -> torch.Tensor:
    """One set of synapses' shifted sums at a step, (batch, *layer.shape) int32."""
    shape = program.source_shape(synapses, layer)
    resting = torch.zeros((batch, *shape), dtype=torch.int32, device=tensors.bias.device)
    arriving = delayed(past[synapses.source], step, tensors.delays[number], resting)
    return synaptic_sums(synapses, tensors.weights[number], arriving)


def frames_by_step(program: Program, frames: torch.Tensor) -> dict[int, torch.Tensor]:
    """What is shown at each step; one frame is shown at all of them."""
    return {step: frames[step if len(frames) > 1 else 0] for step in range(program.steps)}


def constant_sums(
    program: Program, layers: list[LayerTensors], frames: torch.Tensor
) -> dict[tuple[int, int], torch.Tensor]:
    """Sums that are the same at every step, by layer's and synapses' number: an image's, undelayed,
    and those of the constant source."""
    found = {}
    for index, (layer, tensors) in enumerate(zip(program.layers, layers, strict=True)):
        for number, synapses in enumerate(layer.synapses):
            if synapses.source == CONSTANT:
                arriving = torch.ones((1, *layer.shape), dtype=torch.int32, device=frames.device)
            elif synapses.source == INPUT and len(frames) == 1 and synapses.longest_delay == 0:
                arriving = frames[0]
            else:
                continue
            found[index, number] = synaptic_sums(synapses, tensors.weights[number], arriving)
    return found
