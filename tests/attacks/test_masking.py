from collections.abc import Callable
from dataclasses import asdict, replace

import pytest
import torch
from snntorch import surrogate
from torch import nn

from stochi.attacks import (
    FGSM,
    PGD,
    AutoAttack,
    ImageAttack,
    Square,
    UniformNoise,
    with_surrogate,
)
from stochi.attacks.masking import (
    find_helpful_budgets,
    find_masking,
    find_zero_gradients,
    zero_gradients,
)
from stochi.errors import InputError
from stochi.train import randomize
from tests.attacks.trained import (
    dense_classifier,
    relu_net,
    right_answers,
    some_images,
    trained_net,
)
from tests.thoroughness import with_slow


def right(share: float, images: int = 200) -> torch.Tensor:
    """Return (2, images) answers, right for the first ``share`` of the images."""
    return (torch.arange(images) < share * images).expand(2, -1)


def test_an_honest_model_shows_no_sign() -> None:
    assert (
        find_masking(
            right(0.3),
            single_step=right(0.5),
            black_box=right(0.6),
            transferred=right(0.3),
            noise=right(0.9),
            unbounded=right(0.0),
        )
        == []
    )


@pytest.mark.parametrize("name", ["single_step", "black_box", "transferred", "noise"])
def test_a_stronger_attack_that_knows_less_is_a_sign(name: str) -> None:
    (finding,) = find_masking(right(0.5), **{name: right(0.3)})
    assert finding.sign.startswith(name.replace("_", " "))
    assert finding.value == pytest.approx(0.2)
    assert 0 == finding.limit < finding.low < 0.2 < finding.high
    assert set(asdict(finding)) == {"sign", "value", "low", "high", "limit"}


def test_right_answers_under_an_unbounded_attack_are_a_sign() -> None:
    (finding,) = find_masking(right(0.5), unbounded=right(0.2))
    assert finding.value == pytest.approx(0.2) and finding.low > finding.limit


def test_a_surrogate_that_leaves_less_right_is_masking_by_its_name() -> None:
    others = {"adaptive": right(0.3), "atan-25": right(0.49)}
    (finding,) = find_masking(right(0.5), surrogates=others)
    expected = "masked by the surrogate: adaptive leaves less right than the network's own"
    assert finding.sign == expected and finding.value == pytest.approx(0.2)
    assert 0.02 == finding.limit < finding.low


def under(network: str, attack: ImageAttack, images: int = 150) -> torch.Tensor:
    model, shown = NETWORKS[network](), some_images(images)
    return right_answers(model, attack(model, shown.inputs, shown.labels), shown.labels)


NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "ReLU": relu_net,
    "softplus": lambda: dense_classifier(nn.Softplus),
    "noisy": lambda: randomize(relu_net(), "input-noise", 0.1).eval(),
    "plain": lambda: trained_net("mean"),
    "defended": lambda: trained_net("mean", defended=True),
}


@pytest.mark.parametrize(
    "network",
    with_slow(NETWORKS, ("plain", "defended")),
)
def test_fixed_surrogates_mask_spiking_networks_and_no_honest_one(network: str) -> None:
    """Every attack that a reviewer would try, against one that follows the own gradient."""
    spiking = network in ("plain", "defended")
    pgd = PGD(0.1, iterations=100, draws=4, schedule="cosine")
    names = ("adaptive", "atan-25") if spiking else ("own",)
    signs = find_masking(
        under(network, pgd),
        single_step=under(network, FGSM(0.1, draws=4)),
        noise=under(network, UniformNoise(0.1)),
        unbounded=under(network, pgd.with_budget(1.0)),
        black_box=under(network, Square(0.1, iterations=100, draws=4)),
        surrogates={
            **{name: under(network, replace(pgd, surrogates=name)) for name in names},
            "ensemble": under(network, AutoAttack(0.1, version="snn", iterations=20, draws=4)),
        },
    )
    named = {name for sign in signs for name in (*names, "ensemble") if name in sign.sign}
    assert named == ({*names, "ensemble"} if spiking else set())
    assert all("masked by the surrogate" in sign.sign for sign in signs)


def test_chance_is_not_a_sign() -> None:
    assert find_masking(right(0.5, 20), noise=right(0.45, 20)) == []


def test_a_larger_budget_that_helps_the_defender_is_a_sign() -> None:
    honest = {1: right(0.5), 10: right(0.4), 50: right(0.41, 200)}
    assert find_helpful_budgets("iterations", honest) == []
    (finding,) = find_helpful_budgets("iterations", {**honest, 50: right(0.48)})
    assert finding.sign == "iterations 50 leaves more right than iterations 10"
    assert finding.value == pytest.approx(0.08)
    assert 0.02 == finding.limit < finding.low < 0.08 < finding.high


def test_other_images_raise() -> None:
    with pytest.raises(InputError, match=r"iterations 2 .* iterations 1 .*same images"):
        find_helpful_budgets("iterations", {1: right(0.5), 2: right(0.5, 10)})
    with pytest.raises(InputError, match="same images"):
        find_masking(right(0.5), noise=right(0.5, 10))
    with pytest.raises(InputError, match="same images"):
        find_masking(right(0.5), unbounded=torch.ones(200).bool())


def test_a_surrogate_without_reach_leaves_no_gradient() -> None:
    net, images = trained_net("step"), some_images(40)
    honest = zero_gradients(net, images.inputs, images.labels, draws=5)
    assert find_zero_gradients(honest) == []

    def reaches_nothing(distance: torch.Tensor) -> torch.Tensor:
        return (distance > 0).float() + 0 * distance

    for hidden in (reaches_nothing, surrogate.fast_sigmoid(slope=1e30)):
        shares = zero_gradients(with_surrogate(net, hidden), images.inputs, images.labels, draws=5)
        (finding,) = find_zero_gradients(shares)
        assert finding.value == 1.0
