"""The examples run, and what they leave behind is right."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from stochi.deploy import Program, read_graph
from stochi.parity.results import WORST

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.py"))
LONGEST = 60  # lines


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"example_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_example_is_one_page_and_listed() -> None:
    listed = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    expected = [
        *("attack", "calibration", "foreign_graph", "own_network", "rate_coded", "recurrent"),
        *("regression", "residual"),
    ]
    assert expected == NAMES
    for name in NAMES:
        source = (EXAMPLES / f"{name}.py").read_text(encoding="utf-8")
        assert len(source.splitlines()) <= LONGEST, name
        assert listed.count(f"\n- [{name}.py]({name}.py): ") == 1, name


@pytest.mark.slow
def test_own_network(tmp_path: Path) -> None:
    load("own_network").main(tmp_path, epochs=3)
    layers = []
    for name in ("own_network", "random_tau"):
        saved = json.loads((tmp_path / f"{name}.json").read_text(encoding="utf-8"))
        assert saved["mismatches"] == 0 and saved["compared"] > 100_000
        # Guessing is right on one image in ten.
        assert saved["accuracy"][0]["sides"]["chip"]["low"] > 0.5
        assert "Accuracy" in (tmp_path / f"{name}.html").read_text(encoding="utf-8")
        layers.append(Program.load(tmp_path / f"{name}.program").layer("lif1"))
        assert layers[-1].shape == (100,)
    first, second = layers
    assert (first.reset, first.reset_delay, first.decay.drawn) == ("subtract", True, False)
    assert second.decay.drawn


@pytest.mark.slow
def test_a_rate_coded_network(tmp_path: Path) -> None:
    report = load("rate_coded").main(tmp_path, epochs=3)
    assert report.mismatches == 0 and report.compared > 100_000
    assert report.accuracy[0].sides["chip"].low > 0.5
    assert Program.load(tmp_path / "rate_coded.program").target.events


@pytest.mark.slow
def test_a_regression(tmp_path: Path) -> None:
    report = load("regression").main(tmp_path, epochs=10)
    assert report.mismatches == 0 and report.compared > 100_000
    assert report.errors is not None
    # A network that always answers with the mean has 0.0038.
    assert report.errors.sides["chip"].high < 0.002
    assert Program.load(tmp_path / "regression.program").readout == "membrane"


@pytest.mark.slow
@pytest.mark.parametrize(("name", "recurrent"), [("residual", False), ("recurrent", True)])
def test_residual_and_recurrent_networks(name: str, recurrent: bool, tmp_path: Path) -> None:
    report = load(name).main(tmp_path, epochs=3)
    saved = json.loads((tmp_path / f"{name}.json").read_text(encoding="utf-8"))
    assert saved["mismatches"] == report.mismatches == 0 and saved["compared"] > 100_000
    sides = report.accuracy[0].sides
    assert sides["chip"].low > 0.5 and abs(sides["chip"].value - sides["float"].value) < 0.05
    program = Program.load(tmp_path / f"{name}.program")
    sources = [projection.source for projection in program.layer("lif1").projections]
    assert ("lif1" in sources) == recurrent
    last = {projection.source for projection in program.layers[-1].projections}
    assert last == ({"lif1"} if recurrent else {"lif1", "lif2"})


def test_foreign_graph_spikes_as_the_equations_of_its_graph_do(tmp_path: Path) -> None:
    """NIR's equations in floats, by Euler's method, give the rates that the chip gives."""
    module = load("foreign_graph")
    steps = 60
    record = module.main(tmp_path, time_steps=steps)
    nodes = read_graph(tmp_path / "foreign_graph.nir").nodes
    hidden, output, dt = nodes["hidden"], nodes["neurons"], module.DT
    current, membranes = np.zeros((5, 32)), [np.zeros((5, 32)), np.zeros((5, 10))]
    spikes: list[list[np.ndarray]] = [[], []]
    for frame in module.draw_events(steps).numpy():
        drive = frame @ nodes["weights1"].weight.T + nodes["weights1"].bias
        current += dt / hidden.tau_syn * (hidden.w_in * drive - current)
        membranes[0] += dt / hidden.tau_mem * (hidden.r * current - membranes[0])
        spikes[0].append(membranes[0] > hidden.v_threshold)
        drive = spikes[0][-1] @ nodes["weights2"].weight.T + nodes["weights2"].bias
        membranes[1] += dt / output.tau * (output.r * drive - membranes[1])
        spikes[1].append(membranes[1] > output.v_threshold)
        for membrane, spiked in zip(membranes, spikes, strict=True):
            membrane[spiked[-1]] = 0
    for name, expected in zip(("hidden", "neurons"), spikes, strict=True):
        found = record.spikes[name].double().mean((0, 2)).numpy()
        assert found[0] == 0 and (np.diff(found) > 0).all()
        assert found == pytest.approx(np.mean(expected, (0, 2)), abs=0.005)
    stored = np.load(tmp_path / "foreign_graph.npz")
    assert np.array_equal(stored["spikes.hidden"], record.spikes["hidden"].numpy())


@pytest.mark.slow
def test_attack(tmp_path: Path) -> None:
    report = load("attack").main(tmp_path, epochs=3, images=24, iterations=4)
    assert report.mismatches == 0 and report.compared > 0
    assert (tmp_path / "attack.png").read_bytes().startswith(b"\x89PNG")
    clean, *attacked = report.accuracy
    assert {row.made_on for row in attacked} == {"float", "twin", "chip", None}
    strongest = [row for row in attacked if row.epsilon == 0.15]
    snn = [row for row in strongest if row.title.startswith("AutoAttack snn")]
    worst = [row for row in strongest if row.title == WORST]
    assert [row.made_on for row in snn] == ["float", "twin"] and len(worst) == 1
    for row in (*snn, *worst):
        assert row.sides["float"].value < clean.sides["float"].value - 0.3
        assert row.sides["chip"].value < clean.sides["chip"].value - 0.3
    assert all(len(row.made_by) > 1 for row in snn)


@pytest.mark.slow
def test_calibration(tmp_path: Path) -> None:
    programs = load("calibration").main(tmp_path, epochs=2, images=32)
    assert {name: p.target.noise for name, p in programs.items()} == {
        name: name for name in ("decay", "membrane", "none")
    }
    stored = Program.load(tmp_path / "calibration.program")
    for layer in ("network.lif1", "network.lif2"):
        assert stored.layer(layer).generator is not None
        assert programs["none"].layer(layer).generator is None


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_scripts_run_as_they_are(name: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / f"{name}.py")],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout and "nan" not in done.stdout
    assert list((tmp_path / "runs" / "examples").glob(f"{name}.*"))
