"""Run shards of samples in compiled loops, one a thread."""

import threading
from dataclasses import dataclass

import numpy as np
import torch

from stochi.deploy.program import INPUT, Program, Synapses
from stochi.sim.compiled.compilation import compiled_kernel
from stochi.sim.compiled.neurons import CHUNK, STREAMS, WORDS
from stochi.sim.compiled.synapses import scratch
from stochi.sim.compiled.tables import (
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
from stochi.sim.layer_step import to_tensors
from stochi.sim.torch_engine import constant_sums, frames_by_step, sums_at


@dataclass(frozen=True)
class ShardResult:
    """What a shard of samples did.

    Attributes:
        read: (batch, outputs) int64, what the logits come from: see ``stochi.sim.run``.
        spikes: (steps, batch, all neurons) bool; membrane: the same, int32; None without probe.
    """

    read: np.ndarray
    spikes: np.ndarray | None
    membrane: np.ndarray | None


class CompiledEngine:
    """A Program made ready to run; :meth:`run` may be called by several threads at once."""

    def __init__(self, program: Program, single_frame: bool) -> None:
        self.program = program
        self.single_frame = single_frame
        self.tables = make_tables(program, single_frame)
        self.layers = [
            to_tensors(program, layer, torch.device("cpu"), self._is_external)
            for layer in program.layers
        ]
        self.memory = threading.local()

    def run(
        self,
        frames: torch.Tensor,
        first_sample: int,
        seed: int,
        trial: int,
        probes: tuple[str, ...],
    ) -> ShardResult:
        """Run the samples of ``frames``, (1 or steps, batch, *shape) int32."""
        batch = frames.shape[1]
        tables, external = self._external_sums(frames)
        shape = (tables.steps, batch, tables.states)
        outputs = int(tables.layers[tables.output, NEURONS])
        spikes = np.zeros(shape if "spikes" in probes else (0, 0, 0), np.bool_)
        membrane = np.zeros(shape if "membrane" in probes else (0, 0, 0), np.int32)
        read = np.zeros((batch, outputs), np.int64)
        binary = np.zeros(0, np.uint8)
        if self.program.input_levels == 1 and not self.single_frame:
            binary = frames.transpose(0, 1).to(torch.uint8).flatten().numpy()
        if not hasattr(self.memory, "scratch"):
            self.memory.scratch = scratch(tables)
            self.memory.state = _state(tables, self.program.random_source)
        compiled_kernel()(
            tables,
            batch,
            first_sample,
            seed,
            trial,
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

    def _is_external(self, synapses: Synapses) -> bool:
        return is_external(self.program, synapses, self.single_frame)

    def _external_sums(self, frames: torch.Tensor) -> tuple[Tables, np.ndarray]:
        """Sums that torch computes for the whole shard, and the tables that say where they lie."""
        program, batch = self.program, frames.shape[1]
        constant = constant_sums(program, self.layers, frames)
        past = {INPUT: frames_by_step(program, frames)}
        synapses_table = self.tables.synapses.copy()
        parts: list[np.ndarray] = []
        size = row = 0
        for index, layer in enumerate(program.layers):
            for number, synapses in enumerate(layer.synapses):
                if self._is_external(synapses):
                    sums = constant.get((index, number))
                    if sums is None:
                        every = [
                            sums_at(
                                program,
                                layer,
                                synapses,
                                self.layers[index],
                                number,
                                past,
                                step,
                                batch,
                            )
                            for step in range(program.steps)
                        ]
                        sums = torch.stack(every)
                        synapses_table[row, EXTERNAL_STEP] = batch * layer.neurons
                    values = sums.numpy().ravel()
                    synapses_table[row, EXTERNAL_START] = size
                    one_for_all = values.size == layer.neurons
                    synapses_table[row, EXTERNAL_SAMPLE] = 0 if one_for_all else layer.neurons
                    parts.append(values)
                    size += values.size
                row += 1
        return (
            self.tables._replace(synapses=synapses_table),
            parts[0] if len(parts) == 1 else np.concatenate([np.zeros(0, np.int32), *parts]),
        )


def _state(tables: Tables, random_source: str) -> tuple[np.ndarray, ...]:
    """A sample's state, shift registers where those are the random source, and buffers for a chunk
    of neurons."""
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
