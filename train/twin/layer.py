"""One layer of a twin: real parameters, rounded to the chip's integers whenever they change."""

from copy import copy
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch

from stochi.deploy.graph.layers import RealLayer, read_layer
from stochi.deploy.graph.neurons import read_neuron
from stochi.deploy.graph.wiring import WiredLayer, Wiring
from stochi.deploy.lowering.layer import (
    RealValues,
    channel_gain,
    choose_decay,
    current_keep,
    quantize_real_layer,
)
from stochi.deploy.lowering.own_noise import own_stand_in
from stochi.deploy.lowering.reset import choose_reset
from stochi.deploy.lowering.stand_in import StandIn
from stochi.devices import device_of
from stochi.errors import ExportError
from stochi.export.model.linear import LinearNode
from stochi.export.model.model import GraphModel
from stochi.export.model.neuron import State
from stochi.export.model.running import RunningLayer, separate_paths
from stochi.export.model.writing import write_linear, write_neuron
from stochi.hardware.broadcasting import over_neurons
from stochi.hardware.chips import find_chip
from stochi.hardware.fixed_point import shift
from stochi.hardware.neuron import RESETS, NeuronKind
from stochi.program.target import Target
from stochi.train.twin.exact_products import substitute
from stochi.train.twin.neuron import DrawsNow, StepNumbers, TwinStep
from stochi.train.twin.path import PathNumbers, TwinPath


class LayerNumbers(NamedTuple):
    """A layer's integers on the chip, and the parameters that they come from.

    Attributes:
        parameters: the parameters when these numbers were made.
        paths: numbers of each path.
        step: numbers of the neurons.
        bias: the bias in the model's units, in a shape that broadcasts over (batch, *shape).
    """

    parameters: tuple[torch.Tensor, ...]
    paths: tuple[PathNumbers, ...]
    step: StepNumbers
    bias: torch.Tensor

    def to(self, device: torch.device) -> "LayerNumbers":
        """Return the numbers on a device, beside the same parameters."""
        paths = tuple(path.to(device) for path in self.paths)
        return LayerNumbers(self.parameters, paths, self.step.to(device), self.bias.to(device))


class TwinLayer:
    """A layer with real parameters that computes in the chip's integers.

    Args:
        index: number of the layer in the Program, a coordinate of its draws.
        wired: the layer in the graph.
        real: the layer in real numbers.
        graph: nodes and their modules, whose parameters may change.
        target: target of the Program.
        stand_in: fitted noise in place of drawn decays, if the layer has it, or a Program's setting
            of noise of its own, which else follows the weights.
        now: the draws, shared by all layers.

    Raises:
        ExportError: the twin cannot compute the layer.
        LoweringError: the layer does not fit the chip.
    """

    def __init__(
        self,
        index: int,
        wired: WiredLayer,
        real: RealLayer,
        graph: GraphModel,
        target: Target,
        stand_in: StandIn | None,
        now: DrawsNow,
    ) -> None:
        self.graph, self.wired, self.real = graph, wired, real
        self.target, self.stand_in = target, stand_in
        self.neuron = graph.neurons().get(wired.name)
        self.node = graph.wiring.nodes.get(wired.node)
        self.paths = tuple(
            TwinPath(projection, path, graph, target.input_levels)
            for projection, path in zip(real.projections, wired.paths, strict=True)
        )
        self.groups = separate_paths(wired.paths)
        self.step = make_step(index, real, target, stand_in, now)
        plain = self.neuron is None or (
            self.neuron.current_decay is None and not self.neuron.kind.refractory
        )
        reads_pooled = self.neuron is None and self.paths[0].pools_after
        # A bias of each neuron belongs behind everything that follows the weights.
        own = () if real.neuron is None else (real.neuron.rest, real.neuron.decay, real.neuron.gain)
        of_each = any(np.ndim(values) > 1 for values in (real.bias, *own))
        early = not of_each or not self.paths[0].after
        alone = len(self.paths) == 1 and self.paths[0].fuses
        self.fuses = alone and plain and early and not reads_pooled
        if not plain and self.neuron is not None and self.neuron.learns_decays:
            raise ExportError(
                f"neuron {wired.name!r}: with synaptic memory or a refractory period, a twin cannot"
                " learn the distribution of the decays; leave learn_distribution out"
            )
        self.last: LayerNumbers | None = None

    def begin(self) -> "RunningTwinLayer":
        """Return the layer for a run, with the integers of the current parameters.

        Raises:
            LoweringError: the layer does not fit the chip.
        """
        neuron = self.neuron
        threshold = torch.zeros(0)
        if neuron is not None and neuron.threshold is not None:
            threshold = neuron.threshold
        learned: tuple[torch.Tensor, ...] = ()
        if neuron is not None and neuron.learns_decays:
            learned = (neuron.learned_distribution()[1],)
        weights = tuple(parameter for path in self.paths for parameter in path.parameters)
        now = tuple(value.detach() for value in (*weights, threshold, *learned))
        # Comparing parameters costs less than quantizing them.
        if self.last is None or not all(map(_same, self.last.parameters, now)):
            if learned:
                self._take_learned_decays()
            numbers = self._quantize(threshold, tuple(parameter.clone() for parameter in now))
            self.last = numbers.to(device_of(self.graph))
        if self.fuses:
            return RunningTwinLayer(self, self.last, self.last.bias)
        bias = torch.broadcast_tensors(self._bias(), self.last.bias)
        return RunningTwinLayer(self, self.last, substitute(*bias))

    def _quantize(
        self, threshold: torch.Tensor, parameters: tuple[torch.Tensor, ...]
    ) -> LayerNumbers:
        """Return the numbers on the CPU, where the lowering makes the same ones."""
        values = self._real_values(threshold.cpu())
        real, shape = self.real, self.real.shape
        stand_in = self.stand_in
        if stand_in is None and real.neuron is not None and real.neuron.noise is not None:
            stand_in = own_stand_in(real, self.step.decay, values, self.target)
            self.step.generator = None if stand_in is None else stand_in.generator
        quantized = quantize_real_layer(
            real, self.step.decay, values, self.target, stand_in, warn=self.last is None
        )
        gain = self._gain()
        paths = tuple(
            path.numbers(quantized, number, gain, shape) for number, path in enumerate(self.paths)
        )
        keep = current_keep(real.neuron)
        step = StepNumbers.of(quantized, self.step.decay, keep, shape, self.fuses)
        bias = quantized.bias.double() / step.unit
        if real.neuron is not None and real.neuron.current_decay is not None:
            bias = torch.zeros((), dtype=torch.float64)
        if len(quantized.projections) > len(self.paths):
            constant = quantized.projections[-1]
            sums = shift(constant.weight.flatten(), constant.exponent)
            bias = sums.double() / quantized.scale
        return LayerNumbers(parameters, paths, step, over_neurons(bias, shape))

    def _real_values(self, threshold: torch.Tensor) -> RealValues:
        """Return the parameters' current values on the CPU, and renew ``real`` if they fold."""
        neuron = self.real.neuron
        if neuron is not None and neuron.threshold is not None:
            threshold = exact_if_unchanged(
                threshold, over_neurons(neuron.threshold, self.real.shape)
            )
        if all(path.single for path in self.paths):
            bias = torch.zeros(self.real.bias.shape, dtype=torch.float64)
            for path in self.paths:
                added = path.bias_of_layer()
                bias = bias if added is None else bias + added.cpu()
            weights = [exact_if_unchanged(p.weight.cpu(), p.real.weight) for p in self.paths]
            return RealValues(weights, exact_if_unchanged(bias, self.real.bias), threshold)
        now = read_layer(self._rewired(), self.wired, self.target.dt)
        self.real = replace(now, neuron=self.real.neuron)
        for path, projection in zip(self.paths, self.real.projections, strict=True):
            path.real = projection
        values = RealValues.of(self.real)
        return RealValues(values.weights, values.bias, threshold)

    def _rewired(self) -> Wiring:
        """Return the graph with the weights of now in the nodes of the layer's paths."""
        nodes = dict(self.graph.wiring.nodes)
        for path in self.wired.paths:
            for name in path.nodes:
                module = self.graph.nodes[name]
                assert isinstance(module, LinearNode)
                nodes[name] = copy(nodes[name])
                write_linear(nodes[name], module)
        return replace(self.graph.wiring, nodes=nodes)

    def _bias(self) -> torch.Tensor:
        """Return what the biases of all paths add to the neurons' input, with its gradient."""
        total = torch.zeros((), dtype=torch.float64, device=device_of(self.graph))
        for path in self.paths:
            if any(path.counts):
                total = total + path.answer_to_nothing().squeeze(0).double()
        gain = self._gain()
        return total if gain is None else total * over_neurons(gain.to(total), self.real.shape)

    def _gain(self) -> torch.Tensor | None:
        """Return the input gain that quantization folds into weights and bias, or None."""
        gain = channel_gain(self.real.neuron, self.step.decay)
        return None if gain is None else torch.from_numpy(gain)

    def _take_learned_decays(self) -> None:
        """Update table and gain from the current distribution, as export and lowering do."""
        before, neuron = self.real.neuron, self.neuron
        assert before is not None and neuron is not None and self.node is not None
        node = copy(self.node)
        write_neuron(self.real.name, node, neuron, self.target.dt)
        after = read_neuron(self.real.name, node, self.target.dt)
        if after.random is not None and before.random is not None:
            after = replace(after, random=replace(after.random, bits=before.random.bits))
        after = replace(after, membrane_is_read=before.membrane_is_read)
        self.real = replace(self.real, neuron=after)
        self.step.decay = choose_decay(self.real, self.target)


class RunningTwinLayer(RunningLayer):
    """A twin's layer in one run."""

    def __init__(self, layer: TwinLayer, numbers: LayerNumbers, bias: torch.Tensor) -> None:
        self.layer, self.numbers, self.bias = layer, numbers, bias
        self.groups, self.neuron = layer.groups, layer.neuron

    def through(self, number: int, values: torch.Tensor) -> torch.Tensor:
        """See :class:`RunningLayer`."""
        path, numbers = self.layer.paths[number], self.numbers.paths[number]
        if self.layer.fuses:
            return path.fused(values, numbers, self.neuron is None)
        return path.shifted(values, numbers)

    def join(self, currents: list[torch.Tensor]) -> torch.Tensor:
        """See :class:`RunningLayer`."""
        if self.layer.fuses:
            return currents[0]
        return sum(currents[1:], currents[0]) + self.bias

    def advance(self, current: torch.Tensor, state: State, step: int) -> tuple[torch.Tensor, State]:
        """See :class:`RunningLayer`."""
        assert self.neuron is not None
        return self.layer.step.advance(current, state, step, self.neuron, self.numbers.step)


def make_step(
    index: int, real: RealLayer, target: Target, stand_in: StandIn | None, now: DrawsNow
) -> TwinStep:
    """Return the step of a layer's neurons as the lowering would have it.

    Args:
        index: number of the layer in the Program.

    Raises:
        LoweringError: the chip does not have such neurons.
    """
    decay = choose_decay(real, target)
    reset = choose_reset(real, find_chip(target.chip))
    refractory = 0 if real.neuron is None else real.neuron.refractory
    kind = NeuronKind(
        decay.programmable, RESETS.index(reset.name), reset.delay, reset.current, refractory
    )
    if stand_in is None:
        return TwinStep(index, decay, kind, now)
    return TwinStep(index, decay, kind, now, stand_in.generator, stand_in.threshold_factor)


def exact_if_unchanged(now: torch.Tensor, given: np.ndarray) -> torch.Tensor:
    """Return the graph's own numbers, float64, if these are still their values in torch's type.

    Args:
        now: current values, on the CPU.
        given: the graph's numbers.
    """
    exact = torch.from_numpy(np.array(given))
    narrow = now.detach().float()
    same = exact.shape == now.shape and torch.equal(exact.float(), narrow)
    return exact if same else now


def _same(before: torch.Tensor, now: torch.Tensor) -> bool:
    """Return whether the tensors are equal and on the same device."""
    return before.device == now.device and torch.equal(before, now)
