"""A session: Lava's runtime for a Program, kept running for many batches."""

import shutil
import tempfile
from pathlib import Path

import numpy as np
import torch

from stochi.errors import LoweringError
from stochi.hardware.draws import Draws
from stochi.program.layers import INPUT
from stochi.program.program import Program
from stochi.sim.inputs import check_draws, to_frames
from stochi.sim.lava.compatibility import import_lava
from stochi.sim.lava.jobs import Job
from stochi.sim.lava.runtime import LavaRuntime
from stochi.sim.record import Record
from stochi.sim.recording import Probes, Progress, Recording, ignore_progress

NO_PROBES = Probes()
SIDE_BY_SIDE_NEURONS = 2**18
"""Largest number of a layer's neurons, over all samples, that step side by side in a process."""


class LavaSession:
    """Lava's processes for a Program, one for each layer, started once.

    Use it as a context manager, which ends the processes. ``stochi.sim.run(backend="lava")`` opens
    a session for a single call.

    Args:
        program: Program to run.
        samples: largest number of samples in a batch; fewer step side by side if they are large.

    Raises:
        LavaUnavailable: Lava is not installed.
        LavaRunError: the runtime does not start.
        LoweringError: a layer has more sources than a process has ports.
    """

    def __init__(self, program: Program, samples: int) -> None:
        import_lava()
        from stochi.sim.lava.processes.batch_source import BatchSource, PyBatchSource
        from stochi.sim.lava.processes.chip_layer import (
            MAX_SOURCES,
            ChipLayer,
            PyChipLayer,
            sources_of,
        )

        for layer in program.layers:
            if len(sources_of(layer)) > MAX_SOURCES:
                raise LoweringError(
                    f"layer {layer.name!r}: {len(sources_of(layer))} sources; on Lava a layer has"
                    f" at most {MAX_SOURCES}; use backend='engine'"
                )
        largest = max(layer.neurons for layer in program.layers)
        self.program = program
        self.side_by_side = max(1, min(samples, SIDE_BY_SIDE_NEURONS // largest))
        self.jobs = 0
        self.models: dict[type, type] = {BatchSource: PyBatchSource, ChipLayer: PyChipLayer}

    def __enter__(self) -> "LavaSession":
        self.folder = Path(tempfile.mkdtemp(prefix="stochi-lava-"))
        try:
            self.runtime = LavaRuntime(self._connect, self.models)
            self.runtime.start()
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.runtime.stop()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    def run(
        self,
        shown: torch.Tensor,
        draws: Draws,
        probes: Probes = NO_PROBES,
        progress: Progress = ignore_progress,
    ) -> Record:
        """Run a batch.

        Args:
            shown: inputs of :func:`stochi.sim.inputs.check_inputs`.
            draws: draws of the batch, from the Program's random source.
            probes: what to record.
            progress: function of the number of samples that are done and the number of all samples.

        Raises:
            LavaRunError: a process failed.
        """
        program = self.program
        frames = to_frames(program, shown)
        samples = frames.shape[1]
        check_draws(program, draws, samples)
        job_folder = self.folder / f"job-{self.jobs}"
        recorded = Recording(program, samples, Probes(probes.names, probes.folder or self.folder))
        paths: dict[str, dict[str, str]] = {}
        for (probe, layer), path in recorded.paths.items():
            paths.setdefault(probe, {})[layer] = str(path)
        job = Job(samples, draws, paths)
        job.write(
            self.folder, self.jobs, frames.flatten(2).numpy().astype(np.uint8), program.classes
        )
        self.jobs += 1
        try:
            for first in range(0, samples, self.side_by_side):
                self.runtime.run(program.target.time_steps)
                progress(min(first + self.side_by_side, samples), samples)
            recorded.read[:] = np.load(job_folder / "read.npy")
            record = recorded.finish()
        except BaseException:
            recorded.discard()
            raise
        finally:
            shutil.rmtree(job_folder, ignore_errors=True)
        if probes.folder is None:
            record = _in_memory(record, self.folder)
        return record

    def _connect(self) -> object:
        from stochi.sim.lava.processes.batch_source import BatchSource
        from stochi.sim.lava.processes.chip_layer import ChipLayer, sources_of

        program, side = self.program, self.side_by_side
        neurons = int(np.prod(program.input_shape))
        source = BatchSource(
            neurons=neurons, folder=self.folder, steps=program.target.time_steps, side_by_side=side
        )
        layers = {
            layer.name: ChipLayer(
                program=program, index=index, folder=self.folder, side_by_side=side
            )
            for index, layer in enumerate(program.layers)
        }
        outputs = {INPUT: source.s_out} | {name: p.s_out for name, p in layers.items()}
        for layer in program.layers:
            for number, name in enumerate(sources_of(layer)):
                outputs[name].connect(getattr(layers[layer.name], f"in{number}"))
        return source


def _in_memory(record: Record, folder: Path) -> Record:
    """Copy a record into memory, and delete the files that it maps."""
    copy = Record(
        record.logits,
        {name: values.clone() for name, values in record.spikes.items()},
        {name: values.clone() for name, values in record.membrane.items()},
    )
    for file in folder.glob("*.npy"):
        file.unlink()
    return copy
