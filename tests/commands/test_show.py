"""What ``stochi show`` reports about a Program."""

import json
from pathlib import Path

import nir
import numpy as np
import pytest

from stochi.deploy import Program
from tests.commands.conftest import Run


def test_show_prints_the_layers_that_deploy_prints(run: Run, trained: Path) -> None:
    status, deployed, _ = run("deploy", str(trained / "m.nir"), "--out", "m.program")
    assert status == 0
    status, shown, err = run("show", "m.program")
    assert status == 0 and not err
    table = deployed.partition("Decay tables")[0]
    assert "network.readout" in table and "threshold" in table
    assert shown.startswith(table)
    assert "images in 256 levels of 1×8×8" in shown and "10 outputs" in shown


def test_show_gives_the_same_as_json(run: Run, trained: Path) -> None:
    words = ("deploy", str(trained / "m.nir"), "--bits", "3", "--random-source", "lfsr")
    status, out, _ = run(*words, "--out", "m.program", "--json")
    deployed = json.loads(out)
    status, out, err = run("show", "m.program", "--json")
    shown, program = json.loads(out), Program.load("m.program")
    assert status == 0 and not err
    assert shown["layers"] == deployed["layers"]
    assert shown["target"] == {
        **{"chip": "loihi2", "noise": "decay", "time_steps": 4, "input_levels": 255},
        **{"dt": 1e-3, "random_source": "lfsr"},
    }
    assert (shown["input_shape"], shown["classes"]) == ([1, 8, 8], 10)
    assert (shown["output"], shown["readout"]) == ("network.readout", "input")
    assert shown["over_time"] == "mean"
    assert set(shown["noise"]) == {"network.lif1", "network.lif2"}
    first = shown["noise"]["network.lif1"]
    values = program.layer("network.lif1").decay.values
    assert first["decays"] == {"levels": 8, "mean": values.mean() / 4096, "redraw": True}
    assert first["generator"] is None and first["threshold_factor"] == 1


def test_show_tells_resets_and_biases_apart(run: Run) -> None:
    files = Path(__file__).parents[1] / "program" / "files"
    status, out, err = run("show", str(files / "version_5.program"), "--json")
    assert status == 0 and not err
    first, second, last = json.loads(out)["layers"]
    assert (first["reset"], second["reset"], last["reset"]) == (
        *("none", "subtract + current, a step later, refractory 1", "–"),
    )
    assert first["bias"] == "-40 … 39 << 3, per neuron"
    assert second["bias"] == "–" and last["bias"] == "-5 … 5 << 2"
    assert second["kind"].endswith(", programmable")
    table = run("show", str(files / "version_4.program"))[1]
    assert "subtract, refractory 1" in table and "-20 … 40 << 3" in table


def test_neurons_that_subtract_on_loihi_1_are_counted_twice(run: Run) -> None:
    ones = np.ones(6)
    late = {"reset": "subtract", "reset_delay": 1}
    graph = nir.NIRGraph(
        {
            "input": nir.Input(np.array([3])),
            "fc": nir.Linear(np.eye(6, 3) + 0.5),
            "lif": nir.LIF(2e-3 * ones, 2 * ones, 0 * ones, 0.7 * ones, metadata=late),
            "output": nir.Output(np.array([6])),
        },
        [("input", "fc"), ("fc", "lif"), ("lif", "output")],
        metadata={"dt": 1e-3, "steps": 4},
    )
    nir.write("two.nir", graph)
    line = "lif: 6 neurons, 12 on the chip: reset by subtraction takes two"
    words = ("deploy", "two.nir", "--events", "--noise", "none", "--out")
    status, out, _ = run(*words, "one.program", "--chip", "loihi1")
    assert status == 0 and line in out and "two stock for one" in out
    assert line in run("show", "one.program")[1]
    assert json.loads(run("show", "one.program", "--json")[1])["neurons_on_chip"] == {"lif": 12}
    status, out, _ = run(*words, "two.program", "--json")
    assert status == 0 and json.loads(out)["neurons_on_chip"] == {"lif": 6}
    assert line not in run("show", "two.program")[1]


@pytest.mark.parametrize(
    ("version", "over_time", "words"),
    [
        (5, "mean", "Output: 3 outputs, the mean input of c"),
        (6, "last", "Output: 3 outputs, the input of c at the last time step"),
    ],
)
def test_show_says_how_the_output_is_read(
    run: Run, version: int, over_time: str, words: str
) -> None:
    file = str(Path(__file__).parents[1] / "program" / "files" / f"version_{version}.program")
    assert words in run("show", file)[1].splitlines()
    assert json.loads(run("show", file, "--json")[1])["over_time"] == over_time


def test_show_reports_fitted_noise(run: Run, trained: Path) -> None:
    words = ("deploy", str(trained / "m.nir"), "--noise", "membrane", "--images", "4")
    assert run(*words, "--out", "fitted.program")[0] == 0
    noise = json.loads(run("show", "fitted.program", "--json")[1])["noise"]
    program = Program.load("fitted.program")
    for name, entry in noise.items():
        layer = program.layer(name)
        assert layer.generator is not None and entry["decays"] is None
        assert entry["generator"]["exponent"] == layer.generator.exponent
        assert entry["threshold_factor"] == layer.threshold_factor != 1
    out = run("show", "fitted.program")[1]
    assert set(noise) == {"network.lif1", "network.lif2"} and "membrane noise" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--noise", "none"), "Nothing is random in it"),
        (("--events",), "binary events of 1×8×8"),
    ],
)
def test_show_takes_programs_of_every_kind(
    run: Run,
    trained: Path,
    words: tuple[str, ...],
    message: str,
) -> None:
    assert run("deploy", str(trained / "m.nir"), *words, "--out", "p.program")[0] == 0
    status, out, _ = run("show", "p.program")
    assert status == 0 and message in out
