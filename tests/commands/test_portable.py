"""``stochi deploy --format lava`` and ``stochi simulate --format nir``."""

import json
from pathlib import Path

import nir
import numpy as np
import pytest
import torch

from stochi.deploy import lower
from stochi.export import to_nir
from tests.commands.conftest import Run, check_refused
from tests.conftest import conv_net


def test_a_graph_and_its_program_give_the_same_folder(run: Run, trained: Path) -> None:
    words = ("--format", "lava", "--samples", "2", "--seed", "4")
    status, out, _ = run("deploy", str(trained / "m.nir"), *words, "--out", "from_graph", "--json")
    assert status == 0 and json.loads(out)["folder"] == "from_graph"
    status, out, _ = run("deploy", str(trained / "m.program"), *words, "--out", "from_program")
    assert status == 0 and "Wrote from_program, with 2 samples" in out
    lists = [Path(f"{name}/SHA256SUMS").read_text() for name in ("from_graph", "from_program")]
    assert lists[0] == lists[1] and "model.program" in lists[0]
    assert Path("from_graph/model.program").read_bytes() == (trained / "m.program").read_bytes()
    assert int(np.load("from_graph/inputs.npz")["seed"]) == 4


def test_own_inputs_are_carried_along(run: Run, trained: Path) -> None:
    images = np.random.default_rng(0).random((5, 1, 8, 8)).astype(np.float32)
    np.save("own.npy", images)
    words = ("deploy", str(trained / "m.program"), "--format", "lava", "--out", "own")
    assert run(*words, "--inputs", "own.npy", "--samples", "3")[0] == 0
    frames = np.load("own/inputs.npz")["frames"]
    assert np.array_equal(frames[0], np.rint(images[:3] * 255))
    np.save("own.npy", images[:, :, :7])
    status, _, err = run(*words, "--inputs", "own.npy")
    assert status == 2 and "own.npy: inputs have shape (5, 1, 7, 8)" in err


def test_a_program_that_no_set_fits_asks_for_inputs(run: Run) -> None:
    lower(to_nir(conv_net(), torch.rand(2, 2, 8, 8))).save("own.program")
    words = ("deploy", "own.program", "--format", "lava")
    check_refused(run, words, "no set here fits it: give your own with --inputs")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["deploy", "m.nir", "--format", "zip"], "--format is 'zip'; choose from program, lava"),
        (["deploy", "m.nir", "--samples", "3"], "--samples: it belongs to --format lava"),
        (["deploy", "m.nir", "--inputs", "x.npy"], "--inputs: it belongs to --format lava"),
        (["deploy", "m.nir", "--format", "lava", "--samples", "0"], "--samples is 0; carry at"),
        (["deploy", "m.nir", "--format", "lava", "--data", "mnist"], "takes images of 1×8×8"),
        (["deploy", "m.nir", "--format", "lava", "--out", "m.nir"], "m.nir: a file, not a folder"),
        (
            ["deploy", "m.nir", "--format", "lava", "--out", "."],
            ". holds events.",
        ),
        (
            ["deploy", "m.program", "--format", "lava", "--noise", "none"],
            "--noise: m.program is a Program, which is lowered already; leave it out",
        ),
        (
            ["deploy", "m.program"],
            "m.program: an archive of numpy, like a Program, which is lowered already",
        ),
        (["deploy", "m.nir", "--format", "lava", "--seed", "-1"], "seed is -1"),
        (["simulate", "m.program", "--format", "nir"], "--format nir: it belongs to --out"),
        (
            ["simulate", "m.program", "--format", "csv", "--out", "x"],
            "--format is 'csv'; choose from npz, nir",
        ),
    ],
)
def test_wrong_options_write_nothing(
    run: Run, trained: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.chdir(trained)
    check_refused(run, tuple(words), message)


def test_simulate_writes_what_nir_reads(run: Run, trained: Path) -> None:
    words = ("simulate", str(trained / "m.program"), "--images", "3")
    status, out, _ = run(*words, "--out", "r.nir", "--format", "nir")
    assert status == 0 and "Wrote r.nir" in out
    assert run(*words, "--out", "r.npz")[0] == 0
    read, archive = nir.read_data("r.nir"), np.load("r.npz")
    for name, node in read.nodes.items():
        if f"spikes.{name}" in archive:
            spikes = archive[f"spikes.{name}"]
            expected = spikes.reshape(*spikes.shape[:2], -1).swapaxes(0, 1)
            assert np.array_equal(node.observables["spikes"].data, expected)
    assert any("spikes" in node.observables for node in read.nodes.values())
