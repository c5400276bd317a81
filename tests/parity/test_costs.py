"""What a sample costs, in a report: the estimate's numbers, of the report's own run."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from stochi.data import Images
from stochi.deploy import Program, estimate, lower, map_cores
from stochi.errors import LoweringError
from stochi.export import to_nir
from stochi.parity import ParityReport, check_parity
from stochi.parity.costs import Costs, find_costs
from stochi.parity.report.cost_words import cost_line
from stochi.program.layers import INPUT, Dense, Projection
from stochi.sim import run
from tests.conftest import conv_net
from tests.deploy.test_estimates import program_of
from tests.parity.small_reports import costs, plain_report


@pytest.fixture(scope="module")
def images() -> Images:
    return Images(torch.rand(6, 2, 8, 8), torch.arange(6) % 5)


@pytest.fixture(scope="module")
def net() -> torch.nn.Module:
    return conv_net()


@pytest.fixture(scope="module")
def program(net: torch.nn.Module, images: Images) -> Program:
    return lower(to_nir(net, images.inputs[:1]))


def page_of(found: Costs | None, folder: Path) -> str:
    plain_report(costs=found).to_html(folder / "r.html")
    return (folder / "r.html").read_text(encoding="utf-8")


def test_a_check_has_the_numbers_of_the_estimate_and_of_its_own_run(
    net: torch.nn.Module, program: Program, images: Images
) -> None:
    report = check_parity(net, program, images, trials=1, exact_images=4, seeds=(3,), lava=False)
    found = report.costs
    assert found is not None and found.energy is not None and found.cores is not None
    few = images.first(4)
    again = estimate(program, few, figures="loihi1", seed=3)
    assert again.accounts is not None
    assert (found.samples, found.seed, found.notes) == (4, 3, again.notes)
    assert found.operations == again.counts.total("operations") / 4
    assert found.energy.all_events == again.accounts.all_events and found.energy.reference
    record = run(program, few, seed=3, probes=("spikes",))
    for layer in found.layers:
        spikes = record.spikes.get(layer.layer)
        assert layer.spikes == (0 if spikes is None else int(spikes.sum()) / 4)
    shown = (few.inputs * program.target.input_levels).round() > 0
    assert found.input_sent == program.target.time_steps * float(shown.sum()) / 4
    mapping = map_cores(program)
    assert found.cores.taken == len(mapping.cores) and found.cores.unchecked == mapping.unknown


def test_synapses_are_the_weights_that_are_not_0(program: Program, images: Images) -> None:
    found = find_costs(program, images, 0)
    readout = program.layers[-1]
    (projection,) = (p for p in readout.projections if p.source != "constant")
    pooled = math.prod(program.layer(projection.source).shape) / (projection.weight != 0).shape[1]
    assert found.layers[-1].synapses == pytest.approx(pooled * (projection.weight != 0).sum())


def test_figures_of_the_chip_itself_are_no_reference(net: torch.nn.Module) -> None:
    shown = Images((torch.rand(3, 2, 8, 8) > 0.5).float(), torch.zeros(3, dtype=torch.int64))
    own = lower(to_nir(net, shown.inputs[:1]), "loihi1", "none", events=True)
    found = find_costs(own, shown, 0)
    assert found.energy is not None and not found.energy.reference
    line = cost_line(found)
    assert line is not None and line.endswith("nJ at Loihi 1's figures") and "loihi1" in line


def test_a_program_that_fits_no_core_says_why(tmp_path: Path) -> None:
    made = program_of("none", chip="loihi1")
    wide = Projection(INPUT, (Dense(np.full((2, 4500), 2, np.int16)),), 0)
    layer = replace(made.layers[0], projections=(wide,))
    own = Program(made.target, (4500,), (layer,), "a", "spikes")
    found = find_costs(own, Images(torch.ones(1, 4500), torch.zeros(1, dtype=torch.int64)), 0)
    assert found.cores is None and found.layers[0].cores is None and found.energy is not None
    assert any("does not fit" in note and "4,500 input axons" in note for note in found.notes)
    page = page_of(found, tmp_path)
    assert "on no cores of loihi1" in page and "4,500 input axons" in page


def test_without_an_estimate_there_is_the_reason(
    program: Program, images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*args: object, **options: object) -> None:
        raise LoweringError("too <large> for any memory")

    monkeypatch.setattr("stochi.parity.costs.estimate", fail)
    found = find_costs(program, images, 0)
    assert found.layers == () and found.energy is found.cores is None
    assert found.notes == ("no estimate: too <large> for any memory",)
    assert cost_line(found) is None
    page = page_of(found, tmp_path)
    assert "There is no estimate" in page and "too &lt;large&gt; for any memory" in page
    plain_report(costs=found).save(tmp_path / "r.json")
    assert ParityReport.load(tmp_path / "r.json").costs == found


def test_what_is_unknown_is_left_out_of_the_line_and_the_page(tmp_path: Path) -> None:
    whole, without = costs(), replace(costs(), energy=None)
    assert cost_line(whole) == (
        "Costs: 2 of the 128 cores of loihi2; a sample takes 4,250 synaptic operations, 120 spikes"
        " and 45.5 nJ at Loihi 1's figures (a reference)"
    )
    assert cost_line(without) == (
        "Costs: 2 of the 128 cores of loihi2; a sample takes 4,250 synaptic operations and 120"
        " spikes"
    )
    assert "nothing is published for loihi2" in page_of(whole, tmp_path)
    assert "nothing is published" not in page_of(costs("loihi1"), tmp_path)
    assert "Energy of a sample" not in page_of(without, tmp_path)
    assert "&lt;the host&gt;" in page_of(whole, tmp_path)
