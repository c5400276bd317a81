"""One path of a layer's input in the chip's integers: weights, with pooling around them."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import nn
from torch.nn import functional

from stochi.deploy.graph.paths import RealProjection
from stochi.deploy.graph.wiring import WEIGHTED, Path
from stochi.deploy.lowering.layer import with_weight
from stochi.export.model.linear import LinearNode, Pool, Reshape
from stochi.export.model.model import GraphModel
from stochi.hardware.fixed_point import ALIGN_SHIFT, shift
from stochi.hardware.quantization import QuantizedLayer, to_integers
from stochi.hardware.synapses import exact_conv2d, exact_linear, exact_weight
from stochi.program.layers import (
    INPUT,
    Convolution,
    Dense,
    Flatten,
    OneToOne,
    Projection,
    Weighted,
)
from stochi.sim.engine.layer_step import synaptic_sums
from stochi.train.twin.exact_products import Gain, Geometry, product, substitute


@dataclass(frozen=True)
class PathNumbers:
    """A path's integers on the chip.

    Attributes:
        quantized: the integers of its layer.
        projection: the projection, as in the Program.
        exact_weight: the weight mantissas as numbers whose sums are exact.
        gain: the input gain that the mantissas contain, or None.
    """

    quantized: QuantizedLayer
    projection: Projection
    exact_weight: torch.Tensor
    gain: Gain

    @property
    def exponent(self) -> int:
        """Exponent of the weights."""
        return self.projection.weight_exponent

    @property
    def per_sum(self) -> float:
        """Synaptic sums, before the weight exponent, per unit of the model's current."""
        return self.quantized.scale / 2.0**self.exponent

    def to(self, device: torch.device) -> "PathNumbers":
        """Return the integers on a device; the projection stays as it is."""
        return replace(
            self,
            quantized=self.quantized.to(device),
            exact_weight=self.exact_weight.to(device),
            gain=None if self.gain is None else self.gain.to(device),
        )


class TwinPath:
    """A path from a source to a layer.

    Args:
        real: the projection in real numbers.
        path: the same path over the graph's nodes.
        graph: nodes and their modules.
        levels: integers at the input per unit of the real input.

    Attributes:
        single: whether it holds one matrix or one set of images' kernels, and no other weights.
        weights: the first module that holds weights; None for a direct connection of weight 1.
        before, after: modules in front of the weights and behind them.
    """

    def __init__(self, real: RealProjection, path: Path, graph: GraphModel, levels: int) -> None:
        self.real, self.counts = real, path.biases
        self.graph, self.source_shape = graph, graph.shapes[path.source]
        self.levels = levels if path.source == INPUT else 1
        self.modules = [_linear(graph.nodes[name]) for name in path.nodes]
        weighted = [
            place
            for place, name in enumerate(path.nodes)
            if isinstance(graph.wiring.nodes[name], WEIGHTED)
        ]
        place = weighted[0] if weighted else len(self.modules)
        self.place = place
        self.weights = self.modules[place] if weighted else None
        self.before, self.after = self.modules[:place], self.modules[place + 1 :]
        self.stage = next(stage for stage in real.stages if isinstance(stage, Weighted))
        images = isinstance(self.stage, Convolution) and self.weight.dim() == 4
        self.single = len(weighted) == 1 and (isinstance(self.stage, Dense) or images)
        means = [node.divisor for node in self.before if isinstance(node, Pool)]
        self.integers_per_unit = float(self.levels * math.prod(means))

    @property
    def pools_after(self) -> bool:
        """Whether windows are pooled behind the weights."""
        return any(isinstance(node, Pool) for node in self.after)

    @property
    def fuses(self) -> bool:
        """Whether the bias can be added right behind the weights."""
        return self.single and not any(
            isinstance(node, Pool) and node.divisor == 1 for node in self.after
        )

    @property
    def weight(self) -> torch.Tensor:
        """The real weights, with their gradient; 1 for a direct connection."""
        if self.weights is None:
            return torch.ones(())
        scale = getattr(self.weights, "scale", None)
        found = self.weights.weight if scale is None else scale
        assert isinstance(found, torch.Tensor)
        return found

    @property
    def bias(self) -> torch.Tensor | None:
        """The bias of the weights' own node, (outputs,), or None."""
        found = None if self.weights is None else getattr(self.weights, "bias", None)
        assert found is None or isinstance(found, torch.Tensor)
        return found

    @property
    def parameters(self) -> tuple[torch.Tensor, ...]:
        """What the path's weights and biases come from."""
        return tuple(parameter for module in self.modules for parameter in module.parameters())

    def bias_of_layer(self) -> torch.Tensor | None:
        """Return what a single path's bias adds to the layer, (outputs,), with its gradient."""
        bias = self.bias
        if bias is None or not self.counts[self.place]:
            return None
        found = bias.double() * self.counts[self.place]
        for node in self.after:
            if isinstance(node, Pool) and node.divisor == 1:
                found = found * node.size
            elif isinstance(node, Reshape):
                found = found.repeat_interleave(math.prod(node.shape) // len(found))
        return found

    def answer_to_nothing(self) -> torch.Tensor:
        """Return what the path's biases add to each neuron, (1, *shape), with their gradients."""
        like = next(self.graph.parameters(), torch.zeros(()))
        shape = self.source_shape if self.modules else ()
        values = torch.zeros(1, *shape, dtype=like.dtype, device=like.device)
        for module, count in zip(self.modules, self.counts, strict=True):
            values = module(values, count)
        return values

    def numbers(
        self, quantized: QuantizedLayer, number: int, gain: Gain, shape: tuple[int, ...]
    ) -> PathNumbers:
        """Return the path's integers.

        Args:
            quantized: the integers of the layer.
            number: the path's number in the layer.
            gain: the input gain that quantization folded into the weights.
            shape: shape of the layer.
        """
        mantissas = quantized.projections[number].weight
        stages = tuple(with_weight(stage, mantissas, shape) for stage in self.real.stages)
        exponent = quantized.projections[number].exponent
        projection = Projection(self.real.source, stages, exponent)
        if isinstance(self.stage, OneToOne):
            exact = torch.from_numpy(projection.weight).to(mantissas)
        else:
            exact = exact_weight(mantissas, self.levels * self.real.summed)
        return PathNumbers(quantized, projection, exact, gain)

    def fused(self, values: torch.Tensor, numbers: PathNumbers, readout: bool) -> torch.Tensor:
        """Return currents with the bias in them, in the model's units, of a layer's only path.

        The neuron shifts by the weight exponent, after any pooling. A readout has no neuron, so its
        sums are shifted here. Float32 is precise enough for the neuron to restore its integers,
        unless pooling follows or one unit of a sum is less than one unit of the membrane.

        Args:
            values: what the source sent, (batch, *shape).
            readout: whether the layer only reads its input.
        """
        quantized, exponent = numbers.quantized, numbers.exponent
        narrow = not readout and exponent >= -ALIGN_SHIFT and not self.pools_after

        def currents(sums: torch.Tensor) -> torch.Tensor:
            per_unit = numbers.per_sum
            if readout:
                sums, per_unit = shift(sums, exponent), quantized.scale
            bias = quantized.bias.double() / (2.0**ALIGN_SHIFT * quantized.scale)
            alpha = self._pooled_after / per_unit
            found = torch.add(_rows(bias, sums), sums, alpha=alpha)
            return found.float() if narrow else found

        return self._weigh(values, numbers, self.bias, currents)

    def shifted(self, values: torch.Tensor, numbers: PathNumbers) -> torch.Tensor:
        """Return currents without a bias, in the model's units, as the chip's shifted sums.

        Args:
            values: what the source sent, (batch, *shape).
        """

        if not self.single:
            return self._in_general(values, numbers)

        def currents(sums: torch.Tensor) -> torch.Tensor:
            return sums.double() * (self._pooled_after / numbers.per_sum)

        found = self._weigh(values, numbers, None, currents)
        if numbers.exponent >= 0:
            return found
        sums = shift(to_integers(found, numbers.per_sum), numbers.exponent)
        return substitute(found, sums.double() / numbers.quantized.scale)

    def _in_general(self, values: torch.Tensor, numbers: PathNumbers) -> torch.Tensor:
        """Compute the chip's sums beside the real ones, whose gradients they get."""
        real = _through(self.modules, values)
        if numbers.gain is not None:
            real = real * _over(numbers.gain.to(real), real)
        integers = torch.round(values.detach().double() * self.levels).int()
        sums = synaptic_sums(numbers.projection, numbers.exact_weight, integers)
        return substitute(real.double(), sums.double() / numbers.quantized.scale)

    def in_real_numbers(self, values: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Return currents without a bias, with other weights than the module's own.

        Args:
            values: what the source sent, (batch, *shape).
            weight: of the type of the values.
        """
        for stage in self.real.stages:
            if isinstance(stage, OneToOne):
                values = values * weight
            elif isinstance(stage, Dense):
                values = functional.linear(values, weight)
            elif isinstance(stage, Convolution):
                values = _convolve(values, weight, stage)
            elif isinstance(stage, Flatten):
                values = values.flatten(1)
            else:
                size = math.prod(stage.kernel)
                values = size * functional.avg_pool2d(
                    values, stage.kernel, stage.stride, stage.padding
                )
        return values / self.real.pooled

    @property
    def _pooled_after(self) -> float:
        """Divisor of the average pooling behind the weights, whose sums do not contain it yet."""
        return self.real.pooled * self.levels / self.integers_per_unit

    def _weigh(
        self,
        values: torch.Tensor,
        numbers: PathNumbers,
        bias: torch.Tensor | None,
        currents: Callable[[torch.Tensor], torch.Tensor],
    ) -> torch.Tensor:
        """Send values through the path; ``currents`` maps the exact sums behind the weights."""
        if self.levels > 1 and any(isinstance(node, Pool) for node in self.before):
            values = self._pixels(values)  # a sum of rounded pixels is not a rounded sum
        values = _through(self.before, values)
        multiply = self._multiply

        def value(inputs: torch.Tensor) -> torch.Tensor:
            integers = inputs  # spikes already are integers
            if self.integers_per_unit != 1:
                integers = torch.round(inputs.double() * self.integers_per_unit)
            return currents(multiply(integers, numbers.exact_weight))

        stage, geometry = self.stage, None
        if isinstance(stage, Convolution):
            geometry = Geometry(stage.stride, stage.padding, stage.dilation, stage.groups)
        found = product(values, self.weight, bias, geometry, numbers.gain, value)
        return _through(self.after, found)

    def _pixels(self, values: torch.Tensor) -> torch.Tensor:
        """Round images to the integers of the chip's input, in the model's units."""
        rounded = torch.round(values.detach().double() * self.levels) / self.levels
        return substitute(values, rounded.to(values.dtype))

    def _multiply(self, integers: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Multiply (batch, …) integers by the mantissas, exactly."""
        stage = self.stage
        if isinstance(stage, Convolution):
            return exact_conv2d(
                integers, weight, stage.stride, stage.padding, stage.dilation, stage.groups
            )
        return exact_linear(integers, weight)


def _linear(module: nn.Module) -> LinearNode:
    assert isinstance(module, LinearNode)
    return module


def _through(modules: list[LinearNode], values: torch.Tensor) -> torch.Tensor:
    for module in modules:
        values = module.product(values)
    return values


def _convolve(values: torch.Tensor, weight: torch.Tensor, stage: Convolution) -> torch.Tensor:
    """Convolve images (batch, C, H, W) or signals (batch, C, L)."""
    image = values.unsqueeze(2) if values.dim() == 3 else values
    geometry = (stage.stride, stage.padding, stage.dilation, stage.groups)
    found = functional.conv2d(image, weight, None, *geometry)
    return found.squeeze(2) if values.dim() == 3 else found


def _rows(bias: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    if bias.dim() > 1:
        return bias[None]
    return bias.view((1, -1) + (1,) * (like.dim() - 2))


def _over(gain: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    """Reshape one gain, or one per output, to broadcast over (batch, outputs, …)."""
    return gain.reshape((-1,) + (1,) * (like.dim() - 2)) if gain.dim() else gain
