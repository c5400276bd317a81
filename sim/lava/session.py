"""A Program on Lava's runtime that stays up for many batches."""

import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from stochi.deploy.program import INPUT, Program
from stochi.errors import LoweringError
from stochi.hardware.noise import check_coordinates
from stochi.sim.inputs import check_inputs, to_frames
from stochi.sim.lava.compatibility import import_lava
from stochi.sim.lava.jobs import Job
from stochi.sim.lava.runtime import LavaRuntime
from stochi.sim.record import Record
from stochi.sim.recording import Recording

SIDE_BY_SIDE_NEURONS = 2**18
"""So many neurons of a layer, of all samples together, step at a time in one process."""


class LavaSession:
    """Lava's processes for a Program, one for each layer, started once.

    Use it as a context; leaving it ends the processes. ``stochi.sim.run(backend="lava")`` opens
    one for a single call.

    Args:
        program: what to run.
        samples: how many samples a batch has at most; fewer step side by side if they are large.

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
        inputs: torch.Tensor,
        *,
        seed: int = 0,
        trial: int = 0,
        probes: tuple[str, ...] = (),
        first_sample: int = 0,
        progress: Callable[[int, int], None] | None = None,
        probe_folder: Path | None = None,
    ) -> Record:
        """Show a batch; arguments, errors and the record are those of ``stochi.sim.run``."""
        check_coordinates(seed=seed, trial=trial)
        program = self.program
        frames = to_frames(program, check_inputs(program, inputs))
        samples = frames.shape[1]
        job_folder = self.folder / f"job-{self.jobs}"
        recorded = Recording(program, samples, probes, probe_folder or self.folder)
        paths: dict[str, dict[str, str]] = {}
        for (probe, layer), path in recorded.paths.items():
            paths.setdefault(probe, {})[layer] = str(path)
        job = Job(samples, seed, trial, first_sample, paths)
        job.write(
            self.folder, self.jobs, frames.flatten(2).numpy().astype(np.uint8), program.classes
        )
        self.jobs += 1
        try:
            for first in range(0, samples, self.side_by_side):
                self.runtime.run(program.steps)
                if progress is not None:
                    progress(min(first + self.side_by_side, samples), samples)
            recorded.read[:] = np.load(job_folder / "read.npy")
            record = recorded.finish()
        except BaseException:
            recorded.discard()
            raise
        finally:
            shutil.rmtree(job_folder, ignore_errors=True)
        if probe_folder is None:
            record = _in_memory(record, self.folder)
        return record

    def _connect(self) -> object:
        from stochi.sim.lava.processes.batch_source import BatchSource
        from stochi.sim.lava.processes.chip_layer import ChipLayer, sources_of

        program, side = self.program, self.side_by_side
        neurons = int(np.prod(program.input_shape))
        source = BatchSource(
            neurons=neurons, folder=self.folder, steps=program.steps, side_by_side=side
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
    """The same record, off the files that the session is about to delete."""
    copy = Record(
        record.logits,
        {name: values.clone() for name, values in record.spikes.items()},
        {name: values.clone() for name, values in record.membrane.items()},
    )
    for file in folder.glob("*.npy"):
        file.unlink()
    return copy
