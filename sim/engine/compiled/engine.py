"""The compiled engine: every thread runs a shard of samples in compiled loops."""

import threading
from dataclasses import dataclass

import numpy as np
import torch

from stochi.hardware.draws import Draws
from stochi.program.layers import INPUT, Projection
from stochi.program.network import Network
from stochi.sim.engine.compiled.compilation import compiled_kernel
from stochi.sim.engine.compiled.neurons import CHUNK, STREAMS, WORDS
from stochi.sim.engine.compiled.synapses import scratch
from stochi.sim.engine.compiled.tables import (
    CURRENT_NOISE,
    EXTERNAL_SAMPLE,
    EXTERNAL_START,
    EXTERNAL_STEP,
    HAS_CURRENT,
    NEURONS,
    NOISE,
    REFRACTORY,
    Tables,
    is_external,
    make_tables,
)
from stochi.sim.engine.layer_step import RunningLayer
from stochi.sim.engine.torch_engine import frames_by_step


@dataclass(frozen=True)
class ShardResult:
    """Outcome of a shard of samples.

    Attributes:
        read: (batch, outputs) int64 that the logits come from; see
            :func:`stochi.sim.recording.read_logits`.
        spikes: (time steps, batch, all neurons) bool; None if they are not probed.
        membrane: (time steps, batch, all neurons) int32; None if they are not probed.
    """

    read: np.ndarray
    spikes: np.ndarray | None
    membrane: np.ndarray | None


class CompiledEngine:
    """A Program that is ready to run; several threads may call :meth:`run` at the same time.

    Args:
        network: the Program.
        single_frame: whether one frame is shown at all time steps.
    """

    def __init__(self, network: Network, single_frame: bool) -> None:
        self.network = network
        self.single_frame = single_frame
        self.tables = make_tables(network, single_frame)
        self.layers = [
            RunningLayer(network, index, torch.device("cpu"), self._is_external)
            for index in range(len(network.layers))
        ]
        self.memory = threading.local()

    def run(self, frames: torch.Tensor, draws: Draws, probes: tuple[str, ...]) -> ShardResult:
        """Run the samples of ``frames``, (1 or time steps, batch, *shape) int32."""
        batch = frames.shape[1]
        tables, external = self._external_sums(frames)
        shape = (tables.steps, batch, tables.states)
        outputs = int(tables.layers[tables.output, NEURONS])
        spikes = np.zeros(shape if "spikes" in probes else (0, 0, 0), np.bool_)
        membrane = np.zeros(shape if "membrane" in probes else (0, 0, 0), np.int32)
        read = np.zeros((batch, outputs), np.int64)
        binary = np.zeros(0, np.uint8)
        if self.network.target.events and not self.single_frame:
            binary = frames.transpose(0, 1).to(torch.uint8).flatten().numpy()
        if not hasattr(self.memory, "scratch"):
            self.memory.scratch = scratch(tables)
            self.memory.state = state_of_a_sample(tables, self.network.target.random_source)
        compiled_kernel()(
            tables,
            batch,
            draws.first_sample,
            draws.seed,
            draws.trial,
            binary,
            external,
            self.memory.scratch,
            self.memory.state,
            spikes.view(np.uint8),
            membrane,
            read,
        )
        return ShardResult(
            read,
            spikes if "spikes" in probes else None,
            membrane if "membrane" in probes else None,
        )

    def _is_external(self, projection: Projection) -> bool:
        return is_external(self.network, projection, self.single_frame)

    def _external_sums(self, frames: torch.Tensor) -> tuple[Tables, np.ndarray]:
        """Compute the shard's external sums in torch, and note their places in the tables."""
        batch = frames.shape[1]
        past = {INPUT: frames_by_step(self.network, frames)}
        table = self.tables.synapses.copy()
        parts: list[np.ndarray] = []
        size = row = 0
        for running in self.layers:
            constant = running.constant_sums(frames)
            for number, projection in enumerate(running.layer.projections):
                if self._is_external(projection):
                    neurons, sums = running.layer.neurons, constant.get(number)
                    if sums is None:
                        steps = range(self.network.target.time_steps)
                        sums = torch.stack(
                            [running.sums(number, past, step, batch) for step in steps]
                        )
                        table[row, EXTERNAL_STEP] = batch * neurons
                    values = sums.numpy().ravel()
                    table[row, EXTERNAL_START] = size
                    table[row, EXTERNAL_SAMPLE] = 0 if values.size == neurons else neurons
                    parts.append(values)
                    size += values.size
                row += 1
        return (
            self.tables._replace(synapses=table),
            parts[0] if len(parts) == 1 else np.concatenate([np.zeros(0, np.int32), *parts]),
        )


def state_of_a_sample(tables: Tables, random_source: str) -> tuple[np.ndarray, ...]:
    """Allocate the state of a sample, and buffers for a chunk of neurons.

    The state has shift registers if the random source is "lfsr".
    """
    remembers = tables.layers[:, [HAS_CURRENT, REFRACTORY]].any()
    remembers |= (tables.layers[:, NOISE] == CURRENT_NOISE).any()
    extra = tables.states if remembers else 0
    return (
        np.zeros(tables.states, np.int32),
        np.zeros(extra, np.int32),
        np.zeros(extra, np.int32),
        np.zeros(tables.largest_layer, np.int32),
        np.zeros(tables.spikes, np.uint8),
        np.zeros(STREAMS * len(tables.layers) if random_source == "lfsr" else 0, np.int64),
        np.zeros(2 * WORDS, np.int64),
        np.zeros(5 * CHUNK, np.int32),
    )
