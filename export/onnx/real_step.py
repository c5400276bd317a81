"""A graph's time step in ONNX, in real numbers: its torch module walks over the graph's values."""

from typing import Any

import numpy as np
import torch
from torch import nn

from stochi.errors import InputError
from stochi.export.model.model import GraphModel, Sent
from stochi.export.model.neuron import GraphNeuron, State, step
from stochi.export.model.random_decay import levels_of
from stochi.export.model.running import Group, RealRunningLayer, group_paths
from stochi.export.onnx.body import Body
from stochi.export.onnx.draws import drawn_decays, drawn_levels
from stochi.export.onnx.stepped import (
    FRAME,
    SAMPLES,
    SEED,
    STEP,
    TRIAL,
    Advanced,
    Drawn,
    Given,
    Kind,
    SteppedNetwork,
    ages_kept,
)
from stochi.export.onnx.symbol import Symbol, numpy_type
from stochi.hardware.draws import Draws, LayerDraws
from stochi.program.layers import INPUT

EACH_STEP, LASTING = "step", "forward"


class SteppedModel(SteppedNetwork):
    """A graph's torch module, whose numbers are its parameters of now.

    Args:
        model: from ``stochi.export.from_nir``.
        streams: whether inputs have time steps.
        inside: whether λ is drawn in the graph.
        probes: what is given of all layers, of "spikes" and "membrane".
    """

    def __init__(
        self, model: GraphModel, streams: bool, inside: bool, probes: tuple[str, ...] = ()
    ) -> None:
        self.model, self.streams, self.inside, self.probes = model, streams, inside, probes
        self.time_steps = model.reading.time_steps
        self.input_shape = model.wiring.input_shape
        self.dtype = next((p.dtype for p in model.parameters()), torch.get_default_dtype())
        self.neurons = model.neurons()
        self.draws = {}
        for name, neuron in self.neurons.items():
            if neuron.random and neuron.sampling == "fixed" and not neuron.fixed_decay.numel():
                raise InputError(
                    f"neuron {name!r}: its fixed decays are not drawn yet; run the model once"
                    " first, and pass the model"
                )
            if is_drawn(neuron):
                kind = Kind(self.dtype, neuron.shape)
                self.draws[f"draws.{name}.decay"] = Drawn(kind, neuron.sampling == EACH_STEP)
        self.states = self._all_states()
        self.factors = self._factors()

    def frames(self, shown: Symbol) -> Symbol:
        """Return the inputs as they are, in the type of the parameters."""
        return shown.to(self.dtype)

    def once(self, body: Body, given: Given) -> Given:
        """See :class:`SteppedNetwork`."""
        self._name_parameters(body)
        found: Given = {}
        if not self.streams:
            sent: Any = {INPUT: {0: given[FRAME]}}
            for name, layer in self._layers({}).items():
                for number, group in enumerate(layer.groups):
                    if group.follows_input:
                        arriving = self.model._arriving(group, sent, 0)
                        found[f"{name}.current{number}"] = layer.through(number, arriving)
        for index, (name, neuron) in self._numbered():
            if self.inside and is_drawn(neuron) and neuron.sampling == LASTING:
                found[f"draws.{name}.decay"] = self._drawn(index, neuron, given, 0)
        return found

    def step(self, body: Body, given: Given) -> Advanced:
        """See :class:`SteppedNetwork`."""
        self._name_parameters(body)
        decays = {}
        for index, (name, neuron) in self._numbered():
            if is_drawn(neuron):
                drawn = given.get(f"draws.{name}.decay")
                decays[name] = (
                    self._drawn(index, neuron, given, given[STEP]) if drawn is None else drawn
                )
        layers = self._layers(decays)
        sent: Any = self._sent(given)
        states: Any = {name: self._state(name, given) for name in self.neurons}
        found = self.model.step_layers(layers, states, sent, 0, self._kept(layers, given))
        after: Given = {}
        for name in self.neurons:
            for part, value in states[name]._asdict().items():
                if f"{name}.{part}" in self.states:
                    after[f"{name}.{part}"] = value
        for source in sent:
            for age in range(1, self._ages(source) + 1):
                after[f"{source}.sent{age}"] = sent[source][1 - age]
        probes: Given = {}
        for name, neuron in self.neurons.items():
            output: Any = found[name]
            if "spikes" in self.probes and neuron.threshold is not None:
                probes[f"spikes.{name}"] = output.sent.to(torch.bool)
            if "membrane" in self.probes:
                probes[f"membrane.{name}"] = output.membrane
        by_membrane = self.model.reading.reads == "membrane"
        last: Any = found[self.model.wiring.output]
        read = last.membrane if by_membrane and last.membrane is not None else last.sent
        return Advanced(after, read, probes)

    def finish(self, read: Symbol) -> Given:
        """Write the answer as the module reads it."""
        mean = self.model.reading.readout == "mean"
        return {"logits": read / self.time_steps if mean else read}

    def draw(self, name: str, batch: int, draws: Draws, step: int) -> np.ndarray:
        """See :class:`SteppedNetwork`."""
        index, neuron = next(
            (index, neuron)
            for index, (layer, neuron) in self._numbered()
            if name == f"draws.{layer}.decay"
        )
        drawn = draw_lambda(neuron, draws.samples(batch), draws.at(index, step))
        found: np.ndarray = drawn.to(self.dtype).view(-1, *neuron.shape).numpy()
        return found

    def _layers(self, decays: Given) -> dict[str, Any]:
        return {
            layer.name: _SymbolicLayer(
                group_paths(layer.paths),
                self.model.nodes,
                self.neurons.get(layer.name),
                decays.get(layer.name),
            )
            for layer in self.model.wiring.layers
        }

    def _numbered(self) -> list[tuple[int, tuple[str, GraphNeuron]]]:
        order = [layer.name for layer in self.model.wiring.layers]
        return [(order.index(name), (name, neuron)) for name, neuron in self.neurons.items()]

    def _drawn(self, index: int, neuron: GraphNeuron, given: Given, step: Any) -> Symbol:
        draws: Any = LayerDraws(given[SEED], given[TRIAL], index, step)  # type: ignore[arg-type]
        drawn: Symbol = draw_lambda(neuron, given[SAMPLES], draws)
        return drawn.to(self.dtype).reshape(-1, *neuron.shape)

    def _sent(self, given: Given) -> Sent:
        sent: Any = {name: {} for name in self.model.shapes}
        sent[INPUT][0] = given[FRAME]
        for source, values in sent.items():
            for age in range(1, self._ages(source) + 1):
                values[-age] = given[f"{source}.sent{age}"]
        found: Sent = sent
        return found

    def _kept(self, layers: dict[str, Any], given: Given) -> Any:
        return {
            (name, number): given[f"{name}.current{number}"]
            for name, layer in layers.items()
            for number, group in enumerate(layer.groups)
            if group.follows_input and not self.streams
        }

    def _state(self, name: str, given: Given) -> State:
        parts: Any = (given.get(f"{name}.{part}") for part in State._fields)
        return State(*parts)

    def _all_states(self) -> dict[str, Kind]:
        found = {}
        for name, neuron in self.neurons.items():
            kind = Kind(self.dtype, neuron.shape)
            found[f"{name}.membrane"] = kind
            if neuron.current_decay is not None:
                found[f"{name}.current"] = kind
            if neuron.kind.refractory:
                found[f"{name}.waiting"] = kind
        for source, shape in self.model.shapes.items():
            for age in range(1, self._ages(source) + 1):
                found[f"{source}.sent{age}"] = Kind(self.dtype, shape)
        return found

    def _ages(self, source: str) -> int:
        paths = [p for la in self.model.wiring.layers for p in la.paths if p.source == source]
        return ages_kept(source, (int(path.delay.max()) for path in paths))

    def _factors(self) -> np.ndarray | None:
        readout = self.model.reading.readout
        if readout == "steps":
            return None
        factors: np.ndarray = np.ones(self.time_steps, numpy_type(self.dtype))
        if readout == "last":
            factors[:-1] = 0
        return factors

    def _name_parameters(self, body: Body) -> None:
        for name, module in self.model.nodes.items():
            for what, tensor in (*module.named_parameters(), *module.named_buffers()):
                body.names[id(tensor)] = f"{name}.{what}"


class _SymbolicLayer(RealRunningLayer):
    """A layer whose neurons take λ from outside, and fire without a surrogate."""

    def __init__(
        self,
        groups: tuple[Group, ...],
        nodes: dict[str, nn.Module],
        neuron: GraphNeuron | None,
        decay: Any,
    ) -> None:
        super().__init__(groups, nodes, neuron)
        self.decay = decay

    def advance(self, current: Any, state: State, step_number: int) -> tuple[Any, State]:
        """See :class:`stochi.export.model.running.RunningLayer`."""
        assert self.neuron is not None
        dynamics = self.neuron.dynamics(current, self.decay)
        return step(state, current, dynamics, self.neuron.kind, lambda above: above > 0)


def is_drawn(neuron: GraphNeuron) -> bool:
    """Return whether a neuron draws its λ in every run."""
    return neuron.random and neuron.sampling in (EACH_STEP, LASTING)


def draw_lambda(neuron: GraphNeuron, samples: Any, draws: LayerDraws) -> Any:
    """Draw a neuron's λ for every (sample, neuron), (batch, neurons).

    Args:
        samples: (batch,) numbers of the samples, a tensor or a value of a graph.
        draws: seed, trial, layer and step of the draws, numbers or values of the graph.
    """
    count = int(np.prod(neuron.shape))
    distribution = neuron.distribution
    if neuron.bits is not None:
        levels = neuron.levels
        if neuron.learn_distribution:
            levels = levels_of(distribution, neuron.bits)
        return drawn_levels(levels.detach().cpu(), samples, count, draws)
    return drawn_decays(distribution, distribution.parameters, samples, count, draws)
