"""Options of ``stochi train`` for the optimizer, and trainings that are interrupted."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stochi.time_left import TimeLeft, in_words
from stochi.train.checkpoint import load_checkpoint
from tests.commands.conftest import Run, check_refused
from tests.kills.scene import ROOT, list_session
from tests.train.test_parallel import TORCHRUN

SHORT = ("train", "--epochs", "1", "--time-steps", "2", "--training-images", "96")
LONG = ("train", "--epochs", "40", "--patience", "40", "--time-steps", "2")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}


def test_sgd_has_the_published_defaults_and_takes_others(run: Run) -> None:
    status, out, err = run(*SHORT, "--optimizer", "sgd", "--json")
    assert status == 0, err
    found = json.loads(out)["training"]
    assert found["optimizer"] == "sgd" and "momentum" not in found  # the configuration's own, 0.9
    assert found["learning_rate"] == 0.1 and found["weight_decay"] == 1e-4
    given = {"learning_rate": 0.05, "momentum": 0.5, "weight_decay": 0.0, "batch_size": 32}
    words = [word for name, value in given.items() for word in (f"--{name}", str(value))]
    words = [word.replace("_", "-") for word in words]
    status, out, err = run(*SHORT, "--optimizer", "sgd", *words, "--micro-batch", "16", "--json")
    assert status == 0, err
    found = json.loads(out)
    del given["weight_decay"]  # as configured without the option, and so not recorded
    assert given.items() <= found["training"].items() and found["training"]["micro_batch"] == 16
    kept = load_checkpoint("runs/model.pt")[1]["training"]
    assert given.items() <= kept.items() and kept["training_images"] == 96


def test_adam_keeps_its_defaults(run: Run) -> None:
    status, out, err = run(*SHORT, "--json")
    assert status == 0, err
    assert json.loads(out)["training"] == {
        **{"seed": 0, "epochs": 1, "batch_size": 64, "learning_rate": 3e-3, "patience": 8},
        **{"validation_share": 8, "shift": 0},
    }


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--optimizer", "adamw"), "optimizer is 'adamw'; choose from adam, sgd"),
        (("--momentum", "0.5"), "--momentum: it is for --optimizer sgd; leave it out"),
        (("--optimizer", "sgd", "--momentum", "1"), "momentum is 1.0; it must be from 0 to below"),
        (("--weight-decay", "-1"), "--weight-decay is -1.0; it must be at least 0"),
        (("--learning-rate", "nan"), "--learning-rate is nan; it must be a finite number"),
        (("--learning-rate", "1e300"), "--learning-rate is 1e+300; it must be at most 1,000,000"),
        (("--weight-decay", "1e300"), "--weight-decay is 1e+300; it must be at most 1,000,000"),
        (("--sigma", "1e300"), "sigma is 1e+300; it must be at most 1,000,000"),
        (
            ("--neuron", "noisy", "--noise-std", "1e300"),
            "--noise-std is 1e+300; it must be at most",
        ),
        (("--batch-size", "0"), "--batch-size is 0; it must be at least 1"),
        (("--micro-batch", "0"), "--micro-batch is 0; it must be at least 1"),
        (("--training-images", "0"), "0 images were asked for; ask for 1 to 1438"),
        (("--training-images", "9999"), "9999 images were asked for; ask for 1 to 1438"),
        (("--training-images", "3"), "3 samples are too few to train on; pass at least 8"),
    ],
)
def test_wrong_options_are_one_line(run: Run, words: tuple[str, ...], message: str) -> None:
    check_refused(run, ("train", "--epochs", "1", *words), message)


def interrupt(words: tuple[str, ...], how: signal.Signals = signal.SIGKILL) -> str:
    """Start a training, end it after an epoch, and return what it printed."""
    command = subprocess.Popen(
        [sys.executable, "-m", "stochi", *words],
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        text=True,
    )
    end = time.monotonic() + 100
    while not Path("m.pt.unfinished").exists() and time.monotonic() < end:
        time.sleep(0.01)
    command.send_signal(how)
    return command.communicate(timeout=60)[1]


@pytest.mark.slow
def test_the_same_command_goes_on_with_an_interrupted_training(run: Run) -> None:
    words = (*LONG, "--training-images", "200", "--out", "m.pt")
    printed = interrupt(words, signal.SIGTERM)
    assert printed.splitlines()[-1] == (
        "stopped; the same command goes on after the last epoch that m.pt.unfinished holds, if any"
    )
    assert sorted(os.listdir()) == ["m.pt.unfinished"]
    other = (*words, "--seed", "1")
    assert run(*other)[0] == 2
    message = (
        "m.pt.unfinished: an interrupted training with other options (training.seed was 0, now 1);"
        " give the same to go on with it, --restart to begin anew, or another --out"
    )
    check_refused(run, other, message)
    status, out, err = run(*words)
    assert status == 0 and out.startswith("Test accuracy"), err
    assert "Going on after" in err and "epoch   1 " not in err and "epoch  40 " in err
    assert sorted(os.listdir()) == ["m.pt", "m.train.toml"]
    went_on = Path("m.pt").read_bytes()
    status, _, err = run(*words)
    assert status == 0 and "Going on" not in err and " left" in err
    assert Path("m.pt").read_bytes() == went_on


@pytest.mark.slow
def test_restart_begins_anew(run: Run) -> None:
    words = (*SHORT, "--out", "m.pt")
    assert run(*words)[0] == 0
    before = Path("m.pt").read_bytes()
    interrupt((*LONG, "--out", "m.pt", "--force"))
    status, _, err = run(*words, "--restart")
    assert status == 0 and "Going on" not in err
    assert Path("m.pt").read_bytes() == before and sorted(os.listdir()) == ["m.pt", "m.train.toml"]


def test_what_is_no_file_is_written_without_a_file_beside_it(run: Run) -> None:
    os.mkfifo("pipe")
    reader = subprocess.Popen(["cat", "pipe"], stdout=subprocess.PIPE)
    assert run(*SHORT, "--out", "pipe")[0] == 0
    content = reader.communicate(timeout=10)[0]
    Path("m.pt").write_bytes(content)
    load_checkpoint("m.pt")
    assert sorted(os.listdir()) == ["m.pt", "pipe"]


def test_a_folder_where_the_training_is_kept_is_one_line(run: Run) -> None:
    Path("m.pt.unfinished").mkdir()
    check_refused(run, (*SHORT, "--out", "m.pt"), "m.pt.unfinished: a folder, not a file")


def test_the_time_left_follows_the_pace() -> None:
    now = 0.0
    left = TimeLeft(lambda: now)
    found = []
    for after, done in ((10, 1), (20, 2), (25, 3), (26, 1), (27, 2)):
        now = after
        found.append(left.after(done, 4))
    assert found == [30, 20, 25 / 3, 3, 2]
    now = 0.0
    going_on = TimeLeft(lambda: now)
    now = 7.0
    assert going_on.after(91, 100) == 63
    words = [in_words(seconds) for seconds in (0.2, 89, 100, 5000, 7500)]
    assert words == ["0 s", "89 s", "2 min", "83 min", "2 h 5 min"]


@pytest.mark.slow
def test_torchrun_trains_the_same_network_and_one_process_prints(run: Run, tmp_path: Path) -> None:
    words = (*SHORT, "--neuron", "plain", "--optimizer", "sgd", "--json")
    status, out, _ = run(*words)
    together = subprocess.run(
        [*TORCHRUN, "-m", "stochi", *words, "--force"],
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
    )
    assert status == 0 and together.returncode == 0, together.stderr
    ours, theirs = json.loads(together.stdout), json.loads(out)
    assert ours["epochs"][0]["loss"] == pytest.approx(theirs["epochs"][0]["loss"], rel=1e-5)
    assert sorted(os.listdir("runs")) == ["model.pt", "model.train.toml"]


@pytest.mark.slow
def test_a_process_that_ends_takes_the_others_along_and_training_goes_on(run: Run) -> None:
    words = (*LONG, "--neuron", "plain", "--training-images", "200", "--out", "m.pt")
    command = subprocess.Popen(
        [*TORCHRUN, "-m", "stochi", *words],
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    while not Path("m.pt.unfinished").exists():
        assert command.poll() is None
        time.sleep(0.05)
    listed = subprocess.run(["ps", "-e", "-o", "ppid=,pid="], capture_output=True, text=True)
    pairs = [line.split() for line in listed.stdout.splitlines()]
    children = [int(pid) for parent, pid in pairs if parent == str(command.pid)]
    os.kill(max(children), signal.SIGKILL)
    printed = command.communicate(timeout=60)[1]
    assert command.returncode != 0 and list_session(command.pid) == []
    assert "another one has ended or cannot be reached" in printed
    assert os.listdir() == ["m.pt.unfinished"]
    check_refused(run, words, "processes was 2, now 1")
    done = subprocess.run(
        [*TORCHRUN, "-m", "stochi", *words], env=ENVIRONMENT, capture_output=True, text=True
    )
    assert done.returncode == 0 and done.stderr.count("Going on after") == 1, done.stderr
    assert sorted(os.listdir()) == ["m.pt", "m.train.toml"]
