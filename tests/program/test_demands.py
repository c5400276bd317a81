"""Memory, work and indices of a Program, held against the budgets before anything is allocated."""

import resource
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stochi.errors import InputError, ProgramError
from stochi.program.layers import Convolution, Dense, OneToOne, Projection, Stage, SumPool
from stochi.program.program import Program
from stochi.sim import run
from tests.fuzz.programs.examples import make_programs

PROGRAMS = make_programs()


def made(
    input_shape: tuple[int, ...], shape: tuple[int, ...], *stages: Stage, **changed: Any
) -> Program:
    """Return a Program of one layer on its input."""
    one = PROGRAMS["one"]
    layer = replace(
        one.layers[0],
        shape=shape,
        projections=(Projection("input", stages, 0, changed.pop("delay", np.array(0))),),
        threshold_mantissa=np.array(3),
        bias_mantissa=np.zeros(1, np.int16),
    )
    target = replace(one.target, **changed)
    return replace(one, target=target, input_shape=input_shape, layers=(layer,))


SCALAR = OneToOne(np.array(2, np.int16))
MANY = SumPool((9, 9), (1, 1), (4, 4))
NOTHING = OneToOne(np.array(0, np.int16))


def kernel(*sides: int) -> Convolution:
    return Convolution(np.ones((1, 1, *sides), np.int16), (1, 1), (0, 0), (1, 1), 1)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: made((2**30,), (2**30,), SCALAR), "a run of this Program would take .*GiB"),
        (
            lambda: made((2**16, 2**15), (2**16, 2**15), SCALAR),
            "2147483647 that the engine counts to",
        ),
        (lambda: made((2**30,) * 8, (2**30,) * 8, SCALAR), "the engine counts to"),
        (lambda: made((1,), (1,), SCALAR, time_steps=2**31 - 1), "would take .* of memory"),
        (lambda: made((9,), (9,), SCALAR, time_steps=10**18), "time_steps is 10{18}; it must"),
        (lambda: made((1,), (1,), SCALAR, delay=np.array(2**31)), "a delay of 2147483648"),
        (lambda: made((1,), (1,), SCALAR, delay=np.array(2**32 + 1)), "a delay of 4294967297"),
        (
            lambda: made(
                (1, 9, 9), (1, 9, 9), SumPool((2**16 + 1,) * 2, (1, 1), (2**15,) * 2), NOTHING
            ),
            "'a': its neurons, the values that reach it .* numbers up to 347.*; split the layer",
        ),
        (
            lambda: made(
                (1, 9, 9), (1, 9, 9), *[SumPool((1001,) * 2, (1, 1), (500,) * 2)] * 400, NOTHING
            ),
            "numbers up to 1000000000000000000000000000000,",
        ),
        (
            lambda: made(
                (1, 9, 9), (1, 9, 9), *[SumPool((1001,) * 2, (1, 1), (500,) * 2)] * 400, SCALAR
            ),
            "synaptic input may reach 1267650600228229401496703205376",
        ),
        (lambda: made((1, 60_000, 60_000), (1, 59_998, 59_998), kernel(3, 3)), "counts to"),
        (lambda: made((1, 9_000, 9_000), (1, 8_998, 8_998), kernel(3, 3)), "would take .*GiB"),
        (lambda: made((1, 300, 300), (1, 1, 1), kernel(300, 300)), None),
    ],
)
def test_what_is_too_large_is_refused_before_it_is_allocated(make: Any, says: str | None) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if says is None:
        assert make()
    else:
        with pytest.raises(ProgramError, match=says):
            make()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**17


def feedback(delay: int, name: str = "loihi1") -> Program:
    """Return a Program whose second layer gets the first one's spikes so late."""
    program = PROGRAMS[name]
    second = program.layers[1]
    projection = replace(second.projections[0], delay=np.array(delay))
    second = replace(second, projections=(projection,), reset="zero")
    target = replace(program.target, chip="loihi2")
    return replace(program, target=target, layers=(program.layers[0], second))


def test_a_delay_that_asks_for_25_gb_of_history_is_refused() -> None:
    with pytest.raises(ProgramError, match=r"would take 2[45](\.\d)? GiB of memory.*STOCHI_MEMORY"):
        feedback(1_490_000_000, "delayed")


def test_the_budget_of_memory_is_the_user_s(monkeypatch: pytest.MonkeyPatch) -> None:
    assert feedback(10**6)
    monkeypatch.setenv("STOCHI_MEMORY", "5MB")
    with pytest.raises(ProgramError, match=r"a run of this Program would take 5\.\d MiB"):
        feedback(10**6)
    monkeypatch.setenv("STOCHI_MEMORY", "7MB")
    assert feedback(10**6)


def test_the_budget_of_work_is_the_user_s(monkeypatch: pytest.MonkeyPatch) -> None:
    assert made((100,), (200,), Dense(np.ones((200, 100), np.int16)))
    monkeypatch.setenv("STOCHI_WORK", "5e4")
    with pytest.raises(ProgramError, match=r"a sample of this Program would take .* additions"):
        made((100,), (200,), Dense(np.ones((200, 100), np.int16)))


def test_a_program_of_very_many_layers_is_refused_before_it_is_looked_through() -> None:
    layer = PROGRAMS["one"].layers[0]
    layers = tuple(replace(layer, name=f"n{n}") for n in range(40_000))
    with pytest.raises(ProgramError, match="a Program of 120000 layers and stages"):
        replace(PROGRAMS["one"], layers=layers, output="n0")


def test_a_record_that_does_not_keep_the_budget_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = made((1000,), (1000,), SCALAR, time_steps=20)
    images = torch.ones(200, 1000)
    monkeypatch.setenv("STOCHI_MEMORY", "15MB")
    assert run(program, images).logits.shape == (200, 1000)
    with pytest.raises(InputError, match="the record of 200 samples, which probe_folder keeps"):
        run(program, images, probes=("spikes", "membrane"))
    on_disk = run(program, images, probes=("spikes",), probe_folder=tmp_path)
    assert on_disk.spikes["a"].shape == (20, 200, 1000)
    monkeypatch.setenv("STOCHI_MEMORY", "1.5MB")
    with pytest.raises(InputError, match="the record of 200 samples"):
        run(program, images)


LARGE = {
    "neurons": "made((400_000,), (400_000,), SCALAR, time_steps=3)",
    "a map": "made((1, 400, 400), (1, 396, 396), kernel(5, 5), time_steps=2)",
    "a kernel": "made((1, 100, 100), (1, 51, 51), kernel(50, 50), time_steps=2)",
    "windows": "made((4, 199, 199), (4, 199, 199), MANY, SCALAR, time_steps=2)",
    "weights": "made((3000,), (4000,), Dense(np.ones((4000, 3000), np.int16)), time_steps=2)",
    "history": "feedback(30_000_000)",
}
QUICK = {"neurons"}
_MEASURE = """
import resource, torch
from tests.program.test_demands import *
from stochi.program import demands
from stochi.sim.engine.torch_engine import run_torch
from stochi.sim.inputs import check_inputs, to_frames
from stochi.hardware.draws import Draws
from stochi.sim import InOrder
run(PROGRAMS["one"], torch.ones(1, 1))
found = []
demands.check_memory = lambda needed, *_: found.append(needed)
program = {program}
inputs = torch.ones(1, *program.input_shape)
streams = inputs.expand(program.target.time_steps, *inputs.shape)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
run(program, InOrder(streams))
for _ in run_torch(program, to_frames(program, check_inputs(program, streams)), Draws(0, 0, 0)):
    pass
print(found[0], 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before))
"""


@pytest.mark.parametrize(
    "program",
    [
        pytest.param(program, id=name, marks=[pytest.mark.slow] * (name not in QUICK))
        for name, program in LARGE.items()
    ],
)
def test_a_run_takes_no_more_memory_than_is_said(program: str) -> None:
    code = _MEASURE.format(program=program)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said, taken = map(int, done.stdout.split())
    assert taken < said + 2**24, f"said {said / 2**20:.0f} MiB, took {taken / 2**20:.0f}"
