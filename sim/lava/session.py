"""A session: Lava's runtime for a Program, kept running for many batches."""

from pathlib import Path

import torch

from stochi.hardware.draws import Draws
from stochi.sim.inputs import check_draws, to_frames
from stochi.sim.lava.network import LayerNetwork
from stochi.sim.record import Record
from stochi.sim.recording import Probes, Progress, Recording, ignore_progress

NO_PROBES = Probes()


class LavaSession(LayerNetwork):
    """Lava's processes for a Program, which take torch's tensors and give records.

    ``stochi.sim.run(backend="lava")`` opens a session for a single call. Arguments and errors are
    those of :class:`stochi.sim.lava.network.LayerNetwork`.
    """

    def __enter__(self) -> "LavaSession":
        super().__enter__()
        return self

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
        frames = to_frames(program, shown).numpy()
        samples = frames.shape[1]
        check_draws(program, draws, samples)
        recorded = Recording(program, samples, Probes(probes.names, probes.folder or self.folder))
        files: dict[str, dict[str, str]] = {}
        for (probe, layer), path in recorded.paths.items():
            files.setdefault(probe, {})[layer] = str(path)
        try:
            recorded.read[:] = self.run_frames(frames, draws, files, progress)
            record = recorded.finish()
        except BaseException:
            recorded.discard()
            raise
        if probes.folder is None:
            record = _in_memory(record, self.folder)
        return record


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
