"""What export warns of, and where the warning stands."""

from pathlib import Path

import nir
import pytest
import snntorch as snn
import torch
from torch import nn

from stochi.data import Images
from stochi.deploy import lower
from stochi.export import ClampedDecay, QuietLayerWarning, SampleRangeWarning, from_nir, to_nir
from stochi.parity import check_parity
from stochi.train import RepeatSteps


def network(beta: float = 0.9) -> nn.Module:
    torch.manual_seed(0)
    neuron = snn.Leaky(beta=beta, threshold=0.3, init_hidden=True, learn_beta=True)
    return RepeatSteps(nn.Sequential(nn.Linear(6, 4), neuron), 5).eval()


class FromUnit(nn.Module):
    def __init__(self, net: nn.Module):
        super().__init__()
        self.net = net

    def forward(self, x01: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.net(8 * x01 - 4)
        return found


@pytest.mark.parametrize("factor", [-1.0, 2.0, 255.0])
def test_samples_of_another_range(factor: float) -> None:
    sample = torch.rand(4, 6)
    with pytest.warns(SampleRangeWarning, match=r"inputs in \[0, 1\]"):
        to_nir(network(), factor * sample)


@pytest.mark.filterwarnings("error")
def test_forward_may_undo_a_range() -> None:
    net, x = network(), 8 * torch.rand(9, 6) - 4
    graph = to_nir(FromUnit(net), (x + 4) / 8)
    assert torch.allclose(from_nir(graph)((x + 4) / 8), net(x))


def test_clamped_decays_are_named() -> None:
    with pytest.warns(ClampedDecay, match=r"its beta is 1\.05, and snnTorch computes"):
        graph = to_nir(network(beta=1.05), torch.rand(4, 6))
    assert any(isinstance(node, nir.IF) for node in graph.nodes.values())


def test_a_warning_stands_once_and_at_the_line_of_the_caller(
    recwarn: pytest.WarningsRecorder,
) -> None:
    net, inputs = network(), torch.rand(6, 6)
    for name, values in net.named_parameters():
        if name.endswith(("weight", "bias")):
            values.data = -values.data.abs()  # so that it is quiet
    program = lower(to_nir(net, inputs))
    check_parity(net, program, Images(inputs, torch.zeros(6).long()), trials=1, exact_images=2)
    quiet = [one for one in recwarn.list if issubclass(one.category, QuietLayerWarning)]
    places = {(one.filename, one.lineno) for one in quiet}
    assert {Path(file).name for file, _ in places} == {Path(__file__).name} and len(places) == 2
