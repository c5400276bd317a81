"""Warnings about layers in which a few large weights take the bits of all others."""

import warnings

import nir
import numpy as np
import pytest
import snntorch as snn
import torch
from torch import nn

from stochi.deploy import CoarseWeights, lower
from stochi.export import to_nir


class Net(nn.Module):
    def __init__(self, beta: float = 0.9) -> None:
        super().__init__()
        self.fc1, self.lif1 = nn.Linear(64, 20), snn.Leaky(beta=beta)
        self.fc2 = nn.Linear(20, 5)
        with torch.no_grad():
            self.fc1.weight.mul_(2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mem, sent = self.lif1.init_leaky(), []
        for _ in range(8):
            spikes, mem = self.lif1(self.fc1(x), mem)
            sent.append(self.fc2(spikes))
        return torch.stack(sent).mean(0)


def lowered(net: nn.Module) -> list[str]:
    graph = to_nir(net, torch.rand(4, 64))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        lower(graph)
    return [str(w.message) for w in caught if w.category is CoarseWeights]


@pytest.mark.parametrize("beta", [0.5, 0.9])
def test_an_ordinary_layer_is_lowered_without_a_word(beta: float) -> None:
    assert lowered(Net(beta)) == []


@pytest.mark.parametrize("weight", [50.0, -300.0])
def test_one_large_weight_is_named_with_numbers(weight: float) -> None:
    net = Net()
    with torch.no_grad():
        net.fc1.weight[0, 0] = weight
    (message,) = lowered(net)
    assert message.startswith("layer 'lif1': its largest weight")
    assert "of 20 rows" in message and "round to zero" in message
    changed = int(message.split(": ")[2].split(" of ")[0])
    assert 18 <= changed <= 20


def test_a_neuron_in_other_units_is_found_and_dividing_mends_it() -> None:
    net = Net()
    with torch.no_grad():
        net.fc1.weight[0] *= 300
        net.fc1.bias[0] *= 300
    net.lif1.threshold = torch.ones(20)
    net.lif1.threshold[0] = 300.0
    assert len(lowered(net)) == 1
    with torch.no_grad():
        net.fc1.weight[0] /= 300
        net.fc1.bias[0] /= 300
    net.lif1.threshold[0] = 1.0
    assert lowered(net) == []


def test_rows_that_never_reach_their_threshold_do_not_matter() -> None:
    net = Net()
    with torch.no_grad():
        net.fc1.weight[10:] *= 1e-4
        net.fc1.bias[10:] = 0.0
    assert lowered(net) == []


def test_channels_of_a_convolution_and_a_second_input() -> None:
    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.a, self.n = nn.Conv2d(1, 8, 3, padding=1), snn.Leaky(beta=0.9)
            self.b, self.m = nn.Conv2d(8, 8, 3, padding=1), snn.Leaky(beta=0.9)
            with torch.no_grad():
                self.a.weight.mul_(3)
                self.b.weight.mul_(3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            one, two, sent = self.n.init_leaky(), self.m.init_leaky(), []
            for _ in range(4):
                spikes, one = self.n(self.a(x), one)
                out, two = self.m(self.b(spikes) + spikes, two)
                sent.append(out.flatten(1))
            return torch.stack(sent).mean(0)

    net = Residual()
    with torch.no_grad():
        net.b.weight[3, 2, 1, 1] = 100.0
    graph = to_nir(net, torch.rand(2, 1, 6, 6))
    with pytest.warns(CoarseWeights, match=r"layer 'm': its largest weight, 100.*of 8 rows"):
        lower(graph)


@pytest.mark.parametrize("shape", [(9,), (1, 3, 3), (3, 4)])
def test_one_weight_for_each_neuron_has_no_rows(shape: tuple[int, ...]) -> None:
    weight = np.full(shape, 0.01)
    weight.flat[0] = 100.0
    ones = np.ones(shape)
    nodes = {
        "input": nir.Input(np.array(shape)),
        "scale": nir.Scale(weight),
        "n": nir.LIF(1e-3 * 4 * ones, 4 * ones, 0 * ones, ones, 0 * ones),
        "output": nir.Output(np.array(shape)),
    }
    nodes["n"].metadata = {"reset": "subtract"}
    edges = [("input", "scale"), ("scale", "n"), ("n", "output")]
    graph = nir.NIRGraph(nodes, edges, metadata={"dt": 1e-3, "steps": 4})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        program = lower(graph, convention="nir")
    assert program.layer("n").shape == shape
    assert CoarseWeights not in {w.category for w in caught}


def test_a_layer_without_weights_of_rows() -> None:
    net = Net()
    with torch.no_grad():
        net.fc1.weight.zero_()
        net.fc1.bias.fill_(2.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        program = lower(to_nir(net, torch.rand(4, 64)))
    assert np.all(program.layer("lif1").projections[0].weight == 0)
