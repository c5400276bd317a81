"""Lava's processes for a Program, one for each layer, kept running for many batches."""

import shutil
from collections.abc import Callable
from contextlib import ExitStack

import numpy as np

from stochi.hardware.draws import Draws
from stochi.program.layers import INPUT
from stochi.program.program import Program
from stochi.sim.lava.compatibility import import_lava
from stochi.sim.lava.jobs import Job
from stochi.sim.lava.layer_sources import check_sources, sources_of
from stochi.sim.lava.runtime import LavaRuntime
from stochi.temporary import temporary_folder

SIDE_BY_SIDE_NEURONS = 2**18
"""Largest number of a layer's neurons, over all samples, that step side by side in a process."""


class LayerNetwork:
    """Lava's processes for a Program, one for each layer, started once.

    Use it as a context manager, which ends the processes.

    Args:
        program: Program to run.
        samples: largest number of samples in a batch; fewer step side by side if they are large.

    Raises:
        LavaUnavailable: Lava is not installed.
        LavaRunError: the runtime does not start.
        LoweringError: a layer has more sources than a process has ports.
    """

    def __init__(self, program: Program, samples: int) -> None:
        check_sources(program)
        import_lava()
        from stochi.sim.lava.processes.batch_source import BatchSource, PyBatchSource
        from stochi.sim.lava.processes.chip_layer import ChipLayer, PyChipLayer

        largest = max(layer.neurons for layer in program.layers)
        self.program = program
        self.side_by_side = max(1, min(samples, SIDE_BY_SIDE_NEURONS // largest))
        self.jobs = 0
        self.models: dict[type, type] = {BatchSource: PyBatchSource, ChipLayer: PyChipLayer}

    def __enter__(self) -> "LayerNetwork":
        with ExitStack() as stack:
            self.folder = stack.enter_context(temporary_folder())
            self.runtime = LavaRuntime(self._connect, self.models)
            self.runtime.start()
            self.folder_in_use = stack.pop_all()
        return self

    def __exit__(self, raised: object, *_: object) -> None:
        with self.folder_in_use:
            self.runtime.stop(by_force=raised is not None)

    def run_frames(
        self,
        frames: np.ndarray,
        draws: Draws,
        files: dict[str, dict[str, str]],
        progress: Callable[[int, int], None],
    ) -> np.ndarray:
        """Run a batch.

        Args:
            frames: (1 or time steps, samples, *shape) integers that the input sends.
            draws: draws of the batch, from the Program's random source.
            files: "spikes" or "membrane" → layer's name → the .npy file, of the full size, that
                they are recorded into.
            progress: function of the number of samples that are done and the number of all samples.

        Returns:
            What is read of the output, (samples, classes) int64, as in
            :attr:`stochi.program.network.Network.step_factors`.

        Raises:
            LavaRunError: a process failed.
        """
        program, samples = self.program, frames.shape[1]
        sent = frames.reshape(*frames.shape[:2], -1).astype(np.uint8)
        job_folder = Job(samples, draws, files).write(self.folder, self.jobs, sent, program.classes)
        self.jobs += 1
        try:
            for first in range(0, samples, self.side_by_side):
                self.runtime.run(program.target.time_steps)
                progress(min(first + self.side_by_side, samples), samples)
            return np.load(job_folder / "read.npy")
        finally:
            shutil.rmtree(job_folder, ignore_errors=True)

    def _connect(self) -> object:
        from stochi.sim.lava.processes.batch_source import BatchSource
        from stochi.sim.lava.processes.chip_layer import ChipLayer

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
