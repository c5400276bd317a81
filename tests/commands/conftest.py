"""What the tests of commands share: running one in this process, and a trained network."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from stochi.commands.app import COMMANDS, main

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(run_as_typed: Run) -> Run:
    """As ``run_as_typed``, with --force, so that a test may run a command again and again."""

    def run_words(*words: str) -> tuple[int, str, str]:
        return run_as_typed(*words, *(["--force"] if words and words[0] in COMMANDS else []))

    return run_words


@pytest.fixture
def run_as_typed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Run:
    """Run a command in this process and an empty folder: exit status, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def run_words(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["stochi", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return run_words


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One small training run, exported and lowered, through the command line."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for words in (
            ["train", "--epochs", "3", "--time-steps", "4", "--out", "m.pt"],
            ["export", "m.pt", "--out", "m.nir"],
            ["deploy", "m.nir", "--out", "m.program"],
            ["deploy", "m.nir", "--events", "--out", "events.program"],
        ):
            patch.setattr(sys, "argv", ["stochi", *words])
            with pytest.raises(SystemExit) as ended:
                main()
            assert not ended.value.code
    return folder


def check_refused(run: Run, words: tuple[str, ...], message: str) -> None:
    """Assert that a command ends with one line that holds the message, and writes nothing."""
    before = {path: path.stat().st_mtime_ns for path in Path().rglob("*") if path.is_file()}
    before = {path: at for path, at in before.items() if "__pycache__" not in path.parts}
    status, out, err = run(*words)
    lines = [line for line in err.splitlines() if line.startswith("stochi: ")]
    assert status == 2 and out == "" and "Traceback" not in err, err
    assert len(lines) == 1 and message in lines[0], err
    after = {p for p in Path().rglob("*") if p.is_file() and "__pycache__" not in p.parts}
    assert after == set(before)
