"""An attack's recipe: its names, budget and parameters."""

import pickle
from dataclasses import dataclass, replace

import pytest
import torch
from torch import nn

from stochi.attacks import (
    ATTACK_NAMES,
    FGSM,
    PGD,
    Attack,
    AutoAttack,
    GreedySpikes,
    ImageAttack,
    Recipe,
    Square,
    UniformNoise,
    make_attack,
)

NAMES = {
    "noise": ("uniform noise, ε = 0.1", "uniform noise, ε = 0.0313725"),
    "fgsm": ("FGSM (EOT 10), ε = 0.1", "FGSM (EOT 2), ε = 0.0313725"),
    "mi-fgsm": ("MI-FGSM-10 (EOT 10), ε = 0.1", "MI-FGSM-3 (EOT 2), ε = 0.0313725"),
    "pgd": ("PGD-20 (EOT 10), ε = 0.1", "PGD-3×4 (EOT 2), ε = 0.0313725"),
    "pgd-cosine": (
        "PGD-100 cosine (EOT 10), ε = 0.1",
        "PGD-3×4 cosine (EOT 2), ε = 0.0313725",
    ),
    "sa-pgd": ("SA-PGD-100 (EOT 10), ε = 0.1", "SA-PGD-3×4 (EOT 2), ε = 0.0313725"),
    "apgd": ("APGD-CE-100 (EOT 10), ε = 0.1", "APGD-CE-3×4 (EOT 2), ε = 0.0313725"),
    "apgd-dlr": ("APGD-DLR-100 (EOT 10), ε = 0.1", "APGD-DLR-3×4 (EOT 2), ε = 0.0313725"),
    "apgd-t": (
        "APGD-TARGETED-DLR-100 (EOT 10), ε = 0.1",
        "APGD-TARGETED-DLR-3×4 (EOT 2), ε = 0.0313725",
    ),
    "fab": ("FAB-T-100 (EOT 10), ε = 0.1", "FAB-T-3×4 (EOT 2), ε = 0.0313725"),
    "auto-snn": (
        "AutoAttack snn-100 (EOT 10), ε = 0.1",
        "AutoAttack snn-3 (EOT 2), ε = 0.0313725",
    ),
    "auto-rand": (
        "AutoAttack rand-100 (EOT 20), ε = 0.1",
        "AutoAttack rand-3 (EOT 2), ε = 0.0313725",
    ),
    "auto-standard": (
        "AutoAttack standard-100 (EOT 20), ε = 0.1",
        "AutoAttack standard-3 (EOT 2), ε = 0.0313725",
    ),
    "square": ("Square-1000 (EOT 10), ε = 0.1", "Square-3×4 (EOT 2), ε = 0.0313725"),
    "hop-skip-jump": (
        "HopSkipJump-10 (10 votes), ε = 0.1",
        "HopSkipJump-3 (2 votes), ε = 0.0313725",
    ),
}


def test_every_attack_of_the_catalogue_has_a_name_here() -> None:
    assert tuple(NAMES) == ATTACK_NAMES


@pytest.mark.parametrize("kind", ATTACK_NAMES)
def test_the_printed_names(kind: str) -> None:
    default = make_attack(kind, 0.1)
    other = make_attack(kind, 8 / 255, iterations=3, draws=2, restarts=4)
    assert (default.name, other.name) == NAMES[kind]
    for attack in (default, other):
        assert attack.recipe.name == attack.name
        assert attack.recipe.title == attack.title == attack.name.partition(", ε")[0]


@pytest.mark.parametrize("kind", ATTACK_NAMES)
def test_the_parameters_make_the_attack_again(kind: str) -> None:
    attack = make_attack(kind, 8 / 255, iterations=3, draws=2, restarts=4, seed=5, grid=255)
    recipe = attack.recipe
    assert recipe.kind == type(attack).__name__
    assert type(attack)(**recipe.parameters) == attack
    assert recipe.epsilon == recipe.budget == recipe.parameters["epsilon"] == 8 / 255
    assert recipe.uses_model == (kind != "noise")
    assert recipe.uses_gradients == (kind not in ("noise", "square", "hop-skip-jump"))
    assert recipe.single_step == (kind == "fgsm")
    assert recipe.draws == (1 if kind == "noise" else 2)


def test_the_recipe_of_flips_has_no_epsilon() -> None:
    recipe = GreedySpikes(5, seed=2).recipe
    assert recipe.name == "greedy flips (EOT 10), 5 events"
    assert (recipe.title, recipe.budget, recipe.epsilon) == ("greedy flips (EOT 10)", 5, None)
    assert recipe.parameters == {"flips": 5, "seed": 2, "candidates": 256, "draws": 10}
    assert not recipe.uses_gradients and not recipe.single_step


def test_recipes_are_values() -> None:
    first, second = AutoAttack(0.1).recipe, AutoAttack(0.1, progress=print).recipe
    assert first == second and hash(first) == hash(second)
    assert first != AutoAttack(0.2).recipe and first.title == AutoAttack(0.2).recipe.title
    assert pickle.loads(pickle.dumps(first)) == first
    assert "progress" not in Square(0.1, progress=print).recipe.parameters


@dataclass(frozen=True)
class Shift(Attack):
    """A user's own attack, with a budget that is not an ε."""

    share: tuple[float, float]
    seed: int = 0
    uses_gradients = False

    @property
    def title(self) -> str:
        return "shift"

    def with_budget(self, budget: float) -> "Shift":
        return replace(self, share=(budget, budget))

    def perturb(
        self,
        model: nn.Module,
        inputs: torch.Tensor,
        labels: torch.Tensor,
        generator: torch.Generator,
    ) -> torch.Tensor:
        return inputs * self.share[0]


class Named(Shift):
    """The same attack, which names its budget."""

    budget_field = "seed"
    budget_unit = "pixels"


class Halved(ImageAttack):
    """A user's own attack on images."""

    title = "halved"

    def perturb(
        self,
        model: nn.Module,
        inputs: torch.Tensor,
        labels: torch.Tensor,
        generator: torch.Generator,
    ) -> torch.Tensor:
        return self.project(inputs / 2, inputs)


def test_a_users_attack_defines_little() -> None:
    shift = Shift((0.5, 0.25))
    assert shift.recipe == Recipe(
        kind="Shift",
        title="shift",
        budget=None,
        budget_unit="",
        uses_model=True,
        uses_gradients=False,
        single_step=False,
        draws=1,
        parameters={"share": "(0.5, 0.25)", "seed": 0},
    )
    assert shift.name == "shift" and shift.recipe.epsilon is None
    assert Named((0.5, 0.5), 3).name == "shift, 3 pixels"
    model, images, labels = nn.Flatten(), torch.ones(2, 3), torch.tensor([0, 1])
    assert torch.equal(shift(model, images, labels, 0.25), images / 4)
    halved = Halved(0.25)
    assert halved.name == "halved, ε = 0.25" and halved.recipe.epsilon == 0.25
    assert torch.equal(halved(model, images, labels), images - 0.25)
    assert halved.with_budget(0.5).name == "halved, ε = 0.5"


def test_titles_tell_attacks_apart_whatever_their_budget() -> None:
    attacks = [PGD(0.1), PGD(0.1, iterations=5), PGD(0.1, restarts=2), FGSM(0.1), UniformNoise(0.1)]
    families = {(a.recipe.kind, a.recipe.title) for a in attacks}
    assert len(families) == len(attacks)
    assert {(a.recipe.kind, a.recipe.title) for a in (b.with_budget(1.0) for b in attacks)} == (
        families
    )
