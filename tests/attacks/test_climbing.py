"""What climbs keep, how their steps fall, and which part made an image."""

import math

import pytest
import torch
from torch import nn

from stochi.attacks import APGD, PGD, SAPGD, AutoAttack, ImageAttack, UniformNoise
from stochi.attacks.auto_attack import UNCHANGED
from stochi.attacks.climbing import Hill, checkpoints
from stochi.attacks.expectation import is_random
from stochi.attacks.objectives import cross_entropy
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
