"""What climbs keep, how their steps fall, and which part made an image."""

import copy
import math

import pytest
import torch
from torch import nn

from stochi.attacks import APGD, PGD, SAPGD, AutoAttack, ImageAttack, UniformNoise
from stochi.attacks.auto_attack import UNCHANGED
from stochi.attacks.climbing import Hill, checkpoints
from stochi.attacks.expectation import is_random
from stochi.attacks.objectives import cross_entropy
from stochi.errors import InputError
from tests.attacks.test_attacks import Noisy
from tests.attacks.trained import some_images, trained_net


@pytest.mark.parametrize(
    "attack",
    [
        PGD(0.1, iterations=20, draws=1, schedule="cosine"),
        PGD(0.1, iterations=20, draws=1, loss="margin"),
        PGD(0.1, iterations=20, draws=1, loss="targeted-ce"),
        SAPGD(0.1, iterations=20, draws=1),
        APGD(0.1, iterations=20, draws=1),
    ],
    ids=lambda attack: attack.title,
)
def test_the_worst_corner_of_a_linear_model_is_found(attack: ImageAttack) -> None:
    model, x, y = Noisy(0.0), 0.3 + 0.4 * torch.rand(5, 20), torch.zeros(5, dtype=torch.long)
    worst = x + 0.1 * (model.weight[1] - model.weight[0]).sign()
    assert torch.allclose(attack(model, x, y), worst, atol=1e-6)


def test_cosine_steps_fall_from_epsilon_to_nothing() -> None:
    attack = PGD(0.2, iterations=4, schedule="cosine")
    steps = [attack.step(iteration) for iteration in range(4)]
    expected = [0.1 * (1 + math.cos(math.pi * k / 4)) for k in range(4)]
    assert steps == pytest.approx(expected) and steps[0] == 0.2
    assert PGD(0.2, step_size=0.05, schedule="cosine").step(0) == 0.05


def test_checkpoints_are_apgds() -> None:
    found = list(checkpoints(100))
    assert found[:4] == [22, 41, 57, 70] and found[-1] <= 100


class Valley(nn.Module):
    """Wrong on a narrow stripe of x and right on both sides, so that long steps jump across."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        wrong = 1 - (20 * (x[:, 0] - 0.55)).square()
        return torch.stack([torch.zeros_like(wrong), wrong], 1)


def test_the_best_point_on_the_way_is_kept_without_randomness() -> None:
    model, x, y = Valley(), torch.full((1, 1), 0.5), torch.zeros(1, dtype=torch.long)
    attack = PGD(0.2, iterations=4, step_size=0.08, use_random_start=False, draws=1)
    hill = Hill(attack, model, x, y, cross_entropy)
    last = attack.ascend(hill, torch.Generator())
    assert int(model(last).argmax(1)) == 0  # The last iterate jumped across.
    assert hill.best is not None and int(model(hill.best).argmax(1)) == 1
    assert int(model(attack(model, x, y)).argmax(1)) == 1


def test_images_are_judged_on_the_grid_on_which_they_are_shown() -> None:
    """The stripe holds no level of the grid, so no image on the grid is wrong."""
    seen: list[torch.Tensor] = []

    class Watched(Valley):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            seen.append(x.detach())
            return super().forward(x)

    x, y = torch.full((1, 1), 0.5), torch.zeros(1, dtype=torch.long)
    for attack in (
        PGD(0.2, iterations=3, grid=255),
        SAPGD(0.2, iterations=3, grid=255),
        APGD(0.2, iterations=3, grid=255, restarts=2),
    ):
        seen.clear()
        found = attack(Watched(), x, y)
        assert len(seen) > 3
        for shown in (*seen[2:], found):  # The first two ask whether the model is random.
            assert torch.allclose(shown * 255, (shown * 255).round(), atol=1e-4)


def test_draws_are_for_random_models_only() -> None:
    images = some_images(10)
    assert is_random(trained_net("step"), images.inputs, 3)
    assert not is_random(trained_net("mean"), images.inputs, 3)
    state = torch.get_rng_state()
    is_random(trained_net("step"), images.inputs, 3)
    assert torch.equal(state, torch.get_rng_state())
    many, one = (PGD(0.1, iterations=5, draws=d) for d in (10, 1))
    found = [a(trained_net("mean"), images.inputs, images.labels) for a in (many, one)]
    assert torch.equal(*found)


def test_a_result_names_the_part_that_made_it() -> None:
    images, net = some_images(40), trained_net("mean")
    both = PGD(0.1, iterations=10, surrogates="own, atan-25")
    found = both.run(net, images.inputs, images.labels)
    assert set(found.by) == {"PGD-10 (EOT 10)", "PGD-10 (EOT 10, atan-25)"}
    assert torch.equal(found.inputs, both(net, images.inputs, images.labels))
    noise = UniformNoise(0.1).run(net, images.inputs, images.labels)
    assert noise.by == ("uniform noise",) * 40
    attack = AutoAttack(0.1, version="snn", iterations=5)
    by = attack.run(net, images.inputs, images.labels).by
    assert set(by) <= {part.title for part in attack.parts()} | {UNCHANGED}
    assert len(set(by)) > 1


class Edge(nn.Module):
    """Wrong below 0.501, right above it, so that an image at 0.5 is wrong and on the grid right."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        distance = 100 * (x[:, 0] - 0.501)
        return torch.stack([-distance, distance], 1)


def test_the_clean_image_is_judged_on_the_grid_too() -> None:
    x, y = torch.full((1, 1), 0.5), torch.ones(1, dtype=torch.long)
    assert int(Edge()(x).argmax(1)) == 0
    attack = AutoAttack(8 / 255, version="snn", iterations=5, grid=255)
    found = attack.run(Edge(), x, y)
    assert int(Edge()(found.inputs).argmax(1)) == 0 and found.by != (UNCHANGED,)


def test_a_model_draws_otherwise_under_attack_than_with_the_same_seed() -> None:
    drawn: list[torch.Tensor] = []

    class Drawing(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            drawn.append(torch.rand(3))
            return torch.stack([x[:, 0], 1 - x[:, 0]], 1)

    for seed in (0, 5):
        drawn.clear()
        PGD(0.1, seed, iterations=1)(Drawing(), torch.rand(2, 1), torch.zeros(2).long())
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            mine = torch.rand(3)
        assert drawn and not any(torch.equal(each, mine) for each in drawn)


def test_sa_pgd_does_not_depend_on_the_losss_scale() -> None:
    class Scaled(nn.Module):
        def __init__(self, scale: float) -> None:
            super().__init__()
            self.scale, self.weight = scale, torch.linspace(-1, 1, 40).view(20, 2)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.scale * (x.square() @ self.weight)

    x, y = torch.rand(4, 20), torch.zeros(4).long()
    attack = SAPGD(0.1, iterations=6, loss="margin", draws=1)
    large, small = (attack(Scaled(scale), x, y) for scale in (1.0, 1e-6))
    assert torch.allclose(large, small, atol=1e-5)


def test_one_iteration_of_apgd_takes_a_step() -> None:
    model, x, y = Noisy(0.0), torch.full((2, 20), 0.5), torch.zeros(2).long()
    found = APGD(0.1, iterations=1, draws=1)(model, x, y)
    assert torch.allclose(found, x + 0.1 * (model.weight[1] - model.weight[0]).sign(), atol=1e-6)


def test_all_parts_are_checked_before_the_first_runs() -> None:
    with pytest.raises(InputError, match="height"):
        AutoAttack(0.1, version="standard", iterations=1)(
            nn.Linear(6, 4), torch.rand(2, 6), torch.arange(2)
        )


def test_a_random_model_can_be_copied_after_an_attack() -> None:
    images, net = some_images(3), copy.deepcopy(trained_net("step"))
    PGD(0.1, iterations=1, draws=2, surrogates="adaptive")(net, images.inputs, images.labels)
    copy.deepcopy(net)
