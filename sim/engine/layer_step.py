"""One time step of a Program's layer in torch: projections are summed, neurons integrate and fire.

The engine uses this on a GPU, where loops are not compiled, and the compiled engine for the sums
that do not change. States are passed in and returned; a running layer itself never changes.
"""

import math
from collections.abc import Callable, Mapping

import numpy as np
import torch

from stochi.caching import cached_property
from stochi.hardware.delays import delayed
from stochi.hardware.draws import Draws
from stochi.hardware.fixed_point import shift
from stochi.hardware.synapses import (
    exact_conv2d,
    exact_linear,
    exact_sum_pool2d,
    exact_weight,
)
from stochi.program.layers import (
    CONSTANT,
    INPUT,
    Convolution,
    Dense,
    Flatten,
    Layer,
    OneToOne,
    Projection,
    Stage,
    SumPool,
)
from stochi.program.network import Network
from stochi.sim.engine.neuron_step import ArrayKind, LayerState, RunningNeurons

Past = Mapping[str, Mapping[int, torch.Tensor]]
"""Source → time step → the values that it sent, (batch, *shape)."""


class RunningLayer:
    """A Program's layer on a device, ready to run.

    Args:
        network: the Program.
        index: the layer's number in the Program.
        device: device that the layer computes on.
        wanted: function that selects the projections whose weights are put on the device.

    Attributes:
        layer: the layer in the Program.
        weights: weights of each projection on the device.
        neurons: the layer's neurons, on the device.
    """

    def __init__(
        self,
        network: Network,
        index: int,
        device: torch.device,
        wanted: Callable[[Projection], bool] = lambda projection: True,
    ) -> None:
        self.network, self.index, self.device = network, index, device
        self.layer: Layer = network.layers[index]
        self.weights = tuple(
            self._weight(projection) if wanted(projection) else torch.zeros(0)
            for projection in self.layer.projections
        )
        kind = ArrayKind(self._integers, lambda count: torch.arange(count, device=device))
        self.neurons = RunningNeurons(self.layer, index, kind)

    @property
    def bias(self) -> torch.Tensor:
        """Effective bias in units of the membrane, int32, broadcastable over the neurons."""
        return self.neurons.bias

    def resting_state(self, batch: int) -> LayerState:
        """Return the state before the first time step, all zeros."""
        return self.neurons.resting_state(batch)

    def sums(self, number: int, past: Past, step: int, batch: int) -> torch.Tensor:
        """Return one projection's shifted sums at a time step, (batch, *layer.shape) int32.

        Args:
            number: the projection's number in the layer.
            past: what its source sent; nothing at time steps that are missing.
            step: the time step, from 0.
        """
        projection = self.layer.projections[number]
        shape = self.network.source_shape(projection, self.layer)
        resting = torch.zeros((batch, *shape), dtype=torch.int32, device=self.device)
        delay = self._delays[number]
        arriving = delayed(past[projection.source], step, delay, resting)
        return synaptic_sums(projection, self.weights[number], arriving)

    def constant_sums(self, frames: torch.Tensor | None = None) -> dict[int, torch.Tensor]:
        """Return the sums that are the same at every time step, by the projection's number.

        These are the sums of the constant source and, if one frame is shown at all time steps, of
        the input without delay.

        Args:
            frames: (1 or time steps, batch, *shape) int32, or None for the constant source only.
        """
        found = {}
        for number, projection in enumerate(self.layer.projections):
            if projection.source == CONSTANT:
                ones = torch.ones((1, *self.layer.shape), dtype=torch.int32, device=self.device)
                found[number] = synaptic_sums(projection, self.weights[number], ones)
            elif frames is not None and _never_changes(projection, frames):
                found[number] = synaptic_sums(projection, self.weights[number], frames[0])
        return found

    def step(
        self, state: LayerState, synaptic: torch.Tensor, draws: Draws, step: int
    ) -> LayerState:
        """Advance the neurons by a time step.

        Args:
            synaptic: (batch, *shape) int32, the sum over all projections.
            draws: draws of the batch.
            step: the sample's own time step, from 0.
        """
        return self.neurons.step(state, synaptic, draws, step)

    @cached_property
    def _delays(self) -> tuple[torch.Tensor, ...]:
        return tuple(self._integers(p.delay) for p in self.layer.projections)

    def _integers(self, array: object) -> torch.Tensor:
        given = _in_order(array) if isinstance(array, np.ndarray) else array
        return torch.as_tensor(given, dtype=torch.int32).to(self.device)

    def _weight(self, projection: Projection) -> torch.Tensor:
        """Put weights on the device: integers for one-to-one, floats with exact sums for others."""
        stages = projection.stages
        if any(isinstance(stage, OneToOne) for stage in stages):
            return self._integers(projection.weight)
        pooled = math.prod(math.prod(s.kernel) for s in stages if isinstance(s, SumPool))
        largest = self.network.largest_value(projection.source) * pooled
        weights = torch.from_numpy(_in_order(projection.weight)).to(self.device)
        return exact_weight(weights, largest, projection.partial_sum_bound)


def _in_order(array: np.ndarray) -> np.ndarray:
    """Return an array as torch takes it: numpy may hold one backwards, torch never does."""
    return np.asarray(array, order="C")


def synaptic_sums(
    projection: Projection, weight: torch.Tensor, arriving: torch.Tensor
) -> torch.Tensor:
    """Return the sums of a projection, shifted by its exponent.

    Args:
        weight: the projection's weight in :class:`RunningLayer`.
        arriving: (batch, *source shape) integers.

    Returns:
        (batch, *layer.shape) int32.
    """
    for stage in projection.stages:
        arriving = _apply(stage, weight, arriving)
    return shift(arriving, projection.weight_exponent)


def _never_changes(projection: Projection, frames: torch.Tensor) -> bool:
    return projection.source == INPUT and len(frames) == 1 and projection.longest_delay == 0


def _apply(stage: Stage, weight: torch.Tensor, arriving: torch.Tensor) -> torch.Tensor:
    if isinstance(stage, Dense):
        return exact_linear(arriving, weight)
    if isinstance(stage, Convolution):
        one_dimensional = arriving.dim() == 3
        image = arriving.unsqueeze(2) if one_dimensional else arriving
        sums = exact_conv2d(
            image, weight, stage.stride, stage.padding, stage.dilation, stage.groups
        )
        return sums.squeeze(2) if one_dimensional else sums
    if isinstance(stage, OneToOne):
        return arriving * weight
    if isinstance(stage, SumPool):
        return exact_sum_pool2d(arriving, stage.kernel, stage.stride, stage.padding)
    assert isinstance(stage, Flatten)
    return arriving.flatten(1)
