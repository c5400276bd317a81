"""Streams and regressions from the command line."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from benchmarks.support.networks import strong
from tests.commands.conftest import Run, check_refused

CODE = """
import snntorch as snn
import torch
from torch import nn

from benchmarks.support.networks import Regression


class Events(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(32, 24), snn.Leaky(beta=0.8)
        self.fc2, self.lif2 = nn.Linear(24, 4), snn.Leaky(beta=0.8)

    def forward(self, events):
        mem1, mem2, out = self.lif1.init_leaky(), self.lif2.init_leaky(), []
        for frame in events:
            spk1, mem1 = self.lif1(self.fc1(frame.flatten(1)), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            out.append(spk2)
        return torch.stack(out)


class BatchFirst(Events):
    def forward(self, events):
        return super().forward(events.transpose(0, 1))


class FirstFrame(Events):
    def forward(self, frame):
        return super().forward(frame.expand(6, *frame.shape))
"""
QUICK = ("--no-lava", "--trials", "1", "--exact", "2")
EVENTS = ("--events", "--weights", "events.pt", "--inputs", "events.npz")


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(CODE)
    torch.manual_seed(0)
    net = strong(_import("net.py").Events())
    torch.save(net.state_dict(), "events.pt")
    events = (torch.rand(6, 12, 2, 4, 4) < 0.3).float()
    labels = net(events).sum(0).argmax(1).numpy()
    np.savez("events.npz", inputs=events.numpy(), labels=labels)
    np.savez("turned.npz", inputs=events.transpose(0, 1).numpy(), labels=labels)
    np.savez("floats.npz", inputs=events.numpy(), labels=labels.astype(float))
    images = torch.rand(9, 1, 8, 8)
    brightness = images.mean((1, 2, 3)).expand(10, -1).unsqueeze(2)
    np.savez("numbers.npz", inputs=images.numpy(), labels=brightness.numpy())
    np.save("mean.npy", brightness[0].numpy())
    np.save("nan.npy", brightness[0].numpy() * np.nan)
    return tmp_path


def _import(file: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location("events_of_a_test", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def report() -> dict:  # type: ignore[type-arg]
    written = Path("runs").glob("*_report.json")
    latest = max(written, key=lambda path: path.stat().st_mtime_ns)
    return json.loads(latest.read_text())  # type: ignore[no-any-return]


def test_parity_of_streams(run: Run, files: Path) -> None:
    status, out, err = run("parity", "net.py:Events", *EVENTS, *QUICK)
    assert status == 0, err
    assert "No attack: the Program takes events; name attacks on them, as --attack random" in out
    saved = report()
    assert saved["mismatches"] == 0 and saved["accuracy"][0]["sides"]["chip"]["images"] == 12


@pytest.mark.parametrize("command", ["parity", "attack"])
@pytest.mark.parametrize("name", ["BatchFirst", "FirstFrame"])
def test_networks_that_take_streams_otherwise_are_lowered_here(
    run: Run, files: Path, command: str, name: str
) -> None:
    with np.load("events.npz") as given:
        np.savez("graded.npz", inputs=given["inputs"] * 0.9, labels=given["labels"])
    words = (f"net.py:{name}", "--weights", "events.pt", "--inputs", "graded.npz")
    options = ("--no-lava", "--exact", "2", "--epsilon", "0")
    if command == "attack":
        options = ("--attack", "fgsm", "--draws", "1")
    status, out, err = run(command, *words, *options, "--trials", "1", "--json")
    assert status == 0, err
    assert json.loads(out)["accuracy"][0]["sides"]["chip"]["images"] == 12


def test_as_many_streams_as_time_steps(run: Run, files: Path) -> None:
    with np.load("events.npz") as given:
        np.savez("even.npz", streams=given["inputs"][:, :6], labels=given["labels"][:6])
    for name in ("Events", "BatchFirst"):
        words = (f"net.py:{name}", "--weights", "events.pt", "--inputs", "even.npz", "--events")
        status, out, err = run("parity", *words, *QUICK, "--json")
        assert status == 0, err
        chip = json.loads(out)["accuracy"][0]["sides"]["chip"]
        assert (chip["images"], chip["value"]) == (6, 1)


def test_attacks_on_streams(run: Run, files: Path) -> None:
    words = ("net.py:Events", *EVENTS, "--flips", "10", "--trials", "1", "--images", "6")
    status, out, err = run("attack", *words, "--draws", "1", "--json")
    assert status == 0, err
    rows = json.loads(out)["accuracy"]
    assert [row["attack"] for row in rows[1:]] == [
        "random events, 10 events",
        *["sparse gradient-100 (EOT 1), 10 events"] * 2,
        "worst of all attacks, 10 events",
    ]
    assert [row["made_on"] for row in rows[1:]] == [None, "float", "twin", None]
    assert rows[3]["sides"]["chip"]["value"] < rows[0]["sides"]["chip"]["value"] == 1
    named = ("--attack", "greedy-spikes", "--flips", "2", "--attack-images", "2", "--ablation")
    assert run("parity", "net.py:Events", *EVENTS, *QUICK, *named)[0] == 0
    saved = report()
    assert saved["ablation"]["configuration"]["attack"] == "greedy flips (EOT 10), 2 events"


def test_attacks_on_images_are_refused_by_their_names(run: Run, files: Path) -> None:
    words = ("net.py:Events", *EVENTS)
    says = "--attack pgd, fgsm moves the pixels of images, and the Program takes events"
    for command in ("attack", "parity"):
        check_refused(run, (command, *words, "--attack", "pgd,boundary,fgsm"), says)
    says = "--attack auto-snn moves the pixels of images, and the Program takes events, exactly"
    check_refused(run, ("parity", *words, "--iterations", "3"), says)


def test_the_budget_of_attacks_on_events(run: Run, files: Path) -> None:
    names = "random-events,sparse-gradient,retiming"
    words = ("attack", "net.py:Events", *EVENTS, "--attack", names, "--trials", "1", "--draws", "1")
    words += ("--images", "4", "--surrogates", "own,atan-25", "--iterations", "3", "--json")
    budget = ("--kinds", "insert,move-time:2", "--share", "0.1")
    status, out, err = run(*words, *budget, "--refractory", "1")
    assert status == 0, err
    how = "[10 % of the events: insert, move ≤ 2 steps, refractory 1 steps]"
    assert list(dict.fromkeys(row["attack"] for row in json.loads(out)["accuracy"][1:])) == [
        f"random events {how}",
        f"sparse gradient-3 (EOT 1) {how}",
        f"sparse gradient-3 (EOT 1, atan-25) {how}",
        f"retiming-3 (EOT 1) {how}",
        f"retiming-3 (EOT 1, atan-25) {how}",
        f"worst of all attacks {how}",
    ]
    words = ("attack", "net.py:Events", *EVENTS, "--attack")
    check_refused(run, (*words, "retiming"), "Retiming needs 'move-time'")
    check_refused(run, (*words, "boundary", "--kinds", "add"), "'add'; choose from insert")
    check_refused(run, (*words, "boundary", "--kinds", "flip:1"), "like move-time:2")
    check_refused(run, (*words, "boundary", "--kinds", "move-space"), "max_distance of 1 or more")
    check_refused(run, (*words, "boundary", "--share", "-1"), "share is -1")
    check_refused(run, (*words, "random-events", "--draws", "2", "--iterations", "2"), "iterations")


def test_retiming_needs_a_delay_alone(run: Run, files: Path) -> None:
    words = ("net.py:Events", *EVENTS, *QUICK, "--attack", "retiming", "--max-delay", "1")
    assert run("parity", *words, "--flips", "4", "--attack-images", "4")[0] == 0
    names = {row["attack"] for row in report()["accuracy"]}
    assert "retiming-30 (EOT 10) [move ≤ 1 steps], 4 events" in names


def test_a_graph_and_a_program_of_streams(run: Run, files: Path) -> None:
    sample = ("--weights", "events.pt", "--sample", "events.npz", "--out", "m.nir")
    assert run("export", "net.py:Events", *sample)[0] == 0
    assert run("deploy", "m.nir", "--events", "--out", "m.program")[0] == 0
    status, out, err = run("simulate", "m.program", "--inputs", "events.npz", "--images", "5")
    assert status == 0 and "on 5 inputs of events.npz" in out, err
    words = ("parity", "m.nir", "m.program", *QUICK, "--inputs")
    assert run(*words, "events.npz", "--epsilon", "0")[0] == 0
    for command in (words, ("simulate", "m.program", "--inputs")):
        end = () if "simulate" in command else ("--epsilon", "0")
        check_refused(run, (*command, "turned.npz", *end), "the batch before the time steps")
        check_refused(run, (*command, "floats.npz", *end), "classes are whole numbers")
    check_refused(run, (*words, "events.npz", "--attack", "pgd"), "the Program takes events")
    assert run("deploy", "m.nir", "--out", "images.program")[0] == 0
    for command in (
        ("simulate", "images.program", "--inputs", "events.npz"),
        ("parity", "m.nir", "images.program", *QUICK, "--inputs", "events.npz", "--epsilon", "0"),
    ):
        status, _, err = run(*command)
        assert status == 0 and "lower the graph with 'stochi deploy --events'" in err


def test_a_regression(run: Run, files: Path) -> None:
    words = ("net.py:Regression", "--inputs", "numbers.npz")
    status, out, err = run("parity", *words, *QUICK)
    assert status == 0 and "Mean squared error" in out, err
    assert "No attack: the labels are numbers, not classes" in out
    saved = report()
    assert saved["accuracy"] == [] and saved["errors"]["sides"]["chip"]["images"] == 9
    check_refused(run, ("attack", *words), "numbers.npz: the labels are numbers to be met")
    wrong = (("mean.npy", "at every time step"), ("nan.npy", "not all finite"))
    for labels, message in wrong:
        command = ("parity", *words, *QUICK, "--epsilon", "0", "--labels", labels)
        check_refused(run, command, message)


def test_the_error_of_a_program(run: Run, files: Path) -> None:
    assert run("export", "net.py:Regression", "--sample", "numbers.npz", "--out", "m.nir")[0] == 0
    assert run("deploy", "m.nir", "--out", "m.program")[0] == 0
    words = ("simulate", "m.program", "--inputs", "numbers.npz")
    status, out, _ = run(*words, "--labels", "mean.npy")
    assert status == 0 and "Mean squared error" in out
    by_step = json.loads(run(*words, "--json")[1])["error"]
    assert run("parity", "m.nir", "m.program", *words[2:], *QUICK, "--epsilon", "0")[0] == 0
    chip = report()["errors"]["sides"]["chip"]
    assert by_step["value"] == pytest.approx(chip["value"]) and by_step["value"] > 0
    labels = np.load("numbers.npz")["labels"]
    np.save("turned.npy", labels.transpose(1, 0, 2))
    message = "turned.npy: labels have shape (9, 10, 1), the batch before the time steps"
    check_refused(run, (*words, "--labels", "turned.npy"), message)


def test_labels_of_every_step_for_the_last_step(run: Run, files: Path) -> None:
    Path("last.py").write_text(
        Path("net.py").read_text()
        + "\n\nclass Last(Events):\n    def forward(self, x):\n"
        + "        return super().forward(x)[-1]\n"
    )
    sample = ("--weights", "events.pt", "--sample", "events.npz", "--out", "m.nir")
    assert run("export", "last.py:Last", *sample)[0] == 0
    assert run("deploy", "m.nir", "--events", "--out", "m.program")[0] == 0
    np.save("steps.npy", np.zeros((6, 12, 4), np.float32))
    words = ("simulate", "m.program", "--inputs", "events.npz", "--labels", "steps.npy")
    check_refused(run, words, "this Program answers with its last one")


def test_files_with_the_batch_in_front(run: Run, files: Path) -> None:
    """Also if neither a graph nor a Program tells yet what an input looks like."""
    words = ("parity", "net.py:Events", "--weights", "events.pt", *QUICK, "--inputs")
    message = "turned.npz: inputs have shape (12, 6, 2, 4, 4), the batch before the time steps"
    check_refused(run, (*words, "turned.npz", "--events", "--epsilon", "0"), message)
    sample = ("--weights", "events.pt", "--sample", "events.npz", "--out", "m.nir")
    assert run("export", "net.py:Events", *sample)[0] == 0
    assert run("deploy", "m.nir", "--events", "--out", "m.program")[0] == 0
    turned = np.load("turned.npz")["inputs"]
    np.save("turned.npy", turned)
    for command in (
        ("simulate", "m.program", "--inputs", "turned.npy"),
        ("deploy", "m.nir", "--events", "--noise", "membrane", "--calibration", "turned.npy"),
    ):
        check_refused(run, command, "the batch before the")


def test_as_many_inputs_as_time_steps(run: Run, files: Path) -> None:
    content = np.load("events.npz")
    np.savez("square.npz", inputs=content["inputs"][:, :6], labels=content["labels"][:6])
    np.save("square.npy", content["inputs"][:, :6])
    words = ("--events", "--weights", "events.pt", "--inputs", "square.npz")
    status, _, err = run("parity", "net.py:Events", *words, *QUICK)
    assert status == 0 and "square.npz: inputs have shape (6, 6, 2, 4, 4), as many" in err
    assert report()["accuracy"][0]["sides"]["float"]["value"] == 1
    sample = ("--weights", "events.pt", "--sample", "events.npz", "--out", "m.nir")
    assert run("export", "net.py:Events", *sample)[0] == 0
    assert run("deploy", "m.nir", "--events", "--out", "m.program")[0] == 0
    for file in ("square.npz", "square.npy"):
        status, _, err = run("simulate", "m.program", "--inputs", file)
        assert status == 0 and f"{file}: inputs have shape" in err and err.count("Warning") == 1


def test_streams_of_0_and_1_that_are_not_called_events(run: Run, files: Path) -> None:
    words = ("--weights", "events.pt", "--inputs", "events.npz", *QUICK, "--epsilon", "0")
    status, _, err = run("parity", "net.py:Events", *words)
    assert status == 0 and "give --events" in err
    assert "give --events" not in run("parity", "net.py:Events", *words, "--events")[2]


def test_files_of_another_kind(run: Run, files: Path) -> None:
    sample = ("--weights", "events.pt", "--sample", "events.npz", "--out", "m.nir")
    assert run("export", "net.py:Events", *sample)[0] == 0
    assert run("deploy", "m.nir", "--events", "--out", "m.program")[0] == 0
    shown = ("--inputs", "events.npz")
    check_refused(run, ("simulate", "m.nir", *shown), "m.nir: a NIR graph, or another file of HDF5")
    check_refused(run, ("simulate", "events.pt", *shown), "a file of torch.save")
    check_refused(run, ("tune", "m.nir", "m.program"), "m.nir: a NIR graph")
    check_refused(run, ("tune", "m.program", "m.program"), "m.program: an archive of numpy")
    check_refused(run, ("tune", "net.py:Events", "m.program"), "stochi.train.fine_tune")
    Path("text.npy").write_text("hello")
    check_refused(
        run, ("simulate", "m.program", "--inputs", "text.npy"), "not a file of numpy.save"
    )
    np.save("objects.npy", np.array([{}], object), allow_pickle=True)
    check_refused(run, ("simulate", "m.program", "--inputs", "objects.npy"), "Python objects")


def test_streams_tell_a_foreign_graph_its_time_steps(run: Run, files: Path, shared: Path) -> None:
    events = np.random.default_rng(0).random((50, 8, 1)) < 0.3
    np.savez("one.npz", inputs=events.astype(np.float32), labels=np.zeros(8, int))
    graph = (str(shared / "nir" / "lif_norse.nir"), "--dt", "1e-3", "--reset", "zero")
    status, out, err = run("parity", *graph, "--events", "--inputs", "one.npz", *QUICK)
    assert status == 0 and "0 mismatches" in out, err
    assert report()["configuration"]["time_steps"] == 50


def test_a_file_can_tell_the_order_of_its_streams(run: Run, files: Path) -> None:
    net = ("--weights", "events.pt", "--out", "m.nir")
    assert run("export", "net.py:Events", "--sample", "events.npz", *net)[0] == 0
    assert run("deploy", "m.nir", "--events", "--out", "m.program")[0] == 0
    held = np.load("events.npz")
    square, labels = held["inputs"][:, :6], held["labels"][:6]
    answers = []
    for name, warns in (("inputs", True), ("streams", False)):
        for labelled in ({}, {"labels": labels}):
            np.savez("square.npz", **{name: square}, **labelled)
            status, out, err = run("simulate", "m.program", "--inputs", "square.npz", "--json")
            assert status == 0, err
            assert ("name the array 'streams'" in out + err) == warns
            answers.append(json.loads(out)["predictions"])
    assert answers == answers[:1] * 4


def test_a_recording_is_not_taken_for_frames(run: Run, files: Path) -> None:
    one = np.zeros(3, np.int64)
    np.savez("recording.npz", x=one, y=one, t=one, p=one)
    words = ("parity", "net.py:Events", "--weights", "events.pt", "--inputs", "recording.npz")
    check_refused(run, words, "open recordings with stochi.data.open_recordings")


def test_budgets_of_other_attacks_are_refused(run: Run, files: Path) -> None:
    words = ("attack", "net.py:Events", *EVENTS)
    for budget in (("--epsilon", "0.2"), ("--epsilons", "0.1,0.2")):
        check_refused(run, (*words, *budget), f"{budget[0]}: attacks on events have --flips")
    images = ("attack", "net.py:Events", *EVENTS, "--attack", "fgsm")
    for budget in (("--flips", "2"), ("--share", "0.1"), ("--max-delay", "1")):
        check_refused(run, (*images, *budget), f"{budget[0]}: attacks on images have --epsilon")
    check_refused(run, (*words, "--attack", "spikefool"), "or on events random-events")
