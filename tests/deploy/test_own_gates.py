"""Networks whose neurons have random gates: graphs, Programs, twins, and the gates on the chip."""

from pathlib import Path

import nir
import numpy as np
import pytest
import snntorch as snn
import torch
from torch import nn
from torch.nn import functional

from stochi.attacks import PGD
from stochi.deploy import Program, lower, read_graph, write_graph
from stochi.deploy.graph.layers import cut_into_layers
from stochi.deploy.lowering.own_noise import gate_errors, opening_shares
from stochi.errors import ExportError
from stochi.export import from_nir, to_nir
from stochi.parity.records.comparison import compare_records
from stochi.sim import run
from stochi.sim.recording import PROBES
from stochi.train import GatedLeaky, RepeatSteps, make_twin, set_draws, twin_of

IMAGES = torch.rand(30, 1, 4, 4, generator=torch.Generator().manual_seed(3))
CONV_IMAGES = torch.rand(12, 2, 8, 8, generator=torch.Generator().manual_seed(4))
LAYER, GATE = "network.2", "network.2.gate"


def gated_net(open_share: float | torch.Tensor = 0.7) -> RepeatSteps:
    torch.manual_seed(1)
    neuron = GatedLeaky(open_share=open_share, threshold=0.4, init_hidden=True)
    net = RepeatSteps(nn.Sequential(nn.Flatten(), nn.Linear(16, 12), neuron, nn.Linear(12, 3)), 4)
    with torch.no_grad():
        net.network[1].weight *= 3
    return net.eval()


def conv_net() -> RepeatSteps:
    torch.manual_seed(2)
    shares = torch.linspace(0.2, 0.95, 4)[:, None, None]
    first = GatedLeaky(open_share=shares, threshold=0.3, init_hidden=True)
    second = GatedLeaky(open_share=0.6, threshold=0.3, reset_delay=True, init_hidden=True)
    layers = [nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), first, nn.AvgPool2d(2)]
    layers += [nn.Conv2d(4, 6, 3), second, nn.Flatten(), nn.Linear(24, 5)]
    net = RepeatSteps(nn.Sequential(*layers), 4)
    with torch.no_grad():
        net.network[0].weight *= 3
        net.network[4].weight *= 6
    return net.eval()


NETS = {"dense": (gated_net, IMAGES), "conv": (conv_net, CONV_IMAGES)}


def lowered(net: nn.Module, inputs: torch.Tensor = IMAGES) -> Program:
    return lower(to_nir(net, inputs))


@pytest.mark.parametrize("name", NETS)
def test_twin_and_engine_compute_the_same_integers(name: str) -> None:
    build, inputs = NETS[name]
    net = build()
    program = lowered(net, inputs)
    record = run(program, inputs, seed=5, trial=2, first_sample=3, probes=PROBES)
    for twin in (make_twin(net, inputs[:1]), twin_of(program, net, inputs)):
        set_draws(twin, seed=5, trial=2, first_sample=3)
        assert torch.allclose(twin(inputs).double(), record.logits, rtol=0, atol=1e-6)
    gates = [layer for layer in record.spikes if layer.endswith(".gate")]
    assert len(gates) == len([m for m in net.modules() if isinstance(m, GatedLeaky)])
    for gate in gates:
        sent, passed = record.spikes[gate.removesuffix(".gate")], record.spikes[gate]
        assert not bool((passed & ~sent).any())
        assert 0.02 < float(passed.double().mean()) < float(sent.double().mean()) < 0.98


@pytest.mark.lava
@pytest.mark.parametrize("name", NETS)
def test_lava_computes_the_same_integers(name: str) -> None:
    build, inputs = NETS[name]
    program = lowered(build(), inputs)
    engine, lava = (
        run(program, inputs[:4], backend=backend, seed=5, trial=1, probes=PROBES)
        for backend in ("engine", "lava")
    )
    assert sum(c.mismatches for c in compare_records(engine, lava)) == 0


def test_every_probability_is_the_network_s_to_half_a_code() -> None:
    shares = torch.linspace(0.01, 0.99, 12)
    program = lowered(gated_net(shares))
    found = opening_shares(program.layer(GATE)).ravel()
    assert np.abs(found - shares.numpy()).max() <= 0.5 / 256 + 1e-6
    assert np.array_equal(np.round(found * 256), found * 256)
    network = cut_into_layers(to_nir(gated_net(shares), IMAGES), 1e-3)
    largest = np.abs(found - shares.numpy()).max()
    assert gate_errors(network, program) == {GATE: pytest.approx(largest)}


@pytest.mark.parametrize("open_share", [1.0, 0.5, 0.25, 0.125])
def test_probabilities_that_the_generator_has_are_exact(open_share: float) -> None:
    found = opening_shares(lowered(gated_net(open_share)).layer(GATE))
    assert np.array_equal(found.ravel(), np.full(found.size, open_share))


def test_gates_open_as_often_as_the_generator_s_codes_say() -> None:
    shares = torch.linspace(0.1, 1.0, 12)
    program = lowered(gated_net(shares))
    record = run(program, torch.rand(3000, 1, 4, 4), probes=PROBES)
    sent, passed = (record.spikes[name].double().sum((0, 1)) for name in (LAYER, GATE))
    wanted = torch.from_numpy(opening_shares(program.layer(GATE)).ravel())
    often = sent > 500
    error = (wanted * (1 - wanted) / sent.clamp(min=1)).sqrt()
    assert int(often.sum()) >= 6
    assert bool(((passed / sent.clamp(min=1) - wanted).abs() <= 4.5 * error)[often].all())


def test_a_gate_takes_one_stock_neuron_also_of_loihi_1() -> None:
    events = (torch.rand(4, 200, 1, 4, 4) < 0.5).float()
    program = lower(to_nir(gated_net(), IMAGES), chip="loihi1", events=True)
    assert program.layer(GATE).shape == program.layer(LAYER).shape
    assert not program.layer(GATE).decay.programmable
    record = run(program, events, probes=PROBES)
    sent, passed = (record.spikes[name].double().sum() for name in (LAYER, GATE))
    assert float(passed / sent) == pytest.approx(0.7, abs=0.03)


def test_a_graph_s_gates_are_the_network_s(tmp_path: Path) -> None:
    net = gated_net()
    write_graph(to_nir(net, IMAGES), tmp_path / "gated.nir")
    found = from_nir(read_graph(tmp_path / "gated.nir"))
    shown = IMAGES.repeat(400, 1, 1, 1)
    with torch.no_grad():
        ours, theirs = (m(shown).view(400, 30, 3) for m in (found, net))
    error = ((ours.var(0) + theirs.var(0)) / 400).sqrt() + 1e-6
    assert bool(((ours.mean(0) - theirs.mean(0)).abs() < 5 * error).all())
    assert torch.allclose(ours.var(0), theirs.var(0), rtol=0.5, atol=1e-4)


def test_the_gradient_through_a_graph_s_gates_is_that_of_their_mean() -> None:
    """Two neurons that always spike, and a readout: d logit / d weight of the gate is the rate."""
    found = from_nir(to_nir(gated_net(0.5), IMAGES))
    gate = found.neurons()[GATE]
    spikes = torch.tensor([[0.0, 1.0] * 6], requires_grad=True)
    passed, _ = gate(spikes * 0.5, gate.begin(spikes))
    (gradient,) = torch.autograd.grad(passed.sum(), spikes)
    assert torch.allclose(gradient, torch.full_like(gradient, 0.5))
    assert set(passed.detach().unique().tolist()) <= {0.0, 1.0}


def test_attacks_leave_the_gates_gradient_alone() -> None:
    twin = make_twin(gated_net(), IMAGES[:1]).eval()
    before = [neuron.spike_grad for neuron in twin.neurons().values()]
    attack = PGD(0.1, 1, 3, draws=3, surrogates="atan-25")
    attacked = attack(twin, IMAGES, torch.arange(30) % 3)
    assert (attacked - IMAGES).abs().max() > 0.05
    assert [neuron.spike_grad for neuron in twin.neurons().values()] == before


def test_a_twin_with_gates_learns() -> None:
    twin = make_twin(gated_net(), IMAGES[:1]).train()
    labels = torch.arange(30) % 3
    functional.cross_entropy(twin(IMAGES), labels).backward()
    weights = {n: p for n, p in twin.named_parameters() if n.endswith(("weight", "scale"))}
    assert len(weights) == 3
    assert all(p.grad is not None and bool(p.grad.any()) for p in weights.values())


def test_gates_with_the_model_s_spikes_as_its_answer() -> None:
    torch.manual_seed(1)
    last = GatedLeaky(open_share=0.5, threshold=0.2, init_hidden=True)
    net = RepeatSteps(nn.Sequential(nn.Flatten(), nn.Linear(16, 3), last), 4).eval()
    with torch.no_grad():
        net.network[1].weight *= 4
    program = lowered(net)
    assert program.output == GATE
    twin = twin_of(program, net, IMAGES)
    set_draws(twin, seed=1)
    record = run(program, IMAGES, seed=1)
    assert torch.allclose(twin(IMAGES).double(), record.logits, rtol=0, atol=1e-6)


def test_membranes_that_are_read_cannot_be_gated() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.fc, self.lif = nn.Linear(16, 3), GatedLeaky(threshold=0.3)

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            mem, found = self.lif.reset_mem(), []
            for _ in range(3):
                _, mem = self.lif(self.fc(3 * inputs.flatten(1)), mem)
                found.append(mem)
            return torch.stack(found).mean(0)

    with pytest.raises(ExportError, match="neuron 'lif': its membrane is read, which no gate"):
        to_nir(Net().eval(), IMAGES)


def test_shares_that_do_not_fit_are_named() -> None:
    torch.manual_seed(1)
    neuron = GatedLeaky(open_share=torch.full((2, 1), 0.5), threshold=0.4, init_hidden=True)
    net = RepeatSteps(nn.Sequential(nn.Flatten(), nn.Linear(16, 12), neuron, nn.Linear(12, 3)), 2)
    with pytest.raises(ExportError, match="open_share of shape"):
        to_nir(net.eval(), IMAGES[:2])


def test_networks_without_gates_are_exported_as_before() -> None:
    torch.manual_seed(1)
    neuron = snn.Leaky(0.5, threshold=0.4, init_hidden=True)
    net = RepeatSteps(nn.Sequential(nn.Flatten(), nn.Linear(16, 12), neuron), 2).eval()
    graph = to_nir(net, IMAGES)
    assert [type(n) for n in graph.nodes.values()] == [
        *(nir.Input, nir.Flatten, nir.Affine, nir.LIF, nir.Output)
    ]
