"""A folder of probes is one run's at a time, whatever becomes of the run."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from stochi.errors import InputError
from stochi.sim import run
from stochi.sim.probe_folder import held_folder
from tests.processes.cases import Case, in_child, make_cases


@pytest.fixture(scope="module")
def case() -> Case:
    return make_cases(8)[2]


def test_a_second_run_is_refused_until_the_first_is_over(case: Case, tmp_path: Path) -> None:
    refused: list[str] = []

    def second(done: int, total: int) -> None:
        with pytest.raises(InputError) as error:
            run(case.program, 1 - case.inputs, probes=("spikes",), probe_folder=tmp_path)
        refused.append(str(error.value))

    first = run(
        case.program, case.inputs, probes=("spikes",), probe_folder=tmp_path, progress=second
    )
    assert refused
    assert set(refused) == {
        f"probe_folder {tmp_path}: another run is writing into it; give each run a folder of its own"  # noqa: E501
    }
    assert all(torch.equal(first.spikes[name], case.alone.spikes[name]) for name in first.spikes)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        f"spikes.{name}.npy" for name in sorted(first.spikes)
    ]
    again = run(case.program, case.inputs, probes=("spikes",), probe_folder=tmp_path)
    assert torch.equal(again.logits, case.alone.logits)


def test_a_run_that_fails_frees_its_folder(case: Case, tmp_path: Path) -> None:
    def fail(done: int, total: int) -> None:
        raise KeyError("stopped")

    with pytest.raises(KeyError):
        run(case.program, case.inputs, probes=("spikes",), probe_folder=tmp_path, progress=fail)
    assert run(case.program, case.inputs, probes=("spikes",), probe_folder=tmp_path).spikes


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")
def test_another_process_is_refused_and_a_forked_child_holds_nothing(tmp_path: Path) -> None:
    def enter() -> str:
        try:
            with held_folder(tmp_path):
                return "entered"
        except InputError as error:
            return str(error)

    with held_folder(tmp_path):
        assert "another run is writing" in in_child(enter)
        child = os.fork()
        if not child:
            signal.pause()
    try:
        assert enter() == "entered"
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_a_killed_run_frees_its_folder(tmp_path: Path) -> None:
    code = (
        "import sys; from stochi.sim.probe_folder import held_folder\n"
        "with held_folder(sys.argv[1]): print('in', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdin=-1, stdout=-1, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "in\n"
        with pytest.raises(InputError, match="another run"), held_folder(tmp_path):
            pass
        process.kill()
    with held_folder(tmp_path) as folder:
        assert folder == tmp_path


@pytest.mark.parametrize("inside", ["", "further"])
def test_a_file_is_no_folder(tmp_path: Path, inside: str) -> None:
    place = tmp_path / "a.txt"
    place.write_text("kept")
    with (
        pytest.raises(InputError, match=r"^probe_folder .*: not a folder; choose another folder$"),
        held_folder(place / inside),
    ):
        pass
    assert place.read_text() == "kept"
