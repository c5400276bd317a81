"""Every command that shows images, on sets other than the digits: small ones, made here."""

import json
from pathlib import Path

import pytest
import torch

from stochi.train import NetworkConfig, load_checkpoint
from tests.commands.conftest import Run, check_refused
from tests.data.files import write_cifar100, write_mnist
from tests.thoroughness import with_slow

SETS = {
    "fashion-mnist": (write_mnist, (1, 28, 28), 10),
    "cifar100": (write_cifar100, (3, 32, 32), 100),
}


@pytest.mark.parametrize("name", with_slow(SETS, ("cifar100",)))
def test_from_training_to_parity(run: Run, tmp_path: Path, name: str) -> None:
    write, shape, classes = SETS[name]
    write(tmp_path / "files")
    data = ("--data", name, "--data-dir", str(tmp_path / "files"), "--json")
    status, out, err = run("train", "--epochs", "1", "--time-steps", "2", "--out", "m.pt", *data)
    assert status == 0 and json.loads(out)["data"] == name, err
    model, content = load_checkpoint("m.pt")
    network = NetworkConfig.from_dict(content["network"])
    assert (network.input_shape, network.classes) == (shape, classes)
    assert content["training"]["data"] == name
    assert model(torch.rand(1, *shape)).shape == (1, classes)
    few, quick = ("--trials", "1", *data), ("--iterations", "1", "--draws", "1")
    for words in (
        ("export", "m.pt", "--out", "m.nir", *data),
        ("deploy", "m.nir", "--out", "m.program", "--json"),
        ("simulate", "m.program", "--images", "4", *data),
        (*("attack", "m.pt", "m.program", "--images", "2"), *quick, *few),
        ("parity", "m.pt", "m.program", "--no-lava", "--epsilon", "0", "--images", "3", *data),
    ):
        status, out, err = run(*words)
        assert status == 0, err
    report = json.loads(out)
    assert report["mismatches"] == 0 and report["compared"] > 0
    assert report["accuracy"][0]["sides"]["chip"]["images"] == 3


@pytest.fixture
def networks(run: Run, tmp_path: Path) -> None:
    """A network of each kind, with its Program."""
    write_mnist(tmp_path / "files")
    data = ("--data", "mnist", "--data-dir", "files")
    for words in (
        ("train", "--epochs", "1", "--time-steps", "2", "--out", "m.pt", *data),
        ("export", "m.pt", "--out", "m.nir", *data),
        ("deploy", "m.nir", "--out", "m.program"),
    ):
        assert run(*words)[0] == 0


def test_mistakes_are_one_line_and_write_nothing(run: Run, networks: None) -> None:
    before = sorted(Path().rglob("*"))
    forgotten = "takes images of 1×28×28 in 10 classes, those of digits have 1×8×8 in 10;"
    for words, message in (
        (("train", "--data", "svhn"), "unknown data set 'svhn'; known sets: digits, mnist"),
        (("train", "--data", "mnist"), "--data-dir"),
        (("train", "--data", "cifar10", "--data-dir", "nowhere"), "nowhere: no such folder"),
        (("train", "--data", "cifar10", "--data-dir", "files"), "www.cs.toronto.edu"),
        (("export", "m.pt"), f"m.pt {forgotten} give --data mnist or fashion-mnist"),
        (("simulate", "m.program"), f"m.program {forgotten}"),
        (("attack", "m.pt", "m.program"), f"m.pt {forgotten}"),
        (("tune", "m.pt", "m.program"), f"m.pt {forgotten}"),
        (("parity", "m.pt", "m.program"), f"m.pt {forgotten}"),
        (("parity", "m.pt", "m.program", "--data", "cifar100"), "have 3×32×32 in 100"),
        (("simulate", "m.program", "--data", "mnist"), "http://yann.lecun.com/exdb/mnist/"),
    ):
        status, out, err = run(*words)
        assert status == 2 and out == "" and message in err, err
        assert err.startswith("stochi: ") and err.count("\n") == 1
    assert sorted(Path().rglob("*")) == before


def test_help_names_every_set(run: Run) -> None:
    commands = ("train", "tune", "export", "deploy", "simulate", "attack", "study", "parity")
    for command in commands:
        out = run(command, "--help")[1]
        assert all(word in out for word in ("--data", "--data-dir", "fashion-mnist", "cifar100"))
    out = run("demo", "--help")[1]
    assert all(word in out for word in ("--data", "saccades", "nmnist"))
    assert all("--data" not in run(name, "--help")[1] for name in ("show", "doctor"))


@pytest.mark.parametrize(
    "words",
    [
        *(("train",), ("train", "--data", "saccades"), ("demo",), ("study", "--quick")),
        *(("tune", "m.pt", "m.program"), ("export", "m.pt"), ("simulate", "m.program")),
        *(("estimate", "m.program"), ("attack", "m.pt", "m.program"), ("parity", "m.pt")),
        *(("deploy", "m.nir", "--noise", "membrane"), ("deploy", "m.nir", "--format", "lava")),
    ],
)
def test_a_folder_is_refused_for_sets_that_need_none(
    run: Run, trained: Path, words: tuple[str, ...]
) -> None:
    command, *others = (str(trained / word) if word[:2] == "m." else word for word in words)
    name = "saccades" if "saccades" in words else "digits"
    message = f"--data-dir: {name} needs no files; leave it out"
    check_refused(run, (command, *others, "--data-dir", "/nowhere"), message)
