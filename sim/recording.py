"""Where a run's probes go while it runs: memory, or files on disk that grow into a Record."""

from pathlib import Path
from urllib.parse import quote

import numpy as np
import torch

from stochi.deploy.program import Program
from stochi.hardware.fixed_point import ALIGN_SHIFT
from stochi.sim.record import Record

_DTYPES = {"spikes": np.bool_, "membrane": np.int32}
_UNFINISHED = ".unfinished"


class Recording:
    """Arrays (steps, batch, *shape) for every probe of every layer, written shard by shard.

    With a folder they are ``<probe>.<layer>.npy`` files (a ``/`` in the layer's name is ``%2F``),
    mapped into memory and never held in it;
    they have another name until :meth:`finish`, so that a broken run leaves no half-written file
    under a good name.
    """

    def __init__(
        self, program: Program, batch: int, probes: tuple[str, ...], folder: Path | None
    ) -> None:
        self.program = program
        self.folder = folder
        self.read = np.zeros((batch, program.classes), np.int64)
        self.probes: dict[str, dict[str, np.ndarray]] = {probe: {} for probe in _DTYPES}
        self.paths: dict[tuple[str, str], Path] = {}
        for layer in program.layers:
            for probe in probes:
                if probe == "spikes" and not layer.spikes:
                    continue
                shape = (program.steps, batch, *layer.shape)
                self.probes[probe][layer.name] = self._array(probe, layer.name, shape)

    def write(
        self, start: int, read: np.ndarray, spikes: np.ndarray | None, membrane: np.ndarray | None
    ) -> None:
        """Fill in a shard, from row ``start`` on.

        Args:
            read: (shard, classes).
            spikes, membrane: (steps, shard, all neurons in the layers' order), or None.
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
        """The record of the whole run; ``read`` must be filled by now."""
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

    def _array(self, probe: str, name: str, shape: tuple[int, ...]) -> np.ndarray:
        if self.folder is None:
            return np.zeros(shape, _DTYPES[probe])
        path = self.folder / f"{probe}.{quote(name, safe='')}.npy{_UNFINISHED}"
        self.paths[probe, name] = path
        return np.lib.format.open_memmap(path, mode="w+", dtype=_DTYPES[probe], shape=shape)

    def _put_in_place(self, probe: str, name: str, array: np.ndarray) -> np.ndarray:
        assert isinstance(array, np.memmap)
        array.flush()
        path = self.paths.pop((probe, name))
        final = path.with_name(path.name.removesuffix(_UNFINISHED))
        path.replace(final)
        return np.lib.format.open_memmap(final, mode="r+")


def read_logits(program: Program, read: np.ndarray) -> torch.Tensor:
    """(batch, classes) float64 from what the output layer's integers add up to.

    Args:
        read: int64; the sum over the steps of the output's spikes or membranes, or, for a readout
            of the input, the integrators' final membranes.
    """
    unit = 1.0
    if program.readout != "spikes":
        unit = 2.0**ALIGN_SHIFT * program.layer(program.output).scale
    return torch.from_numpy(read).double() / (unit * program.steps)
