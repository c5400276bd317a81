"""Run a Program on Lava's runtime: stock Dense and Conv, our neurons, samples in one stream."""

import logging
import signal
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stochi.deploy.program import Convolution, Dense, Flatten, Layer, Program, SumPool
from stochi.errors import StochiError
from stochi.hardware.fixed_point import STATE_MAX
from stochi.sim.lava.compatibility import import_lava
from stochi.sim.record import Record

STEPS_BETWEEN_REPORTS = 64
_MAX_GROUPS = 127


class LavaRunError(StochiError):
    """The Lava runtime cannot run this Program, or failed while it did."""


def run_lava(
    program: Program,
    frames: torch.Tensor,
    seed: int,
    trial: int,
    first_sample: int,
    probes: tuple[str, ...],
    progress: Callable[[int, int], None] | None,
) -> Record:
    """Stream all samples through one Lava run.

    Args:
        frames: (1 or steps, samples, *shape) int64.
        probes, progress and the rest: as for ``stochi.sim.run``.

    Raises:
        LavaUnavailable: Lava is not installed.
        LavaRunError: the runtime failed.
    """
    import_lava()
    samples = frames.shape[1]
    last = program.layers[-1]
    with tempfile.TemporaryDirectory(prefix="stochi-lava-") as folder:
        files: dict[str, dict[str, str]] = {}
        for index, layer in enumerate(program.layers):
            wanted = set(probes)
            if layer is last:
                wanted.add("membrane" if last.is_integrator else "spikes")
            if layer.is_integrator:
                wanted.discard("spikes")
            shape = (samples, program.steps, *layer.shape)
            files[layer.name] = {
                probe: _empty_probe(Path(folder) / f"{index}-{probe}.npy", probe, shape)
                for probe in wanted
            }
        source, steps = _build(program, frames.numpy(), seed, trial, first_sample, files)
        _run(source, steps, progress)
        return _collect(program, files, probes)


def _empty_probe(path: Path, probe: str, shape: tuple[int, ...]) -> str:
    dtype = np.bool_ if probe == "spikes" else np.int32
    np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape).flush()
    return str(path)


def _build(
    program: Program,
    frames: np.ndarray,
    seed: int,
    trial: int,
    first_sample: int,
    files: dict[str, dict[str, str]],
) -> tuple[Any, int]:
    """Create and connect the processes; returns the source and how many steps to run."""
    from stochi.sim.lava.processes.chip_neurons import ChipNeurons, NeuronRun
    from stochi.sim.lava.processes.frame_source import FrameSource
    from stochi.sim.lava.processes.schedule import Schedule

    samples, steps = frames.shape[1], program.steps
    source = FrameSource(frames=frames, schedule=Schedule(samples, steps))
    outputs = {"input": (source.s_out, program.input_shape, 0, program.input_levels == 1)}
    delay = 0
    for index, layer in enumerate(program.layers):
        port, shape, delay, binary = outputs[layer.source]
        port, delay = _synapses(layer, port, shape, delay, binary)
        run = NeuronRun(
            index,
            Schedule(samples, steps, delay),
            seed,
            trial,
            first_sample,
            files[layer.name],
        )
        neurons = ChipNeurons(layer=layer, run=run)
        port.connect(neurons.a_in)
        outputs[layer.name] = (neurons.s_out, layer.shape, delay, True)
    return source, samples * steps + delay


def _synapses(
    layer: Layer, port: Any, shape: tuple[int, ...], delay: int, binary: bool
) -> tuple[Any, int]:
    """A layer's stages as stock processes; returns the last port and its delay."""
    from lava.proc.dense.process import Dense as LavaDense

    from stochi.sim.lava.processes.weight_exponent import WeightExponent

    columns = None
    exponent = layer.weight_exponent
    for stage in layer.stages:
        bits = 0 if binary else 24
        if isinstance(stage, Flatten):
            columns = np.arange(int(np.prod(shape))).reshape(shape).T.ravel()
            port, shape = port.flatten(), (len(columns),)
            continue
        if isinstance(stage, Dense):
            weight = stage.weight if columns is None else stage.weight[:, columns]
            synapse: Any = LavaDense(
                weights=weight.astype(np.int32), weight_exp=exponent, num_message_bits=bits
            )
            exponent, shape = 0, (len(weight),)
        else:
            synapse = _convolution(layer, stage, shape, bits)
            shape = tuple(int(size) for size in synapse.output_shape[::-1])
        port.connect(synapse.s_in)
        port, delay, binary = synapse.a_out, delay + 1, False
    if exponent:
        shifted = WeightExponent(shape=shape[::-1], exponent=exponent)
        port.connect(shifted.a_in)
        port = shifted.a_out
    return port, delay


def _convolution(
    layer: Layer, stage: Convolution | SumPool, shape: tuple[int, ...], bits: int
) -> Any:
    """Lava's Conv has its axes reversed, (W, H, C), and flips its kernel."""
    from lava.proc.conv.process import Conv as LavaConv

    if isinstance(stage, SumPool):
        channels = shape[0]
        weight = np.ones((channels, 1, *stage.kernel), np.int32)
        stage = Convolution(weight, stage.stride, stage.padding, (1, 1), channels)
    if stage.groups > _MAX_GROUPS:
        raise LavaRunError(
            f"layer {layer.name!r}: Lava's Conv holds at most {_MAX_GROUPS} groups, this needs"
            f" {stage.groups}; use backend='engine'"
        )
    largest = int(np.abs(stage.weight.astype(np.int64)).reshape(len(stage.weight), -1).sum(1).max())
    if bits and largest * 255 > STATE_MAX:
        raise LavaRunError(
            f"layer {layer.name!r}: sums may reach {largest * 255}, and Lava's Conv clips at"
            f" {STATE_MAX}; use backend='engine'"
        )
    return LavaConv(
        weight=stage.weight.transpose(0, 3, 2, 1)[:, ::-1, ::-1].astype(np.int32),
        input_shape=shape[::-1],
        padding=stage.padding[::-1],
        stride=stage.stride[::-1],
        dilation=stage.dilation[::-1],
        groups=stage.groups,
        num_message_bits=bits,
    )


def _run(source: Any, steps: int, progress: Callable[[int, int], None] | None) -> None:
    from lava.magma.core.run_conditions import RunSteps
    from lava.magma.core.run_configs import Loihi2SimCfg

    config = Loihi2SimCfg(select_tag="fixed_pt", loglevel=logging.ERROR)
    done = 0
    try:
        with _interrupts_ignored():
            source.create_runtime(run_cfg=config)
        while done < steps:
            chunk = min(STEPS_BETWEEN_REPORTS, steps - done)
            source.run(condition=RunSteps(num_steps=chunk))
            done += chunk
            if progress is not None:
                progress(done, steps)
    except StochiError:
        raise
    except Exception as error:
        raise LavaRunError(
            f"Lava's runtime failed after {done} of {steps} steps: {error}"
        ) from error
    finally:
        source.stop()


@contextmanager
def _interrupts_ignored() -> Iterator[None]:
    """Processes started in here ignore Ctrl-C, which reaches the whole terminal's group.

    The parent then stops them in order; if they died first, it would wait for them forever.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread can set signal handlers, and only it gets Ctrl-C
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _collect(program: Program, files: dict[str, dict[str, str]], probes: tuple[str, ...]) -> Record:
    from stochi.sim.run import read_logits

    values: dict[str, dict[str, torch.Tensor]] = {"spikes": {}, "membrane": {}}
    for name, paths in files.items():
        for probe, path in paths.items():
            array = np.load(path)
            values[probe][name] = torch.from_numpy(np.ascontiguousarray(np.swapaxes(array, 0, 1)))
    last = program.layers[-1].name
    final = values["membrane"][last][-1] if last in values["membrane"] else torch.zeros(0)
    count = values["spikes"][last].long().sum(0) if last in values["spikes"] else torch.zeros(0)
    return Record(
        logits=read_logits(program, final, count),
        spikes=values["spikes"] if "spikes" in probes else {},
        membrane=values["membrane"] if "membrane" in probes else {},
    )
