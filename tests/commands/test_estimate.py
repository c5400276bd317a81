"""What ``stochi estimate`` counts and prints."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from stochi.data import load
from stochi.deploy import Program, estimate
from tests.commands.conftest import Run, check_refused


def test_it_counts_what_the_function_counts(run: Run, trained: Path) -> None:
    path = str(trained / "m.program")
    words = ("estimate", path, "--images", "8", "--seed", "3", "--figures", "loihi1", "--json")
    status, out, err = run(*words)
    assert status == 0 and not err
    found = json.loads(out)
    shown = load("digits")[1].first(8)
    expected = estimate(Program.load(path), shown, figures="loihi1", seed=3)
    assert found["counts"] == json.loads(json.dumps(expected.to_json()))["counts"]
    assert found["metrics"] == expected.metrics.named()
    assert found["accounts"]["all_events"] == pytest.approx(expected.accounts.all_events)
    assert found["counts"]["samples"] == 8 and found["seed"] == 3
    np.save("own.npy", shown.inputs.numpy())
    own = json.loads(run(*words[:2], "--inputs", "own.npy", *words[4:])[1])
    assert own["counts"] == found["counts"]


def test_without_figures_the_energy_is_unknown_and_the_counts_are_not(
    run: Run, trained: Path
) -> None:
    status, out, err = run("estimate", str(trained / "m.program"), "--images", "4")
    assert status == 0 and not err
    assert "none published for loihi2; --figures" in out and "loihi1 is a reference" in out
    assert out.count("unknown") == 3
    assert "network.lif1" in out and "all layers" in out and "random numbers" in out
    assert "8-bit ANN" in out and "Effective_ACs" in out
    reference = run("estimate", str(trained / "m.program"), "--images", "4", "--figures", "loihi1")
    assert "a reference, not an estimate of loihi2" in reference[1]
    assert "unknown" not in reference[1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--figures", "loihi2"), "published for loihi1 only"),
        (("--images", "0"), "ask for 1 to"),
        (("--data", "nothing"), "nothing"),
        (("--inputs", "none.npy"), "no such file"),
        (("--inputs", "nan.npy"), "NaN or infinite"),
        (("--inputs", "narrow.npy"), "inputs have shape (2, 1, 8, 7)"),
        (("--inputs", "empty.npy"), "its shape is (0, 1, 8, 8)"),
        (("--inputs", "good.npy", "--data", "digits"), "--inputs was given"),
        (("--inputs", "good.npy", "--images", "3"), "ask for 1 to 2"),
        (("--trial", "-1"), "trial is -1"),
    ],
)
def test_wrong_words_are_refused(
    run: Run, trained: Path, words: tuple[str, ...], message: str
) -> None:
    good = np.zeros((2, 1, 8, 8), np.float32)
    np.save("good.npy", good)
    np.save("nan.npy", good * np.nan)
    np.save("narrow.npy", good[..., :7])
    np.save("empty.npy", good[:0])
    check_refused(run, ("estimate", str(trained / "m.program"), *words), message)


def test_events_are_added_and_images_multiplied(run: Run, trained: Path) -> None:
    torch.save((torch.rand(4, 2, 1, 8, 8) > 0.5).float(), "events.pt")
    words = ("estimate", str(trained / "events.program"), "--inputs", "events.pt", "--json")
    first = json.loads(run(*words)[1])["counts"]["layers"][0]["projections"][0]
    assert not first["graded"] and first["operations"] > 0
