"""Relations between the attacks' strengths, on a small trained network."""

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
    AutoAttack,
    HopSkipJump,
    Square,
    UniformNoise,
)
from stochi.attacks.art_library import seeded_numpy
from stochi.attacks.base import Attack
from stochi.attacks.expectation import answers
from stochi.statistics.intervals import Estimate, estimate_difference
from tests.attacks.trained import right_answers, some_images, trained_net

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


@pytest.mark.parametrize(
    "weaker, stronger",
    [
        (UniformNoise(0.1), FGSM(0.1)),
        (FGSM(0.1), PGD(0.1, iterations=10)),
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


class MeanAnswer(nn.Module):
    """The logits' mean over draws, which ART's own classifier can evaluate."""

    def __init__(self, model: nn.Module, draws: int) -> None:
        super().__init__()
        self.model, self.draws = model, draws

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return answers(self.model, images, self.draws).mean(0)


@pytest.mark.parametrize("sampling, draws", [("step", 10), ("mean", 1)])
@pytest.mark.parametrize(
    "name, options, ours",
    [
        (
            "ProjectedGradientDescent",
            {"eps_step": 0.025, "num_random_init": 1},
            PGD(0.1, iterations=10),
        ),
        (
            "AutoProjectedGradientDescent",
            {"eps_step": 0.2, "nb_random_init": 1, "loss_type": "cross_entropy"},
            APGD(0.1, iterations=10),
        ),
        (
            "AutoProjectedGradientDescent",
            {"eps_step": 0.2, "nb_random_init": 2, "loss_type": "difference_logits_ratio"},
            APGD(0.1, iterations=10, loss="dlr", restarts=2),
        ),
    ],
    ids=["PGD", "APGD-CE", "APGD-DLR"],
)
def test_no_weaker_than_art_at_the_same_budget(
    name: str, options: dict, ours: PGD | APGD, sampling: str, draws: int
) -> None:
    evasion = pytest.importorskip("art.attacks.evasion")
    from art.estimators.classification import PyTorchClassifier

    shown = some_images(IMAGES)
    classifier = PyTorchClassifier(
        MeanAnswer(trained_net(sampling), draws),
        nn.CrossEntropyLoss(),
        (1, 8, 8),
        10,
        clip_values=(0.0, 1.0),
        device_type="cpu",
    )
    attack = getattr(evasion, name)(
        classifier, eps=0.1, max_iter=10, batch_size=IMAGES, verbose=False, **options
    )
    with seeded_numpy(0):
        theirs = torch.from_numpy(attack.generate(shown.inputs.numpy(), shown.labels.numpy()))
    assert float((theirs - shown.inputs).abs().max()) <= 0.1 + 1e-6
    found = attacked(replace(ours, draws=draws), sampling)
    assert gain(theirs, found, sampling).low <= 0
