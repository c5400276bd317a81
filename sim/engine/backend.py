"""The engine as a back end: compiled loops on the CPU, torch on any other device."""

from dataclasses import dataclass, replace

import torch

from stochi.hardware.draws import Draws
from stochi.program.program import Program
from stochi.sim.engine.compiled.engine import CompiledEngine
from stochi.sim.engine.threads import in_threads
from stochi.sim.engine.torch_engine import run_torch
from stochi.sim.inputs import to_frames
from stochi.sim.record import Record
from stochi.sim.recording import Probes, Progress, Recording

SHARD_VALUES = 2**21
"""Approximate number of states in a shard, over its samples, layers and, if probed, time steps."""


@dataclass(frozen=True)
class Engine:
    """The engine on one device.

    Attributes:
        device: device that it computes on.
        threads: number of threads that step samples on the CPU.
    """

    device: torch.device
    threads: int

    def run(
        self,
        program: Program,
        shown: torch.Tensor,
        draws: Draws,
        probes: Probes,
        progress: Progress,
    ) -> Record:
        """Run a batch; see :class:`stochi.sim.backends.Backend`."""
        recording = Recording(program, shown.shape[1], probes)
        try:
            if self.device.type == "cpu":
                _run_compiled(program, shown, draws, recording, self.threads, progress)
            else:
                _run_torch(program, shown, draws, recording, self.device, progress)
            return recording.finish()
        except BaseException:
            recording.discard()
            raise


def shard_size(program: Program, batch: int, probes: tuple[str, ...], threads: int) -> int:
    """Return the number of samples that the engine takes at a time.

    Shards keep memory small and give all threads equal work. They do not change the outcome, since
    draws depend on the numbers of the samples.
    """
    states = sum(layer.neurons for layer in program.layers)
    states *= program.target.time_steps if probes else 1
    shards = -(-batch * states // SHARD_VALUES)
    return -(-batch // (-(-shards // threads) * threads))


def _run_compiled(
    program: Program,
    shown: torch.Tensor,
    draws: Draws,
    recording: Recording,
    threads: int,
    progress: Progress,
) -> None:
    probes = tuple(probe for probe, arrays in recording.probes.items() if arrays)
    batch = shown.shape[1]
    size = shard_size(program, batch, probes, threads)
    engine = CompiledEngine(program, len(shown) == 1)

    def run_shard(start: int) -> int:
        end = min(start + size, batch)
        frames = to_frames(program, shown[:, start:end])
        result = engine.run(frames, _from_row(draws, start), probes)
        recording.write(start, result.read, result.spikes, result.membrane)
        return end

    for end in in_threads(run_shard, range(0, batch, size), threads):
        progress(end, batch)


def _run_torch(
    program: Program,
    shown: torch.Tensor,
    draws: Draws,
    recording: Recording,
    device: torch.device,
    progress: Progress,
) -> None:
    batch, size = shown.shape[1], shard_size(program, shown.shape[1], (), 1)
    factors = program.step_factors
    for start in range(0, batch, size):
        frames = to_frames(program, shown[:, start : start + size]).to(device)
        end = start + frames.shape[1]
        with torch.no_grad():
            running = run_torch(program, frames, _from_row(draws, start))
            for step, layers in enumerate(running):
                read = layers[program.output]
                values = read.spikes if program.readout == "spikes" else read.membrane
                if factors[step]:
                    recording.read[start:end] += factors[step] * values.flatten(1).cpu().numpy()
                for name, array in recording.probes["spikes"].items():
                    array[step, start:end] = layers[name].spikes.cpu().numpy()
                for name, array in recording.probes["membrane"].items():
                    array[step, start:end] = layers[name].membrane.cpu().numpy()
        progress(end, batch)


def _from_row(draws: Draws, start: int) -> Draws:
    """Return the draws of the rows from ``start`` on."""
    return replace(draws, first_sample=draws.first_sample + start)
