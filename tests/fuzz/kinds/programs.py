"""Programs: damaged bytes, and altered headers and arrays under a checksum made anew."""

import shutil
from pathlib import Path
from random import Random

import numpy as np
import torch

from stochi.hardware.draws import Draws
from stochi.program.program import Program
from stochi.sim import run
from stochi.sim.engine.torch_engine import run_torch
from stochi.sim.inputs import check_inputs, to_frames
from tests.fuzz.kind import Kind
from tests.fuzz.mutation import damage

_FILES = Path(__file__).parents[2] / "program" / "files"


def originals(folder: Path) -> list[Path]:
    """Write the kept Programs of this version."""
    return [Path(shutil.copy(_FILES / "version_7.program", folder))]


def mutate(random: Random, original: Path, path: Path) -> None:
    """Damage a file's bytes."""
    path.write_bytes(damage(random, original.read_bytes()))


def crafted(folder: Path) -> dict[str, Path]:
    """Write files that claim what is not so."""
    empty = folder / "empty.program"
    empty.write_bytes(b"")
    return {"empty": empty}


def use(path: Path) -> None:
    """Run a Program on the compiled engine and in torch, and compare every integer."""
    program = Program.load(path)
    generator = torch.Generator().manual_seed(0)
    inputs = torch.rand((2, *program.input_shape), generator=generator).round()
    record = run(program, inputs, probes=("spikes", "membrane"))
    frames = to_frames(program, check_inputs(program, inputs))
    draws = Draws(0, 0, 0, program.target.random_source)
    for step, layers in enumerate(run_torch(program, frames, draws)):
        for name, state in layers.items():
            assert np.array_equal(record.membrane[name][step], state.membrane.numpy()), name
            if program.layer(name).spikes:
                assert np.array_equal(record.spikes[name][step], state.spikes.numpy()), name


KIND = Kind("Programs", originals, mutate, crafted, use)
