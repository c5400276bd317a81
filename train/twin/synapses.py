"""Weight layers of the twin, with real parameters and the chip's integers as values."""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional

from stochi.deploy.graph.layers import RealLayer, RealProjection
from stochi.deploy.graph.neurons import read_neuron
from stochi.deploy.lowering.layer import (
    RealValues,
    channel_gain,
    choose_decay,
    quantize_real_layer,
)
from stochi.deploy.lowering.stand_in import StandIn
from stochi.export.nir_graph import neuron_node
from stochi.hardware.fixed_point import ALIGN_SHIFT, shift
from stochi.hardware.quantization import QuantizedLayer
from stochi.hardware.synapses import exact_conv2d, exact_linear, exact_weight
from stochi.program.layers import INPUT, Decay, SumPool, Weighted
from stochi.program.target import Target
from stochi.train.neurons.random_tau_leaky import RandomTauLeaky
from stochi.train.twin.exact_products import Geometry, product
from stochi.train.twin.neuron import StepNumbers, TwinStep


class _Quantization(NamedTuple):
    """A layer's integers on the chip, and the parameters that they come from.

    Attributes:
        parameters: weight, bias, threshold and, if they are learned, the distribution's parameters.
        quantized: the layer's integers.
        exact_weight: the weight mantissas as floats whose sums are exact.
    """

    parameters: tuple[torch.Tensor, ...]
    quantized: QuantizedLayer
    exact_weight: torch.Tensor


class TwinProjection:
    """The computation of one weight layer on the chip.

    It also keeps the numbers of the neurons that the weight layer feeds up to date.

    Args:
        real: the layer of the network that the weights feed; it has one projection.
        form: the kind of neuron that the layer takes on the chip, and its decays.
        neuron: the module of the layer's neurons; None for a readout.
        target: target of the twin's Program.
        stand_in: fitted noise in place of drawn decays, if the layer has it.
    """

    def __init__(
        self,
        real: RealLayer,
        form: Decay,
        neuron: RandomTauLeaky | None,
        target: Target,
        stand_in: StandIn | None = None,
    ) -> None:
        path = real.projections[0]
        self.real, self.form, self.neuron = real, form, neuron
        self.target, self.stand_in = target, stand_in
        self.input_levels = target.input_levels if path.source == INPUT else 1
        self.integers_per_unit = float(self.input_levels * _pooled_before_weights(path))
        self.last: _Quantization | None = None
        stages = path.stages
        first_weights = next(i for i, s in enumerate(stages) if isinstance(s, Weighted))
        self.pools_after = any(isinstance(s, SumPool) for s in stages[first_weights:])

    def value(
        self,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        multiply: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    ) -> Callable[[torch.Tensor], torch.Tensor]:
        """Return a function that maps real inputs to the chip's currents.

        Args:
            weight, bias: the real parameters.
            multiply: multiplies integer inputs by integer weights, exactly.
        """
        last = self._quantize_if_changed(weight, bias)

        def currents(inputs: torch.Tensor) -> torch.Tensor:
            integers = inputs  # spikes already are integers
            if self.integers_per_unit != 1:
                integers = torch.round(inputs.double() * self.integers_per_unit)
            return self.currents(multiply(integers, last.exact_weight), last.quantized)

        return currents

    def _quantize_if_changed(
        self, weight: torch.Tensor, bias: torch.Tensor | None
    ) -> _Quantization:
        """Quantize the layer, unless its parameters are those of the last call.

        They change only between passes, and comparing them costs less than quantizing.
        """
        bias = torch.zeros(len(weight), device=weight.device) if bias is None else bias
        neuron = self.neuron
        threshold = torch.zeros(0, device=weight.device) if neuron is None else neuron.threshold
        numbers = (weight.detach(), bias.detach(), threshold.detach())
        learning = neuron if neuron is not None and neuron.learn_distribution else None
        learned = () if learning is None else (learning.learned_distribution()[1].detach(),)
        parameters = numbers + learned
        if self.last is None or not all(map(_same, self.last.parameters, parameters)):
            if learning is not None:
                self._take_learned_decays(learning)
            quantized = self._quantize(*numbers)
            self.last = _Quantization(
                tuple(values.clone() for values in parameters),
                quantized,
                self._exact_weight(quantized),
            )
            if neuron is not None:
                assert isinstance(neuron.twin, TwinStep)
                neuron.twin.step_numbers = StepNumbers.of(quantized, self.form, self.real.shape)
        return self.last

    def _quantize(
        self, weight: torch.Tensor, bias: torch.Tensor, threshold: torch.Tensor
    ) -> QuantizedLayer:
        values = RealValues([weight], bias, threshold)
        return quantize_real_layer(
            self.real, self.form, values, self.target, self.stand_in, warn=self.last is None
        )

    def _take_learned_decays(self, neuron: RandomTauLeaky) -> None:
        """Update table and gain from the current distribution, as export and lowering do."""
        before = self.real.neuron
        assert before is not None and isinstance(neuron.twin, TwinStep)
        dt = self.target.dt
        node = neuron_node(self.real.name, neuron, self.real.shape, dt)
        after = read_neuron(self.real.name, node, dt)
        if after.random is not None and before.random is not None:
            after = replace(after, random=replace(after.random, bits=before.random.bits))
        self.real = replace(self.real, neuron=after)
        self.form = neuron.twin.decay = choose_decay(self.real, self.target)

    def _exact_weight(self, quantized: QuantizedLayer) -> torch.Tensor:
        """Return the mantissas as floats whose sums are exact."""
        largest = self.input_levels * self.real.projections[0].summed
        return exact_weight(quantized.projections[0].weight, largest)

    def currents(self, sums: torch.Tensor, quantized: QuantizedLayer) -> torch.Tensor:
        """Convert integer sums (batch, outputs, …) to currents with bias in the model's units.

        The neuron shifts by the weight exponent, after any pooling. A readout has no neuron, so its
        sums are shifted here. Float32 is precise enough for the neuron to restore its integers,
        unless pooling follows or one unit of a sum is less than one unit of the membrane.
        """
        per_unit = quantized.scale / 2.0 ** quantized.projections[0].exponent
        if self.neuron is None:
            sums, per_unit = shift(sums, quantized.projections[0].exponent), quantized.scale
        bias = quantized.bias.double() / (2.0**ALIGN_SHIFT * quantized.scale)
        # Pooling after the weights divides later, so the sums do not contain its divisor.
        after_weights = self.real.projections[0].pooled * self.input_levels / self.integers_per_unit
        found = torch.add(_rows(bias, sums), sums, alpha=after_weights / per_unit)
        coarse = quantized.projections[0].exponent >= -ALIGN_SHIFT
        return (
            found.float() if self.neuron is not None and coarse and not self.pools_after else found
        )

    def gain(self) -> torch.Tensor | None:
        """Return the input gain that quantization folds into weights and bias, or None."""
        gain = channel_gain(self.real.neuron, self.form)
        return None if gain is None else torch.from_numpy(gain)


class TwinLinear(nn.Linear):
    """``nn.Linear`` on the chip's weight grid; an ordinary one if ``twin`` is None."""

    twin: TwinProjection | None = None

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Map (batch, in) spikes or graded inputs to (batch, out) currents."""
        if self.twin is None:
            return super().forward(input)
        value = self.twin.value(self.weight, self.bias, exact_linear)
        return product(input, self.weight, self.bias, None, self.twin.gain(), value)


class TwinConv2d(nn.Conv2d):
    """``nn.Conv2d`` on the chip's weight grid; an ordinary one if ``twin`` is None."""

    twin: TwinProjection | None = None

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Map (batch, C, H, W) spikes or graded inputs to currents."""
        if self.twin is None:
            return super().forward(input)
        padding = (0, 0) if isinstance(self.padding, str) else self.padding
        if self.padding == "same":
            input = functional.pad(input, self._reversed_padding_repeated_twice)
        geometry = Geometry(
            (self.stride[0], self.stride[1]),
            (padding[0], padding[1]),
            (self.dilation[0], self.dilation[1]),
            self.groups,
        )

        def multiply(integers: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
            return exact_conv2d(integers, weight, **vars(geometry))

        value = self.twin.value(self.weight, self.bias, multiply)
        return product(input, self.weight, self.bias, geometry, self.twin.gain(), value)


def convert(layer: nn.Module) -> TwinLinear | TwinConv2d:
    """Change a layer's class to the twin's in place, keeping its parameters; returns the layer."""
    layer.__class__ = TwinLinear if isinstance(layer, nn.Linear) else TwinConv2d
    assert isinstance(layer, TwinLinear | TwinConv2d)
    return layer


def _pooled_before_weights(path: RealProjection) -> int:
    """Return the divisor of the average pooling before the weights."""
    divisor = 1
    for stage in path.stages:
        if isinstance(stage, Weighted):
            break
        if isinstance(stage, SumPool):
            divisor *= stage.kernel[0] * stage.kernel[1]
    return divisor


def _same(before: torch.Tensor, now: torch.Tensor) -> bool:
    """Return whether the tensors are equal and on the same device."""
    return before.device == now.device and torch.equal(before, now)


def _rows(bias: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return bias.view((1, -1) + (1,) * (like.dim() - 2))
