"""Labelled data against a Program: every batch, its form, its labels, and what messages say."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import snntorch as snn
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from stochi.data import AmbiguousOrder, EventSet, Images, Streams
from stochi.data.events.source import RecordingFiles
from stochi.deploy import Program, calibrate, lower
from stochi.errors import InputError
from stochi.export import to_nir
from stochi.sim import InOrder, run
from stochi.sim.labelled import checked_batches, read_all
from stochi.train import RandomTauLeaky

STEPS, IN, OUT = 4, 6, 3


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(IN, 10), RandomTauLeaky()
        self.fc2, self.lif2 = nn.Linear(10, OUT), snn.Leaky(beta=0.8)

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        mem1, mem2, spikes = self.lif1.init_leaky(), self.lif2.init_leaky(), []
        for frame in frames:
            spk1, mem1 = self.lif1(self.fc1(frame), mem1)
            spk2, mem2 = self.lif2(self.fc2(spk1), mem2)
            spikes.append(spk2)
        return torch.stack(spikes)


@pytest.fixture(scope="module")
def net() -> nn.Module:
    torch.manual_seed(0)
    net = Net()
    with torch.no_grad():
        net.fc1.weight.mul_(4)
        net.fc2.weight.mul_(4)
    return net.eval()


@pytest.fixture(scope="module")
def program(net: nn.Module) -> Program:
    return lower(to_nir(net, (torch.rand(STEPS, 8, IN) < 0.4).float()), events=True)


def events(count: int) -> torch.Tensor:
    return (torch.rand(STEPS, count, IN) < 0.4).float()


def batch(count: int = 5, labels: torch.Tensor | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    return events(count), torch.arange(count) % OUT if labels is None else labels


@pytest.mark.parametrize(
    ("second", "message"),
    [
        (lambda: batch(5, torch.rand(5, OUT)), r"labels are floats \(batch, outputs\).*classes"),
        (lambda: (events(5)[0], torch.zeros(5).long()), "inputs are images.*streams"),
        (lambda: batch(5, torch.full((5,), 7)), "range from 7 to 7.* 0 … 2"),
        (lambda: batch(5, torch.full((5,), -1)), "range from -1 to -1"),
        (lambda: (events(5)[..., :2], torch.zeros(5).long()), r"shape \(4, 5, 2\)"),
        (lambda: (events(5)[:3], torch.zeros(5).long()), "3 time steps"),
        (lambda: (events(5) * 2, torch.zeros(5).long()), "from 0 to 2"),
        (lambda: batch(5, torch.zeros(4).long()), "5 inputs .* and 4 labels"),
        (lambda: batch(5, torch.zeros(5, OUT).long()), "regression are floats"),
        (lambda: batch(5, torch.zeros(5, dtype=torch.complex64)), "labels are torch.complex64"),
        (lambda: batch(5, torch.zeros(5, 1, 1, 1)), r"shape \(5, 1, 1, 1\)"),
        (lambda: (events(5).to_sparse(), torch.zeros(5).long()), "sparse.*to_dense"),
        (lambda: (events(5).to("meta"), torch.zeros(5).long()), "device meta"),
        (lambda: (events(5) + 0j, torch.zeros(5).long()), "inputs are torch.complex64"),
    ],
)
def test_every_batch_is_checked_like_the_first(
    program: Program, second: Callable[[], Any], message: str
) -> None:
    found = checked_batches(program, [batch(), batch(3), second()], 100)
    assert len(next(found)) == 5 and len(next(found)) == 3
    with pytest.raises(InputError, match=rf"^batch 2 of the data: .*{message}"):
        next(found)


def test_one_hot_labels_are_no_regression(program: Program) -> None:
    shown, labels = batch(6)
    one_hot = torch.eye(OUT)[labels]
    for data in (Streams(shown, one_hot), (shown, one_hot.double()), [(shown, one_hot)]):
        with pytest.raises(InputError, match=r"one-hot.* take the argmax"):
            read_all(program, data)
    assert read_all(program, Streams(shown, one_hot / 2)).regression


def test_kinds_of_regressions_must_agree(program: Program) -> None:
    every = torch.rand(STEPS, 5, OUT)
    with pytest.raises(InputError, match=r"batch 1 .*\(time steps, batch, outputs\).*\(batch, out"):
        list(checked_batches(program, [batch(5, every[0]), batch(5, every)], 100))


@pytest.mark.parametrize("labels", ["classes", "steps"])
def test_single_streams_become_streams(program: Program, labels: str) -> None:
    """Also if there are as many of them as time steps."""
    for count in (STEPS, 7):
        shown = events(count)
        given = torch.arange(count) % OUT if labels == "classes" else torch.rand(STEPS, count, OUT)
        single = given if labels == "classes" else given.transpose(0, 1)
        data = TensorDataset(shown.transpose(0, 1), single)
        for source in (data, DataLoader(data, STEPS)):
            found = read_all(program, source)
            assert torch.equal(found.inputs, shown) and torch.equal(found.labels, given)
            assert isinstance(found, Streams)


def test_labels_are_blamed_if_they_are_wrong(program: Program) -> None:
    labels = torch.rand(5, STEPS, OUT)
    with pytest.raises(InputError, match=r"^labels have shape \(5, 4, 3\).*labels.transpose"):
        read_all(program, Streams(events(5), labels))
    turned = Streams(events(5).transpose(0, 1), torch.zeros(5).long())
    with pytest.raises(InputError, match=r"^inputs have shape \(5, 4, 6\).*inputs.transpose"):
        read_all(program, turned)
    with pytest.raises(InputError, match="Streams"):
        read_all(program, Images(turned.inputs, turned.labels))


def test_a_pair_of_as_many_samples_as_time_steps(program: Program) -> None:
    with pytest.warns(AmbiguousOrder, match=r"stochi.data.Streams\(inputs, labels\)"):
        found = read_all(program, batch(STEPS))
    assert isinstance(found, Streams) and len(found) == STEPS


def test_a_run_warns_of_inputs_that_do_not_tell(
    program: Program, recwarn: pytest.WarningsRecorder
) -> None:
    shown = events(STEPS)
    said = run(program, Streams(shown, torch.zeros(STEPS).long()))
    assert torch.equal(run(program, InOrder(shown)).logits, said.logits)
    assert not recwarn.list
    with pytest.warns(AmbiguousOrder, match="Streams") as caught:
        assert torch.equal(run(program, shown).logits, said.logits)
    assert caught[0].filename == __file__
    with pytest.raises(InputError, match=r"the batch before the time steps.*inputs.transpose"):
        run(program, events(7).transpose(0, 1))


def test_named_classes_are_as_many_as_the_outputs(program: Program) -> None:
    files = RecordingFiles((Path("b/1.npz"), Path("c/1.npz")), (1, 1, IN), lambda path: None)  # type: ignore[arg-type, return-value]
    recordings = EventSet(files, torch.arange(2), 2, class_names=("b", "c"))
    for read in (read_all, lambda program, data: list(checked_batches(program, data, 2))):
        with pytest.raises(InputError, match=r"2 classes \(b, c\), and the network has 3 outputs"):
            read(program, recordings)


def test_calibration_warns_of_inputs_that_do_not_tell(
    net: nn.Module, recwarn: pytest.WarningsRecorder
) -> None:
    shown = events(STEPS)
    graph = to_nir(net, shown)
    options: dict[str, Any] = {"noise": "membrane", "events": True}
    told = Streams(shown, torch.zeros(STEPS).long())
    lower(graph, calibration=told, **options)
    calibrate(graph, told, **options)
    lower(graph, calibration=InOrder(shown), **options)
    assert not any(issubclass(one.category, AmbiguousOrder) for one in recwarn.list)
    for call in (
        lambda: lower(graph, calibration=shown, **options),
        lambda: calibrate(graph, shown, **options),
    ):
        with pytest.warns(AmbiguousOrder) as caught:
            call()
        assert sum(issubclass(one.category, AmbiguousOrder) for one in caught) == 1


def test_what_was_not_recorded_says_so(program: Program) -> None:
    with pytest.raises(InputError, match=r"probes=\('spikes',\)"):
        run(program, events(2)).spikes["lif1"]
    record = run(program, events(2), probes=("spikes",))
    assert set(record.spikes) == {"lif1", "lif2"} and "fc" not in record.spikes
    with pytest.raises(InputError, match="no spikes of 'fc', only of lif1, lif2"):
        record.spikes["fc"]
    with pytest.raises(InputError, match=r"membrane.*probes=\('membrane',\)"):
        record.membrane["lif1"]


@pytest.mark.parametrize("device", ["meta", "mps"])
def test_devices_that_compute_nothing_here(program: Program, device: str) -> None:
    with pytest.raises(InputError, match="use cpu or cuda"):
        run(program, events(2), device=device)
