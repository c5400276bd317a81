"""One step of a Program's layer in torch: synapses sum, neurons integrate and fire.

Pure functions on explicit state. The engine runs them where loops are not compiled (on a GPU), the
Lava processes for their part of the batch; the compiled engine takes its constant sums from here.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch

from stochi.deploy.program import (
    Convolution,
    Dense,
    Flatten,
    Layer,
    OneToOne,
    Program,
    Stage,
    SumPool,
    Synapses,
)
from stochi.hardware.decays import draw_decays
from stochi.hardware.fixed_point import shift
from stochi.hardware.neuron import NeuronState, fire, integrate
from stochi.hardware.noise import draw_generator
from stochi.hardware.synapses import (
    exact_conv2d,
    exact_linear,
    exact_sum_pool2d,
    exact_weight,
)


@dataclass(frozen=True)
class DrawCoordinates:
    """Which draws: seed and trial, each row's sample number, (batch,) int64, and the Program's
    random source."""

    seed: int
    trial: int
    samples: torch.Tensor
    source: str

    def of(self, neurons: torch.Tensor, layer: int, step: int) -> dict[str, Any]:
        """The arguments of ``stochi.hardware.noise`` for a layer's draws in a step."""
        return {
            "samples": self.samples,
            "neurons": neurons,
            "seed": self.seed,
            "trial": self.trial,
            "layer": layer,
            "step": step,
            "source": self.source,
        }


@dataclass(frozen=True)
class LayerState:
    """A layer after a step: spikes (batch, *shape) bool, and what its neurons remember."""

    spikes: torch.Tensor
    neurons: NeuronState

    @property
    def membrane(self) -> torch.Tensor:
        """(batch, *shape) int32."""
        return self.neurons.membrane


@dataclass(frozen=True)
class LayerTensors:
    """A layer's numbers on a device, int32; ``weights`` and ``delays`` one for each synapses, the
    weights in floats whose sums are exact."""

    weights: tuple[torch.Tensor, ...]
    delays: tuple[torch.Tensor, ...]
    bias: torch.Tensor
    threshold: torch.Tensor
    keep: torch.Tensor
    current_keep: torch.Tensor | int
    neurons: torch.Tensor


def to_tensors(
    program: Program,
    layer: Layer,
    device: torch.device,
    wanted: Callable[[Synapses], bool] = lambda synapses: True,
) -> LayerTensors:
    """Put a layer's numbers on a device; weights only of the synapses that are ``wanted``."""

    def integers(array: object) -> torch.Tensor:
        return torch.as_tensor(array, dtype=torch.int32).to(device)

    def weight(synapses: Synapses) -> torch.Tensor:
        stages = synapses.stages
        if not wanted(synapses):
            return torch.zeros(0)
        if any(isinstance(stage, OneToOne) for stage in stages):
            return integers(synapses.weight)
        pooled = math.prod(math.prod(s.kernel) for s in stages if isinstance(s, SumPool))
        largest = program.largest_value(synapses.source) * pooled
        weights = torch.from_numpy(synapses.weight).to(device)
        return exact_weight(weights, largest, synapses.partial_sum_bound)

    return LayerTensors(
        weights=tuple(weight(synapses) for synapses in layer.synapses),
        delays=tuple(integers(synapses.delay) for synapses in layer.synapses),
        bias=integers(layer.bias()),
        threshold=integers(0 if layer.threshold_mantissa is None else layer.threshold_mantissa),
        keep=integers(layer.decay.values),
        current_keep=0 if layer.current_keep is None else integers(layer.current_keep),
        neurons=torch.arange(layer.neurons, device=device),
    )


def resting_state(layer: Layer, batch: int, device: torch.device) -> LayerState:
    """All zeros."""
    zeros = torch.zeros((batch, *layer.shape), dtype=torch.int32, device=device)
    return LayerState(
        zeros.bool(),
        NeuronState(
            zeros,
            0 if layer.current_keep is None else zeros,
            zeros if layer.refractory else 0,
        ),
    )


def delayed(
    past: Mapping[int, torch.Tensor], step: int, delay: torch.Tensor, resting: torch.Tensor
) -> torch.Tensor:
    """What a source sent ``delay`` steps ago, int32.

    Args:
        past: (batch, *shape) by step; a step that is missing sent nothing.
        delay: int32, () or (*shape).
        resting: zeros of the source's batch and shape, int32.
    """
    if delay.dim() == 0:
        sent = past.get(step - int(delay))
        return resting if sent is None else sent.int()
    arriving = resting.clone()
    for steps in delay.unique().tolist():
        sent = past.get(step - steps)
        if sent is not None:
            arriving += sent.int() * (delay == steps)
    return arriving


def synaptic_sums(synapses: Synapses, weight: torch.Tensor, arriving: torch.Tensor) -> torch.Tensor:
    """(batch, …) integers that arrive → (batch, *layer.shape) sums, shifted by the exponent."""
    for stage in synapses.stages:
        arriving = _apply(stage, weight, arriving)
    return shift(arriving, synapses.weight_exponent)


def step_neurons(
    layer: Layer,
    tensors: LayerTensors,
    state: LayerState,
    synaptic: torch.Tensor,
    draws: DrawCoordinates,
    index: int,
    step: int,
) -> LayerState:
    """Advance a layer by a step.

    Args:
        synaptic: (batch, *shape) int32, the sum over all its synapses.
        index: the layer's number in the Program; step: the sample's own, from 0.
    """
    decay = layer.decay
    keep = tensors.keep
    where = draws.of(tensors.neurons, index, step)
    if decay.drawn:
        keep = draw_decays(keep, redraw=decay.redraw, **where).view(synaptic.shape)
    bias = tensors.bias
    current_noise: torch.Tensor | int = 0
    generator = layer.generator
    if generator is not None:
        mantissa, exponent = generator.mantissa, generator.exponent
        noise = draw_generator(mantissa=mantissa, exponent=exponent, **where)
        noise = noise.view(synaptic.shape).int()
        if generator.target == "membrane":
            bias = bias + noise
        else:
            current_noise = noise
    neurons = integrate(
        state.neurons,
        synaptic,
        keep,
        tensors.current_keep,
        bias,
        decay.programmable,
        current_noise,
    )
    if layer.current_keep is None:
        neurons = neurons._replace(current=0)
    if not layer.spikes:
        return LayerState(torch.zeros_like(synaptic, dtype=torch.bool), neurons)
    spikes, neurons = fire(neurons, tensors.threshold, layer.subtract, layer.refractory)
    return LayerState(spikes, neurons if layer.refractory else neurons._replace(waiting=0))


def _apply(stage: Stage, weight: torch.Tensor, arriving: torch.Tensor) -> torch.Tensor:
    if isinstance(stage, Dense):
        return exact_linear(arriving, weight)
    if isinstance(stage, Convolution):
        return exact_conv2d(
            arriving, weight, stage.stride, stage.padding, stage.dilation, stage.groups
        )
    if isinstance(stage, OneToOne):
        return arriving * weight
    if isinstance(stage, SumPool):
        return exact_sum_pool2d(arriving, stage.kernel, stage.stride, stage.padding)
    assert isinstance(stage, Flatten)
    return arriving.flatten(1)
