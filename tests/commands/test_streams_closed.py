"""A stdout or stderr that takes nothing: one line where it can be read, and a status."""

import subprocess
import sys
from pathlib import Path

import pytest

SHOW = f"{sys.executable} -m stochi show "


def in_shell(command: str) -> tuple[int, str, str]:
    ended = subprocess.run(
        ["bash", "-c", "set -o pipefail; " + command], capture_output=True, text=True, timeout=60
    )
    return ended.returncode, ended.stdout, ended.stderr


@pytest.mark.parametrize(
    ("end", "line"),
    [
        pytest.param(
            *("| true", "stochi: stdout: Broken pipe; nothing reads from it any more\n"),
            marks=pytest.mark.slow,
        ),
        ("--json | true", "stochi: stdout: Broken pipe; nothing reads from it any more\n"),
        ("> /dev/full", "stochi: stdout: No space left on device; free some space there, or"),
        (">&-", "stochi: stdout is closed; send it to a file, or to /dev/null\n"),
    ],
)
def test_a_stdout_that_takes_nothing_is_one_line(trained: Path, end: str, line: str) -> None:
    status, _, err = in_shell(f"{SHOW} {trained}/m.program {end}")
    assert status == 2 and err.startswith(line) and err.count("\n") == 1, err


@pytest.mark.slow
@pytest.mark.parametrize("end", ["<&- 2>&-", "2>&-", "<&-", "2> /dev/full"])
def test_other_streams_are_not_needed(trained: Path, end: str) -> None:
    status, out, err = in_shell(f"{SHOW} {trained}/m.program {end}")
    assert status == 0 and "Output: " in out and err == ""
    status, out, err = in_shell(f"{SHOW} missing {end}")
    assert status == 2 and out == "" and "Traceback" not in err


def test_what_stdout_cannot_show_is_escaped(trained: Path) -> None:
    status, out, err = in_shell(f"PYTHONIOENCODING=ascii {SHOW} {trained}/m.program")
    assert status == 0 and "random \\u03c4" in out, err


def test_too_few_open_files_are_one_line(trained: Path) -> None:
    status, _, err = in_shell(f"ulimit -n 6; exec {SHOW} {trained}/m.program")
    assert status != 0 and "Traceback" not in err
    assert err.endswith("Too many open files; raise the limit of open files (ulimit -n)\n"), err
