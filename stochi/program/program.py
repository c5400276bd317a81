"""The Program: a network in the chip's integers that keeps the chip's rules."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stochi.arguments import check_argument, check_arguments
from stochi.notebook_tables import html_table
from stochi.plain_text import counted
from stochi.program.layout import read_network, write_network
from stochi.program.network import Network
from stochi.program.rules import check_network


@dataclass(frozen=True, eq=False, repr=False)
class Program(Network):
    """A network ready for the chip, valid by construction.

    Attributes:
        target, input_shape, layers, output, readout, over_time: as in
            :class:`stochi.program.network.Network`.

    Raises:
        ProgramError: a number breaks a limit of the chip, or of exact arithmetic.
    """

    def __post_init__(self) -> None:
        check_network(self)

    def __repr__(self) -> str:
        layers = ", ".join(f"{repr(layer.name)[1:-1]} {layer.shape}" for layer in self.layers)
        return (
            f"Program({self.target.chip}, noise {self.target.noise}, input {self.input_shape},"
            f" {counted(self.target.time_steps, 'time step')}: {layers})"
        )

    @property
    def title(self) -> str:
        """Title of its tables: chip, noise and time steps."""
        steps = counted(self.target.time_steps, "time step")
        noise = f"noise {self.target.noise}" if self.is_random else "which draws nothing"
        return f"Program for {self.target.chip}, {noise}, {steps}"

    def _repr_html_(self) -> str:
        """Return a row for each layer, for notebooks."""
        rows = [["layer", "neurons", "from", "weights", "decays", "noise"]]
        for layer in self.layers:
            weights = sum(projection.weight.size for projection in layer.projections)
            noise = "–" if layer.generator is None else f"added to the {layer.generator.target}"
            rows.append(
                [
                    layer.name,
                    "×".join(map(str, layer.shape)),
                    ", ".join(projection.source for projection in layer.projections),
                    f"{weights:,}",
                    f"{len(layer.decay.values)} levels, drawn" if layer.decay.drawn else "fixed",
                    noise,
                ]
            )
        return html_table(self.title, rows, 3)

    def save(self, path: str | Path) -> None:
        """Write the Program as one versioned file without pickles.

        The same Program gives the same bytes.
        """
        check_arguments(Program.save, locals())
        write_network(self, path)

    @classmethod
    def load(cls, path: str | Path) -> Program:
        """Read a Program.

        Raises:
            ProgramError: the file is missing, foreign, newer or damaged, or what it holds breaks a
                rule.
        """
        check_argument("path", path, str | Path)
        return read_network(cls, path)
