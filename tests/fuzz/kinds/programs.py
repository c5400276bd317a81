"""Programs: damaged bytes, and altered headers and arrays under a checksum made anew."""

import math
import shutil
from dataclasses import fields
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch

from stochi.commands.program_tables import (
    doubled_lines,
    find_noise,
    layer_rows,
    noise_rows,
    output_words,
)
from stochi.program.program import Program
from tests.fuzz.engines import compare_engines
from tests.fuzz.kind import Kind
from tests.fuzz.mutation import damage
from tests.fuzz.programs.alterations import alter
from tests.fuzz.programs.bombs import write_bombs
from tests.fuzz.programs.examples import make_programs
from tests.fuzz.programs.hostile import write_hostile
from tests.fuzz.programs.parts import Parts

_FILES = Path(__file__).parents[2] / "program" / "files"
_LARGEST_STREAM = 2**22


def originals(folder: Path) -> list[Path]:
    """Write Programs of every kind, and the kept ones of each version."""
    paths = list(_write_examples(folder).values())
    for version in (3, 4, 5, 6, 7):
        paths.append(Path(shutil.copy(_FILES / f"version_{version}.program", folder)))
    return paths


def _write_examples(folder: Path) -> dict[str, Path]:
    found = {}
    for name, program in make_programs().items():
        found[name] = folder / f"{name}.program"
        program.save(found[name])
    return found


def mutate(random: Random, original: Path, path: Path) -> None:
    """Damage a file's bytes, or alter what is in it."""
    if random.random() < 0.4:
        path.write_bytes(damage(random, original.read_bytes()))
        return
    parts = Parts(original)
    alter(random, parts)
    parts.write(path)


def crafted(folder: Path) -> dict[str, Path]:
    """Write files that claim what is not so, and ask for what cannot be."""
    return write_bombs(folder) | write_hostile(folder, _write_examples(folder))


def use(path: Path) -> None:
    """Show a Program, run it on both engines, and write and read it again."""
    program = Program.load(path)
    _show(program)
    generator = torch.Generator().manual_seed(0)
    shapes = [(2, *program.input_shape)]
    if program.target.time_steps * math.prod(program.input_shape) <= _LARGEST_STREAM:
        shapes.append((program.target.time_steps, *shapes[0]))
    for shape in shapes:
        compare_engines(program, torch.rand(shape, generator=generator).round())
    again = path.with_suffix(".again")
    program.save(again)
    _assert_same(program, Program.load(again))


def _show(program: Program) -> None:
    lines = [repr(program), program.title, output_words(program), *doubled_lines(program)]
    assert all(lines) and layer_rows(program)
    if noise := find_noise(program):
        assert noise_rows(noise)


def _assert_same(ours: Any, theirs: Any) -> None:
    """Assert that two parts of Programs have the same values and types."""
    assert type(ours) is type(theirs)
    if isinstance(ours, np.ndarray):
        assert ours.dtype == theirs.dtype and np.array_equal(ours, theirs)
    elif isinstance(ours, tuple):
        assert len(ours) == len(theirs)
        for one, other in zip(ours, theirs, strict=True):
            _assert_same(one, other)
    elif hasattr(ours, "__dataclass_fields__"):
        for field in fields(ours):
            _assert_same(getattr(ours, field.name), getattr(theirs, field.name))
    else:
        assert ours == theirs


KIND = Kind("Programs", originals, mutate, crafted, use)
