"""Recording of a run's probes while it runs, in memory or in files on disk."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import numpy as np
import torch

from stochi.budget import check_memory
from stochi.program.program import Program
from stochi.sim.mapped import create_mapped
from stochi.sim.record import Record

_UNFINISHED = ".unfinished"
_DTYPES = {"spikes": np.bool_, "membrane": np.int32}
PROBES = tuple(_DTYPES)
"""What can be recorded of a layer."""


Progress = Callable[[int, int], None]
"""Called during a run with the number of samples that are done, and of all samples."""


def ignore_progress(done: int, total: int) -> None:
    """Do nothing with a run's progress."""


@dataclass(frozen=True)
class Probes:
    """What to record of every layer at every time step, and where to keep it.

    Attributes:
        names: some of ``PROBES``.
        folder: folder of the files that probes are written into while they are recorded; None
            keeps them in memory.
    """

    names: tuple[str, ...] = ()
    folder: Path | None = None


class Recording:
    """Arrays (time steps, batch, *shape) for every probe of every layer, written shard by shard.

    With a folder they are ``<probe>.<layer>.npy`` files (a ``/`` in the layer's name is ``%2F``),
    which are mapped into memory instead of held in it. They have another name until
    :meth:`finish`, so that an interrupted run leaves no incomplete file under the final name.

    Attributes:
        read: (batch, classes) int64 that the logits come from; see :func:`read_logits`.
        probes: probe → layer's name → array.
        paths: (probe, layer's name) → file that is being written.
    """

    def __init__(self, program: Program, batch: int, probes: Probes) -> None:
        self.program = program
        self.folder = probes.folder
        what = f"the record of {batch} samples, which probe_folder keeps on disk,"
        check_memory(_bytes_held(program, batch, probes), what)
        self.read = np.zeros((batch, program.classes), np.int64)
        self.probes: dict[str, dict[str, np.ndarray]] = {probe: {} for probe in PROBES}
        self.paths: dict[tuple[str, str], Path] = {}
        try:
            self._make_arrays(batch, probes.names)
        except BaseException:
            self.discard()
            raise

    def write(
        self, start: int, read: np.ndarray, spikes: np.ndarray | None, membrane: np.ndarray | None
    ) -> None:
        """Write a shard.

        Args:
            start: the shard's first row in the batch.
            read: (shard, classes).
            spikes, membrane: (time steps, shard, all neurons in the layers' order), or None.
        """
        end = start + len(read)
        self.read[start:end] = read
        for probe, values in (("spikes", spikes), ("membrane", membrane)):
            place = 0
            for layer in self.program.layers:
                after = place + layer.neurons
                array = self.probes[probe].get(layer.name)
                if values is not None and array is not None:
                    part = values[:, :, place:after]
                    array[:, start:end] = part.reshape(*part.shape[:2], *layer.shape)
                place = after

    def finish(self) -> Record:
        """Return the record of the whole run, after ``read`` and all probes were written."""
        values: dict[str, dict[str, torch.Tensor]] = {}
        for probe, arrays in self.probes.items():
            values[probe] = {}
            for name, array in arrays.items():
                if self.folder is not None:
                    array = self._put_in_place(probe, name, array)
                values[probe][name] = torch.from_numpy(array)
        return Record(read_logits(self.program, self.read), values["spikes"], values["membrane"])

    def discard(self) -> None:
        """Delete unfinished files."""
        for path in self.paths.values():
            path.unlink(missing_ok=True)

    def _make_arrays(self, batch: int, names: tuple[str, ...]) -> None:
        for layer in self.program.layers:
            for probe in names:
                if probe == "spikes" and not layer.spikes:
                    continue
                shape = (self.program.target.time_steps, batch, *layer.shape)
                self.probes[probe][layer.name] = self._array(probe, layer.name, shape)

    def _array(self, probe: str, name: str, shape: tuple[int, ...]) -> np.ndarray:
        if self.folder is None:
            return np.zeros(shape, _DTYPES[probe])
        path = self.folder / f"{probe}.{quote(name, safe='')}.npy{_UNFINISHED}"
        self.paths[probe, name] = path
        return create_mapped(path, _DTYPES[probe], shape)

    def _put_in_place(self, probe: str, name: str, array: np.ndarray) -> np.ndarray:
        assert isinstance(array, np.memmap)
        array.flush()
        path = self.paths.pop((probe, name))
        final = path.with_name(path.name.removesuffix(_UNFINISHED))
        path.replace(final)
        return np.lib.format.open_memmap(final, mode="r+")


def _bytes_held(program: Program, batch: int, probes: Probes) -> int:
    """Return the bytes that a recording holds in memory."""
    states = sum(layer.neurons for layer in program.layers) * program.target.time_steps
    each = 0 if probes.folder else sum(np.dtype(_DTYPES[name]).itemsize for name in probes.names)
    return batch * (states * each + np.dtype(np.int64).itemsize * program.classes)


def read_logits(program: Program, read: np.ndarray) -> torch.Tensor:
    """Convert the integers of the output layer to logits, (batch, classes) float64.

    Args:
        read: (batch, classes) int64, the output's spikes or membranes, summed up over the time
            steps with the factors of :attr:`stochi.program.network.Network.step_factors`.
    """
    unit = 1.0
    if program.readout != "spikes":
        unit = program.layer(program.output).membrane_unit
    summed = program.target.time_steps if program.over_time == "mean" else 1
    return torch.from_numpy(read).double() / (unit * summed)
