"""Write a folder that runs a Program on Lava, with what it should find."""

from importlib import metadata
from pathlib import Path

import numpy as np

from stochi.arguments import check_arguments
from stochi.deploy.portable.readme import REQUIREMENTS, write_readme
from stochi.deploy.portable.sources import read_sources
from stochi.deploy.portable.sums_file import check_folder, folder_written_aside
from stochi.hardware.draws import Draws
from stochi.program.program import Program
from stochi.sim.backends import run
from stochi.sim.inputs import Given, InOrder, inputs_in_order, lava_frames
from stochi.sim.lava.folder_run import choose_form
from stochi.sim.lava.layer_sources import check_sources
from stochi.sim.record import Record


def write_lava(
    program: Program, folder: str | Path, inputs: Given, *, seed: int = 0, trial: int = 0
) -> None:
    """Write a folder that runs a Program on Lava where neither torch nor Stochi is installed.

    ``python run.py`` in the folder runs the inputs on Lava's processes and compares every spike
    with those of Stochi's engine. It needs lava-nc, numpy and what lava-nc itself imports. The
    folder's README says what is in it, and what a chip would need.

    Args:
        program: Program to take along.
        folder: folder to write; it may be missing, empty, or an unchanged one of this function.
        inputs: as for ``stochi.sim.run``; the samples that are carried along.
        seed, trial: whole numbers in [0, 2³²) that choose the draws.

    Raises:
        InputError: the inputs do not fit the Program, an argument is out of range, or the folder
            holds other files.
        LoweringError: a layer has more sources than a Lava process has ports.
    """
    check_arguments(write_lava, locals(), besides=("inputs",))
    check_folder(folder)
    check_sources(program)
    given = inputs_in_order(inputs, program.input_shape, program.target.time_steps)
    frames = lava_frames(program, given)
    draws = Draws(seed, trial, source=program.target.random_source)
    record = run(program, InOrder(given), seed=seed, trial=trial, probes=("spikes", "membrane"))
    with folder_written_aside(folder) as aside:
        program.save(aside / "model.program")
        with (aside / "inputs.npz").open("wb") as file:
            np.savez_compressed(
                file, frames=frames.astype(np.uint8), seed=draws.seed, trial=draws.trial
            )
        _expected(program, record).save(aside / "expected.npz")
        for name, text in read_sources().items():
            path = aside / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        form = choose_form(program, frames.shape[1])
        (aside / "README.md").write_text(write_readme(program, form, frames.shape[1]), "utf-8")
        (aside / "requirements.txt").write_text(REQUIREMENTS, "utf-8")
        terms = _license()
        if terms is not None:
            (aside / "LICENSE").write_text(terms, "utf-8")


def _expected(program: Program, record: Record) -> Record:
    """Leave out all membranes but the output's, which are large."""
    output = program.output
    return Record(record.logits, record.spikes, {output: record.membrane[output]})


def _license() -> str | None:
    """Return the text of Stochi's licence, None if Stochi was not installed by pip."""
    try:
        return metadata.distribution("stochi").read_text("licenses/LICENSE")
    except metadata.PackageNotFoundError:
        return None
