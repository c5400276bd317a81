"""TRADES: its loss, its attack, and the draws that its two passes share."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from stochi.attacks.objectives import divergence_from
from stochi.errors import InputError
from stochi.train import RandomTauLeaky, RepeatSteps
from stochi.train.defences.catalogue import make_defence
from stochi.train.defences.trades import DivergingPGD, Trades
from stochi.train.twin.model import FreshDraws, make_twin
from tests.conftest import dense_net

IMAGES, LABELS = torch.rand(6, 1, 4, 4, generator=torch.Generator().manual_seed(1)), [0, 1, 2] * 2


def loss_of(defence: Trades, model: nn.Module, seed: int = 2) -> torch.Tensor:
    torch.manual_seed(seed)
    return defence.loss(model, IMAGES, torch.tensor(LABELS))


def test_the_divergence_is_kullback_s_and_leibler_s() -> None:
    expected = torch.tensor([[0.5, 0.25, 0.25], [1.0, 0.0, 0.0]])
    answered = torch.tensor([[[0.25, 0.5, 0.25]] * 2, [[0.5, 0.25, 0.25]] * 2]).log()
    found = divergence_from(expected)(answered, torch.zeros(2).long())
    first = 0.5 * torch.tensor(2.0).log() - 0.25 * torch.tensor(2.0).log()
    ends = (torch.tensor(4.0).log() + torch.tensor(2.0).log()) / 2
    assert torch.allclose(found, torch.stack([first / 2, ends]))


def test_the_loss_of_a_linear_model() -> None:
    model, labels = nn.Sequential(nn.Flatten(), nn.Linear(16, 3)), torch.tensor(LABELS)
    defence = Trades(0.1, beta=2.5)
    torch.manual_seed(2)
    attack = defence.attack(int(torch.randint(2**62, ())))
    moved = model(attack(model, IMAGES, labels))
    clean = model(IMAGES)
    probabilities = clean.softmax(1)
    divergence = (probabilities * (probabilities / moved.softmax(1)).log()).sum(1).mean()
    expected = functional.cross_entropy(clean, labels) + 2.5 * divergence
    found = loss_of(defence, model)
    assert divergence > 0.001
    assert torch.allclose(found, expected)
    ours, theirs = (torch.autograd.grad(x, model[1].weight)[0] for x in (found, expected))
    assert torch.allclose(ours, theirs, atol=1e-6)


@pytest.mark.parametrize("kind", ["neurons", "own generators", "twin"])
def test_both_answers_are_of_the_same_draws(kind: str) -> None:
    """At x' = x a random model diverges from itself by nothing, and the gradient is plain."""
    own = torch.Generator().manual_seed(4)
    model: nn.Module = dense_net(generator=own if kind == "own generators" else None).train()
    if kind == "twin":
        model = FreshDraws(make_twin(model, IMAGES[:1]), seed=1).train()
    assert not torch.equal(model(IMAGES), model(IMAGES))
    found = []
    for beta in (0.0, 6.0):
        own.manual_seed(4)
        if isinstance(model, FreshDraws):
            model.calls = 0
        loss = loss_of(Trades(0.0, beta=beta), model)
        found.append((loss, *torch.autograd.grad(loss, list(model.parameters()))))
    for plain, ours in zip(*found, strict=True):
        assert torch.allclose(plain, ours, rtol=0, atol=1e-6)


def test_the_next_batch_has_other_draws() -> None:
    torch.manual_seed(0)
    defence, model = Trades(0.0), dense_net().train()
    first, second = (defence.loss(model, IMAGES, torch.tensor(LABELS)) for _ in range(2))
    assert first != second


def test_the_attack_starts_near_the_images_and_diverges() -> None:
    attack = make_defence("trades", epsilon=0.2, start=0.25).attack(3)  # type: ignore[attr-defined]
    assert isinstance(attack, DivergingPGD)
    middle = torch.full((50, 1, 4, 4), 0.5)
    change = attack.random_start(middle, torch.Generator().manual_seed(0)) - middle
    assert 0.045 < change.abs().max() <= 0.05 + 1e-6
    model = dense_net(sampling="mean")
    wrong_labels = [attack(model, IMAGES, torch.tensor(labels)) for labels in (LABELS, [2] * 6)]
    assert torch.equal(*wrong_labels)  # labels are no part of it
    with torch.no_grad():
        clean, moved = (model(x).softmax(1) for x in (IMAGES, wrong_labels[0]))
    assert (clean - moved).abs().max() > 0.01


def test_beta_weighs_the_divergence() -> None:
    model = dense_net(sampling="mean").train()
    losses = [loss_of(Trades(0.2, beta=beta), model) for beta in (0.0, 1.0, 3.0)]
    assert losses[1] > losses[0]
    assert torch.allclose(losses[2] - losses[0], 3 * (losses[1] - losses[0]), rtol=1e-4)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"beta": -1.0}, "beta is -1.0; it must be a number of at least 0"),
        ({"beta": float("nan")}, "beta is nan"),
        ({"start": 0.0}, "start is 0.0; it must be above 0 and at most 1"),
        ({"start": 1.5}, "start is 1.5"),
        ({"iterations": 0}, "iterations is 0"),
        ({"epsilon": 2.0}, "epsilon is 2.0"),
    ],
)
def test_parameters_out_of_range(parameters: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_defence("trades", **parameters)


def test_neurons_with_fixed_decays_train() -> None:
    neuron = RandomTauLeaky(sampling="fixed", threshold=0.3, init_hidden=True)
    model = RepeatSteps(nn.Sequential(nn.Flatten(), nn.Linear(16, 8), neuron, nn.Linear(8, 3)), 3)
    assert loss_of(Trades(0.1), model.train()).isfinite()
