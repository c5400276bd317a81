"""Learned distributions of λ: gradients, ranges, and the way to the chip."""

import copy
import math
from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch import nn

from stochi.deploy import lower
from stochi.deploy.graph.random_tau import read_random_tau
from stochi.errors import InputError
from stochi.export import to_nir
from stochi.export.model.learned_distribution import learned_levels
from stochi.hardware.decays import decay_table
from stochi.hardware.distributions import (
    DecayDistribution,
    Empirical,
    LogitNormal,
    NormalTau,
    Uniform,
)
from stochi.hardware.draws import Draws, LayerDraws
from stochi.hardware.fixed_point import DECAY_UNITY
from stochi.hardware.noise import random_bytes
from stochi.parity.records.comparison import compare_records
from stochi.parity.records.twin import record_twin
from stochi.sim import run
from stochi.sim.recording import PROBES
from stochi.train import RandomTauLeaky, make_twin, set_draws
from stochi.train.networks import RepeatSteps
from tests.conftest import NETWORKS, dense_net
from tests.train.steps import losses_of_training

DISTRIBUTIONS = [LogitNormal(1.3), Uniform(0.2, 0.9), NormalTau(3.0, 0.5)]
each_distribution = pytest.mark.parametrize("distribution", DISTRIBUTIONS, ids=lambda d: d.name)


def differences(function, at: list[float], distance: float) -> torch.Tensor:  # type: ignore[no-untyped-def]
    """Central finite differences of a function of parameters, (k, …)."""
    found = []
    for place in range(len(at)):
        up, down = list(at), list(at)
        up[place] += distance
        down[place] -= distance
        found.append((function(up) - function(down)) / (2 * distance))
    return torch.stack(found)


def run_neuron(neuron: RandomTauLeaky, currents: torch.Tensor) -> torch.Tensor:
    neuron.reset_mem()
    return torch.stack([neuron(current)[1] for current in currents])


MODES = [
    {},
    {"input_gain": "mean"},
    {"sampling": "forward"},
    {"sampling": "mean"},
]


@pytest.mark.parametrize(
    ("distribution", "mode"),
    [
        (distribution, mode)
        for distribution in DISTRIBUTIONS
        for mode in MODES
        if distribution.name != "logit-normal"
        or mode.get("sampling") != "mean"  # which is an error
    ],
    ids=str,
)
def test_float_gradients_are_those_of_finite_differences(
    distribution: DecayDistribution, mode: dict
) -> None:
    currents = torch.rand(5, 2, 7, dtype=torch.float64)
    weights = torch.rand(5, 2, 7, dtype=torch.float64)

    def loss(parameters: list[float]) -> tuple[torch.Tensor, torch.Tensor]:
        neuron = RandomTauLeaky(
            threshold=10,
            distribution=distribution,
            learn_distribution=True,
            init_hidden=True,
            output=True,
            generator=torch.Generator().manual_seed(5),
            **mode,
        ).double()
        learned = neuron.distribution_parameters
        assert learned is not None
        learned.data = torch.tensor(parameters, dtype=torch.float64)
        return (weights * run_neuron(neuron, currents)).sum(), learned

    value, learned = loss(list(distribution.parameters))
    value.backward()
    expected = differences(lambda at: loss(at)[0].detach(), list(distribution.parameters), 1e-6)
    assert learned.grad is not None and float(learned.grad.abs().min()) > 1e-3
    assert torch.allclose(learned.grad, expected, rtol=1e-6, atol=1e-8)


@each_distribution
@pytest.mark.parametrize("bits", [1, 4, 8])
def test_levels_are_the_chip_s_and_have_the_gradients_of_the_quantiles(
    distribution: DecayDistribution, bits: int
) -> None:
    def quantiles(parameters: list[float]) -> torch.Tensor:
        exact = type(distribution)(*parameters)
        return torch.tensor([exact.quantile((i + 0.5) / 2**bits) for i in range(2**bits)])

    table = decay_table(distribution, bits)
    parameters = torch.tensor(distribution.parameters, dtype=torch.float64)
    levels = learned_levels(distribution, parameters, table)
    assert torch.equal(levels, torch.from_numpy(table) / DECAY_UNITY)
    slopes = torch.autograd.functional.jacobian(
        lambda p: learned_levels(distribution, p, table), parameters
    )
    torch.set_default_dtype(torch.float64)
    try:
        expected = differences(quantiles, list(distribution.parameters), 1e-6).T
    finally:
        torch.set_default_dtype(torch.float32)
    assert torch.allclose(slopes, expected, atol=1e-7)


@each_distribution
@pytest.mark.parametrize("sampling", ["step", "forward"])
def test_a_float_neuron_with_a_table_passes_gradients_through_its_rounding(
    distribution: DecayDistribution, sampling: str
) -> None:
    """Against the same draws from levels that are not rounded, by finite differences."""
    currents = torch.rand(4, 3, 9, dtype=torch.float64)
    neuron = RandomTauLeaky(
        threshold=10,
        bits=5,
        sampling=sampling,
        distribution=distribution,
        learn_distribution=True,
        init_hidden=True,
        output=True,
        generator=torch.Generator().manual_seed(1),
    ).double()
    run_neuron(neuron, currents)[-1].sum().backward()
    generator = torch.Generator().manual_seed(1)
    drawn = [torch.randint(32, (3, 9), generator=generator) for _ in range(4)]

    def reference(parameters: list[float]) -> torch.Tensor:
        exact = type(distribution)(*parameters)
        levels = torch.tensor(
            [exact.quantile((i + 0.5) / 32) for i in range(32)], dtype=torch.float64
        )
        membrane = torch.zeros(3, 9, dtype=torch.float64)
        for step, current in enumerate(currents):
            decay = levels[drawn[step if sampling == "step" else 0]]
            membrane = decay * membrane + (1 - decay) * current
        return membrane.sum()

    expected = differences(reference, list(distribution.parameters), 1e-6)
    learned = neuron.distribution_parameters
    assert learned is not None and learned.grad is not None
    assert torch.allclose(learned.grad, expected, rtol=2e-3, atol=1e-3)


@each_distribution
@pytest.mark.parametrize("bits", [None, 3])
def test_learning_changes_no_value(distribution: DecayDistribution, bits: int | None) -> None:
    currents = torch.rand(4, 3, 9)
    seen = []
    for learn in (False, True):
        neuron = RandomTauLeaky(
            distribution=distribution,
            bits=bits,
            learn_distribution=learn,
            init_hidden=True,
            output=True,
            generator=torch.Generator().manual_seed(2),
        )
        seen.append(run_neuron(neuron, currents))
        assert ("distribution_parameters" in neuron.state_dict()) is learn
        assert len(list(neuron.parameters())) == learn
    assert torch.allclose(seen[0], seen[1], rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize(
    ("distribution", "outside", "inside"),
    [
        (LogitNormal(1.0), [-0.3], [0.0]),
        (Uniform(0.2, 0.4), [-0.25, 1.5], [0.0, 1.0]),
        (Uniform(0.2, 0.4), [0.75, 0.25], [0.5, 0.5]),
        (NormalTau(2.0, 1.0), [0.5, -1.0], [1.0, 0.0]),
    ],
)
def test_parameters_out_of_range_go_to_its_edge_and_can_leave_it(
    distribution: DecayDistribution, outside: list[float], inside: list[float]
) -> None:
    neuron = RandomTauLeaky(distribution=distribution, learn_distribution=True, init_hidden=True)
    learned = neuron.distribution_parameters
    assert learned is not None
    learned.data = torch.tensor(outside)
    neuron(torch.rand(2, 3)).sum().backward()
    assert learned.tolist() == inside
    assert neuron.distribution == type(distribution)(*inside)
    assert float(neuron.beta) == pytest.approx(neuron.distribution.mean)
    back = (torch.tensor(inside) + torch.tensor(distribution.parameters)) / 2
    learned.data = back.clone()
    neuron.reset_mem()
    neuron(torch.rand(2, 3))
    assert torch.equal(learned, back)


def test_they_travel_with_the_state_dict_and_the_graph() -> None:
    net = dense_net(distribution=NormalTau(2.0, 0.5), learn_distribution=True, bits=4)
    net.network.lif1.distribution_parameters.data = torch.tensor([3.0, 0.75])
    other = dense_net(distribution=NormalTau(2.0, 0.5), learn_distribution=True, bits=4)
    other.load_state_dict(net.state_dict())
    assert other.network.lif1.distribution == NormalTau(3.0, 0.75)
    graph = to_nir(other, torch.rand(1, 1, 4, 4))
    node = graph.nodes["network.lif1"]
    noted = read_random_tau("network.lif1", node)
    assert noted is not None and noted.distribution == NormalTau(3.0, 0.75) and noted.bits == 4
    assert np.allclose(1 - 1e-3 / node.tau, NormalTau(3.0, 0.75).mean)
    table = lower(graph).layers[0].decay.values
    assert np.array_equal(table, decay_table(NormalTau(3.0, 0.75), 4))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"distribution": Empirical((0.2, 0.5))}, "no parameters to learn"),
        ({"sampling": "fixed"}, "draws each neuron's decay once"),
        ({"sampling": "mean"}, "½ for every σ"),
    ],
)
def test_distributions_that_cannot_be_learned_are_errors(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        RandomTauLeaky(learn_distribution=True, **options)


@pytest.mark.parametrize("bits", [None, 6])
@pytest.mark.parametrize("sampling", ["step", "forward"])
def test_sigma_finds_that_of_a_teacher(bits: int | None, sampling: str) -> None:
    """From how much the teacher's membranes scatter, which is all that σ changes here."""
    options = {"threshold": 10, "sampling": sampling, "init_hidden": True, "output": True}
    currents = torch.ones(3, 64, 200)
    teacher = RandomTauLeaky(sigma=2.0, **options)
    with torch.no_grad():
        scatter = run_neuron(teacher, currents).var((1, 2))
    student = RandomTauLeaky(sigma=0.5, bits=bits, learn_distribution=True, **options)
    optimizer = torch.optim.Adam(student.parameters(), 0.05)
    for _ in range(150):
        error = run_neuron(student, currents).var((1, 2)) / scatter - 1
        optimizer.zero_grad()
        error.square().sum().backward()
        optimizer.step()
    assert student.distribution.parameters[0] == pytest.approx(2.0, abs=0.15)


def one_layer(distribution: DecayDistribution, **options: object) -> RepeatSteps:
    """Six inputs, forty neurons, whose rates are read."""
    neuron = RandomTauLeaky(
        threshold=0.3,
        distribution=distribution,
        learn_distribution=True,
        init_hidden=True,
        **options,
    )
    layers = OrderedDict(fc=nn.Linear(6, 40), lif=neuron)
    with torch.no_grad():
        layers["fc"].weight *= 3
    return RepeatSteps(nn.Sequential(layers), 5).eval()


@pytest.mark.parametrize(
    ("distribution", "options", "noise"),
    [
        (LogitNormal(1.3), {}, "decay"),
        (LogitNormal(0.05), {}, "decay"),
        (LogitNormal(1.3), {"sampling": "forward"}, "decay"),
        (Uniform(0.2, 0.9), {}, "decay"),
        (NormalTau(3.0, 0.5), {"bits": 3}, "decay"),
        (Uniform(0.2, 0.9), {"input_gain": "mean"}, "decay"),
        (NormalTau(3.0, 0.5), {"input_gain": "mean", "sampling": "forward"}, "decay"),
        (Uniform(0.2, 0.9), {"sampling": "mean"}, "decay"),
        (NormalTau(3.0, 0.5), {}, "none"),
    ],
    ids=str,
)
def test_hardware_gradients_are_those_of_the_real_valued_step(
    distribution: DecayDistribution, options: dict, noise: str
) -> None:
    """With the chip's own draws and currents; the reference's membranes are not rounded.

    Levels that are equal on the chip, as many are with σ = 0.05, are one level of their mean.
    """
    net = one_layer(distribution, **options)
    images, weights = torch.rand(8, 6), torch.rand(8, 40) - 0.3
    twin = make_twin(net, images[:1], noise=noise).train()
    set_draws(twin, seed=4, trial=1)
    layer = twin.layers["network.lif"]
    currents = [layer.begin().through(0, images).detach()] * twin.reading.time_steps
    (weights * twin(images)).sum().backward()
    ours = twin.network.lif.distribution_parameters.grad
    decay = layer.step.decay
    parameters = torch.tensor(distribution.parameters, dtype=torch.float64, requires_grad=True)
    mean = distribution.mean_decay(*parameters)  # type: ignore[attr-defined]
    count = len(decay.values) if decay.drawn else 0
    noise_levels = distribution.noise_levels(max(count, 1)).to(torch.float64)  # type: ignore[attr-defined]
    levels = distribution.decays(noise_levels, *parameters)  # type: ignore[attr-defined]
    if decay.drawn:
        equal = torch.from_numpy(decay.values[:, None] == decay.values).double()
        levels = equal @ levels / equal.sum(1)
    membrane = torch.zeros(8, 40, dtype=torch.float64)
    spikes = []
    for step, current in enumerate(currents):
        current = current.double()
        chosen = mean
        if decay.drawn:
            drawn_at = LayerDraws(seed=4, trial=1, layer=0, step=step if decay.redraw else 0)
            drawn = random_bytes(torch.arange(8), torch.arange(40), drawn_at)
            chosen = levels[drawn * count >> 8]
        if decay.programmable:
            updated = chosen * membrane + (1 - chosen) * current
        else:
            updated = chosen * membrane + current * (1 - mean) / (1 - mean.detach())
        fired = net.network.lif.spike_grad(updated - 0.3).double()
        spikes.append(fired)
        membrane = updated * (1 - fired.detach())
    (weights * torch.stack(spikes).mean(0)).sum().backward()
    rate = float(torch.stack(spikes).detach().mean())
    assert parameters.grad is not None and 0.1 < rate < 0.9
    assert float(parameters.grad.abs().min()) > 1e-3
    assert torch.allclose(ours.double(), parameters.grad, rtol=1e-3)


def test_a_distribution_that_the_chip_does_not_see_gets_no_gradient() -> None:
    """The mean is ½ for every σ, and without noise nothing else of it is on the chip."""
    twin = make_twin(one_layer(LogitNormal(1.0)), torch.rand(1, 6), noise="none").train()
    twin(torch.rand(8, 6)).sum().backward()
    grad = twin.network.lif.distribution_parameters.grad
    assert grad is None or float(grad.abs().max()) == 0
    assert twin.network.fc.weight.grad is not None


@pytest.mark.parametrize(
    ("network", "options", "noise", "bits"),
    [
        ("dense", {}, "decay", None),
        ("conv", {"distribution": Uniform(0.2, 0.7)}, "decay", 3),
        ("dense", {"distribution": NormalTau(2.0, 0.7), "input_gain": "mean"}, "decay", None),
        ("conv", {"sampling": "forward", "bits": 4, "learn_threshold": True}, "decay", None),
        ("dense", {"distribution": Uniform(0.2, 0.7)}, "none", None),
    ],
)
def test_the_twin_learns_and_deploys_what_it_learned(
    network: str, options: dict, noise: str, bits: int | None
) -> None:
    build, shape = NETWORKS[network]
    net = build(learn_distribution=True, **options)
    images, labels = torch.rand(64, *shape), torch.arange(64) % 3
    twin = make_twin(net, images[:1], noise=noise, bits=bits).train()
    started = net.network.lif1.distribution
    losses = losses_of_training(twin, images, labels, 30)
    assert sum(losses[-5:]) < 0.95 * sum(losses[:5])
    learned = twin.network.lif1.distribution
    assert net.network.lif1.distribution == started
    moved = [abs(a - b) for a, b in zip(learned.parameters, started.parameters, strict=True)]
    assert max(moved) > 0.02
    program = lower(to_nir(twin, images[:1]), noise=noise, bits=bits)
    ours = record_twin(twin, program, images, Draws(3, 1))
    theirs = run(program, images, seed=3, trial=1, probes=PROBES)
    assert sum(c.mismatches for c in compare_records(ours, theirs)) == 0
    again = make_twin(twin, images[:1], noise=noise, bits=bits)
    assert again.network.lif1.learn_distribution
    ours = record_twin(again, program, images, Draws(3, 1))
    assert sum(c.mismatches for c in compare_records(ours, theirs)) == 0


def test_the_distribution_alone_lowers_the_twin_s_loss() -> None:
    """With all else frozen, towards the rates of a teacher on the chip."""
    images = torch.rand(64, 6)
    torch.manual_seed(1)
    teacher_net = one_layer(LogitNormal(2.5))
    torch.manual_seed(1)
    teacher = make_twin(teacher_net, images[:1])
    student = make_twin(one_layer(LogitNormal(0.5)), images[:1]).train()
    student.load_state_dict(
        {
            **teacher.state_dict(),
            "network.lif.distribution_parameters": torch.tensor([0.5]),
        }
    )
    sigma = student.network.lif.distribution_parameters
    with torch.no_grad():
        rates = torch.stack([draw(teacher, images, t) for t in range(20)]).mean((0, 1))
    optimizer = torch.optim.Adam([sigma], 0.1)
    losses = []
    for trial in range(40):
        loss = (draw(student, images, 100 + trial).mean(0) - rates).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert sum(losses[-5:]) < 0.5 * sum(losses[:5])
    assert abs(math.log(float(sigma.detach()) / 2.5)) < abs(math.log(0.5 / 2.5)) / 2


def draw(model: nn.Module, images: torch.Tensor, trial: int) -> torch.Tensor:
    set_draws(model, trial=trial)
    return model(images)


def test_a_copy_learns_by_itself() -> None:
    images = torch.rand(4, 6)
    twin = make_twin(one_layer(LogitNormal(1.0)), images[:1])
    copied = copy.deepcopy(twin)
    before = twin(images).detach()
    copied.network.lif.distribution_parameters.data.fill_(3.0)
    copied(images)
    tables = [m.layers["network.lif"].step.decay.values for m in (twin, copied)]
    assert np.array_equal(tables[0], decay_table(LogitNormal(1.0), 8))
    assert np.array_equal(tables[1], decay_table(LogitNormal(3.0), 8))
    assert torch.equal(twin(images), before)
