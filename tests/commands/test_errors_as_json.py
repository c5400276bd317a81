"""With --json, whatever a user gets wrong is JSON on stdout, one line on stderr, and status 2."""

import json
import sys
from pathlib import Path

import pytest

from stochi.commands.app import COMMANDS
from stochi.commands.ending import run_to_its_end
from stochi.commands.stopping import Stopped, Stopping
from tests.commands.conftest import Run

WRONG = {
    "demo": "--data x",
    "train": "--epochs 0",
    "tune": "bad.bin bad.bin",
    "export": "bad.bin",
    "deploy": "bad.bin",
    "show": "bad.bin",
    "map": "none.program",
    "simulate": "bad.bin --backend x",
    "estimate": "none.program",
    "attack": "net.py:net --weights none.pt",
    "parity": "x --epsilons a",
    "compare": "bad.bin net.py",
    "study": "--images -4",
    "doctor": "--quiet --verbose",
}
"""A mistake in the values of each command, by its name."""
ALWAYS = ("--nonsense", "--config none.toml", "--config bad.bin")


def test_every_command_has_a_mistake() -> None:
    assert set(WRONG) == set(COMMANDS)


@pytest.mark.parametrize("name", WRONG)
def test_mistakes_are_json(name: str, run_as_typed: Run) -> None:
    Path("bad.bin").write_bytes(b"nonsense")
    Path("net.py").write_text("def net():\n    return 1 / 0\n", encoding="utf-8")
    for words in (WRONG[name], *ALWAYS):
        status, out, err = run_as_typed(name, *words.split(), "--json")
        error = json.loads(out)["error"]
        assert status == error["status"] == 2, words
        assert set(error) == {"kind", "message", "status"}
        assert err == f"stochi: {error['message']}\n"
    assert sorted(path.name for path in Path().iterdir()) == ["bad.bin", "net.py"]


def test_a_stop_is_json(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop() -> None:
        raise Stopped(15, "go on")

    monkeypatch.setattr(sys, "argv", ["stochi", "train", "--json"])
    assert run_to_its_end(stop, Stopping()) == 143
    out, err = capsys.readouterr()
    assert json.loads(out)["error"] == {"kind": "Stopped", "message": "go on", "status": 143}
    assert err == "go on\n"
