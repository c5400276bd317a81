"""One time step of a layer's neurons, on tensors of torch or, without torch, on arrays of numpy.

States are passed in and returned; the neurons themselves never change.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from stochi.caching import cached_property
from stochi.hardware.decays import draw_decays
from stochi.hardware.draws import Draws
from stochi.hardware.fixed_point import Integers
from stochi.hardware.neuron import NeuronParameters, NeuronState, fire, integrate
from stochi.hardware.noise import draw_generator
from stochi.program.layers import Layer


@dataclass(frozen=True)
class LayerState:
    """State of a layer after a time step.

    Attributes:
        spikes: (batch, *shape) bool.
        neurons: state of the neurons.
    """

    spikes: Any
    neurons: NeuronState

    @property
    def membrane(self) -> Any:
        """Membranes after the reset, or before it if it is delayed, (batch, *shape) int32."""
        return self.neurons.membrane


@dataclass(frozen=True)
class ArrayKind:
    """A kind of arrays, numpy's or torch's on a device.

    Attributes:
        int32: function that turns arrays of any kind into int32 of this kind.
        count: function of n that returns 0 … n − 1 as int64 of this kind.
    """

    int32: Callable[[Any], Any]
    count: Callable[[int], Any]


NUMPY = ArrayKind(int32=lambda values: np.asarray(values, np.int32), count=np.arange)


class RunningNeurons:
    """The neurons of a Program's layer, ready to run.

    Args:
        layer: the layer.
        index: its number in the Program.
        kind: the kind of arrays that it computes on.
    """

    def __init__(self, layer: Layer, index: int, kind: ArrayKind = NUMPY) -> None:
        self.layer, self.index, self.kind = layer, index, kind

    @cached_property
    def bias(self) -> Any:
        """Effective bias in units of the membrane, int32, broadcastable over the neurons."""
        return self.kind.int32(self.layer.bias())

    def resting_state(self, batch: int) -> LayerState:
        """Return the state before the first time step, all zeros."""
        layer = self.layer
        zeros = self.kind.int32(np.zeros((batch, *layer.shape), np.int32))
        current = 0 if layer.current_keep is None else zeros
        return LayerState(zeros > 0, NeuronState(zeros, current, zeros if layer.refractory else 0))

    def step(self, state: LayerState, synaptic: Integers, draws: Draws, step: int) -> LayerState:
        """Advance the neurons by a time step.

        Args:
            synaptic: (batch, *shape) int32, the sum over all projections.
            draws: draws of the batch.
            step: the sample's own time step, from 0.
        """
        layer, decay, keep, bias = self.layer, self.layer.decay, self._keep, self.bias
        drawn_at = draws.at(self.index, step)
        if decay.drawn or layer.generator is not None:
            samples = self.kind.count(len(synaptic)) + draws.first_sample
        if decay.drawn:
            keep = draw_decays(keep, samples, self._neurons, drawn_at, decay.redraw)
            keep = keep.reshape(synaptic.shape)
        current_noise: Any = 0
        generator = layer.generator
        if generator is not None:
            noise = draw_generator(
                samples, self._neurons, drawn_at, generator.mantissa, generator.exponent
            )
            noise = self.kind.int32(noise.reshape(synaptic.shape))
            if generator.target == "membrane":
                bias = bias + noise
            else:
                current_noise = noise
        parameters = NeuronParameters(keep, self._current_keep, bias, self._threshold)
        neurons = integrate(state.neurons, synaptic, parameters, layer.kind, current_noise)
        if layer.current_keep is None:
            neurons = neurons._replace(current=0)
        if not layer.spikes:
            return LayerState(synaptic != synaptic, neurons)
        spikes, neurons = fire(neurons, self._threshold, layer.kind)
        return LayerState(spikes, neurons if layer.refractory else neurons._replace(waiting=0))

    @cached_property
    def _threshold(self) -> Any:
        mantissa = self.layer.threshold_mantissa
        return self.kind.int32(0 if mantissa is None else mantissa)

    @cached_property
    def _keep(self) -> Any:
        return self.kind.int32(self.layer.decay.values)

    @cached_property
    def _current_keep(self) -> Any:
        keep = self.layer.current_keep
        return 0 if keep is None else self.kind.int32(keep)

    @cached_property
    def _neurons(self) -> Any:
        return self.kind.count(self.layer.neurons)
