"""A Program's time step in ONNX, in the chip's integers."""

from typing import Any

import numpy as np
import torch

from stochi.export.onnx.body import Body
from stochi.export.onnx.integer_sums import projection_sums
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
from stochi.export.onnx.symbol import Symbol, constant, stored, write
from stochi.hardware.decays import draw_decays, look_up
from stochi.hardware.delays import delayed
from stochi.hardware.draws import Draws, LayerDraws
from stochi.hardware.neuron import NeuronParameters, NeuronState, fire, integrate
from stochi.hardware.noise import (
    HIGH_STREAM,
    LOW_STREAM,
    block_bytes,
    draw_generator,
    generator_value,
)
from stochi.program.layers import CONSTANT, INPUT, Layer, Projection
from stochi.program.network import Network
from stochi.sim.engine.layer_step import RunningLayer

PARTS = ("membrane", "current", "waiting")


class SteppedProgram(SteppedNetwork):
    """A Program, whose integers are the engine's.

    Args:
        program: the Program.
        streams: whether inputs have time steps.
        inside: whether random numbers are drawn in the graph.
        probes: what is given of all layers, of "spikes" and "membrane".
    """

    def __init__(
        self, program: Network, streams: bool, inside: bool, probes: tuple[str, ...] = ()
    ) -> None:
        self.program, self.streams, self.inside, self.probes = program, streams, inside, probes
        self.time_steps = program.target.time_steps
        self.input_shape = program.input_shape
        self.draws = dict(drawn for layer in program.layers for drawn in _draws_of(layer))
        self.states = _states_of(program, streams)
        self.factors = program.step_factors

    def frames(self, shown: Symbol) -> Symbol:
        """Write the inputs as integers, ``round(values · levels)`` of numbers in [0, 1]."""
        levels = self.program.target.input_levels
        limits = (constant(shown, limit) for limit in (0, 1))
        inside = write("Clip", [shown, *limits]).to(torch.float64)
        return write("Round", [inside * levels]).to(torch.uint8)

    def once(self, body: Body, given: Given) -> Given:
        """See :class:`SteppedNetwork`."""
        found = {}
        for index, layer in enumerate(self.program.layers):
            for number, projection in enumerate(layer.projections):
                if self._lasts(projection):
                    name = f"{layer.name}.sums{number}"
                    found[name] = self._sums(layer, number, given[FRAME])
            if self.inside and layer.decay.drawn and not layer.decay.redraw:
                name = f"draws.{layer.name}.decay"
                found[name] = self._decays(body, index, layer, given, 0)
        return found

    def step(self, body: Body, given: Given) -> Advanced:
        """See :class:`SteppedNetwork`."""
        past = self._past(given)
        states: Given = {}
        probes: Given = {}
        read: Symbol | None = None
        for index, layer in enumerate(self.program.layers):
            synaptic = self._synaptic(body, layer, past, given)
            spikes, neurons = self._advance(body, index, layer, synaptic, given)
            for part in PARTS:
                if f"{layer.name}.{part}" in self.states:
                    states[f"{layer.name}.{part}"] = getattr(neurons, part)
            if layer.spikes:
                past[layer.name][0] = spikes.to(torch.uint8)
            shown = {"spikes": spikes, "membrane": neurons.membrane}
            for probe in self.probes:
                if probe != "spikes" or layer.spikes:
                    probes[f"{probe}.{layer.name}"] = shown[probe]
            if layer.name == self.program.output:
                read = shown["spikes" if self.program.readout == "spikes" else "membrane"]
        assert read is not None
        for source, sent in past.items():
            for age in range(1, _ages(self.program, source) + 1):
                states[f"{source}.sent{age}"] = sent[1 - age]
        read = read.to(torch.int64).reshape(-1, self.program.classes)
        return Advanced(states, read, probes)

    def finish(self, read: Symbol) -> Given:
        """Write the integers that were read, and the logits that they stand for, float64."""
        program = self.program
        unit = 1.0
        if program.readout != "spikes":
            unit = program.layer(program.output).membrane_unit
        unit *= program.target.time_steps if program.over_time == "mean" else 1
        return {"read": read, "logits": read.to(torch.float64) / unit}

    def draw(self, name: str, batch: int, draws: Draws, step: int) -> np.ndarray:
        """See :class:`SteppedNetwork`."""
        index = next(
            place
            for place, layer in enumerate(self.program.layers)
            if name in dict(_draws_of(layer))
        )
        layer = self.program.layers[index]
        samples, neurons = draws.samples(batch), torch.arange(layer.neurons)
        drawn_at, setting = draws.at(index, step), layer.generator
        if name.endswith(".noise"):
            assert setting is not None
            drawn = draw_generator(samples, neurons, drawn_at, setting.mantissa, setting.exponent)
        else:
            table = torch.from_numpy(layer.decay.values)
            drawn = draw_decays(table, samples, neurons, drawn_at, layer.decay.redraw)
        found: np.ndarray = drawn.view(-1, *layer.shape).int().numpy()
        return found

    def _lasts(self, projection: Projection) -> bool:
        shown = projection.source == INPUT and projection.longest_delay == 0
        return shown and not self.streams

    def _past(self, given: Given) -> dict[str, dict[int, Symbol]]:
        """Return what each source sent, by the time step less this one."""
        past: dict[str, dict[int, Symbol]] = {layer.name: {} for layer in self.program.layers}
        past[INPUT] = {0: given[FRAME]}
        for source, sent in past.items():
            for age in range(1, _ages(self.program, source) + 1):
                sent[-age] = given[f"{source}.sent{age}"]
        return past

    def _synaptic(
        self, body: Body, layer: Layer, past: dict[str, dict[int, Symbol]], given: Given
    ) -> Symbol:
        """Write the sum over all projections."""
        summed: Any = 0
        for number, projection in enumerate(layer.projections):
            if projection.source == CONSTANT:
                summed = self._constant_sums(body, layer, number) + summed
                continue
            if self._lasts(projection):
                summed = given[f"{layer.name}.sums{number}"] + summed
                continue
            sent: Any = past[projection.source]
            delay = torch.from_numpy(projection.delay)
            arriving: Any = delayed(sent, 0, delay, sent[min(sent)] * 0)
            summed = self._sums(layer, number, arriving) + summed
        assert isinstance(summed, Symbol)
        return summed

    def _sums(self, layer: Layer, number: int, arriving: Symbol) -> Symbol:
        projection = layer.projections[number]
        return projection_sums(
            projection,
            f"{layer.name}.weight{number}",
            arriving,
            self.program.source_shape(projection, layer),
            self.program.largest_value(projection.source),
        )

    def _constant_sums(self, body: Body, layer: Layer, number: int) -> Symbol:
        index = self.program.index(layer.name)
        running = RunningLayer(
            self.program, index, torch.device("cpu"), lambda p: p.source == CONSTANT
        )
        sums = running.constant_sums()[number].numpy()
        return stored(body, f"{layer.name}.constant{number}", sums)

    def _advance(
        self, body: Body, index: int, layer: Layer, synaptic: Symbol, given: Given
    ) -> tuple[Symbol, NeuronState]:
        """Write the neurons' step; return spikes, or zeros, and the state."""
        state = NeuronState(*(given.get(f"{layer.name}.{part}", 0) for part in PARTS))
        keep: Any = _numbers(body, f"{layer.name}.keep", layer.decay.values)
        if layer.decay.drawn:
            name = f"draws.{layer.name}.decay"
            drawn = given.get(name)
            keep = self._decays(body, index, layer, given, given[STEP]) if drawn is None else drawn
        bias: Any = _numbers(body, f"{layer.name}.bias", layer.bias())
        current_noise: Any = 0
        if layer.generator is not None:
            noise = given.get(f"draws.{layer.name}.noise")
            noise = self._noise(index, layer, given) if noise is None else noise
            if layer.generator.target == "membrane":
                bias = noise + bias
            else:
                current_noise = noise
        current_keep = layer.current_keep
        parameters = NeuronParameters(
            keep,
            0
            if current_keep is None
            else _numbers(body, f"{layer.name}.current_keep", current_keep),
            bias,
            _numbers(body, f"{layer.name}.threshold", layer.threshold_mantissa),
        )
        integrated = integrate(state, synaptic, parameters, layer.kind, current_noise)
        if not layer.spikes:
            return integrated.membrane * 0, integrated
        fired: Any = fire(integrated, parameters.threshold, layer.kind)
        spikes, neurons = fired
        return spikes, neurons

    def _drawn_at(self, index: int, given: Given, step: Any) -> Any:
        return LayerDraws(given[SEED], given[TRIAL], index, step)  # type: ignore[arg-type]

    def _decays(self, body: Body, index: int, layer: Layer, given: Given, step: Any) -> Symbol:
        table: Any = look_up(layer.decay.values.astype(np.int32), np.arange(256))  # type: ignore[type-var]
        drawn: Any = block_bytes(
            given[SAMPLES],  # type: ignore[type-var]
            torch.arange(layer.neurons),
            self._drawn_at(index, given, step),
        )
        found = stored(body, f"{layer.name}.table", table)
        looked_up = write("Gather", [found, drawn.to(torch.int64)], shape=drawn.shape)
        return looked_up.reshape(-1, *layer.shape)

    def _noise(self, index: int, layer: Layer, given: Given) -> Symbol:
        assert layer.generator is not None
        neurons, drawn_at = torch.arange(layer.neurons), self._drawn_at(index, given, given[STEP])
        samples: Any = given[SAMPLES]
        high, low = (
            block_bytes(samples, neurons, drawn_at, stream).to(torch.int32)
            for stream in (HIGH_STREAM, LOW_STREAM)
        )
        setting = layer.generator
        value: Any = generator_value(high, low, setting.mantissa, setting.exponent)
        found: Symbol = value.reshape(-1, *layer.shape)
        return found


def _draws_of(layer: Layer) -> list[tuple[str, Drawn]]:
    kind, found = Kind(torch.int32, layer.shape), []
    if layer.decay.drawn:
        found.append((f"draws.{layer.name}.decay", Drawn(kind, layer.decay.redraw)))
    if layer.generator is not None:
        found.append((f"draws.{layer.name}.noise", Drawn(kind, True)))
    return found


def _ages(network: Network, source: str) -> int:
    """Return how many time steps back a source's values are needed."""
    projections = [p for layer in network.layers for p in layer.projections if p.source == source]
    return ages_kept(source, (p.longest_delay for p in projections))


def _states_of(network: Network, streams: bool) -> dict[str, Kind]:
    found = {}
    for age in range(1, _ages(network, INPUT) + 1):
        found[f"{INPUT}.sent{age}"] = Kind(torch.uint8, network.input_shape)
    for layer in network.layers:
        number = Kind(torch.int32, layer.shape)
        found[f"{layer.name}.membrane"] = number
        if layer.current_keep is not None:
            found[f"{layer.name}.current"] = number
        if layer.refractory:
            found[f"{layer.name}.waiting"] = number
        for age in range(1, _ages(network, layer.name) + 1):
            found[f"{layer.name}.sent{age}"] = Kind(torch.uint8, layer.shape)
    return found


def _numbers(body: Body, name: str, values: np.ndarray | None) -> Any:
    """Return numbers of a layer's neurons; one for all neurons as a number of Python."""
    if values is None:
        return 0
    if values.size == 1:
        return int(values.reshape(-1)[0])
    return stored(body, name, values.astype(np.int32))
