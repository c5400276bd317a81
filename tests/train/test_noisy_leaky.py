"""Noisy neurons: their step, their draws, and networks and checkpoints that are built of them."""

from pathlib import Path
from statistics import NormalDist

import pytest
import snntorch as snn
import torch
from torch import nn

from stochi.errors import InputError
from stochi.train import NetworkConfig, NoisyLeaky, load_checkpoint, save_checkpoint
from stochi.train.neurons.choice import NeuronChoice
from tests.train.steps import drive

CURRENTS = torch.rand(6, 5, 7, generator=torch.Generator().manual_seed(1)) * 1.5


@pytest.mark.parametrize("reset_delay", [False, True])
@pytest.mark.parametrize("reset", ["zero", "subtract", "none"])
def test_without_noise_it_is_snn_leaky(reset: str, reset_delay: bool) -> None:
    options = {"threshold": 0.8, "reset_mechanism": reset, "reset_delay": reset_delay}
    quiet = NoisyLeaky(0.7, noise_std=0.5, **options)  # type: ignore[arg-type]
    quiet.quiet = True
    ours, theirs = drive(CURRENTS, quiet), drive(CURRENTS, snn.Leaky(beta=0.7, **options))
    assert theirs[0].any()
    assert all(torch.equal(*pair) for pair in zip(ours, theirs, strict=True))


@pytest.mark.parametrize("distribution", ["normal", "uniform"])
def test_noise_is_added_to_the_membrane_and_leaks_with_it(distribution: str) -> None:
    def neuron() -> NoisyLeaky:
        own = torch.Generator().manual_seed(3)
        return NoisyLeaky(
            0.5, noise_std=0.3, distribution=distribution, threshold=1e9, generator=own
        )

    drawn = neuron()
    noise = [drawn.noise.draw(current, drawn.generator) for current in CURRENTS]
    expected, membrane = [], torch.zeros_like(CURRENTS[0])
    for current, added in zip(CURRENTS, noise, strict=True):
        membrane = 0.5 * membrane + current + added
        expected.append(membrane)
    assert torch.allclose(drive(CURRENTS, neuron())[1], torch.stack(expected))


@pytest.mark.parametrize("distribution", ["normal", "uniform"])
def test_the_noise_s_moments(distribution: str) -> None:
    count = 200_000
    noise = NoisyLeaky(noise_std=0.25, distribution=distribution).noise
    drawn = noise.draw(torch.zeros(count, dtype=torch.float64), None)
    assert abs(float(drawn.mean())) < 4 * 0.25 / count**0.5
    assert abs(float(drawn.std()) / 0.25 - 1) < 4 / (2 * count) ** 0.5
    kurtosis = float((drawn / drawn.std()).pow(4).mean())
    assert kurtosis == pytest.approx({"normal": 3.0, "uniform": 1.8}[distribution], abs=0.06)
    if distribution == "uniform":
        assert drawn.abs().max() <= 0.25 * 3**0.5


def test_samples_neurons_and_steps_draw_independently() -> None:
    neuron = NoisyLeaky(0.0, noise_std=0.2, threshold=1e9, init_hidden=True, output=True)
    membranes = torch.stack([neuron(torch.zeros(500, 4))[1] for _ in range(3)])
    rows = membranes.permute(0, 2, 1).reshape(12, 500)
    correlation = torch.corrcoef(rows) - torch.eye(12)
    assert correlation.abs().max() < 5 / 500**0.5


def test_a_firing_probability_is_the_normal_distribution_s() -> None:
    neuron = NoisyLeaky(0.0, noise_std=0.5, threshold=1.0, init_hidden=True)
    rate = float(neuron(torch.full((100_000, 1), 0.75)).mean())
    assert rate == pytest.approx(1 - NormalDist().cdf(0.5), abs=0.007)


def test_gradients_pass_and_eval_mode_is_noisy_too() -> None:
    torch.manual_seed(1)
    net = nn.Sequential(nn.Linear(7, 9), NoisyLeaky(init_hidden=True, learn_beta=True)).eval()
    given = CURRENTS[0].clone().requires_grad_()
    net(given).sum().backward()
    assert given.grad is not None and given.grad.abs().max() > 0
    membranes = []
    for _ in range(2):
        net[1].reset_mem()
        net(CURRENTS[0])
        membranes.append(net[1].mem)
    assert not torch.equal(*membranes)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"noise_std": 0.0}, "noise_std is 0.0; it must be above 0"),
        ({"noise_std": -1.0}, "noise_std is -1.0"),
        ({"distribution": "cauchy"}, "distribution is 'cauchy'; choose from normal, uniform"),
        ({"beta": 1.5}, "beta is 1.5; a decay lies in"),
        ({"threshold": -1.0}, "threshold is -1.0"),
        ({"reset_mechanism": "half"}, "reset_mechanism is 'half'"),
    ],
)
def test_options_out_of_range(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        NoisyLeaky(**options)


def test_a_checkpoint_holds_a_noisy_network(tmp_path: Path) -> None:
    network = NetworkConfig(time_steps=2, channels=(2, 3), neuron="noisy", noise_std=0.3)
    save_checkpoint(tmp_path / "net.pt", network.build(), network, {})
    model, content = load_checkpoint(tmp_path / "net.pt")
    assert content["network"]["noise_std"] == 0.3
    neurons = [m for m in model.modules() if isinstance(m, NoisyLeaky)]
    assert [neuron.noise.std for neuron in neurons] == [0.3, 0.3]


def test_the_choice_names_and_checks_its_noise() -> None:
    assert NeuronChoice("noisy", noise_std=0.25).title == "noisy LIF (deviation 0.25)"
    with pytest.raises(InputError, match="noise_std is 0"):
        NeuronChoice("noisy", noise_std=0)
