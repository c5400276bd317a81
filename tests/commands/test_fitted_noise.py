"""Noise that is fitted to training inputs, in every command that lowers a graph."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from stochi.commands.fitted_noise import FitInputs, count_shared
from stochi.data import Images, Streams
from stochi.deploy import Program, calibrate, read_graph, write_graph
from stochi.errors import InputError
from tests.commands.conftest import Run
from tests.commands.own_files import write_own
from tests.commands.test_own_network import QUICK, check_refused
from tests.deploy.test_ranges import graph, integrators

NET = "own.py:RandomNet"
DATA = ("--inputs", "test.npz")
MEMBRANE = ("--noise", "membrane")
FIT = (*MEMBRANE, "--calibration", "fit.npy")
FGSM = ("--attack", "fgsm", "--draws", "1", "--trials", "1", "--json")


@pytest.fixture
def own(run: Run, tmp_path: Path) -> Path:
    """The files, with inputs to fit noise to and the graph of a network that draws its τ."""
    write_own(tmp_path)
    torch.manual_seed(1)
    np.save("fit.npy", torch.rand(24, 1, 8, 8).numpy())
    np.save("steps.npy", np.random.default_rng(0).random((4, 20, 1, 8, 8)) < 0.4)
    assert run("export", NET, "--sample", "x.npy", "--out", "r.nir")[0] == 0
    return tmp_path


def content(program: Program) -> bytes:
    program.save("content.program")
    return Path("content.program").read_bytes()


@pytest.mark.slow
def test_parity_and_attack_fit_as_deploy_does(run: Run, own: Path) -> None:
    status, out, err = run("deploy", "r.nir", *FIT, "--out", "r.program", "--json")
    found = json.loads(out)
    assert status == 0 and [fit["layer"] for fit in found["fits"]] == ["lif"], err
    expected, _ = calibrate(read_graph("r.nir"), torch.from_numpy(np.load("fit.npy")))
    assert content(Program.load("r.program")) == content(expected)
    for command, more in (("parity", (*QUICK, "--json")), ("attack", FGSM)):
        reports = []
        for words in ((NET, *FIT), ("r.nir", *FIT), (NET, "r.program")):
            status, out, err = run(command, *words, *DATA, *more)
            assert status == 0, err
            reports.append(json.loads(out) | {"run": None})  # other words, a little later
        assert reports[0] == reports[1] == reports[2]
        assert reports[0]["configuration"]["noise"] == "membrane"
        assert reports[0]["mismatches"] == 0


def test_attack_lowers_the_model_itself(run: Run, own: Path) -> None:
    assert run("deploy", "r.nir", "--noise", "none", "--out", "n.program")[0] == 0
    for model in (NET, "r.nir"):
        status, out, err = run("attack", model, *DATA, "--noise", "none", *FGSM)
        here = json.loads(out) | {"run": None}  # other words, a little later
        assert status == 0 and here["configuration"]["noise"] == "none", err
        there = json.loads(run("attack", model, "n.program", *DATA, *FGSM)[1])
        assert there | {"run": None} == here
    status, out, err = run("attack", NET, *DATA, *FGSM)
    assert status == 0 and json.loads(out)["configuration"]["noise"] == "decay", err


@pytest.mark.slow
def test_a_data_set_gives_its_training_images(run: Run, trained: Path) -> None:
    fit = (*MEMBRANE, "--calibration-images", "4")
    net, graph = str(trained / "m.pt"), str(trained / "m.nir")
    status, out, err = run("deploy", graph, *fit, "--out", "m.program")
    assert status == 0 and "Fitted to 4 training images of digits" in out
    assert "Fitting the noise to 4 training images of digits" in err
    few = ("--images", "12", *FGSM)
    status, out, err = run("attack", net, *few, *fit)
    assert status == 0, err
    there = json.loads(run("attack", net, "m.program", *few)[1])
    assert there | {"run": None} == json.loads(out) | {"run": None}


@pytest.mark.slow
def test_the_fit_is_shown_and_its_warnings_are_printed(run: Run, own: Path) -> None:
    status, _, err = run("parity", NET, *FIT, *DATA, *QUICK)
    assert status == 0 and "Fitting the noise to 24 inputs of fit.npy" in err
    assert "Fitting lif" in err and "Warning" not in err
    images = torch.rand(6, 1, 8, 8).numpy()
    np.save("mixed.npy", np.concatenate([images, np.load("x.npy")[:2]]))
    np.save("same.npy", images[:1].repeat(5, 0))
    np.save("dim.npy", np.load("fit.npy")[:6] * np.float32(0.7))
    for fitted_to, message in (
        ("mixed.npy", "2 of the 8 inputs of mixed.npy, which the noise is fitted to, are also te"),
        ("same.npy", "all 5 samples that the noise is fitted to are the same"),
        ("dim.npy", "layer 'lif': its rate remains"),
    ):
        words = (*MEMBRANE, "--calibration", fitted_to)
        status, out, err = run("attack", NET, *words, *DATA, *FGSM)
        assert status == 0 and json.loads(out)["mismatches"] == 0
        assert message in err, err
    plain = ("own.py:make_net", "--weights", "w.pt", *DATA, *QUICK)
    status, _, err = run("parity", *plain, *FIT)
    assert status == 0 and "nothing in the network draws its τ" in err


def test_events_and_time_steps_are_fitted_to(run: Run, own: Path) -> None:
    events = ("--calibration", "steps.npy", "--images", "5", "--events")
    status, out, err = run("deploy", "r.nir", *MEMBRANE, *events, "--out", "e.program")
    assert status == 0 and "Fitted to 5 inputs of steps.npy" in out, err
    shown = torch.from_numpy(np.load("steps.npy")[:, :5])
    expected, _ = calibrate(read_graph("r.nir"), shown, events=True)
    assert content(Program.load("e.program")) == content(expected)
    np.savez("frames.npz", inputs=np.load("steps.npy")[0], labels=np.arange(20) % 10)
    words = ("--inputs", "frames.npz", *MEMBRANE, "--calibration", "steps.npy", "--events")
    status, out, err = run("parity", NET, *words, "--chip", "loihi1", *QUICK, "--json")
    assert status == 0 and json.loads(out)["mismatches"] == 0, err


@pytest.mark.slow
def test_what_cannot_be_fitted_to_is_refused(run: Run, own: Path) -> None:
    np.save("none.npy", np.zeros((0, 1, 8, 8)))
    np.save("five.npy", np.zeros((5, 6, 1, 8, 8)))
    Path("zero.npy").touch()
    for file, message in (
        ("gone.npy", "gone.npy: no such file"),
        (".", ".: give a file of numpy"),
        ("zero.npy", "zero.npy: not a file of numpy.save"),
        ("cut.npz", "or a damaged one"),
        ("none.npy", "none.npy: its shape is (0, 1, 8, 8)"),
        ("flat.npy", "flat.npy: its shape is (8,)"),
        ("rgb.npy", "rgb.npy: inputs have shape (8, 3, 8, 8)"),
        ("pixels.npy", "pixels.npy: inputs range from 0 to 25"),
        ("five.npy", "its inputs have 5 time steps, the network's samples have 4"),
    ):
        fit = (*MEMBRANE, "--calibration", file)
        check_refused(run, ("parity", NET, *DATA, *QUICK, *fit), message)
        check_refused(run, ("attack", "r.nir", *DATA, *fit), message)
        check_refused(run, ("deploy", "r.nir", *fit), message)
    many = ("--calibration-images", "25")
    for words in (("parity", NET, *DATA), ("attack", "r.nir", *DATA), ("deploy", "r.nir")):
        check_refused(run, (*words, *FIT, *many), "fit.npy: 25 inputs were asked for")


@pytest.mark.parametrize("command", ["parity", "attack"])
@pytest.mark.parametrize("model", [NET, "r.nir"])
def test_noise_is_not_fitted_to_test_inputs(run: Run, own: Path, command: str, model: str) -> None:
    check_refused(run, (command, model, *DATA, *MEMBRANE), "--calibration FILE (no labels needed)")
    Path("link.npz").symlink_to("test.npz")
    for same in ("test.npz", "./test.npz", "link.npz"):
        words = (command, model, *DATA, *MEMBRANE, "--calibration", same)
        check_refused(run, words, "is the file of --inputs")


def test_options_without_an_effect_are_refused(run: Run, own: Path) -> None:
    shutil.copy("r.nir", "r.program")  # refused before it is read
    fitted = "is for noise that is fitted to inputs (--noise membrane or current"
    for words, message in (
        (("--calibration", "fit.npy"), f"--calibration {fitted}); leave"),
        (("--noise", "none", "--calibration-images", "3"), f"--calibration-images {fitted}"),
        (("r.program", *FIT[2:]), "--calibration: it is for a model that is lowered here"),
        (("r.program", "--calibration-images", "3"), "--calibration-images: it is for a model"),
        (("r.program", "--chip", "loihi2"), "--chip: it is for a model that is lowered here"),
        (("r.program", "--events"), "--events: it is for a model that is lowered here"),
        (("--lowered-from", "w.pt"), "--lowered-from: it belongs to a PROGRAM"),
        (("--dt", "1", "r.program"), "--dt: the Program has its time step"),
        (("--reset", "zero"), "--reset: it is for a NIR graph"),
    ):
        for command in ("parity", "attack"):
            check_refused(run, (command, NET, *DATA, *words), message)
    for words, message in (
        ((*FIT, "--fitted", "r.program"), f"--calibration {fitted}, without --fitted"),
        ((*FIT, "--data", "mnist"), "--data: --calibration was given; leave it out"),
        ((*FIT, "--data-dir", "."), "--data-dir: --calibration was given; leave it out"),
        ((*FIT, "--out", "fit.npy"), "fit.npy is another file of this command"),
        ((*MEMBRANE, "--data", "cifar10"), "which have 3×32×32: the network takes 1×8×8"),
    ):
        check_refused(run, ("deploy", "r.nir", *words), message)
    for output in (("parity", NET, "--out"), ("attack", NET, "--figure")):
        np.save("fit.png", np.zeros(1))
        Path("fit.png.npy").rename("fit.png")
        words = (*output, "fit.png", *DATA, *MEMBRANE, "--calibration", "fit.png")
        check_refused(run, words, "fit.png is another file of this command")


def test_256_inputs_from_the_front_unless_a_file_holds_fewer(tmp_path: Path) -> None:
    values = torch.rand(300, 2)
    for name, shown in (
        ("few", values[:9]),
        ("many", values),
        ("steps", values.expand(3, 300, 2)),
    ):
        np.save(tmp_path / f"{name}.npy", shown.numpy())

    def read(name: str, count: int | None) -> torch.Tensor:
        return FitInputs(tmp_path / f"{name}.npy", "digits", None, count).read((2,), 3)

    assert torch.equal(read("few", None), values[:9])
    assert torch.equal(read("many", None), values[:256])
    assert torch.equal(read("many", 300), values)
    assert torch.equal(read("steps", None), values[:256].expand(3, 256, 2))
    assert len(FitInputs(None, "digits", None, None).read((1, 8, 8), 3)) == 256
    for name, count in (("few", 10), ("many", 0), ("steps", 301)):
        with pytest.raises(InputError, match=f"{count} inputs were asked for"):
            read(name, count)


def test_shared_inputs_are_counted_by_value() -> None:
    shown, labels = torch.arange(12.0).reshape(4, 3), torch.zeros(4, dtype=torch.long)
    for tested in (Images(shown, labels), Streams(shown[None], labels)):
        few = tested.select(torch.tensor([1, 2])).inputs
        assert count_shared(few, tested) == 2
        assert count_shared(tested.inputs + 0.5, tested) == 0
        assert count_shared(tested.inputs[..., :2], tested) == 0


def test_every_command_that_fits_names_the_options(run: Run) -> None:
    for command in ("deploy", "parity", "attack"):
        out = run(command, "--help")[1]
        assert "--calibration " in out and "--calibration-images" in out


def test_calibration_shows_ranges_where_no_noise_is_fitted(run: Run) -> None:
    rng = np.random.default_rng(0)
    made = graph(rng.standard_normal((8, 300)) - 0.3, integrators(8))
    write_graph(made, "n.nir")
    np.save("sparse.npy", (rng.random((200, 4, 300)) < 0.002).astype(np.float32))
    words = (
        "deploy",
        "n.nir",
        "--dt",
        "1",
        "--time-steps",
        "200",
        "--events",
        "--out",
        "p.program",
    )
    worst = run(*words)[1]
    assert "inputs as calibration= or --calibration show whether" in " ".join(worst.split())
    status, out, err = run(*words, "--calibration", "sparse.npy")
    assert status == 0 and "membranes can get" not in out, err
    words = (*words, "--calibration", "sparse.npy")
    check_refused(run, (*words, "--data", "mnist"), "--data: ")
    check_refused(run, (*words, "--images", "9"), "ask for 1 to 4")
