"""Every snnTorch neuron and reset, against its graph, driven far above its threshold."""

import nir
import numpy as np
import pytest
import snntorch as snn
import torch
from torch import nn

from benchmarks.support.neurons import NEURONS, Loop
from stochi.errors import ExportError
from stochi.export import to_nir
from stochi.export.evaluation import evaluate
from stochi.train import RandomTauLeaky

NODES = {"Synaptic": nir.CubaLIF, "RSynaptic": nir.CubaLIF, "Leaky, β = 1": nir.IF}


@pytest.mark.parametrize("reset", ["subtract", "zero", "none"])
@pytest.mark.parametrize("membrane", [False, True], ids=["spikes", "membrane"])
@pytest.mark.parametrize("name", NEURONS)
def test_neurons_and_resets(name: str, membrane: bool, reset: str) -> None:
    net = Loop(NEURONS[name](reset_mechanism=reset), membrane).eval()
    with torch.no_grad():
        net.fc.weight *= 4
    events = torch.rand(25, 16, 5)
    graph = to_nir(net, events[:, :2])
    node = graph.nodes["neuron"]
    if not (membrane and reset == "none"):
        assert isinstance(node, NODES.get(name, nir.LIF))
    found = evaluate(graph, events, 25, 1e-3)
    with torch.no_grad():
        expected = net(events).double()
    assert 0.02 < float((expected > (0.5 if not membrane else 1e-9)).double().mean()) < 0.98
    agreeing = (found - expected).abs() <= 1e-4 * expected.abs().max()
    assert float(agreeing.double().mean()) > (0.999 if reset == "none" or membrane else 0.995)


@pytest.mark.parametrize("name", ["Leaky", "Synaptic", "RLeaky"])
def test_a_reset_to_zero_at_once(name: str) -> None:
    net = Loop(NEURONS[name](reset_mechanism="zero", reset_delay=False)).eval()
    events = 4 * torch.rand(25, 8, 5)
    graph = to_nir(net, events)
    assert "refractory" not in graph.nodes["neuron"].metadata
    with torch.no_grad():
        assert float((evaluate(graph, events, 25, 1e-3) == net(events)).double().mean()) > 0.995


def test_what_metadata_say_of_resets() -> None:
    def metadata(neuron: nn.Module, membrane: bool = False) -> dict[str, object]:
        return dict(
            to_nir(Loop(neuron, membrane).eval(), torch.rand(9, 2, 5)).nodes["neuron"].metadata
        )

    late = {"reset_delay": 1}
    assert metadata(snn.Leaky(0.5)) == {"reset": "subtract", **late}
    assert metadata(snn.Leaky(0.5, reset_mechanism="none")) == {"reset": "none"}
    assert metadata(snn.Leaky(0.5, reset_mechanism="zero")) == {}
    assert metadata(snn.Leaky(0.5, reset_mechanism="zero"), True) == {"reset": "zero", **late}
    pausing = {"reset": "zero", **late, "refractory": 1e-3}
    assert metadata(snn.Synaptic(0.5, 0.5, reset_mechanism="zero")) == pausing
    assert metadata(snn.Lapicque(0.5, reset_mechanism="zero")) == pausing
    assert metadata(RandomTauLeaky(sampling="mean", reset_mechanism="subtract")) == {
        "reset": "subtract"
    }


def test_the_gain_of_a_synaptic_neuron_is_one() -> None:
    node = to_nir(Loop(snn.Synaptic(0.7, 0.8)).eval(), torch.rand(9, 2, 5)).nodes["neuron"]
    assert np.allclose(1 - 1e-3 / node.tau_syn, 0.7) and np.allclose(1 - 1e-3 / node.tau_mem, 0.8)
    assert np.allclose(node.w_in * 1e-3 / node.tau_syn * node.r * 1e-3 / node.tau_mem, 1)


def test_an_integrator_that_never_leaks_has_r_in_steps_per_second() -> None:
    node = to_nir(Loop(snn.Leaky(1.0)).eval(), torch.rand(9, 2, 5), dt=1e-4).nodes["neuron"]
    assert isinstance(node, nir.IF) and np.allclose(node.r, 1e4)


@pytest.mark.parametrize(
    ("neuron", "message"),
    [
        (lambda: snn.Leaky(0.5, inhibition=True), "inhibition"),
        (lambda: snn.Leaky(0.5, state_quant=torch.round), "state_quant"),
        (lambda: snn.Leaky(0.5, threshold=float("inf")), "infinite.*NaN"),
        (
            lambda: snn.Leaky(0.5, threshold=float("inf"), reset_mechanism="none"),
            "infinite.*never spikes",
        ),
        (lambda: snn.Alpha(0.9, 0.8), "snn.Synaptic"),
        (lambda: snn.Leaky(0.9, spike_grad=torch.sigmoid), "surrogate"),
        (lambda: Adaptive(0.9, reset_mechanism="zero"), "Adaptive does not compute"),
    ],
)
@pytest.mark.filterwarnings("ignore:Inhibition is an unstable feature")
def test_neurons_that_a_graph_lacks_are_refused(neuron: object, message: str) -> None:
    with pytest.raises(ExportError, match=rf"'neuron'.*{message}"):
        to_nir(Loop(neuron()).eval(), torch.zeros(9, 2, 5))  # type: ignore[operator]


class Adaptive(snn.Leaky):
    """A neuron whose threshold rises with its spikes, which shows only if it spikes."""

    def forward(self, input_, mem=None):  # type: ignore[no-untyped-def]
        mem = torch.zeros_like(input_) if mem is None or mem.shape != input_.shape else mem
        before = getattr(self, "raised", None)
        raised = before if before is not None and bool(mem.any()) else torch.zeros_like(input_)
        mem = self.beta * mem + input_
        spikes = self.spike_grad(mem - self.threshold - raised)
        self.raised = 0.9 * raised + 0.5 * spikes.detach()
        self.mem = mem * (1 - spikes.detach())
        return spikes, self.mem


def test_an_infinite_threshold_reads_as_an_integrator() -> None:
    neuron = snn.Leaky(0.5, threshold=float("inf"), reset_mechanism="zero")
    graph = to_nir(Loop(neuron, True).eval(), torch.rand(9, 2, 5))
    assert isinstance(graph.nodes["neuron"], nir.LI) and graph.metadata["reads"] == "membrane"


def test_a_reset_that_was_changed_later_is_read_as_it_runs() -> None:
    neuron = snn.Leaky(0.8)
    neuron.reset_mechanism = "zero"  # snnTorch keeps the state function of the constructor
    graph = to_nir(Loop(neuron).eval(), torch.rand(9, 2, 5))
    assert graph.nodes["neuron"].metadata["reset"] == "subtract"
