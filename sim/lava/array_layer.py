"""A layer of a Program in numpy, as the Lava processes run it."""

import math
from collections.abc import Mapping

import numpy as np

from stochi.hardware.array_synapses import convolve, exact_array, multiply, sum_pool
from stochi.hardware.delays import delayed
from stochi.hardware.fixed_point import shift
from stochi.program.layers import (
    CONSTANT,
    Convolution,
    Dense,
    OneToOne,
    Projection,
    Stage,
    SumPool,
)
from stochi.program.network import Network
from stochi.sim.engine.neuron_step import RunningNeurons


class ArrayLayer:
    """A Program's layer, ready to run.

    Args:
        network: the Program.
        index: the layer's number in the Program.

    Attributes:
        layer: the layer in the Program.
        neurons: its neurons.
    """

    def __init__(self, network: Network, index: int) -> None:
        self.network = network
        self.layer = network.layers[index]
        self.neurons = RunningNeurons(self.layer, index)
        self.weights = tuple(self._weight(projection) for projection in self.layer.projections)

    def sums(
        self,
        number: int,
        past: Mapping[str, Mapping[int, np.ndarray]],
        step: int,
        batch: int,
    ) -> np.ndarray:
        """Return one projection's shifted sums at a time step, (batch, *layer.shape) int32.

        Args:
            number: the projection's number in the layer.
            past: source → time step → what it sent, (batch, *shape); nothing at time steps that
                are missing.
            step: the time step, from 0.
        """
        projection = self.layer.projections[number]
        shape = self.network.source_shape(projection, self.layer)
        resting = np.zeros((batch, *shape), np.int32)
        arriving = delayed(past[projection.source], step, projection.delay, resting)
        return self._through(number, arriving)

    def constant_sums(self) -> dict[int, np.ndarray]:
        """Return the sums of the constant source, which never change, by the projection's number.

        Each is (1, *layer.shape) int32.
        """
        ones = np.ones((1, *self.layer.shape), np.int32)
        return {
            number: self._through(number, ones)
            for number, projection in enumerate(self.layer.projections)
            if projection.source == CONSTANT
        }

    def _through(self, number: int, arriving: np.ndarray) -> np.ndarray:
        projection = self.layer.projections[number]
        for stage in projection.stages:
            arriving = _apply(stage, self.weights[number], arriving)
        return shift(arriving, projection.weight_exponent)

    def _weight(self, projection: Projection) -> np.ndarray:
        stages = projection.stages
        if any(isinstance(stage, OneToOne) for stage in stages):
            return projection.weight.astype(np.int32)
        pooled = math.prod(math.prod(s.kernel) for s in stages if isinstance(s, SumPool))
        largest = self.network.largest_value(projection.source) * pooled
        return exact_array(projection.weight, largest, projection.partial_sum_bound)


def _apply(stage: Stage, weight: np.ndarray, arriving: np.ndarray) -> np.ndarray:
    if isinstance(stage, Dense):
        return multiply(arriving, weight)
    if isinstance(stage, Convolution):
        one_dimensional = arriving.ndim == 3
        image = arriving[:, :, None] if one_dimensional else arriving
        sums = convolve(image, weight, stage.stride, stage.padding, stage.dilation, stage.groups)
        return sums[:, :, 0] if one_dimensional else sums
    if isinstance(stage, OneToOne):
        return arriving * weight
    if isinstance(stage, SumPool):
        return sum_pool(arriving, stage.kernel, stage.stride, stage.padding)
    return arriving.reshape(len(arriving), -1)
