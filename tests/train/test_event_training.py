"""Adversarial training on events."""

from collections import OrderedDict
from functools import cache

import pytest
import torch
from torch import nn

from stochi.attacks import TopGradient
from stochi.attacks.events.budget import EventBudget
from stochi.attacks.expectation import answers
from stochi.data import Images, Streams
from stochi.errors import InputError
from stochi.statistics.intervals import estimate_difference
from stochi.train import RandomTauLeaky, RepeatSteps, TrainingConfig, make_defence, train_classifier
from stochi.train.defences.defence import Defence
from stochi.train.defences.event_training import EventTraining


def quarters(count: int, seed: int) -> Streams:
    """Return noise that is denser in the class's quarter, and five events that tell it for sure."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(4, (count,), generator=generator)
    rates = torch.full((5, count, 2, 8, 8), 0.08)
    for number, label in enumerate(labels.tolist()):
        top, left = 4 * (label // 2), 4 * (label % 2)
        rates[:, number, :, top : top + 4, left : left + 4] = 0.2
    events = (torch.rand(rates.shape, generator=generator) < rates).float()
    events[:, :, :, 0, :4] = 0
    events[:, torch.arange(count), :, 0, labels] = 1
    return Streams(events, labels)


def small_net(sampling: str) -> RepeatSteps:
    neuron = RandomTauLeaky(threshold=0.2, sampling=sampling, init_hidden=True)
    layers = OrderedDict(
        flatten=nn.Flatten(), fc=nn.Linear(128, 32), lif=neuron, readout=nn.Linear(32, 4)
    )
    return RepeatSteps(nn.Sequential(layers), 5, events=True)


@cache
def trained(sampling: str, flips: int | None) -> nn.Module:
    """Train for a fixed number of epochs, with no choice among them."""
    draws = 1 if sampling == "mean" else 2
    defence = EventTraining(flips, 2, draws) if flips else Defence()
    samples = quarters(400, 0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = small_net(sampling)
        optimizer = torch.optim.Adam(net.parameters(), 1e-2)
        for _ in range(12):
            for rows in torch.randperm(400).split(50):
                batch = samples.select(rows)
                loss = defence.loss(net.train(), batch.inputs, batch.labels)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
    return net.eval()


def right(model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return (trials, samples) bool on draws that no attack has seen."""
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(12345)
        return answers(model, inputs, 20, 1).argmax(2) == labels


@pytest.mark.slow
@pytest.mark.parametrize("sampling", ["mean", pytest.param("step", marks=pytest.mark.slow)])
def test_it_raises_accuracy_under_attack(sampling: str) -> None:
    shown, draws = quarters(200, 1), 1 if sampling == "mean" else 5
    attack = TopGradient(30, 1, 10, draws=draws, surrogates=("own", "atan-25"))
    plain, defended = (trained(sampling, flips) for flips in (None, 30))
    found = [
        right(model, attack(model, shown.inputs, shown.labels), shown.labels)
        for model in (plain, defended)
    ]
    assert estimate_difference(*found).low > 0
    assert right(defended, shown.inputs, shown.labels).float().mean() > 0.9


def test_it_learns_the_attacked_batch_within_the_budget() -> None:
    shown: list[torch.Tensor] = []
    net, batch = small_net("mean").train(), quarters(6, 2)
    net.register_forward_pre_hook(lambda m, given: shown.append(given[0]) if m.training else None)
    for _ in range(2):
        EventTraining(7).loss(net, batch.inputs, batch.labels).backward()
    for attacked in shown:
        changes = EventBudget(7).count_changes(batch.inputs, attacked)
        assert (changes <= 7).all() and changes.sum() > 30
    assert len(shown) == 2 and net.training
    weights = [p for n, p in net.named_parameters() if n.endswith("weight")]
    assert all(p.grad is not None and p.grad.any() for p in weights)


def test_training_repeats_from_its_seed_and_says_what_it_did() -> None:
    config, defence = TrainingConfig(seed=3, epochs=2), make_defence("events", flips=5)
    first, second, plain = (
        train_classifier(lambda: small_net("step"), quarters(64, 0), config, defence=each)[0]
        for each in (defence, defence, None)
    )
    assert torch.equal(first.network.fc.weight, second.network.fc.weight)  # type: ignore[union-attr]
    assert not torch.equal(first.network.fc.weight, plain.network.fc.weight)  # type: ignore[union-attr]
    expected = {"name": "events", "flips": 5, "iterations": 3, "draws": 2, "surrogate": "own"}
    assert defence.as_dict() == expected


def test_mistakes_are_named() -> None:
    for parameters, message in (
        ({"flips": 0}, "flips is 0"),
        ({"flips": 2.5}, "flips is 2.5"),
        ({"iterations": 0}, "iterations is 0"),
        ({"draws": 0}, "draws is 0"),
        ({"surrogate": "own,adaptive"}, "follows a single one"),
        ({"epsilon": 0.1}, "'events' has no parameter epsilon"),
    ):
        with pytest.raises(InputError, match=message):
            make_defence("events", **parameters)  # type: ignore[arg-type]
    images = Images(torch.rand(32, 2, 8, 8), torch.arange(32) % 4)
    with pytest.raises(InputError, match="'events' trains on events, and these samples are images"):
        train_classifier(
            lambda: small_net("mean"), images, TrainingConfig(), defence=make_defence("events")
        )


@pytest.mark.parametrize("count", [0, 1, 7, 40])
def test_the_top_of_a_linear_model_is_its_largest_weights(count: int) -> None:
    weight = torch.randn(2, 5, 2, 3, 3)
    model = nn.Module()
    model.forward = lambda e: torch.einsum("tnpyx,ctpyx->nc", e, weight)  # type: ignore[method-assign]
    events, labels = (torch.rand(5, 3, 2, 3, 3) < 0.3).float(), torch.tensor([0, 1, 0])
    found = TopGradient(count, iterations=4)(model, events, labels)
    lead = torch.stack([weight[1 - label] - weight[label] for label in labels], 1)
    gain = (lead * (1 - 2 * events)).transpose(0, 1).flatten(1)
    kept = gain.sort(1, descending=True).values[:, :count].clamp_min(0).sum(1)
    reached = (lead * (found - events)).transpose(0, 1).flatten(1).sum(1)
    assert torch.allclose(reached, kept, atol=1e-4)
