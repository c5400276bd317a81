"""``stochi deploy`` with graphs of other frameworks."""

import json
from itertools import pairwise
from pathlib import Path

import nir
import numpy as np
import pytest

from stochi.program import Program
from tests.commands.conftest import Run


@pytest.fixture
def foreign(tmp_path: Path) -> Path:
    """A graph with the numbers of snnTorch's export: dt 1e-4, impulses, no word about resets."""
    tau = np.full(4, 1e-3)
    nodes = {
        "input": nir.Input(np.array([4])),
        "w": nir.Linear(np.eye(4)),
        "n": nir.LIF(tau, tau / 1e-4, 0 * tau, np.ones(4)),
        "output": nir.Output(np.array([4])),
    }
    nir.write(str(tmp_path / "g.nir"), nir.NIRGraph(nodes, list(pairwise(nodes))))
    return tmp_path / "g.nir"


def test_what_is_assumed_is_printed_and_can_be_said(run: Run, foreign: Path) -> None:
    status, out, _ = run("deploy", str(foreign), "--events", "--out", "p", "--json")
    found = json.loads(out)
    assert status == 0 and found["convention"] == "snntorch"
    assert any("dt = 0.0001 s is taken" in message for message in found["warnings"])
    assert any("--reset subtract" in message for message in found["warnings"])
    words = ("--events", "--out", "p", "--json", "--reset", "subtract", "--convention", "snntorch")
    status, out, _ = run("deploy", str(foreign), *words)
    assert status == 0 and json.loads(out)["warnings"] == []
    assert Program.load("p").layers[0].reset == "subtract"


def test_unknown_conventions_are_one_line(run: Run, foreign: Path) -> None:
    status, _, err = run("deploy", str(foreign), "--events", "--convention", "brian")
    assert status != 0 and "choose from nir, snntorch" in " ".join(err.split())
