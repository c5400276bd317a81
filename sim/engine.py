"""The Program's integers in torch, all samples side by side: the fast twin of the Lava run."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from stochi.deploy.program import (
    INPUT,
    Convolution,
    Dense,
    Flatten,
    Layer,
    Program,
    Stage,
    SumPool,
)
from stochi.hardware.decays import draw_decays
from stochi.hardware.fixed_point import shift
from stochi.hardware.neuron import coupled_step, integrator_step, stock_step
from stochi.hardware.synapses import exact_conv2d, exact_linear, exact_sum_pool2d


@dataclass(frozen=True)
class DrawCoordinates:
    """Which draws: seed and trial, and each row's sample number, (batch,) int64."""

    seed: int
    trial: int
    samples: torch.Tensor


@dataclass(frozen=True)
class LayerState:
    """A layer after a step: spikes (batch, *shape) bool, membrane (batch, *shape) int64."""

    spikes: torch.Tensor
    membrane: torch.Tensor


def run_engine(
    program: Program, frames: torch.Tensor, draws: DrawCoordinates
) -> Iterator[dict[str, LayerState]]:
    """Yield every layer's state after each of the Program's steps.

    Args:
        frames: (1 or steps, batch, *shape) int64 on the device to run on.
    """
    device, batch = frames.device, frames.shape[1]
    layers = [_on_device(layer, device) for layer in program.layers]
    membranes = [
        torch.zeros((batch, *layer.shape), dtype=torch.int64, device=device)
        for layer in program.layers
    ]
    # An image that is shown at every step gives its layers the same sums at every step.
    constant = {
        layer.name: synaptic_input(layer, tensors.weight, frames[0])
        for layer, tensors in zip(program.layers, layers, strict=True)
        if layer.source == INPUT and len(frames) == 1
    }
    for step in range(program.steps):
        arriving = {INPUT: frames[step if len(frames) > 1 else 0]}
        states = {}
        for index, (layer, tensors) in enumerate(zip(program.layers, layers, strict=True)):
            synaptic = constant.get(layer.name)
            if synaptic is None:
                synaptic = synaptic_input(layer, tensors.weight, arriving[layer.source])
            spikes, membranes[index] = _neurons(
                layer, tensors, membranes[index], synaptic, draws, index, step
            )
            arriving[layer.name] = spikes.long()
            states[layer.name] = LayerState(spikes, membranes[index])
        yield states


def synaptic_input(layer: Layer, weight: torch.Tensor, arriving: torch.Tensor) -> torch.Tensor:
    """(batch, …) integers that arrive → (batch, *layer.shape) sums, shifted by the exponent."""
    for stage in layer.stages:
        arriving = _apply(stage, weight, arriving)
    return shift(arriving, layer.weight_exponent)


@dataclass(frozen=True)
class _LayerTensors:
    weight: torch.Tensor
    bias: torch.Tensor
    threshold: torch.Tensor
    decay: torch.Tensor
    neurons: torch.Tensor


def _on_device(layer: Layer, device: torch.device) -> _LayerTensors:
    weighted = next(s for s in layer.stages if isinstance(s, Dense | Convolution))
    count = 1
    for size in layer.shape:
        count *= size

    def long(array: object) -> torch.Tensor:
        return torch.as_tensor(array, dtype=torch.int64).to(device)

    return _LayerTensors(
        weight=long(weighted.weight),
        bias=long(layer.bias()),
        threshold=long(0 if layer.threshold_mantissa is None else layer.threshold_mantissa),
        decay=long(0 if layer.decay is None else layer.decay.values),
        neurons=torch.arange(count, device=device),
    )


def _apply(stage: Stage, weight: torch.Tensor, arriving: torch.Tensor) -> torch.Tensor:
    if isinstance(stage, Dense):
        return exact_linear(arriving, weight)
    if isinstance(stage, Convolution):
        return exact_conv2d(
            arriving, weight, stage.stride, stage.padding, stage.dilation, stage.groups
        )
    if isinstance(stage, SumPool):
        return exact_sum_pool2d(arriving, stage.kernel, stage.stride, stage.padding)
    assert isinstance(stage, Flatten)
    return arriving.flatten(1)


def _neurons(
    layer: Layer,
    tensors: _LayerTensors,
    membrane: torch.Tensor,
    synaptic: torch.Tensor,
    draws: DrawCoordinates,
    index: int,
    step: int,
) -> tuple[torch.Tensor, torch.Tensor]:
    decay = layer.decay
    if decay is None:
        membrane = integrator_step(membrane, synaptic, tensors.bias)
        return torch.zeros_like(membrane, dtype=torch.bool), membrane
    keep = tensors.decay
    if decay.drawn:
        keep = draw_decays(
            keep,
            draws.samples,
            tensors.neurons,
            seed=draws.seed,
            trial=draws.trial,
            layer=index,
            step=step,
            redraw=decay.redraw,
        ).view(membrane.shape)
    neuron_step = coupled_step if decay.programmable else stock_step
    return neuron_step(membrane, synaptic, keep, tensors.bias, tensors.threshold)
