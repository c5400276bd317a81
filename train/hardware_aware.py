"""A model's twin that computes in the chip's integers, for parity and for training.

Weights and thresholds stay real parameters; every forward pass puts them on the chip's grid with
the same functions as the lowering, so in ``eval()`` and in ``train()`` the values that flow are
the very integers of the chip, in the model's units. Gradients pass straight through the rounding.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

import torch
from torch import nn
from torch.nn import functional

from stochi.deploy.layer_lowering import channel_gain, choose_decay, quantize_real_layer
from stochi.deploy.origin import read_again
from stochi.deploy.program import (
    IMAGE_LEVELS,
    INPUT,
    NOISE_TARGETS,
    Decay,
    Program,
    SumPool,
    Weighted,
)
from stochi.deploy.real_layers import RealLayer, RealNetwork, RealSynapses, cut_into_layers
from stochi.deploy.real_neurons import read_neuron
from stochi.deploy.stand_in import StandIn, take_over
from stochi.deploy.table_bits import TableBits, check_table_bits, choose_table_bits
from stochi.errors import ExportError, InputError
from stochi.export.batch_norm import fold_batch_norms
from stochi.export.copy_model import copy_model
from stochi.export.nir_graph import neuron_node, to_nir
from stochi.export.trace import trace
from stochi.hardware.chips import Chip, find_chip
from stochi.hardware.fixed_point import ALIGN_SHIFT, shift
from stochi.hardware.noise import check_source
from stochi.hardware.quantization import QuantizedLayer
from stochi.hardware.synapses import exact_conv2d, exact_linear, exact_weight
from stochi.train.exact_products import Geometry, product
from stochi.train.hardware_neuron import Draws, HardwareStep, StepNumbers
from stochi.train.neurons import RandomTauLeaky


class HardwareSynapses:
    """How one weight layer computes on the chip; shared with the neuron that it feeds."""

    def __init__(
        self,
        real: RealLayer,
        form: Decay,
        neuron: RandomTauLeaky | None,
        steps: int,
        input_levels: int,
        integers_per_unit: float,
        chip: Chip,
        noise: str,
        dt: float,
        stand_in: StandIn | None = None,
    ) -> None:
        self.real = real
        self.form = form
        self.neuron = neuron
        self.steps = steps
        self.input_levels = input_levels
        self.integers_per_unit = integers_per_unit
        self.chip, self.noise, self.dt = chip, noise, dt
        self.stand_in = stand_in
        self.last: tuple[tuple[torch.Tensor, ...], QuantizedLayer, torch.Tensor] | None = None
        after = real.synapses[0].stages
        first_weights = next(i for i, s in enumerate(after) if isinstance(s, Weighted))
        self.pools_after = any(isinstance(s, SumPool) for s in after[first_weights:])

    def value(
        self,
        weight: torch.Tensor,
        bias: torch.Tensor | None,
        multiply: Callable[[torch.Tensor, torch.Tensor], torch.Tensor],
    ) -> Callable[[torch.Tensor], torch.Tensor]:
        """Real inputs → currents as the chip has them; ``multiply`` takes exact integers."""
        quantized = self.quantize(weight, bias)
        assert self.last is not None
        exact = self.last[2]

        def currents(inputs: torch.Tensor) -> torch.Tensor:
            integers = inputs  # spikes are
            if self.integers_per_unit != 1:
                integers = torch.round(inputs.double() * self.integers_per_unit)
            return self.currents(multiply(integers, exact), quantized)

        return currents

    def quantize(self, weight: torch.Tensor, bias: torch.Tensor | None) -> QuantizedLayer:
        """The layer on the chip's grid, with its parameters as they are now.

        They change only between passes: to see that they have not costs less than quantizing.
        """
        bias = torch.zeros(len(weight), device=weight.device) if bias is None else bias
        neuron = self.neuron
        threshold = torch.zeros(0, device=weight.device) if neuron is None else neuron.threshold
        numbers = (weight.detach(), bias.detach(), threshold.detach())
        learning = neuron if neuron is not None and neuron.learn_distribution else None
        law = () if learning is None else (learning.learned_distribution()[1].detach(),)
        if self.last is None or not all(map(_same, self.last[0], numbers + law)):
            if learning is not None:
                self._take_learned_decays(learning)
            quantized = self._quantize(*numbers)
            self.last = (
                tuple(values.clone() for values in numbers + law),
                quantized,
                self._exact_weight(quantized),
            )
            if neuron is not None:
                assert neuron.hardware is not None
                neuron.hardware.step_numbers = StepNumbers.of(quantized, self.form, self.real.shape)
        return self.last[1]

    def _quantize(
        self, weight: torch.Tensor, bias: torch.Tensor, threshold: torch.Tensor
    ) -> QuantizedLayer:
        return quantize_real_layer(
            self.real,
            self.form,
            [weight],
            bias,
            threshold,
            steps=self.steps,
            input_levels=self.input_levels,
            chip=self.chip,
            stand_in=self.stand_in,
            warn=self.last is None,
        )

    def _take_learned_decays(self, neuron: RandomTauLeaky) -> None:
        """Table and gain from the law as it is now, by the way that export and lowering go."""
        before = self.real.neuron
        assert before is not None and neuron.hardware is not None
        node = neuron_node(self.real.name, neuron, self.real.shape, self.dt)
        after = read_neuron(self.real.name, node, self.dt)
        if after.random is not None and before.random is not None:
            after = replace(after, random=replace(after.random, bits=before.random.bits))
        self.real = replace(self.real, neuron=after)
        self.form = neuron.hardware.decay = choose_decay(self.real, self.chip, self.noise)

    def _exact_weight(self, quantized: QuantizedLayer) -> torch.Tensor:
        """The mantissas as floats whose sums are exact."""
        largest = self.input_levels * self.real.synapses[0].summed
        return exact_weight(quantized.synapses[0].weight, largest)

    def currents(self, sums: torch.Tensor, quantized: QuantizedLayer) -> torch.Tensor:
        """Integer sums (batch, outputs, …) → currents with bias in the model's units.

        The neuron shifts by the weight exponent, after any pooling; a readout has no neuron, so
        it is done here. Float32 holds what the neuron needs to find its integers again, unless
        pooling follows or a sum counts less than one unit of the membrane.
        """
        per_unit = quantized.scale / 2.0 ** quantized.synapses[0].exponent
        if self.neuron is None:
            sums, per_unit = shift(sums, quantized.synapses[0].exponent), quantized.scale
        bias = quantized.bias.double() / (2.0**ALIGN_SHIFT * quantized.scale)
        # Pooling after the weights divides; the sums stand for what is left after it.
        after_weights = self.real.synapses[0].pooled * self.input_levels / self.integers_per_unit
        found = torch.add(_rows(bias, sums), sums, alpha=after_weights / per_unit)
        coarse = quantized.synapses[0].exponent >= -ALIGN_SHIFT
        return (
            found.float() if self.neuron is not None and coarse and not self.pools_after else found
        )

    def gain(self) -> torch.Tensor | None:
        """The input gain that quantization folds into weights and bias, if it folds one."""
        gain = channel_gain(self.real.neuron, self.form)
        return None if gain is None else torch.from_numpy(gain)


class HardwareLinear(nn.Linear):
    """``nn.Linear`` on the chip's weight grid; with ``hardware`` None an ordinary one."""

    hardware: HardwareSynapses | None = None

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """(batch, in) spikes or graded input → (batch, out) currents."""
        if self.hardware is None:
            return super().forward(input)
        value = self.hardware.value(self.weight, self.bias, exact_linear)
        return product(input, self.weight, self.bias, None, self.hardware.gain(), value)


class HardwareConv2d(nn.Conv2d):
    """``nn.Conv2d`` on the chip's weight grid; with ``hardware`` None an ordinary one."""

    hardware: HardwareSynapses | None = None

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """(batch, C, H, W) spikes or graded input → currents."""
        if self.hardware is None:
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

        value = self.hardware.value(self.weight, self.bias, multiply)
        return product(input, self.weight, self.bias, geometry, self.hardware.gain(), value)


def hardware_aware(
    model: nn.Module,
    sample: torch.Tensor,
    *,
    chip: str = "loihi2",
    noise: str = "decay",
    calibration: Program | None = None,
    events: bool = False,
    dt: float = 1e-3,
    bits: TableBits = None,
    random_source: str = "philox",
) -> nn.Module:
    """A copy of ``model`` that computes what the chip will compute.

    Linear and Conv2d layers go to the chip's weight grid, batch norms are folded into them, and
    RandomTauLeaky neurons step in 24-bit integers with the draws of the chip. Say
    with :func:`set_draws` which draws.

    Args:
        model, sample: as for ``stochi.export.to_nir``; all its neurons RandomTauLeaky.
        chip, noise, events, random_source: as for ``stochi.deploy.lower``.
        calibration: for noise that is fitted to data, the Program that holds the fit.
        dt: as for ``to_nir``.
        bits: as for ``lower``, or by the names of layers.

    Raises:
        ExportError, LoweringError: as ``to_nir`` and ``lower`` would.
        InputError: noise that is fitted to data came without its fit, or an argument is unknown or
            out of range.

    Warns:
        MergedDecays, MergedThresholds: as ``lower`` would; the latter at the first forward pass.
    """
    check_source(random_source)
    if noise in NOISE_TARGETS and calibration is None:
        raise InputError(
            f"noise {noise!r} is fitted to data; pass the lowered Program as calibration="
        )
    check_table_bits(noise, bits)
    target = find_chip(chip)
    graph = to_nir(model, sample, dt)
    network = choose_table_bits(cut_into_layers(graph, dt), bits)
    stand_ins = {}
    if calibration is not None:
        stand_ins = take_over(calibration, noise, network.shapes)
    return _in_integers(
        model,
        sample,
        network,
        stand_ins,
        steps=int(graph.metadata["steps"]),
        chip=target,
        noise=noise,
        events=events,
        dt=dt,
        random_source=random_source,
    )


def twin_of(program: Program, model: nn.Module, sample: torch.Tensor) -> nn.Module:
    """The hardware-aware model with a Program's integers; ``model`` is what it was lowered from.

    Raises:
        ExportError, LoweringError, InputError: the model is not one that the Program can come
            from.
    """
    graph = to_nir(model, sample, program.dt)
    network, stand_ins = read_again(program, graph)
    return _in_integers(
        model,
        sample,
        network,
        stand_ins,
        steps=int(graph.metadata["steps"]),
        chip=find_chip(program.chip),
        noise=program.noise,
        events=program.input_levels == 1,
        dt=program.dt,
        random_source=program.random_source,
    )


def _in_integers(
    model: nn.Module,
    sample: torch.Tensor,
    network: RealNetwork,
    stand_ins: Mapping[str, StandIn],
    *,
    steps: int,
    chip: Chip,
    noise: str,
    events: bool,
    dt: float,
    random_source: str,
) -> nn.Module:
    """A copy of a model with the layers of its network, by their names, on the chip's grid."""
    copied = copy_model(model)
    training = copied.training
    copied.eval()
    fold_batch_norms(copied, trace(copied, sample))
    draws = Draws(source=random_source)
    for index, real in enumerate(network.layers):
        path = only_path(real)
        form = choose_decay(real, chip, noise)
        levels = 1 if events or path.source != INPUT else IMAGE_LEVELS
        stand_in = stand_ins.get(real.name)
        neuron = None
        if real.neuron is not None:
            neuron = random_tau_neuron(copied, real.name)
            neuron.hardware = HardwareStep(index, form, draws)
            if stand_in is not None:
                neuron.hardware.generator = stand_in.generator
                neuron.hardware.threshold_factor = stand_in.threshold_factor
        layer = copied.get_submodule(path.weight_node)
        converted = _convert(layer)
        converted.hardware = HardwareSynapses(
            real,
            form,
            neuron,
            steps,
            levels,
            float(levels * _pooled_before_weights(path)),
            chip,
            noise,
            dt,
            stand_in,
        )
        parent, _, child = path.weight_node.rpartition(".")
        setattr(copied.get_submodule(parent), child, converted)
    return copied.train(training)


def set_draws(model: nn.Module, *, seed: int = 0, trial: int = 0, first_sample: int = 0) -> None:
    """Say which draws the model's next forward passes use (see ``stochi.hardware.noise``)."""
    for module in model.modules():
        if isinstance(module, RandomTauLeaky) and module.hardware is not None:
            draws = module.hardware.draws
            draws.seed, draws.trial, draws.first_sample = seed, trial, first_sample


class FreshDraws(nn.Module):
    """A hardware-aware model that draws anew at every call, as a chip in use would.

    An attacker who optimizes over the randomness wraps the model in this; ``seed`` should differ
    from the victim's, whose draws no attacker knows.
    """

    def __init__(self, model: nn.Module, seed: int) -> None:
        super().__init__()
        self.model = model
        self.seed = seed
        self.calls = 0

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """The model's output with the draws of the next trial."""
        set_draws(self.model, seed=self.seed, trial=self.calls)
        self.calls += 1
        return self.model(inputs)


def _convert(layer: nn.Module) -> HardwareLinear | HardwareConv2d:
    """The same layer and parameters, of the hardware-aware class."""
    layer.__class__ = HardwareLinear if isinstance(layer, nn.Linear) else HardwareConv2d
    assert isinstance(layer, HardwareLinear | HardwareConv2d)
    return layer


def random_tau_neuron(model: nn.Module, name: str) -> RandomTauLeaky:
    """The neurons of that name. ExportError where they are not RandomTauLeaky."""
    neuron = model.get_submodule(name)
    if not isinstance(neuron, RandomTauLeaky):
        raise ExportError(
            f"neuron {name!r} is a {type(neuron).__name__}; hardware-aware models need"
            " RandomTauLeaky (sampling='mean' is the plain LIF)"
        )
    return neuron


def only_path(real: RealLayer) -> RealSynapses:
    """The layer's one input, from weights to neurons; pooling may stand before them, or between.

    Raises:
        ExportError: it has several, none with weights, or a readout is pooled after them.
    """
    path = real.synapses[0]
    if len(real.synapses) > 1 or not path.weight_node:
        raise ExportError(
            f"layer {real.name!r}: a hardware-aware model takes one weight layer for each spiking"
            " layer; this has other inputs too"
        )
    if real.neuron is None and isinstance(path.stages[-1], SumPool):
        raise ExportError(f"layer {real.name!r}: pooling after the last weights; pool before them")
    return path


def _pooled_before_weights(path: RealSynapses) -> int:
    """By how much average pooling divides before the weights."""
    divisor = 1
    for stage in path.stages:
        if isinstance(stage, Weighted):
            break
        if isinstance(stage, SumPool):
            divisor *= stage.kernel[0] * stage.kernel[1]
    return divisor


def _same(before: torch.Tensor, now: torch.Tensor) -> bool:
    """Whether they are equal and on the same device."""
    return before.device == now.device and torch.equal(before, now)


def _rows(bias: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return bias.view((1, -1) + (1,) * (like.dim() - 2))
