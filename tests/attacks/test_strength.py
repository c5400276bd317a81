"""Relations between the attacks' strengths, on a small trained network."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import nn

from stochi.attacks import (
    APGD,
    FAB,
    FGSM,
    MIFGSM,
    PGD,
    SAPGD,
    AutoAttack,
    HopSkipJump,
    Square,
    UniformNoise,
)
from stochi.attacks.base import Attack, ImageAttack
from stochi.statistics.intervals import Estimate, estimate_difference
from tests.attacks.trained import relu_net, right_answers, some_images, trained_net

IMAGES = 80


def gain(weaker: torch.Tensor, stronger: torch.Tensor, sampling: str) -> Estimate:
    """Estimate the accuracy under the attack that should be stronger minus that under the other."""
    net, labels = trained_net(sampling), some_images(len(weaker)).labels
    return estimate_difference(
        right_answers(net, weaker, labels), right_answers(net, stronger, labels)
    )


@cache
def attacked(attack: Attack, sampling: str = "step", images: int = IMAGES) -> torch.Tensor:
    shown = some_images(images)
    return attack(trained_net(sampling), shown.inputs, shown.labels)


def accuracy(attack: Attack, sampling: str = "step", images: int = IMAGES) -> float:
    found, labels = attacked(attack, sampling, images), some_images(images).labels
    return float(right_answers(trained_net(sampling), found, labels).double().mean())


@pytest.mark.slow
@pytest.mark.parametrize(
    "weaker, stronger",
    [
        (UniformNoise(0.1), FGSM(0.1)),
        (FGSM(0.1), PGD(0.1, iterations=10)),
        (FGSM(0.1), FGSM(0.1, surrogates="own, adaptive")),
        (PGD(0.1, draws=5), PGD(0.1, draws=5, surrogates="own, atan-25")),
        (PGD(0.1, draws=5), PGD(0.1, draws=5, schedule="cosine")),
        (PGD(0.1, iterations=5), SAPGD(0.1, iterations=20, draws=5)),
        (FGSM(0.1), MIFGSM(0.1, iterations=10)),
        (PGD(0.1, iterations=2), PGD(0.1, iterations=20)),
        (PGD(0.05, iterations=10), PGD(0.1, iterations=10)),
        (PGD(0.1, iterations=10, draws=1), PGD(0.1, iterations=10, draws=10)),
        (PGD(0.1, iterations=5), PGD(0.1, iterations=5, restarts=4)),
        (APGD(0.1, iterations=10, draws=1), APGD(0.1, iterations=10, draws=10)),
        (APGD(0.1, iterations=4, draws=5), APGD(0.1, iterations=20, draws=5)),
        (APGD(0.1, iterations=10, loss="dlr"), AutoAttack(0.1, iterations=10, draws=10)),
        (Square(0.1, iterations=10, draws=3), Square(0.1, iterations=100, draws=3)),
    ],
    ids=lambda attack: attack.name,
)
def test_an_attack_that_should_be_stronger_never_helps_the_defender(
    weaker: Attack, stronger: Attack
) -> None:
    assert gain(attacked(weaker), attacked(stronger), "step").low <= 0


def test_strong_attacks_are_strong() -> None:
    clean, noise = accuracy(PGD(0.0)), accuracy(UniformNoise(0.1))
    found = accuracy(PGD(0.1))
    assert clean > 0.85 and noise > clean - 0.06 and found < clean - 0.25


@pytest.mark.slow
@pytest.mark.parametrize("sampling, draws", [("step", 10), ("mean", 1)])
def test_fab_beats_fgsm_and_comes_near_pgd(sampling: str, draws: int) -> None:
    found = accuracy(FAB(0.1, iterations=20, draws=draws, targets=3), sampling)
    assert found < accuracy(FGSM(0.1, draws=draws), sampling)
    assert found < accuracy(PGD(0.1, draws=draws), sampling) + 0.06


@pytest.mark.parametrize("sampling", ["step", "mean"])
def test_nothing_is_left_without_a_bound(sampling: str) -> None:
    assert accuracy(PGD(1.0, iterations=20, draws=5), sampling, 50) == 0


@pytest.mark.parametrize("sampling, draws", [("step", 5), ("mean", 1)])
@pytest.mark.parametrize(
    "black, images",
    [
        (Square(0.1, iterations=100), 20),
        (HopSkipJump(0.1, iterations=2, directions=30, starts=30), 8),
    ],
    ids=["Square", "HopSkipJump"],
)
def test_black_box_never_beats_white_box(
    black: Square | HopSkipJump, images: int, sampling: str, draws: int
) -> None:
    white = attacked(APGD(0.1, iterations=20, draws=10), sampling, images)
    found = attacked(replace(black, draws=draws), sampling, images)
    assert gain(found, white, sampling).low <= 0


@pytest.mark.parametrize(
    "black",
    [Square(0.2, iterations=100, draws=1), HopSkipJump(0.2, iterations=6, draws=1)],
    ids=["Square", "HopSkipJump"],
)
def test_black_box_attacks_find_something(black: Attack) -> None:
    assert accuracy(black, "mean", 10) < accuracy(PGD(0.0), "mean", 10) - 0.2


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "plain": lambda: trained_net("mean"),
    "random": lambda: trained_net("step"),
    "defended": lambda: trained_net("mean", defended=True),
    "ReLU": relu_net,
}


@cache
def attacked_on(network: str, attack: ImageAttack, images: int = IMAGES) -> torch.Tensor:
    shown = some_images(images)
    return attack(NETWORKS[network](), shown.inputs, shown.labels)


@pytest.mark.slow
@pytest.mark.parametrize(
    "single",
    [
        PGD(0.1),
        PGD(0.1, schedule="cosine", surrogates="adaptive"),
        PGD(0.1, schedule="cosine", surrogates="atan-25"),
        SAPGD(0.1, surrogates="adaptive"),
        APGD(0.1, loss="margin", surrogates="adaptive"),
        APGD(0.1),
        AutoAttack(0.1, draws=10),
    ],
    ids=lambda attack: attack.title,
)
@pytest.mark.parametrize("network", NETWORKS)
def test_no_attack_beats_the_ensemble_at_equal_cost(single: ImageAttack, network: str) -> None:
    """The ensemble has four parts, AutoAttack rand two, of so many iterations each."""
    parts = 2 if isinstance(single, AutoAttack) else 1
    if network == "ReLU":  # which has no surrogate to replace
        single = replace(single, surrogates="own")
    alone = attacked_on(network, replace(single, iterations=4 * 15 // parts, draws=4))
    together = attacked_on(network, AutoAttack(0.1, version="snn", iterations=15, draws=4))
    labels = some_images(IMAGES).labels
    model = NETWORKS[network]()
    lost = estimate_difference(
        right_answers(model, alone, labels), right_answers(model, together, labels)
    )
    assert lost.low <= 0


@pytest.mark.slow
def test_the_ensemble_is_far_stronger_than_the_networks_own_surrogate_on_spikes() -> None:
    images, gained = 250, {}
    for network in ("plain", "defended", "ReLU"):
        model, labels = NETWORKS[network](), some_images(images).labels
        rand = attacked_on(network, AutoAttack(0.1, iterations=30, draws=1), images)
        snn = attacked_on(network, AutoAttack(0.1, version="snn", iterations=15, draws=1), images)
        gained[network] = estimate_difference(
            right_answers(model, rand, labels), right_answers(model, snn, labels)
        )
    assert gained["plain"].high < 0 and gained["defended"].high < 0
    assert gained["ReLU"].low <= 0 <= gained["ReLU"].high
