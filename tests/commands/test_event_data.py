"""Events from training to attack, on a small set in N-MNIST's layout that is made here."""

import json
from pathlib import Path

import pytest
import torch

from stochi.train import NetworkConfig, load_checkpoint
from tests.commands.conftest import Run, check_refused
from tests.data.events.recordings import write_nmnist

DATA = ("--data", "nmnist", "--data-dir", "files")
SMALL = ("--epochs", "1", "--time-steps", "3")
QUICK = ("--trials", "1", "--exact", "2", "--no-lava", "--epsilon", "0")


@pytest.fixture
def files(run: Run, tmp_path: Path) -> None:
    write_nmnist(tmp_path / "files", training=16)


@pytest.fixture
def networks(run: Run, files: None) -> None:
    """A network of events and one of images, with their Programs."""
    for words in (
        ("train", *SMALL, "--network", "mlp", "--out", "events.pt", *DATA),
        ("export", "events.pt", "--out", "events.nir", *DATA),
        ("deploy", "events.nir", "--events", "--out", "events.program"),
        ("train", *SMALL, "--out", "images.pt"),
        ("export", "images.pt", "--out", "images.nir"),
        ("deploy", "images.nir", "--out", "images.program"),
    ):
        status, _, err = run(*words)
        assert status == 0, err


@pytest.mark.parametrize(
    "words",
    [
        ("--network", "conv"),
        ("--network", "mlp", "--neuron", "plain"),
        ("--network", "mlp", "--neuron", "cuba"),
        ("--network", "mlp", "--sampling", "forward", "--bits", "3"),
        ("--network", "mlp", "--hardware"),
    ],
)
def test_from_training_to_parity(run: Run, files: None, words: tuple[str, ...]) -> None:
    status, out, err = run("train", *SMALL, *words, "--out", "m.pt", *DATA)
    assert status == 0 and "on 5 recordings of nmnist" in out, err
    model, content = load_checkpoint("m.pt")
    network = NetworkConfig.from_dict(content["network"])
    assert network.events and network.input_shape == (2, 34, 34) and network.time_steps == 3
    assert model(torch.zeros(3, 1, 2, 34, 34)).shape == (1, 10)
    assert content["training"]["shift"] == 1
    status, out, err = run("parity", "m.pt", *QUICK, *DATA, "--json")
    assert status == 0, err
    report = json.loads(out)
    assert report["mismatches"] == 0 < report["compared"]
    assert report["accuracy"][0]["sides"]["chip"]["images"] == 5


def test_every_command_takes_events(run: Run, networks: None) -> None:
    two = ("events.pt", "events.program")
    attack = ("--flips", "2", "--draws", "1", "--images", "2", "--trials", "1")
    for words in (
        ("simulate", "events.program", "--images", "4", *DATA),
        ("parity", *two, *QUICK, *DATA),
        ("parity", "events.nir", *QUICK, *DATA),
        ("parity", "events.nir", "events.program", *QUICK, *DATA),
        ("attack", *two, *attack, *DATA),
        ("tune", *two, "--epochs", "1", "--out", "tuned.pt", *DATA),
        *(
            ("deploy", "events.nir", "--events", "--noise", noise, "--images", "8", *DATA)
            for noise in ("membrane", "current")
        ),
    ):
        status, out, err = run(*words)
        assert status == 0, err
        if words[0] == "simulate":
            assert "on 4 recordings of nmnist" in out
        if words[0] == "attack":
            assert "random events, 2 events" in " ".join(out.split())
        if words[0] == "tune":
            assert "--bits 8 --events, and compare" in out


def test_what_does_not_fit_is_refused_with_a_way_out(run: Run, networks: None) -> None:
    events = "takes binary events of 2×34×34, and digits consists of images; give --data nmnist"
    images = "takes images of 1×8×8, and nmnist consists of events; give --data digits, or take"
    two = ("events.pt", "events.program")
    for words, message in (
        (("export", "events.pt", "--out", "x.nir"), f"events.pt {events}"),
        (("simulate", "events.program"), f"events.program {events}"),
        (("parity", *two), f"events.program {events}"),
        (("attack", *two), f"events.program {events}"),
        (("tune", *two), f"events.program {events}"),
        (("export", "images.pt", "--out", "x.nir", *DATA), f"images.pt {images}"),
        (("simulate", "images.program", *DATA), f"images.program {images}"),
        (("parity", "images.pt", *DATA), f"images.pt {images}"),
        (("parity", "images.pt", "images.program", *DATA), f"images.program {images}"),
        (("simulate", "images.program", *DATA), "'stochi deploy --events'"),
        (("simulate", "events.program", "--data", "saccades"), "those of saccades have 2×16×16"),
        (("train", "--data", "nmnist"), "--data-dir"),
        (("train", "--network", "mlp"), "--network mlp is for events, and digits consists of"),
        (("train", "--network", "rnn", *DATA), "choose from conv, mlp"),
        (("train", "--neuron", "izhikevich", *DATA), "choose from random, plain, cuba"),
        (("train", "--neuron", "plain", "--sigma", "2", *DATA), "--sigma: it is for random decays"),
        (("train", "--time-steps", "0", *DATA), "--time-steps is 0"),
        (("train", *SMALL, "--defence", "pgd", *DATA), "defence 'pgd' trains on images"),
        (("deploy", "events.nir", "--noise", "current", *DATA), "lowered for images; add --events"),
        (
            ("deploy", "events.nir", "--events", "--noise", "current", "--images", "99", *DATA),
            "99 recordings were asked for; ask for 1 to 16",
        ),
        (
            ("deploy", "events.nir", "--events", "--noise", "current"),
            "here events, and digits consists of images; give a set of events",
        ),
        (("demo", "--data", "mnist"), "the demo runs on digits, saccades, nmnist"),
        (("demo", "--data", "saccades", "--epsilon", "0.2"), "attacks on images, not on events"),
        (("demo", "--data", "saccades", "--data-dir", "."), "saccades needs no files"),
        (("demo", "--data", "nmnist"), "--data-dir"),
    ):
        check_refused(run, words, message)


def test_a_damaged_recording_is_named_and_nothing_is_written(run: Run, files: None) -> None:
    path = Path("files/Train/3/00003.bin")
    path.write_bytes(path.read_bytes()[:-2])
    check_refused(run, ("train", *SMALL, "--out", "m.pt", *DATA), str(path))


@pytest.mark.slow
@pytest.mark.lava
def test_the_demo_of_events_ends_well(run: Run) -> None:
    status, out, _ = run("demo", "--data", "saccades", "--json")
    report = json.loads(out)
    assert status == 0 and report["mismatches"] == 0
    assert report["accuracy"][0]["sides"]["float"]["value"] >= 0.88
    assert {pair["images"] for pair in report["exact"]} == {32}
    clean, _, strong = (row["sides"]["float"]["value"] for row in report["accuracy"][:3])
    assert strong < clean / 2
