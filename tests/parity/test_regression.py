"""The parity check of networks that answer with numbers: errors in place of accuracy."""

from collections.abc import Callable
from pathlib import Path

import pytest
import snntorch as snn
import torch
from torch import nn

from stochi.attacks import FGSM
from stochi.data import Images, Streams
from stochi.data.samples import Samples
from stochi.deploy import Program, lower
from stochi.errors import InputError
from stochi.export import to_nir
from stochi.parity import ParityReport, ablate, check_parity, draw_report
from stochi.parity.scores import estimate_score, estimate_score_difference, score_answers
from stochi.sim import run
from stochi.train import RandomTauLeaky
from stochi.train.fine_tuning import FineTuningConfig, fine_tune
from tests.conftest import needs_lava

STEPS = 5


class Net(nn.Module):
    """Two numbers for an image or a stream of 6 values, read from membranes that never reset."""

    def __init__(self, readout: str, streams: bool) -> None:
        super().__init__()
        self.readout, self.streams = readout, streams
        self.fc1, self.lif1 = nn.Linear(6, 20), RandomTauLeaky()
        self.fc2, self.lif2 = nn.Linear(20, 2), snn.Leaky(beta=0.7, reset_mechanism="none")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mem1, mem2, membranes = self.lif1.init_leaky(), self.lif2.init_leaky(), []
        for step in range(STEPS):
            spk1, mem1 = self.lif1(self.fc1(x[step] if self.streams else x), mem1)
            _, mem2 = self.lif2(self.fc2(spk1), mem2)
            membranes.append(mem2)
        read = torch.stack(membranes)
        return {"mean": read.mean(0), "sum": read.sum(0), "steps": read}[self.readout]


def make(readout: str, streams: bool) -> tuple[nn.Module, Program, Samples]:
    """A network, its Program, and inputs with what the network answers, a little off."""
    torch.manual_seed(0)
    net = Net(readout, streams)
    with torch.no_grad():
        net.fc1.weight.mul_(6)
    inputs = torch.rand(STEPS, 30, 6) if streams else torch.rand(30, 6)
    answers = net.eval()(inputs).detach() + 0.1
    samples = (Streams if streams else Images)(inputs, answers)
    return net, lower(to_nir(net, samples.first(2).inputs)), samples


@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("readout", ["mean", "sum", "steps"])
def test_errors_are_those_of_the_answers(readout: str, streams: bool) -> None:
    net, program, samples = make(readout, streams)
    report = check_parity(net, program, samples, trials=3, lava=False, batch_size=11)
    assert report.mismatches == 0 and report.accuracy == ()
    assert report.errors is not None
    found = report.errors.sides
    assert found["chip"].value == pytest.approx(found["twin"].value, rel=1e-5)
    records = [
        run(program, samples.inputs, trial=trial, probes=("membrane",)) for trial in (0, 1, 2)
    ]
    unit = program.layer("lif2").membrane_unit
    membranes = [record.membrane["lif2"].double() / unit for record in records]
    read: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
        "mean": lambda membrane: membrane.mean(0),
        "sum": lambda membrane: membrane.sum(0),
        "steps": lambda membrane: membrane,
    }
    errors = [(read[readout](one) - samples.labels).square().mean() for one in membranes]
    assert found["chip"].value == pytest.approx(float(torch.stack(errors).mean()), rel=1e-5)
    assert found["chip"].low < found["chip"].value < found["chip"].high
    assert abs(report.errors.differences["chip_minus_float"].value) < found["float"].value


@pytest.fixture(scope="module")
def report() -> ParityReport:
    return check_parity(*make("mean", False), trials=2, lava=False)


def test_a_regression_has_no_classes(report: ParityReport) -> None:
    assert report.distribution is not None
    network = report.distribution.network
    assert network.accuracy is None and network.agreement is None
    assert set(network.logit_mean) == {"0", "1"} and network.logit_spread is not None


def test_tables_figure_and_page_show_errors(report: ParityReport, tmp_path: Path) -> None:
    head, cells = report.table()
    assert head[1:4] == ["chip − float", "float model", "twin, chip"] and cells[0] == "30 inputs"
    assert report.errors is not None
    assert cells[3].startswith(f"{report.errors.sides['chip'].value:.4g}\n[")
    draw_report(report, tmp_path / "r.png")
    report.to_html(tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "Mean squared error" in page and "Accuracy" not in page


@needs_lava
def test_lava_s_error() -> None:
    net, program, samples = make("steps", False)
    few = samples.first(6)
    report = check_parity(net, program, few, trials=1, seeds=(0,), margins=None)
    assert report.mismatches == 0 and report.errors is not None
    assert report.errors.lava is not None
    assert report.errors.lava.value == pytest.approx(report.errors.sides["chip"].value)


def test_ablation_of_a_regression() -> None:
    net, program, samples = make("steps", True)
    ablation = ablate(net, program, samples, trials=2)
    chip = check_parity(net, program, samples, trials=2, lava=False, margins=None)
    assert chip.errors is not None
    assert ablation.variants["all"].clean.error == chip.errors.sides["chip"]
    assert ablation.variants["all"].clean.accuracy is None


def test_fine_tuning_of_a_regression() -> None:
    net, _, samples = make("mean", False)
    with torch.no_grad():
        net.fc2.bias += 0.3  # type: ignore[union-attr]
    program = lower(to_nir(net, samples.first(2).inputs))
    with torch.no_grad():
        net.fc2.bias -= 0.3  # type: ignore[union-attr]
    losses: list[float] = []
    config = FineTuningConfig(epochs=2, batch_size=7)
    fine_tune(net, program, samples, config, progress=lambda _, loss: losses.append(loss))
    assert all(0 < loss < 10 for loss in losses)


@pytest.mark.parametrize(
    ("readout", "change", "message"),
    [
        (
            "mean",
            lambda y: y[None].expand(STEPS, -1, -1),
            "the model answers once",
        ),
        ("steps", lambda y: y.mean(0), "answers at every time step"),
        ("mean", lambda y: y[:, :1], r"of shape \(30, 1\).*\(batch, 2\)"),
        ("mean", lambda y: y[:, 0], r"of shape \(30,\).*classes are whole numbers"),
        ("mean", lambda y: y[:-1], "30 inputs .* and 29 labels"),
        ("steps", lambda y: y[:-1], "labels have 4 time steps"),
        ("mean", lambda y: y * torch.nan, "finite"),
    ],
)
def test_labels_that_do_not_fit(
    readout: str, change: Callable[[torch.Tensor], torch.Tensor], message: str
) -> None:
    net, program, samples = make(readout, False)
    with pytest.raises(InputError, match=message):
        check_parity(net, program, (samples.inputs, change(samples.labels)), lava=False)


def test_attacks_need_classes() -> None:
    net, program, samples = make("mean", False)
    with pytest.raises(InputError, match="attacks make a network answer with a wrong class"):
        check_parity(net, program, samples, lava=False, attacks=[FGSM(0.1)])


def test_one_output_may_have_labels_without_a_dimension() -> None:
    answers = torch.tensor([[1.0], [3.0]])
    for labels in (torch.tensor([0.0, 1.0]), torch.tensor([[0.0], [1.0]])):
        scores = score_answers(answers, Images(torch.zeros(2, 3), labels))
        assert scores.tolist() == [1.0, 4.0]


def test_intervals_of_errors() -> None:
    errors = torch.tensor([[1.0, 2.0, 3.0], [3.0, 2.0, 1.0]]).double()
    found = estimate_score(errors)
    assert found.value == 2 and found.low == found.high == 2 and found.images == 3
    shifted = estimate_score_difference(errors, errors + torch.tensor([0.0, 1.0, 2.0]))
    assert shifted.value == 1 and shifted.low == pytest.approx(1 - 1.959964 / 3**0.5)
