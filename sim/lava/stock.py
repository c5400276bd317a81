"""A Program on Lava's own Dense, Conv and LIF, as far as these can express it.

This is a reference: Stochi computes nothing here except the frames that go in, and on request
the neurons that Lava does not have. Lava's synapses send
the values that they received a time step before, so layer l runs l time steps late. ``LIFReset``
resets each layer at its own first time step of every sample.
"""

import math
import time
from typing import Any

import numpy as np

from stochi.hardware.broadcasting import over_neurons
from stochi.hardware.draws import Draws
from stochi.hardware.fixed_point import CURRENT_KEEP_MAX, DECAY_UNITY, THRESHOLD_MANTISSA_MAX
from stochi.program.layers import (
    CONSTANT,
    INPUT,
    Convolution,
    Dense,
    Flatten,
    Layer,
    Projection,
    SumPool,
)
from stochi.program.program import Program
from stochi.sim.lava.compatibility import import_lava
from stochi.sim.lava.numpy_two import adapt_convolutions
from stochi.sim.lava.runtime import LavaRuntime
from stochi.sim.lava.stock_rules import (
    cannot,
    check_synapses,
    stock_delays,
    what_the_neuron_lacks,
    window_weight,
)


class StockLava:
    """A Program as stock Lava processes, ready to run samples one after another.

    Use it as a context manager, which ends the processes.

    Args:
        program: Program to run.
        frames: (1 or time steps, samples, *shape) integers that the input sends.
        draws: if given, neurons that Lava's LIF does not know run as ``ChipNeurons``, a process of
            Stochi, between Lava's own synapses, with these draws.

    Attributes:
        delays: layer's name → number of time steps that it runs late.
        seconds: time that Lava's runtime has run.
        done: number of time steps that are done.

    Raises:
        LavaUnavailable: Lava is not installed.
        LoweringError: stock Lava has no such neuron or connection; the message names the layer.
    """

    def __init__(self, program: Program, frames: np.ndarray, draws: Draws | None = None) -> None:
        check_synapses(program)
        lacking = {layer.name: what_the_neuron_lacks(layer) for layer in program.layers}
        for layer in program.layers:
            if draws is None and lacking[layer.name]:
                raise cannot(layer, str(lacking[layer.name]))
        import_lava()
        self.program, self.frames, self.draws = program, frames, draws
        self.own = {name for name, what in lacking.items() if what}
        self.samples = frames.shape[1]
        self.neurons: dict[str, Any] = {}
        self.sinks: dict[str, Any] = {}
        self.delays = stock_delays(program)
        self.seconds = 0.0
        self.done = 0
        self.runtime = LavaRuntime(self._connect, _own_models())

    def __enter__(self) -> "StockLava":
        self.runtime.start()
        return self

    def __exit__(self, raised: object, *_: object) -> None:
        self.runtime.stop(by_force=raised is not None)

    def run(self, steps: int) -> None:
        """Run a number of time steps, and add the time that Lava takes to ``seconds``."""
        start = time.perf_counter()
        self.runtime.run(steps)
        self.seconds += time.perf_counter() - start
        self.done += steps

    def membrane(self, layer: str) -> np.ndarray:
        """Return the current membranes of a layer, (*shape) int64, in a Program's C order."""
        return np.asarray(self.neurons[layer].v.get(), np.int64).T

    def output_after_each_sample(self) -> np.ndarray:
        """Run all samples; return the output layer's last membranes of each, (samples, *shape)."""
        output = self.program.output
        self.run(self.delays[output])
        membranes = []
        for _ in range(self.samples):
            self.run(self.program.target.time_steps)
            membranes.append(self.membrane(output))
        return np.stack(membranes)

    def membranes_at_each_step(self) -> dict[str, np.ndarray]:
        """Run all samples; return every layer's membranes, (time steps, samples, *shape)."""
        program = self.program
        total = self.samples * program.target.time_steps
        seen = {
            layer.name: np.zeros((program.target.time_steps, self.samples, *layer.shape), np.int64)
            for layer in program.layers
        }
        for _ in range(total + max(self.delays.values())):
            self.run(1)
            for name, delay in self.delays.items():
                own = self.done - 1 - delay
                if 0 <= own < total:
                    sample, step = divmod(own, program.target.time_steps)
                    seen[name][step, sample] = self.membrane(name)
        return seen

    def record(self) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Run all samples; return spikes and the output's membranes.

        Returns:
            Layer's name → (time steps, samples, *shape) bool for layers that spike, and the
            output's membranes after each time step, (time steps, samples, *shape) int64.
        """
        program, steps = self.program, self.program.target.time_steps
        total = self.samples * steps
        late = self.delays[program.output]
        membranes = np.zeros((total, *program.layer(program.output).shape), np.int64)
        for now in range(total + max(self.delays.values())):
            self.run(1)
            if 0 <= now - late < total:
                membranes[now - late] = self.membrane(program.output)

        def by_step(values: np.ndarray) -> np.ndarray:
            return values.reshape(self.samples, steps, *values.shape[1:]).swapaxes(0, 1)

        spikes = {}
        for name, sink in self.sinks.items():
            sent = np.moveaxis(sink.data.get(), -1, 0)[self.delays[name] :][:total]
            axes = (0, *range(sent.ndim - 1, 0, -1))
            spikes[name] = by_step(sent.transpose(axes) != 0)
        return spikes, by_step(membranes)

    def _connect(self) -> Any:
        from lava.proc.io.sink import RingBuffer

        from stochi.sim.lava.processes.frame_source import FrameSource

        program = self.program
        steps = program.target.time_steps
        source = FrameSource(frames=self.frames, steps=steps)
        outputs = {INPUT: source.s_out}
        for layer in program.layers:
            neurons = self._neurons(layer)
            self.neurons[layer.name] = neurons
            outputs[layer.name] = neurons.s_out
            if self.draws is not None and layer.spikes:
                length = self.samples * steps + max(self.delays.values())
                sink = RingBuffer(shape=layer.shape[::-1], buffer=length)
                neurons.s_out.connect(sink.a_in)
                self.sinks[layer.name] = sink
        for layer in program.layers:
            for projection in layer.projections:
                if projection.source == CONSTANT:
                    continue
                binary = projection.source != INPUT or program.target.events
                shape = program.source_shape(projection, layer)
                port = _synapses(projection, outputs[projection.source], shape, binary)
                port.connect(self.neurons[layer.name].a_in)
        return source

    def _neurons(self, layer: Layer) -> Any:
        from stochi.sim.lava.processes.chip_neurons import ChipNeurons

        if layer.name not in self.own:
            return _lif(layer, self.program, self.delays[layer.name])
        assert self.draws is not None
        return ChipNeurons(
            program=self.program,
            index=self.program.index(layer.name),
            draws=self.draws,
            delay=self.delays[layer.name],
        )


def _own_models() -> dict[type, type]:
    from stochi.sim.lava.processes.chip_neurons import ChipNeurons, PyChipNeurons
    from stochi.sim.lava.processes.frame_source import FrameSource, PyFrameSource
    from stochi.sim.lava.processes.weight_exponent import PyWeightExponent, WeightExponent

    return {
        ChipNeurons: PyChipNeurons,
        FrameSource: PyFrameSource,
        WeightExponent: PyWeightExponent,
    }


def _lif(layer: Layer, program: Program, delay: int) -> Any:
    from lava.proc.lif.process import LIFReset

    values = (layer.decay.values, layer.current_keep, layer.threshold_mantissa)
    keep, current_keep, threshold = (None if v is None else int(v) for v in values)
    bias = np.broadcast_to(over_neurons(layer.bias_mantissa, layer.shape), layer.shape)
    assert keep is not None
    return LIFReset(
        shape=layer.shape[::-1],
        du=CURRENT_KEEP_MAX - (current_keep or 0),
        dv=DECAY_UNITY - keep,
        vth=THRESHOLD_MANTISSA_MAX if threshold is None else threshold,
        bias_mant=np.ascontiguousarray(bias.T),
        bias_exp=layer.bias_exponent,
        reset_interval=program.target.time_steps,
        reset_offset=delay + 1,
    )


def _synapses(projection: Projection, port: Any, shape: tuple[int, ...], binary: bool) -> Any:
    """Connect a projection's stages as stock processes; return the last port."""
    from lava.proc.dense.process import Dense as LavaDense

    columns = None
    exponent = projection.weight_exponent
    for stage in projection.stages:
        bits = 0 if binary else 24
        if isinstance(stage, Flatten):
            columns = np.arange(math.prod(shape)).reshape(shape).T.ravel()
            port, shape = port.flatten(), (len(columns),)
            continue
        if isinstance(stage, Dense):
            weight = stage.weight if columns is None else stage.weight[:, columns]
            process: Any = LavaDense(
                weights=weight.astype(np.int32), weight_exp=exponent, num_message_bits=bits
            )
            exponent, shape = 0, (len(weight),)
        else:
            assert isinstance(stage, Convolution | SumPool)
            process = _convolution(stage, shape, bits)
            shape = tuple(int(size) for size in process.output_shape[::-1])
        port.connect(process.s_in)
        port, binary = process.a_out, False
    if exponent:
        # Lava's Conv ignores the weight exponent, so a process of Stochi shifts the sums.
        from stochi.sim.lava.processes.weight_exponent import WeightExponent

        shifted = WeightExponent(shape=shape[::-1], exponent=exponent)
        port.connect(shifted.a_in)
        port = shifted.a_out
    return port


def _convolution(stage: Convolution | SumPool, shape: tuple[int, ...], bits: int) -> Any:
    """Make Lava's Conv, which has reversed axes (W, H, C) and flips its kernel."""
    from lava.proc.conv.process import Conv as LavaConv

    adapt_convolutions()
    weight = window_weight(stage, shape[0])
    if isinstance(stage, SumPool):
        stage = Convolution(weight, stage.stride, stage.padding, (1, 1), shape[0])
    return LavaConv(
        weight=weight.transpose(0, 3, 2, 1)[:, ::-1, ::-1].astype(np.int32),
        input_shape=shape[::-1],
        padding=stage.padding[::-1],
        stride=stage.stride[::-1],
        dilation=stage.dilation[::-1],
        groups=stage.groups,
        num_message_bits=bits,
    )
