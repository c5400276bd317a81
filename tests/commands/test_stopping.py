"""What SIGTERM and Ctrl-C do to a command that runs for long."""

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from stochi.commands.stopping import stopped_in_order


def test_sigterm_is_an_exception_inside_and_prints_the_advice(
    capsys: pytest.CaptureFixture[str],
) -> None:
    before, ended = signal.getsignal(signal.SIGTERM), []
    with pytest.raises(SystemExit) as stopped, stopped_in_order("go on like this"):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(5)
        finally:
            ended.append("what was begun")
    assert stopped.value.code == 143 and ended
    assert capsys.readouterr().err == "go on like this\n"
    assert signal.getsignal(signal.SIGTERM) == before


def test_ctrl_c_prints_the_advice_too_and_other_errors_do_not(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for error, printed in ((KeyboardInterrupt, "go on like this\n"), (ValueError, "")):
        with pytest.raises(error), stopped_in_order("go on like this"):
            raise error
        assert capsys.readouterr().err == printed
    with stopped_in_order("go on like this"):
        pass
    assert capsys.readouterr().err == ""


def alive_in(session: int) -> list[str]:
    """Return the processes of a session that still run."""
    listed = subprocess.run(["ps", "-e", "-o", "sid=,stat=,args="], capture_output=True, text=True)
    rows = [line.split(None, 2) for line in listed.stdout.splitlines()]
    return [row[-1] for row in rows if row[0] == str(session) and not row[1].startswith("Z")]


@pytest.mark.slow
def test_a_study_that_is_stopped_takes_its_processes_along(tmp_path: Path) -> None:
    small = ("--images", "60", "--training-images", "200", "--epochs", "2", "--processes", "2")
    study = subprocess.Popen(
        [sys.executable, "-m", "stochi", "study", "--quick", *small],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    answers, until = tmp_path / "runs/study/answers", time.monotonic() + 300
    try:
        while not list(answers.glob("*.json")) and time.monotonic() < until:
            assert study.poll() is None
            time.sleep(0.2)
        assert len(alive_in(study.pid)) > 2
        study.terminate()
        _, printed = study.communicate(timeout=10)
        time.sleep(2)  # for those that only look after what others leave behind
        assert study.returncode == 143 and alive_in(study.pid) == []
    finally:
        with suppress(ProcessLookupError):
            os.killpg(study.pid, signal.SIGKILL)
    assert "runs/study/answers holds what was found" in printed and "Traceback" not in printed
    kept = list(answers.glob("*.json"))
    assert kept and all(json.loads(path.read_text())["answer"] for path in kept)
