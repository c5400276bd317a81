"""Neurons with random gates: what passes, what resets, and what is learned."""

from pathlib import Path

import pytest
import snntorch as snn
import torch
from torch import nn

from stochi.errors import InputError
from stochi.train import GatedLeaky, NetworkConfig, load_checkpoint, save_checkpoint
from stochi.train.neurons.choice import NeuronChoice
from tests.train.steps import drive

CURRENTS = torch.rand(6, 50, 70, generator=torch.Generator().manual_seed(1)) * 1.5


@pytest.mark.parametrize("reset_delay", [False, True])
@pytest.mark.parametrize("reset", ["zero", "subtract", "none"])
def test_a_gate_stops_spikes_and_changes_no_membrane(reset: str, reset_delay: bool) -> None:
    options = {"threshold": 0.8, "reset_mechanism": reset, "reset_delay": reset_delay}
    theirs = drive(CURRENTS, snn.Leaky(beta=0.7, **options))
    gated = drive(CURRENTS, GatedLeaky(0.7, open_share=0.6, **options))  # type: ignore[arg-type]
    opened = drive(CURRENTS, GatedLeaky(0.7, open_share=1.0, **options))  # type: ignore[arg-type]
    assert torch.equal(gated[1], theirs[1])
    assert all(torch.equal(*pair) for pair in zip(opened, theirs, strict=True))
    assert bool((gated[0] <= theirs[0]).all())
    passed = gated[0][theirs[0] > 0]
    error = (0.6 * 0.4 / passed.numel()) ** 0.5
    assert abs(float(passed.mean()) - 0.6) < 4 * error


def test_gates_open_independently() -> None:
    neuron = GatedLeaky(0.0, open_share=0.5, threshold=0.1, init_hidden=True)
    passed = torch.stack([neuron(torch.ones(500, 4)) for _ in range(3)])
    rows = passed.permute(0, 2, 1).reshape(12, 500)
    correlation = torch.corrcoef(rows) - torch.eye(12)
    assert correlation.abs().max() < 5 / 500**0.5


def test_neurons_have_probabilities_of_their_own() -> None:
    share = torch.tensor([0.1, 0.5, 0.9, 1.0])
    neuron = GatedLeaky(0.0, open_share=share, threshold=0.1, init_hidden=True)
    found = neuron(torch.ones(20_000, 4)).mean(0)
    assert torch.allclose(found, share, atol=0.015)


def test_learned_gates_have_the_mean_s_gradient() -> None:
    neuron = GatedLeaky(0.0, open_share=torch.full((3,), 0.4), learn_gates=True, threshold=0.5)
    current = torch.tensor([[0.0, 1.0, 1.0]]).repeat(200, 1)
    spikes, _ = neuron(current, neuron.reset_mem())
    (found,) = torch.autograd.grad(spikes.mean(0).sum(), neuron.open_share)
    assert torch.allclose(found, torch.tensor([0.0, 1.0, 1.0]))
    with torch.no_grad():
        neuron.open_share.copy_(torch.tensor([-1.0, 0.3, 7.0]))
    assert torch.equal(neuron.gate_shares(), torch.tensor([0.1, 0.3, 1.0]))


def test_gradients_pass_open_gates_only() -> None:
    neuron = GatedLeaky(0.0, open_share=0.5, threshold=0.5)
    current = torch.full((1, 400), 0.6, requires_grad=True)
    spikes, _ = neuron(current, neuron.reset_mem())
    (found,) = torch.autograd.grad(spikes.sum(), current)
    assert torch.equal(found > 0, spikes > 0)  # all of them would spike


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"open_share": 0.0}, "open_share is 0.0; it must be above 0 and at most 1"),
        ({"open_share": 1.5}, "open_share is 1.5"),
        ({"open_share": torch.tensor([0.5, float("nan")])}, "open_share is tensor"),
        ({"open_share": torch.zeros(0)}, "open_share is tensor"),
        ({"beta": -0.1}, "beta is -0.1"),
        ({"reset_mechanism": "half"}, "reset_mechanism is 'half'"),
    ],
)
def test_options_out_of_range(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        GatedLeaky(**options)


def test_a_checkpoint_holds_a_gated_network(tmp_path: Path) -> None:
    network = NetworkConfig(time_steps=2, channels=(2, 3), neuron="gated", open_share=0.7)
    save_checkpoint(tmp_path / "net.pt", network.build(), network, {})
    model, content = load_checkpoint(tmp_path / "net.pt")
    assert content["network"]["open_share"] == 0.7
    neurons = [m for m in model.modules() if isinstance(m, GatedLeaky)]
    assert [float(neuron.open_share) for neuron in neurons] == pytest.approx([0.7, 0.7])
    assert not any(isinstance(neuron.open_share, nn.Parameter) for neuron in neurons)


def test_the_choice_names_and_checks_its_gates() -> None:
    assert NeuronChoice("gated", open_share=0.75).title == "gated LIF (open with 0.75)"
    with pytest.raises(InputError, match="open_share is 0"):
        NeuronChoice("gated", open_share=0.0)
