"""A Program on Lava's own Dense, Conv and LIF, as far as these can express it.

This is a reference: Stochi computes nothing here except the frames that go in. Lava's synapses send
the values that they received a time step before, so layer l runs l time steps late. ``LIFReset``
resets each layer at its own first time step of every sample.
"""

import math
import time
from typing import Any

import numpy as np
import torch

from stochi.errors import LoweringError
from stochi.hardware.broadcasting import over_neurons
from stochi.hardware.fixed_point import (
    CURRENT_KEEP_MAX,
    DECAY_UNITY,
    GRADED_INPUT_MAX,
    STATE_MAX,
    THRESHOLD_MANTISSA_MAX,
)
from stochi.program.layers import INPUT, Convolution, Dense, Flatten, Layer, Projection, SumPool
from stochi.program.program import Program
from stochi.sim.inputs import check_inputs, to_frames
from stochi.sim.lava.compatibility import import_lava
from stochi.sim.lava.numpy_two import adapt_convolutions
from stochi.sim.lava.runtime import LavaRuntime

_MAX_GROUPS = 127


class StockLava:
    """A Program as stock Lava processes, ready to run samples one after another.

    Use it as a context manager, which ends the processes.

    Args:
        program: Program to run.
        inputs: as for ``stochi.sim.run``.

    Attributes:
        delays: layer's name → number of time steps that it runs late.
        seconds: time that Lava's runtime has run.
        done: number of time steps that are done.

    Raises:
        LavaUnavailable: Lava is not installed.
        LoweringError: stock Lava has no such neuron or connection; the message names the layer.
    """

    def __init__(self, program: Program, inputs: torch.Tensor) -> None:
        import_lava()
        self.program = program
        self.frames = to_frames(program, check_inputs(program, inputs)).numpy()
        self.samples = self.frames.shape[1]
        self.neurons: dict[str, Any] = {}
        self.delays = _delays(program)
        self.seconds = 0.0
        self.done = 0
        self.runtime = LavaRuntime(self._connect)

    def __enter__(self) -> "StockLava":
        self.runtime.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.runtime.stop()

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

    def _connect(self) -> Any:
        from stochi.sim.lava.processes.frame_source import FrameSource

        program = self.program
        source = FrameSource(frames=self.frames, steps=program.target.time_steps)
        outputs = {INPUT: source.s_out}
        for layer in program.layers:
            lif = _lif(layer, program, self.delays[layer.name])
            self.neurons[layer.name] = lif
            outputs[layer.name] = lif.s_out
        for layer in program.layers:
            for projection in layer.projections:
                binary = projection.source != INPUT or program.target.events
                shape = program.source_shape(projection, layer)
                port = _synapses(layer, projection, outputs[projection.source], shape, binary)
                port.connect(self.neurons[layer.name].a_in)
        return source


def _delays(program: Program) -> dict[str, int]:
    """Return the time steps that each layer runs late: the stock synapses between it and the input.

    Raises:
        LoweringError: stock Lava does not have such connections.
    """
    delays = {INPUT: 0}
    for layer in program.layers:
        found = set()
        for projection in layer.projections:
            own = projection.source == layer.name
            if projection.source not in delays and not own:
                raise _cannot(layer, f"feedback from {projection.source!r}")
            if projection.longest_delay != own:
                raise _cannot(layer, "axonal delays")
            if not own:
                hops = sum(not isinstance(stage, Flatten) for stage in projection.stages)
                found.add(delays[projection.source] + hops)
        if len(found) != 1:
            raise _cannot(layer, "inputs over paths of different length")
        delays[layer.name] = found.pop()
    del delays[INPUT]
    return delays


def _lif(layer: Layer, program: Program, delay: int) -> Any:
    from lava.proc.lif.process import LIFReset

    decay = layer.decay
    keeps = (decay.values, layer.current_keep, layer.threshold_mantissa)
    if decay.drawn or decay.programmable:
        raise _cannot(layer, "drawn decays, or an input gain of 1 − decay")
    if any(values is not None and values.ndim for values in keeps):
        raise _cannot(layer, "decays or thresholds that differ between neurons")
    if layer.resets_in_microcode or layer.refractory:
        raise _cannot(layer, "reset other than to 0 at the spike, and no refractory period")
    keep, current_keep, threshold = (None if v is None else int(v) for v in keeps)
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


def _synapses(
    layer: Layer, projection: Projection, port: Any, shape: tuple[int, ...], binary: bool
) -> Any:
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
        elif isinstance(stage, Convolution | SumPool):
            if len(shape) != 3:
                raise _cannot(layer, "1-d convolutions")
            process = _convolution(layer, stage, shape, bits)
            shape = tuple(int(size) for size in process.output_shape[::-1])
        else:
            raise _cannot(layer, "one-to-one synapses")
        port.connect(process.s_in)
        port, binary = process.a_out, False
    if exponent:
        # Lava's Conv ignores the weight exponent, so a process of Stochi shifts the sums.
        from stochi.sim.lava.processes.weight_exponent import WeightExponent

        shifted = WeightExponent(shape=shape[::-1], exponent=exponent)
        port.connect(shifted.a_in)
        port = shifted.a_out
    return port


def _convolution(
    layer: Layer, stage: Convolution | SumPool, shape: tuple[int, ...], bits: int
) -> Any:
    """Make Lava's Conv, which has reversed axes (W, H, C) and flips its kernel."""
    from lava.proc.conv.process import Conv as LavaConv

    adapt_convolutions()
    if isinstance(stage, SumPool):
        channels = shape[0]
        weight = np.ones((channels, 1, *stage.kernel), np.int32)
        stage = Convolution(weight, stage.stride, stage.padding, (1, 1), channels)
    if stage.groups > _MAX_GROUPS:
        raise _cannot(layer, f"{stage.groups} groups (at most {_MAX_GROUPS})")
    largest = int(np.abs(stage.weight.astype(np.int64)).reshape(len(stage.weight), -1).sum(1).max())
    if bits and largest * GRADED_INPUT_MAX > STATE_MAX:
        raise _cannot(layer, f"sums of {largest * GRADED_INPUT_MAX} in its Conv, which clips them")
    return LavaConv(
        weight=stage.weight.transpose(0, 3, 2, 1)[:, ::-1, ::-1].astype(np.int32),
        input_shape=shape[::-1],
        padding=stage.padding[::-1],
        stride=stage.stride[::-1],
        dilation=stage.dilation[::-1],
        groups=stage.groups,
        num_message_bits=bits,
    )


def _cannot(layer: Layer, what: str) -> LoweringError:
    return LoweringError(f"layer {layer.name!r}: stock Lava has no {what}; use backend='lava'")
