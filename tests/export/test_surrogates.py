"""The surrogate gradients that a graph keeps."""

from pathlib import Path

import pytest
import snntorch as snn
import torch
from snntorch import surrogate
from torch import nn

from stochi.deploy import read_graph, write_graph
from stochi.errors import GraphError
from stochi.export import from_nir, to_nir
from stochi.export.surrogates import NUMBERS, describe_surrogate, make_surrogate
from stochi.train import RepeatSteps

GIVEN = {
    "fast_sigmoid slope=10.0": lambda: surrogate.fast_sigmoid(slope=10),
    "atan alpha=5.0": lambda: surrogate.atan(alpha=5.0),
    "spike_rate_escape beta=2.0 slope=7.0": lambda: surrogate.spike_rate_escape(beta=2, slope=7),
    "straight_through_estimator": surrogate.straight_through_estimator,
}


def network(spike_grad: object) -> nn.Module:
    torch.manual_seed(0)
    neuron = snn.Leaky(beta=0.8, threshold=0.4, spike_grad=spike_grad, init_hidden=True)
    return RepeatSteps(nn.Sequential(nn.Linear(6, 4), neuron), 5).eval()


def gradient(model: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    shown = inputs.clone().requires_grad_()
    (found,) = torch.autograd.grad((model(shown) * torch.arange(4)).sum(), shown)
    return found


@pytest.mark.parametrize("described", GIVEN)
def test_a_graph_has_the_gradients_of_its_network(tmp_path: Path, described: str) -> None:
    net, inputs = network(GIVEN[described]()), torch.rand(8, 6)
    write_graph(to_nir(net, inputs), tmp_path / "g.nir")
    back = from_nir(read_graph(tmp_path / "g.nir"))
    assert torch.allclose(gradient(back, inputs), gradient(net, inputs), atol=1e-6)
    other = gradient(network(None), inputs)
    assert not torch.allclose(gradient(back, inputs), other, atol=1e-4)
    again = to_nir(back, inputs)
    assert [n.metadata.get("surrogate") for n in again.nodes.values()].count(described) == 1


def test_the_default_and_functions_of_others_are_not_kept() -> None:
    for spike_grad in (None, surrogate.atan(), surrogate.SSO(), lambda v: (v > 0).float()):
        graph = to_nir(network(spike_grad), torch.rand(8, 6))
        assert all("surrogate" not in node.metadata for node in graph.nodes.values())


@pytest.mark.parametrize("name", NUMBERS)
def test_every_name_is_read_back(name: str) -> None:
    described = " ".join([name, *(f"{what}=3.0" for what in NUMBERS[name])])
    assert describe_surrogate(make_surrogate("n", described)) == described


@pytest.mark.parametrize(
    "described",
    [
        *("os.system", "heaviside", "atan", "atan alpha", "atan alpha=x", "atan alpha=inf"),
        *("atan slope=1", "atan alpha=1 alpha=1", "__import__ name=1", "atan alpha=1 slope=2"),
    ],
)
def test_only_known_surrogates_with_their_numbers_are_made(described: str) -> None:
    with pytest.raises(GraphError, match=r"node 'n': metadata 'surrogate' is .* must be one of"):
        make_surrogate("n", described)
