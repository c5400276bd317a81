from pathlib import Path

import nir
import pytest
import snntorch as snn
import torch
from snntorch import spikegen
from torch import nn

from benchmarks.support.networks import IMAGE, STEPS, TUTORIALS, EventsNet, RateCoded, strong
from stochi.deploy.graph.file import read_graph, write_graph
from stochi.errors import ExportError
from stochi.export import to_nir
from stochi.export.evaluation import evaluate


def read(outputs: torch.Tensor, readout: str) -> torch.Tensor:
    return {
        "steps": outputs,
        "mean": outputs.mean(0),
        "sum": outputs.sum(0),
        "last": outputs[-1],
    }[readout]


def assert_computes(net: nn.Module, graph: nir.NIRGraph, inputs: torch.Tensor) -> None:
    """Compare a graph alone with the model, on inputs that the export has not seen."""
    with torch.no_grad():
        output = net(inputs)
    output = output[0] if isinstance(output, tuple) else output
    found = evaluate(graph, inputs, graph.metadata["steps"], graph.metadata["dt"])
    found = read(found, graph.metadata["readout"]).reshape(output.shape)
    assert float(output.std()) > 0.01
    close = (found - output).abs() <= 1e-3 * output.abs().max()
    assert float(close.float().mean()) > 0.99


@pytest.mark.parametrize("name", TUTORIALS)
def test_networks_export_as_their_authors_wrote_them(name: str, tmp_path: Path) -> None:
    build, shape, readout, reads = TUTORIALS[name]
    net = strong(build())
    write_graph(to_nir(net, torch.rand(4, *shape)), tmp_path / "m.nir")
    graph = read_graph(tmp_path / "m.nir")
    assert graph.metadata["readout"] == readout
    assert graph.metadata.get("reads", "spikes") == reads
    assert graph.metadata["steps"] == STEPS
    assert_computes(net, graph, torch.rand(32, *shape))


def test_the_default_reset_is_written_down() -> None:
    net = strong(TUTORIALS["tutorial 5"][0]())
    graph = to_nir(net, torch.rand(2, *IMAGE))
    assert list(graph.nodes) == ["input", "input.flatten", "fc1", "lif1", "fc2", "lif2", "output"]
    assert graph.nodes["lif1"].metadata == {"reset": "subtract", "reset_delay": 1}


def test_a_non_spiking_readout_is_a_leaky_integrator() -> None:
    graph = to_nir(strong(TUTORIALS["regression"][0]()), torch.rand(2, *IMAGE))
    assert isinstance(graph.nodes["lif2"], nir.LI)


def test_max_pooling_of_spikes_is_an_or() -> None:
    net = strong(TUTORIALS["tutorial 6, spikes pooled"][0]())
    graph = to_nir(net, torch.rand(2, *IMAGE))
    pooled = graph.nodes["net.2"]
    assert isinstance(pooled, nir.LIF) and isinstance(graph.nodes["net.2.sum"], nir.SumPool2d)
    assert (pooled.v_threshold == 0.5).all() and (pooled.tau == 1e-3).all()


def test_max_pooling_of_currents_is_refused_with_the_way_out() -> None:
    net = nn.Sequential(nn.Conv2d(1, 6, 3), nn.MaxPool2d(2), snn.Leaky(0.5, init_hidden=True))

    class Loop(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            snn.Leaky.reset_hidden()
            return torch.stack([self.net(x) for _ in range(4)])

    with pytest.raises(ExportError, match=r"'net\.1' \(MaxPool2d\).*put the pooling after the neu"):
        to_nir(Loop(), torch.rand(2, *IMAGE))


def test_an_encoder_inside_is_named_with_the_way_out() -> None:
    with pytest.raises(ExportError, match=r"spikegen\.rate.*Encode outside"):
        to_nir(RateCoded(), torch.rand(2, *IMAGE))
    net = strong(EventsNet())
    images = torch.rand(6, 64)
    events = spikegen.rate(images, num_steps=STEPS)
    graph = to_nir(net, events)
    assert_computes(net, graph, spikegen.rate(torch.rand(20, 64), num_steps=STEPS))
