"""What users do between neurons: exported exactly, or refused by name with the way out."""

from collections.abc import Callable
from typing import Any

import nir
import pytest
import snntorch as snn
import torch
from torch import nn
from torch.nn import functional as F

from benchmarks.support.idioms import DENSE, EXPORTED, STEPS, Net, Step, conv, leaky, plain
from benchmarks.support.networks import strong
from stochi.errors import ExportError
from stochi.export import to_nir
from stochi.export.evaluation import evaluate
from stochi.export.verification import QuietLayerWarning
from tests.export.test_tutorials import assert_computes


@pytest.mark.parametrize("name", EXPORTED)
def test_what_is_exported_computes_the_same(name: str) -> None:
    shape, step, build = EXPORTED[name]
    net = strong(Net(step, **{key: make() for key, make in build.items()}), 2.0)
    graph = to_nir(net, torch.rand(4, *shape))
    if name == "images from rows":
        assert tuple(graph.nodes["input"].output_type["output"]) == (1, 4, 4)
        return
    assert_computes(net, graph, torch.rand(16, *shape))


def dense(step: Step, after: Callable[[Any], Any] | None = None, **modules: Any) -> nn.Module:
    built = {**{name: make() for name, make in DENSE.items()}, **modules}
    return strong(Net(step, after, **built))


@pytest.mark.parametrize(
    ("after", "readout"),
    [
        (lambda out: out[-1], "last"),
        (sum, "sum"),
        (lambda out: sum(out) / STEPS, "mean"),
        (lambda out: torch.stack(out, 1).mean(1), "mean"),
        (lambda out: 3 * torch.stack(out).mean(0), "mean"),
        (torch.stack, "steps"),
    ],
)
def test_readouts(after: Callable[[Any], Any], readout: str) -> None:
    net = dense(plain, after)
    graph = to_nir(net, torch.rand(4, 12))
    assert graph.metadata["readout"] == readout
    assert_computes(net, graph, torch.rand(16, 12))


@pytest.mark.parametrize(
    ("step", "after", "message"),
    [
        (lambda n, x: n.b(n.n(n.a(x).relu())), None, "relu.*remove it .needs retraining"),
        (lambda n, x: F.log_softmax(plain(n, x), 1), None, "log_softmax.*loss"),
        (lambda n, x: plain(n, x) * n.a(x)[:, :5], None, "multiplies by constants only"),
        (lambda n, x: n.b(n.n(n.a(x) + torch.randn(10))), None, "random numbers"),
        (lambda n, x: n.b(F.dropout(n.n(n.a(x)))), None, "dropout is on in eval mode"),
        (lambda n, x: n.b(n.n(n.a(x) + float(x.max()))), None, "receives something else"),
        (plain, lambda out: {"out": torch.stack(out)}, "returns a dict"),
        (plain, lambda out: torch.stack(out, 1), "dim=0"),
        (plain, lambda out: torch.stack(out[2:]).mean(0), "3 of 5 time steps"),
        (plain, lambda out: torch.stack(out).max(0)[0], "'max'"),
    ],
)
def test_what_a_graph_lacks_is_refused_by_name(step: Step, after: Any, message: str) -> None:
    with pytest.raises(ExportError, match=message):
        to_nir(dense(step, after), torch.rand(3, 12))


def test_all_problems_are_listed_at_once() -> None:
    net = dense(
        lambda n, x: n.b(n.q(n.n(n.a(x).relu()))).sigmoid(),
        q=snn.Alpha(alpha=0.9, beta=0.8, init_hidden=True),
        n=leaky(state_quant=torch.round),
    )
    with pytest.raises(ExportError) as caught:
        to_nir(net, torch.rand(3, 12))
    lines = str(caught.value).splitlines()
    assert lines[0] == "the model has 4 problems:"
    for line, word in zip(sorted(lines[1:]), ("state_quant", "Alpha", "relu", "sigm"), strict=True):
        assert line.startswith("- ") and word in line


def test_any_name_is_free() -> None:
    net = Net(
        lambda n, x: n.readout(n.output(n.input(x))),
        **{"input": nn.Linear(12, 10), "output": leaky(), "readout": nn.Linear(10, 5)},
    )
    graph = to_nir(strong(net), torch.rand(3, 12))
    assert isinstance(graph.nodes["input"], nir.Input)
    assert isinstance(graph.nodes["output.1"], nir.LIF)
    assert_computes(net, graph, torch.rand(16, 12))


def test_shared_weights_and_delays_are_written_down() -> None:
    shape, step, build = EXPORTED["shared weights"]
    net = strong(Net(step, **{key: make() for key, make in build.items()}))
    assert to_nir(net, torch.rand(3, *shape)).nodes["a.1"].metadata == {"shared_with": "a"}
    shape, step, build = EXPORTED["two steps late"]
    net = strong(Net(step, **{key: make() for key, make in build.items()}))
    assert to_nir(net, torch.rand(3, *shape), dt=1e-4).nodes["n.delay"].delay[0] == 2e-4


def test_a_state_that_outlives_the_pass_is_refused() -> None:
    class Forgetful(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.neuron = nn.Linear(12, 5), leaky()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.stack([self.neuron(self.fc(x)) for _ in range(STEPS)])

    with pytest.raises(ExportError, match=r"'neuron': its state outlives a pass.*RepeatSteps"):
        to_nir(Forgetful(), torch.rand(3, 12))


def test_a_reset_within_the_pass_is_refused() -> None:
    def step(n: Any, x: torch.Tensor) -> torch.Tensor:
        n.sent.append(x)
        if len(n.sent) == 3:
            n.n.reset_mem()
        return plain(n, x)

    with pytest.raises(ExportError, match="'n': its membrane is reset between two time steps"):
        to_nir(dense(step), torch.rand(3, 12))


def test_a_quiet_sample_is_replaced_and_a_quiet_network_warned_about() -> None:
    net = dense(plain)
    graph = to_nir(net, torch.zeros(2, 12))
    assert_computes(net, graph, torch.rand(16, 12))
    with torch.no_grad():
        net.a.weight.zero_()  # type: ignore[union-attr, operator]
        net.a.bias.zero_()  # type: ignore[union-attr, operator]
    with pytest.warns(QuietLayerWarning, match="no neuron of 'n' spikes"):
        to_nir(net, torch.rand(2, 12))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_numbers_of_16_bits(dtype: torch.dtype) -> None:
    net = dense(plain).to(dtype)
    graph = to_nir(net, torch.rand(3, 12).to(dtype))
    assert graph.nodes["a"].weight.dtype == "float32"


def test_a_model_of_one_step_is_told_what_to_do() -> None:
    class OneStep(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.neuron = nn.Linear(12, 5), snn.Leaky(0.9)

        def forward(self, x: torch.Tensor, mem: torch.Tensor) -> torch.Tensor:
            return self.neuron(self.fc(x), mem)

    with pytest.raises(ExportError, match="RepeatSteps"):
        to_nir(OneStep(), torch.rand(3, 12))


def test_states_with_a_graph_do_not_hinder_the_copy() -> None:
    net = Net(plain, None, a=nn.Linear(12, 10), b=nn.Linear(10, 5))
    net.n = snn.Synaptic(0.5, 0.8, init_hidden=True)
    net(torch.rand(3, 12)).sum().backward()
    assert isinstance(to_nir(strong(net), torch.rand(3, 12)).nodes["n"], nir.CubaLIF)


class Sequences(nn.Module):
    """Layers that run once on all time steps, (steps · batch, ...), and neurons in a loop."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm, self.n = conv(2, 4), nn.BatchNorm2d(4), leaky()
        self.pool, self.fc = nn.MaxPool2d(2), nn.Linear(64, 5)

    def forward(self, events: torch.Tensor) -> torch.Tensor:
        self.n.reset_mem()
        steps, batch = events.shape[:2]
        currents = self.norm(self.conv(events.flatten(0, 1))).view(steps, batch, 4, 8, 8)
        spikes = torch.zeros(steps, batch, 4, 8, 8)
        for step in range(steps):
            spikes[step] = self.n(currents[step])
        pooled = self.pool(spikes.flatten(0, 1)).unflatten(0, (steps, batch))
        return self.fc(pooled.flatten(2)).mean(0)


def test_layers_on_whole_sequences() -> None:
    net = strong(Sequences(), 2.0)
    graph = to_nir(net, (torch.rand(STEPS, 3, 2, 8, 8) > 0.5).float())
    assert_computes(net, graph, (torch.rand(STEPS, 16, 2, 8, 8) > 0.5).float())


class BatchFirst(Net):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.n.reset_mem()  # type: ignore[operator, union-attr]
        return torch.stack([plain(self, x[:, step]) for step in range(x.shape[1])])


def test_events_with_the_batch_first() -> None:
    net = strong(BatchFirst(plain, **{name: make() for name, make in DENSE.items()}))
    graph = to_nir(net, (torch.rand(3, 7, 12) > 0.5).float())
    events = (torch.rand(16, 7, 12) > 0.5).float()
    with torch.no_grad():
        found = evaluate(graph, events.transpose(0, 1), 7, 1e-3)
        assert torch.allclose(found, net(events).double(), atol=1e-4)
