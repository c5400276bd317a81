import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from stochi.attacks import (
    APGD,
    FAB,
    FGSM,
    MIFGSM,
    PGD,
    SAPGD,
    AutoAttack,
    GreedySpikes,
    HopSkipJump,
    Square,
    UniformNoise,
)
from stochi.attacks.base import ImageAttack, check_weights
from stochi.attacks.expectation import expected_gradient, judge
from stochi.errors import InputError
from tests.conftest import conv_net
from tests.thoroughness import with_slow


class Noisy(nn.Module):
    """A linear classifier whose gradient is mostly noise, so that only its mean is useful."""

    def __init__(self, noise: float) -> None:
        super().__init__()
        self.weight = torch.linspace(-1, 1, 40).view(2, 20)
        self.noise = noise

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x[:, None] * (self.weight + self.noise * torch.randn(len(x), 2, 20))).sum(2)


ATTACKS = [
    UniformNoise(0.1),
    FGSM(0.1, draws=2),
    MIFGSM(0.1, iterations=3, draws=2),
    PGD(0.1, iterations=3, draws=2),
    PGD(0.1, iterations=2, draws=2, restarts=3),
    PGD(0.1, iterations=2, draws=2, grid=255),
    PGD(0.1, iterations=3, draws=2, schedule="cosine", surrogates="own, adaptive", grid=255),
    PGD(0.1, iterations=2, draws=2, loss="targeted-margin", targets=2),
    SAPGD(0.1, iterations=4, draws=2, surrogates="adaptive"),
    APGD(0.1, iterations=3, draws=2),
    APGD(0.1, iterations=3, draws=2, loss="dlr", restarts=2),
    APGD(0.1, iterations=2, draws=2, loss="targeted-dlr", targets=2),
    FAB(0.1, iterations=3, draws=2),
    FAB(0.1, iterations=2, draws=2, targets=2, restarts=2, grid=255),
    AutoAttack(0.1, iterations=2, draws=2, version="snn", grid=255),
    AutoAttack(0.1, iterations=2, draws=2),
    AutoAttack(0.1, iterations=2, draws=2, version="standard", squares=3),
    Square(0.1, iterations=5, draws=2, restarts=2),
    HopSkipJump(0.1, iterations=1, directions=5, starts=5, draws=2),
]


LONG = [attack for attack in ATTACKS if attack.name.startswith(("AutoAttack", "FAB-T"))]
"""Attacks that take longest; of AutoAttack's parts the others are here alone."""


@pytest.mark.parametrize("attack", with_slow(ATTACKS, LONG), ids=lambda attack: attack.name)
def test_images_stay_in_the_ball_and_repeat(attack: ImageAttack) -> None:
    net, x, y = conv_net(), torch.rand(6, 2, 8, 8), torch.arange(6) % 5
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    adversarial = attack(net, x, y)
    assert adversarial.shape == x.shape and not adversarial.requires_grad
    assert float((adversarial - x).abs().max()) <= 0.1 + 1e-6
    assert float(adversarial.min()) >= 0 and float(adversarial.max()) <= 1
    assert torch.equal(adversarial, attack(net, x, y))
    assert torch.equal(torch_state, torch.get_rng_state())
    assert np.array_equal(numpy_state, np.random.get_state()[1])
    assert all(p.grad is None for p in net.parameters())


@pytest.mark.parametrize("attack", with_slow(ATTACKS, LONG), ids=lambda attack: attack.name)
def test_a_budget_takes_the_place_of_epsilon(attack: ImageAttack) -> None:
    net, x, y = conv_net(), torch.rand(4, 2, 8, 8), torch.arange(4)
    smaller = attack(net, x, y, 0.03)
    assert float((smaller - x).abs().max()) <= 0.03 + 1e-6
    assert torch.equal(smaller, replace(attack, epsilon=0.03)(net, x, y))
    if attack.grid is None:
        assert torch.equal(attack(net, x, y, 0.0), x)


def test_auto_attack_reports_its_parts() -> None:
    net, x = conv_net(), torch.rand(4, 2, 8, 8)
    with torch.no_grad():
        y = net(x).argmax(1)
    lines: list[str] = []
    attack = AutoAttack(1 / 255, iterations=1, draws=1, version="standard", squares=1)
    replace(attack, progress=lines.append)(net, x, y)
    parts = [part.name for part in attack.parts()]
    starts = [line for line in lines if line.endswith(" of 4 images")]
    assert [line.rpartition(", ")[0] for line in starts] == parts[: len(starts)] and starts
    assert set(lines) - set(starts) <= {f"{parts[-1]}: 1 of 1 squares"}
    assert replace(attack, progress=lines.append) == attack


@pytest.mark.parametrize(("iterations", "reported"), [(1, [1]), (20, list(range(2, 21, 2)))])
def test_square_reports_its_progress(iterations: int, reported: list[int]) -> None:
    lines: list[str] = []
    attack = Square(1 / 255, iterations=iterations, draws=1, progress=lines.append)
    attack(conv_net(), torch.rand(2, 2, 8, 8), torch.tensor([0, 1]))
    assert lines == [f"{attack.name}: {tried} of {iterations} squares" for tried in reported]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_attacks_can_be_sent_to_other_processes(attack: ImageAttack) -> None:
    assert pickle.loads(pickle.dumps(attack)) == attack


def test_pgd_finds_the_worst_corner_of_a_linear_model() -> None:
    model, x, y = Noisy(0.0), 0.3 + 0.4 * torch.rand(5, 20), torch.zeros(5, dtype=torch.long)
    adversarial = PGD(0.1, iterations=20, draws=1)(model, x, y)
    worst = x + 0.1 * (model.weight[1] - model.weight[0]).sign()
    assert torch.allclose(adversarial, worst, atol=1e-6)


def test_more_draws_make_the_expected_gradient_more_accurate() -> None:
    model, x, y = Noisy(3.0), torch.rand(1, 20), torch.zeros(1, dtype=torch.long)
    truth = model.weight[1] - model.weight[0]
    similar = []
    for draws in (1, 400):
        found = [
            functional.cosine_similarity(expected_gradient(model, x, y, draws)[0], truth, dim=0)
            for _ in range(20)
        ]
        similar.append(float(torch.stack(found).mean()))
    assert similar[1] > similar[0] + 0.2


def test_draws_side_by_side_are_the_mean_of_draws_one_by_one() -> None:
    model, y = Noisy(0.3), torch.zeros(4, dtype=torch.long)
    x = torch.rand(4, 20)
    torch.manual_seed(1)
    together = expected_gradient(model, x, y, 3)
    torch.manual_seed(1)
    weights = model.weight + 0.3 * torch.randn(12, 2, 20)
    leaf = x.clone().requires_grad_(True)
    for draw in weights.view(3, 4, 2, 20):
        functional.cross_entropy((leaf[:, None] * draw).sum(2), y, reduction="sum").div(
            3
        ).backward()
    assert torch.allclose(together, leaf.grad, atol=1e-6)


def test_each_image_keeps_the_candidate_with_the_fewest_right_answers() -> None:
    model, y = Noisy(0.0), torch.zeros(2, dtype=torch.long)
    good, bad = torch.zeros(1, 20), torch.ones(1, 20)
    good[0, :5], bad[0, :5] = 1, 0
    found = judge(model, [torch.cat([good, bad]), torch.cat([bad, good])], y, draws=3, rounds=1)
    assert torch.equal(found.images, torch.cat([bad, bad])) and found.numbers.tolist() == [1, 0]


@pytest.mark.parametrize(
    "make, bad",
    [
        (PGD, {"epsilon": -0.1}),
        (PGD, {"epsilon": 2}),
        (PGD, {"epsilon": float("nan")}),
        (PGD, {"iterations": 0}),
        (PGD, {"draws": 0}),
        (PGD, {"restarts": 0}),
        (PGD, {"grid": 0}),
        (MIFGSM, {"momentum": -1.0}),
        (APGD, {"loss": "l2"}),
        (APGD, {"targets": 0}),
        (FAB, {"iterations": 0}),
        (FAB, {"restarts": 0}),
        (FAB, {"targets": 0}),
        (AutoAttack, {"version": "plus"}),
        (AutoAttack, {"squares": 0}),
        (Square, {"restarts": 0}),
        (HopSkipJump, {"starts": 0}),
        (PGD, {"schedule": "linear"}),
        (PGD, {"loss": "l2"}),
        (PGD, {"surrogates": "steep"}),
        (PGD, {"surrogates": []}),
        (SAPGD, {"iterations": 0}),
        (AutoAttack, {"version": "snn", "surrogates": "atan-5"}),
    ],
)
def test_bad_options_raise(make: type[ImageAttack], bad: dict) -> None:
    with pytest.raises(InputError):
        make(**{"epsilon": 0.1, **bad})


@pytest.mark.parametrize("seed", [1.5, "1", None, True, -1, 2**64, 2**70])
def test_a_seed_that_no_generator_accepts_raises(seed: object) -> None:
    for make in (PGD, Square, UniformNoise):
        with pytest.raises(InputError, match=f"seed is {seed}; it must be a whole number from 0"):
            make(0.1, seed=seed)
    with pytest.raises(InputError, match=f"seed is {seed}; it must be a whole number from 0"):
        GreedySpikes(1, seed)


@pytest.mark.parametrize("seed", [2**64 - 1, np.int64(3), np.uint64(2**64 - 1)])
def test_every_other_seed_is_accepted(seed: int) -> None:
    net, x, y = conv_net(), torch.rand(2, 2, 8, 8), torch.arange(2)
    for attack in (UniformNoise(0.1, seed), Square(0.1, seed, iterations=1, draws=1)):
        same = replace(attack, seed=int(seed))
        assert torch.equal(attack(net, x, y), same(net, x, y))


@pytest.mark.parametrize(
    "inputs, labels, message",
    [
        (torch.rand(2, 2, 8, 8), torch.zeros(1).long(), "one label is needed"),
        (torch.rand(0, 2, 8, 8), torch.zeros(0).long(), "at least one"),
        (torch.rand(2, 2, 8, 8), torch.zeros(2), "whole numbers"),
        (torch.rand(2, 2, 8, 8), torch.full((2,), -1), "0 or more"),
        (torch.rand(2, 2, 8, 8) * 255, torch.zeros(2).long(), r"in \[0, 1\]"),
        (torch.full((2, 2, 8, 8), torch.nan), torch.zeros(2).long(), "nan"),
        (torch.zeros(2, 2, 8, 8, dtype=torch.uint8), torch.zeros(2).long(), "divide by 255"),
    ],
)
def test_inputs_that_are_not_labelled_images_raise(
    inputs: torch.Tensor, labels: torch.Tensor, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        PGD(0.1)(conv_net(), inputs, labels)


def test_a_model_without_logits_raises() -> None:
    with pytest.raises(InputError, match="classes"):
        PGD(0.1)(nn.Identity(), torch.rand(2, 1, 8, 8), torch.zeros(2).long())


def test_square_takes_images_only() -> None:
    with pytest.raises(InputError, match="height"):
        Square(0.1)(Noisy(0.0), torch.rand(2, 20), torch.zeros(2).long())


def test_square_reaches_every_pixel() -> None:
    model, x = nn.Sequential(nn.Flatten(), nn.Linear(36, 3)), torch.full((1, 1, 6, 6), 0.5)
    found = Square(0.1, iterations=300, draws=1)(model, x, model(x).argmax(1))
    with torch.no_grad():
        label = int(model(x).argmax())
        other = int((model(found) - 10 * functional.one_hot(torch.tensor([label]), 3)).argmax())
        worst = x + 0.1 * (model[1].weight[other] - model[1].weight[label]).sign().view(1, 1, 6, 6)
    assert torch.allclose(found, worst, atol=1e-6)


@pytest.mark.cuda
@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_attacks_stay_on_their_device(attack: ImageAttack) -> None:
    net, x, y = conv_net().cuda(), torch.rand(3, 2, 8, 8).cuda(), torch.arange(3).cuda()
    found = attack(net, x, y)
    assert found.device == x.device and float((found - x).abs().max()) <= 0.1 + 1e-6


@pytest.mark.parametrize("attack", [PGD(0.1, iterations=1), Square(0.1, iterations=1), FGSM(0.1)])
def test_a_model_that_cannot_be_judged_raises(attack: ImageAttack) -> None:
    x, y = torch.rand(3, 2, 8, 8), torch.arange(3)
    broken = conv_net()
    with torch.no_grad():
        broken.network.conv1.weight[0, 0, 0, 0] = torch.nan
    silent = conv_net()
    silent.network.lif1.threshold.fill_(torch.nan)
    with pytest.raises(InputError, match=r"network\.lif1\.threshold is not finite"):
        attack(silent, x, y)
    with pytest.raises(InputError, match=r"network\.conv1\.weight is not finite"):
        attack(broken, x, y)
    with pytest.raises(InputError, match="labels go up to 5; the model has 5 classes"):
        attack(conv_net(), x, y + 3)


def test_checking_finite_weights_synchronises_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a GPU every tensor that becomes a bool is a synchronisation."""
    net, asked = conv_net(), []
    to_bool = torch.Tensor.__bool__
    monkeypatch.setattr(torch.Tensor, "__bool__", lambda t: asked.append(t) or to_bool(t))
    check_weights(net)
    assert len(asked) == 1
    check_weights(nn.ReLU())  # which has none


def test_infinite_answers_raise_and_no_hook_stays() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(128, 5))
    late = nn.Sequential(net, nn.Hardtanh(-torch.inf, torch.inf))
    late.register_forward_hook(lambda module, given, output: output * torch.inf)
    with pytest.raises(InputError, match="answers are not finite"):
        PGD(0.1, iterations=1)(late, torch.rand(3, 2, 8, 8), torch.arange(3))
    PGD(0.1, iterations=1)(net, torch.rand(3, 2, 8, 8), torch.arange(3))
    assert not net._forward_hooks


class Own(ImageAttack):
    """A user's own attack, whose result is of one ``kind``."""

    kind = "nothing"

    @property
    def title(self) -> str:
        return self.kind

    def perturb(self, model, inputs, labels, generator):  # type: ignore[no-untyped-def]
        if self.kind == "in place":
            return inputs.mul_(0.95)
        return {
            "nothing": None,
            "few": inputs[:1],
            "far": (inputs + 0.2).clamp(0, 1),
            "nan": inputs * torch.nan,
            "double": inputs.double(),
        }[self.kind]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("nothing", "returned a NoneType"),
        ("few", r"returned torch.float32 of shape \(1, 2, 8, 8\)"),
        ("far", "moved a pixel by 0.2"),
        ("nan", "numbers that are not in"),
        ("double", "returned torch.float64"),
    ],
)
@pytest.mark.parametrize("grid", [None, 255])
def test_the_result_of_a_users_attack_is_checked(kind: str, message: str, grid: int | None) -> None:
    attack = Own(0.1, grid=grid)
    object.__setattr__(attack, "kind", kind)
    with pytest.raises(InputError, match=message):
        attack(conv_net(), torch.rand(3, 2, 8, 8) * 0.5, torch.arange(3))


def test_the_callers_images_are_not_changed_in_place() -> None:
    attack, images = Own(0.1), torch.rand(3, 2, 8, 8)
    object.__setattr__(attack, "kind", "in place")
    before = images.clone()
    found = attack(conv_net(), images, torch.arange(3))
    assert torch.equal(images, before) and not torch.equal(found, before)


def test_a_model_in_train_mode_keeps_its_statistics() -> None:
    net = nn.Sequential(nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(128, 5)).train()
    before = {name: values.clone() for name, values in net.state_dict().items()}
    PGD(0.1, iterations=2)(net, torch.rand(6, 2, 8, 8), torch.arange(6) % 5)
    assert net.training
    assert all(torch.equal(values, before[name]) for name, values in net.state_dict().items())


@pytest.mark.parametrize("step_size", [0.0, -1.0, float("nan"), float("inf")])
def test_a_useless_step_size_raises(step_size: float) -> None:
    with pytest.raises(InputError, match="step_size is"):
        PGD(0.1, step_size=step_size)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PGD("0.1"), "epsilon is 0.1"),
        (lambda: PGD(0.1, iterations=2.5), "iterations is 2.5; it must be a whole"),
        (lambda: PGD(0.1, grid=2.5), "grid is 2.5"),
        (lambda: PGD(0.1)("program", torch.rand(1, 4), torch.zeros(1).long()), "a torch model"),
        (lambda: PGD(0.1)(conv_net(), np.zeros((1, 2, 8, 8)), np.zeros(1)), "must be tensors"),
    ],
)
def test_values_of_the_wrong_type_raise(make, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.parametrize("attack", [a for a in ATTACKS if a.uses_model], ids=lambda a: a.name)
def test_images_that_the_model_does_not_take_raise(attack: ImageAttack) -> None:
    x, y = torch.rand(2, 1, 3, 7), torch.zeros(2, dtype=torch.long)
    with pytest.raises(InputError, match=r"the model fails on inputs \(2, 1, 3, 7\): .*21"):
        attack(nn.Sequential(nn.Flatten(), nn.Linear(20, 3)), x, y)


def test_a_model_of_one_class_raises() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 1))
    images, labels = torch.rand(2, 1, 4, 4), torch.zeros(2).long()
    with pytest.raises(InputError, match="1 class"):
        PGD(0.1, iterations=1, draws=1)(model, images, labels)
