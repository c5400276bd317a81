"""The model as its author wrote it, asked beside its graph, and streams with the batch in front."""

import warnings
from collections.abc import Callable

import pytest
import snntorch as snn
import torch
from torch import nn

from stochi.data import Images, Streams
from stochi.deploy import lower
from stochi.errors import InputError
from stochi.export import from_nir, to_nir
from stochi.parity import ParityReport, ablate, check_parity
from stochi.parity.own import compare_own
from stochi.train.twin.samples import Shown
from tests.conftest import dense_net
from tests.thoroughness import with_slow

STEPS = 6


class Net(nn.Module):
    """Images (batch, 12), or streams with the batch in front, → spikes of 4 classes."""

    def __init__(self, batch_first: bool = False, readout: str = "mean") -> None:
        super().__init__()
        self.batch_first, self.readout = batch_first, readout
        self.change: Callable[[torch.Tensor], torch.Tensor] = lambda x: x
        self.fc1, self.lif1 = nn.Linear(12, 20), snn.Leaky(beta=0.8)
        self.fc2, self.lif2 = nn.Linear(20, 4), snn.Leaky(beta=0.8)
        with torch.no_grad():
            for layer in (self.fc1, self.fc2):
                layer.weight.mul_(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.change(x)
        mem1, mem2, sent = self.lif1.init_leaky(), self.lif2.init_leaky(), []
        for frame in x.transpose(0, 1) if self.batch_first else [x] * STEPS:
            spikes, mem1 = self.lif1(self.fc1(frame), mem1)
            out, mem2 = self.lif2(self.fc2(spikes), mem2)
            sent.append(out)
        spikes = torch.stack(sent)
        return {"mean": spikes.mean(0), "sum": spikes.sum(0), "last": spikes[-1], "steps": spikes}[
            self.readout
        ]


def check(model, program, data, **options) -> ParityReport:  # type: ignore[no-untyped-def]
    few = {"lava": False, "trials": 1, "margins": None, "exact_images": 8, **options}
    return check_parity(model, program, data, **few)


@pytest.mark.parametrize("readout", ["mean", "sum", "last", "steps"])
def test_a_model_that_answers_as_its_graph_does(readout: str) -> None:
    net = Net(readout=readout)
    data = Images(torch.rand(20, 12), torch.arange(20) % 4)
    report = check(net, lower(to_nir(net, data.inputs[:4])), data)
    assert report.own is not None
    assert (report.own.inputs, report.own.differing) == (8, 0)
    assert report.own.scale > 0 and report.warnings() == []
    assert report.to_json()["own"]["differing"] == 0


def test_a_model_that_answers_otherwise_than_its_graph_is_reported() -> None:
    net = Net()
    data = Images(
        torch.cat([torch.rand(4, 12), torch.rand(16, 12) * 0.7 + 0.3]), torch.arange(20) % 4
    )
    data.inputs[:4] *= 0.5
    # Not reached by what the export tries: a branch at a mean that only real data have.
    net.change = lambda x: 1 - x if 0.551 < x.mean() < 0.68 else x
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        report = check(net, lower(to_nir(net, data.inputs[:4])), data, exact_images=20)
    assert report.own is not None and report.own.differing > 5
    assert report.own.largest is not None and report.own.largest > 0.1
    assert "answers" in report.warnings()[0] and "of 20 inputs" in report.warnings()[0]


def test_models_that_draw_are_graphs_or_fail_are_not_compared() -> None:
    random, frames = dense_net(), torch.rand(6, 1, 4, 4)
    graph = to_nir(random, frames[:2])
    data = Images(frames, torch.arange(6) % 3)
    assert check(random, lower(graph), data).own is None
    assert check(graph, lower(graph), data).own is None
    model = from_nir(graph)
    assert compare_own(nn.Linear(3, 3), model, data, Shown(frames)) is None


def test_an_answer_of_another_size_differs() -> None:
    class Short(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.zeros(len(x), 2)

    net = Net()
    data = Images(torch.rand(6, 12), torch.arange(6) % 4)
    found = compare_own(Short(), from_nir(to_nir(net, data.inputs)), data, Shown(data.inputs))
    assert found is not None and found.largest is None and found.differing == 6


@pytest.mark.parametrize("steps", with_slow([2, 6, 9], (2, 9)))
@pytest.mark.parametrize("readout", ["mean", "sum", "last"])
def test_streams_of_a_model_that_takes_the_batch_first(readout: str, steps: int) -> None:
    net = Net(batch_first=True, readout=readout)
    frames = (torch.rand(steps, 24, 12) > 0.6).float()
    data = Streams(frames, torch.arange(24) % 4)
    program = lower(to_nir(net, frames[:, :5].transpose(0, 1)), events=True)
    report = check(net, program, data)
    assert report.mismatches == 0 and report.compared > 500
    assert report.own is not None and report.own.differing == 0
    with torch.no_grad():
        own = net(frames.transpose(0, 1)).argmax(1) == data.labels
    assert report.accuracy[0].sides["float"].value == pytest.approx(float(own.float().mean()))
    variants = ablate(net, program, data, trials=1).variants
    assert variants["all"].clean.accuracy == report.accuracy[0].sides["chip"]


def test_squeezed_inputs_are_compared() -> None:
    net = Net()
    net.change = torch.squeeze
    data = Images(torch.rand(12, 1, 12), torch.arange(12) % 4)
    report = check(net, lower(to_nir(net, data.inputs[:4])), data)
    assert report.mismatches == 0 and report.own is not None and report.own.differing == 0


def test_other_time_steps_than_the_models_are_named() -> None:
    net, data = Net(), Images(torch.rand(12, 12), torch.arange(12) % 4)
    program = lower(to_nir(net, data.inputs[:4]), time_steps=12)
    for compare in (check, lambda *given: ablate(*given, trials=1)):
        with pytest.raises(InputError, match="model runs 6 time steps and the Program 12"):
            compare(net, program, data)
