"""The record of a run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stochi.arguments import check_arguments, check_fields
from stochi.errors import InputError
from stochi.files import written_aside
from stochi.notebook_tables import html_table
from stochi.plain_text import counted, decimal


class Probed(dict[str, torch.Tensor]):
    """What was recorded of each layer; a layer without a record raises InputError.

    Attributes:
        what: what was recorded, a name in ``probes``.
    """

    what: str

    def __init__(self, what: str, values: Mapping[str, torch.Tensor]) -> None:
        super().__init__(values)
        self.what = what

    def __missing__(self, layer: str) -> torch.Tensor:
        if self:
            raise InputError(
                f"there are no {self.what} of {layer!r}, only of {', '.join(self)} (integrators do"
                " not spike)"
            )
        raise InputError(
            f"the {self.what} of layer {layer!r} were not recorded; pass probes=({self.what!r},)"
            " to stochi.sim.run"
        )


@dataclass
class Record:
    """The outcome of a run, on the CPU.

    Attributes:
        logits: (batch, classes) float64, in the model's units: the integrators' input, or the read
            layer's spikes or membranes, as a mean over the time steps or of the last one.
        spikes: layer's name → (time steps, batch, *shape) bool, if they were probed. Integrators
            do not spike, and are missing.
        membrane: layer's name → (time steps, batch, *shape) int32 after the reset (before it, if
            the layer's reset is delayed) in the chip's units (for a float model: floats in the
            model's units), if they were probed.
    """

    logits: torch.Tensor
    spikes: dict[str, torch.Tensor] = field(default_factory=dict)
    membrane: dict[str, torch.Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_fields(self)
        self.spikes = Probed("spikes", self.spikes)
        self.membrane = Probed("membrane", self.membrane)

    def predictions(self) -> torch.Tensor:
        """Return the class with the largest logit of each sample, (batch,)."""
        return self.logits.argmax(1)

    def _repr_html_(self) -> str:
        """Return what was recorded of each layer, for notebooks."""
        rows = [["layer", "spikes a neuron and time step", "membranes, lowest … highest"]]
        for name in dict.fromkeys([*self.spikes, *self.membrane]):
            spikes, membrane = self.spikes.get(name), self.membrane.get(name)
            rows.append(
                [
                    name,
                    "–" if spikes is None else decimal(float(spikes.float().mean()), 4),
                    "–"
                    if membrane is None or not membrane.numel()
                    else f"{membrane.min():,} … {membrane.max():,}",
                ]
            )
        samples = counted(len(self.logits), "sample")
        return html_table(f"Record of {samples}, {self.logits.shape[1]} outputs", rows)

    def save(self, path: str | Path) -> None:
        """Write ``logits``, ``spikes.<layer>`` and ``membrane.<layer>`` to a numpy archive.

        Equal records give equal bytes. ``numpy.load`` reads the archive.
        """
        check_arguments(Record.save, locals())
        arrays: dict[str, Any] = {"logits": self.logits.numpy()}
        arrays |= {f"spikes.{name}": values.numpy() for name, values in self.spikes.items()}
        arrays |= {f"membrane.{name}": values.numpy() for name, values in self.membrane.items()}
        with written_aside(path) as aside, aside.open("wb") as file:
            np.savez_compressed(file, **arrays)
