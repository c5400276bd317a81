"""Networks whose own neurons are noisy: graphs, Programs, twins, and the noise on the chip."""

import math
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import nir
import numpy as np
import pytest
import snntorch as snn
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from stochi.data import Images
from stochi.deploy import Program, lower, read_graph, write_graph
from stochi.deploy.graph.layers import cut_into_layers
from stochi.deploy.graph.membrane_noise import MembraneNoise
from stochi.deploy.lowering.own_noise import NoiseError, noise_of, own_noise_errors
from stochi.errors import GraphError, InputError, LoweringError
from stochi.export import from_nir, to_nir, to_onnx
from stochi.hardware.noise import generator_std, generator_value
from stochi.parity import ablate, check_parity
from stochi.parity.ablation.model import SWITCHES, AblatedModel, shown_inputs, switches_of
from stochi.parity.records.comparison import compare_records
from stochi.sim import run
from stochi.sim.recording import PROBES
from stochi.train import NoisyLeaky, RandomTauLeaky, RepeatSteps, make_twin, set_draws, twin_of

IMAGES = torch.rand(30, 1, 4, 4, generator=torch.Generator().manual_seed(3))
CONV_IMAGES = torch.rand(12, 2, 8, 8, generator=torch.Generator().manual_seed(4))
DT = 1e-3


def noisy_net(noise_std: float = 0.2, weight: float = 3.0, **options: object) -> RepeatSteps:
    torch.manual_seed(1)
    neuron = NoisyLeaky(
        noise_std=noise_std,
        init_hidden=True,
        **{"threshold": 0.4, **options},  # type: ignore[arg-type]
    )
    net = RepeatSteps(nn.Sequential(nn.Flatten(), nn.Linear(16, 12), neuron, nn.Linear(12, 3)), 4)
    with torch.no_grad():
        net.network[1].weight *= weight
    return net.eval()


def conv_net() -> RepeatSteps:
    torch.manual_seed(2)

    def spiking() -> NoisyLeaky:
        return NoisyLeaky(noise_std=0.1, threshold=0.3, init_hidden=True)

    layers = [nn.Conv2d(2, 4, 3, padding=1), nn.BatchNorm2d(4), spiking(), nn.AvgPool2d(2)]
    layers += [nn.Conv2d(4, 6, 3), spiking(), nn.Flatten(), nn.Linear(24, 5)]
    net = RepeatSteps(nn.Sequential(*layers), 4)
    with torch.no_grad():
        net.network[0].weight *= 3
        net.network[4].weight *= 6
    return net.eval()


def mixed_net() -> RepeatSteps:
    """One layer draws τ, the other adds noise."""
    torch.manual_seed(3)
    first = RandomTauLeaky(threshold=0.3, init_hidden=True)
    second = NoisyLeaky(
        noise_std=0.3,
        threshold=0.3,
        reset_mechanism="subtract",
        reset_delay=True,
        init_hidden=True,
    )
    layers = [nn.Flatten(), nn.Linear(16, 12), first, nn.Linear(12, 8), second, nn.Linear(8, 3)]
    net = RepeatSteps(nn.Sequential(*layers), 4)
    with torch.no_grad():
        net.network[1].weight *= 3
        net.network[3].weight *= 3
    return net.eval()


NETS: dict[str, tuple[Callable[[], RepeatSteps], torch.Tensor]] = {
    "dense": (noisy_net, IMAGES),
    "conv": (conv_net, CONV_IMAGES),
    "mixed": (mixed_net, IMAGES),
}


def mismatches(one: object, two: object) -> int:
    return sum(c.mismatches for c in compare_records(one, two))  # type: ignore[arg-type]


def layer_error(graph: nir.NIRGraph, program: Program) -> NoiseError:
    (found,) = own_noise_errors(cut_into_layers(graph, DT), program).values()
    return found


def test_a_graph_says_what_noise_there_is(tmp_path: Path) -> None:
    graph = to_nir(noisy_net(distribution="uniform"), IMAGES)
    write_graph(graph, tmp_path / "noisy.nir")
    found = from_nir(read_graph(tmp_path / "noisy.nir"))
    (neuron,) = found.neurons().values()
    assert neuron.noise == MembraneNoise(0.2, "uniform")
    assert not torch.equal(found(IMAGES), found(IMAGES))


def test_a_graph_s_model_draws_as_the_network_does() -> None:
    net = noisy_net()
    found = from_nir(to_nir(net, IMAGES))
    torch.manual_seed(6)
    own = torch.stack([net(IMAGES) for _ in range(200)])
    torch.manual_seed(6)
    again = torch.stack([found(IMAGES) for _ in range(200)])
    assert torch.allclose(own, again, atol=1e-5)  # the same draws in the same order


def test_export_leaves_the_network_noisy() -> None:
    net = noisy_net()
    to_nir(net, IMAGES)
    assert not net.network[2].quiet  # type: ignore[union-attr]
    assert not torch.equal(net(IMAGES), net(IMAGES))


@pytest.mark.parametrize("name", NETS)
@pytest.mark.parametrize("source", ["philox", "lfsr"])
def test_twin_and_engine_compute_the_same_integers(name: str, source: str) -> None:
    build, inputs = NETS[name]
    net = build()
    program = lower(to_nir(net, inputs), random_source=source)
    record = run(program, inputs, seed=5, trial=2, first_sample=3, probes=PROBES)
    rates = [float(spikes.double().mean()) for spikes in record.spikes.values()]
    assert all(0.02 < rate < 0.98 for rate in rates)
    for twin in (make_twin(net, inputs[:1], random_source=source), twin_of(program, net, inputs)):
        set_draws(twin, seed=5, trial=2, first_sample=3)
        assert torch.allclose(twin(inputs).double(), record.logits, rtol=0, atol=1e-6)


@pytest.mark.lava
@pytest.mark.parametrize("name", NETS)
def test_lava_computes_the_same_integers(name: str) -> None:
    build, inputs = NETS[name]
    program = lower(to_nir(build(), inputs))
    engine, lava = (
        run(program, inputs[:4], backend=backend, seed=5, trial=1, probes=PROBES)
        for backend in ("engine", "lava")
    )
    assert mismatches(engine, lava) == 0


@pytest.fixture(scope="module")
def graph() -> nir.NIRGraph:
    return to_nir(noisy_net(), IMAGES)


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=60, deadline=None)
@given(std=st.floats(1e-3, 20), weight=st.floats(0.01, 100))
def test_the_chip_s_noise_has_the_network_s_deviation(
    graph: nir.NIRGraph, std: float, weight: float
) -> None:
    changed = deepcopy(graph)
    for node in changed.nodes.values():
        if isinstance(node, nir.LIF):
            node.metadata["membrane_noise"]["std"] = std
        elif isinstance(node, nir.Affine):
            node.weight, node.bias = node.weight * weight, node.bias * weight
    program = lower(changed)
    found = layer_error(changed, program)
    assert abs(found.relative) < 1e-3
    assert found.wanted == std
    without = lower(changed, noise="none").layers[0].scale
    room = 2.0**21 / 64 / (3**0.5 * std)
    assert min(without, room) / 2 < program.layers[0].scale <= min(without, room)


def test_drawn_noise_has_that_deviation_and_no_mean() -> None:
    """With weights of 0 a membrane that does not leak is the sum of the noise and the bias."""
    net = noisy_net(0.2, 0.0, beta=0.0, threshold=100.0)
    with torch.no_grad():
        net.network[1].bias.zero_()
    program = lower(to_nir(net, IMAGES))
    layer = program.layers[0]
    membrane = run(program, torch.rand(4000, 1, 4, 4), probes=PROBES).membrane[layer.name]
    noise = membrane.double() / layer.membrane_unit
    assert float(noise.std()) == pytest.approx(0.2, rel=0.005)
    assert abs(float(noise.mean())) < 4 * 0.2 / noise.numel() ** 0.5 + 0.2 / 128
    assert noise.abs().max() <= 0.2 * math.sqrt(3) * 1.01
    assert noise_of(layer) == pytest.approx(0.2, rel=1e-3)


@pytest.mark.parametrize("exponent", [0, 3, 6, 7, 12])
def test_the_generator_s_deviation_is_that_of_all_its_codes(exponent: int) -> None:
    codes = np.arange(2**16)
    values = generator_value(codes >> 8, codes & 0xFF, 1, exponent).astype(float)
    assert generator_std(1, exponent) == pytest.approx(
        math.sqrt(np.mean((values - values.mean()) ** 2))
    )


def test_no_noise_can_be_asked_for() -> None:
    net = noisy_net()
    graph = to_nir(net, IMAGES)
    program = lower(graph, noise="none")
    assert program.layers[0].generator is None and not program.is_random
    twin = twin_of(program, net, IMAGES)
    assert torch.allclose(twin(IMAGES).double(), run(program, IMAGES).logits, rtol=0, atol=1e-6)
    assert lower(graph).is_random


def test_loihi_1_has_the_generator_too() -> None:
    net = noisy_net(distribution="uniform")
    events = (torch.rand(4, 6, 1, 4, 4) < 0.5).float()
    graph = to_nir(net, IMAGES)
    program = lower(graph, chip="loihi1", events=True)
    assert layer_error(graph, program).relative == pytest.approx(0, abs=1e-3)
    assert 0 < run(program, events, probes=PROBES).spikes["network.2"].double().mean() < 1


def test_fitted_noise_of_other_layers_leaves_a_layer_its_own() -> None:
    graph = to_nir(mixed_net(), IMAGES)
    program = lower(graph, noise="membrane", calibration=IMAGES)
    first, second = (program.layers[n].generator for n in (0, 1))
    assert first is not None and second is not None
    assert layer_error(graph, program).relative == pytest.approx(0, abs=1e-3)
    twin = twin_of(program, mixed_net(), IMAGES)
    set_draws(twin, seed=1)
    found = run(program, IMAGES, seed=1).logits
    assert torch.allclose(twin(IMAGES).double(), found, rtol=0, atol=1e-6)


def test_training_changes_the_twin_s_scale_and_keeps_its_noise() -> None:
    net = noisy_net()
    twin = make_twin(net, IMAGES[:1]).train()
    optimizer = torch.optim.SGD(twin.parameters(), 0.3)
    for _ in range(3):
        optimizer.zero_grad()
        twin(IMAGES).square().sum().backward()
        optimizer.step()
    graph = to_nir(twin, IMAGES)
    program = lower(graph)
    set_draws(twin, seed=4)
    twin.eval()
    found = run(program, IMAGES, seed=4).logits
    assert torch.allclose(twin(IMAGES).double(), found, rtol=0, atol=1e-6)
    assert layer_error(graph, program).relative == pytest.approx(0, abs=1e-3)
    assert program.layers[0].scale != lower(to_nir(net, IMAGES)).layers[0].scale


@pytest.mark.parametrize("noise", ["decay", "none"])
def test_all_switches_of_an_ablation_together_are_the_program(noise: str) -> None:
    graph = to_nir(mixed_net(), IMAGES)
    program = lower(graph, noise=noise)
    ablated = AblatedModel(from_nir(graph), program, SWITCHES)
    set_draws(ablated, seed=3, trial=2)
    found = ablated(shown_inputs(program, IMAGES, SWITCHES))
    chip = run(program, IMAGES, seed=3, trial=2)
    assert torch.allclose(found.detach(), chip.logits, rtol=0, atol=1e-12)


def test_parity_and_ablation_know_the_noise() -> None:
    net, images = noisy_net(distribution="uniform"), Images(IMAGES, torch.arange(30) % 3)
    program = lower(to_nir(net, IMAGES))
    assert "noise" in switches_of(from_nir(to_nir(net, IMAGES)), program)
    report = check_parity(net, program, images, trials=4, lava=False)
    assert report.to_json()
    found = ablate(net, program, images, trials=2)
    assert found.to_json()


def test_noise_that_the_chip_cannot_make_is_refused() -> None:
    with pytest.raises(
        LoweringError, match=r"noise, with a standard deviation of 1e-09, is smaller"
    ):
        lower(to_nir(noisy_net(1e-9), IMAGES))


def test_a_programmable_neuron_would_scale_the_noise() -> None:
    graph = to_nir(noisy_net(), IMAGES)
    (node,) = (n for n in graph.nodes.values() if isinstance(n, nir.LIF))
    node.tau = DT / (1 - np.linspace(0.2, 0.8, 12))
    node.r = np.ones(12)
    node.metadata["random_tau"] = {
        "distribution": "logit-normal",
        "parameters": "1.0",
        "sampling": "step",
        "input_gain": "coupled",
        "bits": 0,
    }
    with pytest.raises(LoweringError, match="a programmable neuron would scale the generator"):
        lower(graph)


@pytest.mark.parametrize(
    ("noted", "message"),
    [
        ({"std": 0.0, "distribution": "normal"}, "std is 0.0; noise needs"),
        ({"std": -1.0, "distribution": "normal"}, "std is -1.0"),
        ({"std": float("nan"), "distribution": "normal"}, "'std'"),
        ({"std": 1.0, "distribution": "cauchy"}, "distribution is 'cauchy'"),
        ({"std": "much", "distribution": "normal"}, "'std'"),
        ({"distribution": "normal"}, "is incomplete"),
        ({"std": 1.0}, "is incomplete"),
        (3.0, "must be a group of values"),
    ],
)
@pytest.mark.parametrize("door", [lower, from_nir])
def test_wrong_metadata_is_named(door: Callable, noted: object, message: str) -> None:
    graph = to_nir(noisy_net(), IMAGES)
    next(n for n in graph.nodes.values() if isinstance(n, nir.LIF)).metadata["membrane_noise"] = (
        noted
    )
    with pytest.raises(GraphError, match=message):
        door(graph)


def test_an_integrator_s_noise_is_exported_too() -> None:
    torch.manual_seed(1)
    never = torch.tensor(torch.inf)
    readout = NoisyLeaky(0.9, noise_std=0.1, threshold=never, init_hidden=True, output=True)

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.fc = nn.Linear(16, 12), nn.Linear(12, 3)
            self.lif, self.readout = snn.Leaky(0.5, init_hidden=True), readout

        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            for neuron in (self.lif, self.readout):
                neuron.reset_mem()
            found = [
                self.readout(self.fc(self.lif(self.first(3 * inputs.flatten(1)))))[1]
                for _ in range(3)
            ]
            return torch.stack(found).mean(0)

    net = Net().eval()
    program = lower(to_nir(net, IMAGES))
    twin = twin_of(program, net, IMAGES)
    set_draws(twin, seed=2)
    assert program.layers[-1].generator is not None
    found = run(program, IMAGES, seed=2).logits
    assert torch.allclose(twin(IMAGES).double(), found, rtol=0, atol=1e-6)


def test_onnx_in_floats_refuses_noise(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    with pytest.raises(InputError, match="its membranes are noisy"):
        to_onnx(from_nir(to_nir(noisy_net(), IMAGES)), tmp_path / "net.onnx")
