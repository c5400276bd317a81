from dataclasses import replace

import pytest
import torch
from torch import nn
from torch.nn import functional

from stochi.attacks import APGD, FAB, AutoAttack, Square
from stochi.attacks.box_projection import onto_plane
from stochi.attacks.targets import nearest_classes
from tests.attacks.trained import right_answers, some_images, trained_net

PIXELS = 30


class Linear(nn.Module):
    """A linear classifier with noise on its weights, drawn anew for each image."""

    def __init__(self, classes: int = 5, noise: float = 0.0) -> None:
        super().__init__()
        self.register_buffer("weight", torch.randn(classes, PIXELS))
        self.noise = noise

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        noise = self.noise * torch.randn(len(x), *self.weight.shape)
        return ((self.weight + noise).to(x) * x.flatten(1)[:, None]).sum(2)


def distances(found: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    return (found - x).abs().flatten(1).amax(1)


def shortest_to_any_class(model: Linear, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Return the distance to the nearest boundary with another class within [0, 1], (batch,)."""
    logits, lengths = model(x), []
    for target in range(logits.shape[1]):
        lead = logits[:, target] - logits.gather(1, y[:, None])[:, 0]
        slope = model.weight[target] - model.weight[y]
        nearest = onto_plane(x, lead, slope)
        missed = (lead + (slope * (nearest - x)).sum(1)).abs() > 1e-4
        lengths.append(distances(nearest, x).where((y != target) & ~missed, torch.inf))
    return torch.stack(lengths).amin(0)


def nearest_found(model: nn.Module, x: torch.Tensor, y: torch.Tensor, attack: FAB) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    found = [
        attack.search(model, x, y, targets, generator)
        for targets in nearest_classes(model, x, y, attack.draws, attack.targets)
    ]
    assert all(bool((model(images).argmax(1) != y).all()) for images in found)
    return torch.stack([distances(images, x) for images in found]).amin(0)


def test_the_nearest_wrong_image_of_a_linear_model() -> None:
    model, x = Linear(), 0.3 + 0.4 * torch.rand(20, PIXELS)
    y = model(x).argmax(1)
    # With room on all sides, the boundary of two classes is |lead| / |slope|₁ away.
    lead = model(x).gather(1, y[:, None]) - model(x)
    slopes = (model.weight[None] - model.weight[y][:, None]).abs().sum(2)
    shortest = (lead / slopes).masked_fill(functional.one_hot(y, 5).bool(), torch.inf).amin(1)
    found = nearest_found(model, x, y, FAB(0.1, iterations=10, draws=1))
    assert torch.allclose(found, shortest, rtol=0.01, atol=0) and bool((found > shortest).all())
    for share, wrong in ((0.99, 0.0), (1.01, 1.0)):
        answers = [
            model(FAB(share * float(far), iterations=10, draws=1)(model, image[None], label[None]))
            for image, label, far in zip(x[:4], y, shortest, strict=False)
        ]
        assert float((torch.cat(answers).argmax(1) != y[:4]).double().mean()) == wrong


def test_the_nearest_wrong_image_where_pixels_end() -> None:
    model, x = Linear(), (2 * torch.rand(20, 1, 5, 6) - 0.5).clamp(0, 1)
    y = model(x).argmax(1)
    shortest = shortest_to_any_class(model, x.flatten(1), y)
    found = nearest_found(model, x, y, FAB(0.1, iterations=20, draws=1, restarts=2))
    assert torch.allclose(found, shortest, rtol=0.01, atol=0)


def test_more_draws_find_a_more_accurate_direction() -> None:
    """A mean over models and seeds, since a single image's search may end at the clean image."""
    alike = torch.zeros(6, 2)
    for seed in range(6):
        model, x = Linear(2, noise=3.0), 0.3 + 0.4 * torch.rand(10, PIXELS)
        y = (x @ model.weight.T).argmax(1)
        towards = (model.weight[1 - y] - model.weight[y]).sign()
        for column, draws in enumerate((2, 100)):
            found = FAB(0.1, seed, iterations=10, draws=draws)(model, x, y)
            alike[seed, column] = ((found - x).sign() == towards).float().mean()
    few, many = alike.mean(0).tolist()
    assert many > few + 0.25 and many > 0.7


def test_a_random_model_is_taken_beyond_its_boundary() -> None:
    net, shown = trained_net("step"), some_images(12)
    attack = FAB(0.25, iterations=30, draws=5, targets=1)
    found = attack(net, shown.inputs, shown.labels)
    (targets,) = nearest_classes(net, shown.inputs, shown.labels, 5, 1)
    nearest = attack.search(net, shown.inputs, shown.labels, targets, torch.Generator())
    right = [
        float(right_answers(net, images, shown.labels).double().mean())
        for images in (shown.inputs, nearest, found)
    ]
    assert right[0] > 0.85 and right[1] > 0.15 and right[2] < 0.05


def test_the_seed_makes_a_random_models_images_repeat() -> None:
    net, shown = trained_net("step"), some_images(5)
    attack = FAB(0.1, iterations=3, draws=3, targets=2, restarts=2)
    found = attack(net, shown.inputs, shown.labels)
    assert torch.equal(found, attack(net, shown.inputs, shown.labels))
    assert not torch.equal(found, replace(attack, seed=1)(net, shown.inputs, shown.labels))


class Flat(nn.Module):
    """A model whose answer has a gradient of 0."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return 0 * x.flatten(1)[:, :3] + torch.tensor([1.0, 0.0, 0.5])


def test_without_a_gradient_nothing_moves() -> None:
    x, attack = torch.rand(3, 4, 4).round(decimals=1), FAB(0.1, iterations=3)
    for label in (0, 1):  # right and wrong, whatever is shown
        y, targets = torch.full((3,), label), torch.full((3,), 2)
        assert torch.equal(attack.search(Flat(), x, y, targets, torch.Generator()), x)
        assert torch.equal(attack(Flat(), x, y), x)
    again = replace(attack, restarts=2)(Flat(), x, torch.zeros(3).long())
    assert float(distances(again, x).max()) <= 0.1 + 1e-6


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_one_image_two_classes(dtype: torch.dtype) -> None:
    model, x = Linear(2), 0.3 + 0.4 * torch.rand(1, 2, PIXELS // 2, dtype=dtype)
    y = model(x).argmax(1)
    found = FAB(0.3, iterations=5, draws=1)(model, x, y)
    assert found.dtype == dtype and found.shape == x.shape
    assert bool((model(found).argmax(1) != y).all())


def test_targets_are_the_classes_with_the_highest_logits() -> None:
    model = nn.Linear(4, 4, bias=False)
    with torch.no_grad():
        model.weight.copy_(torch.eye(4))
    images, labels = (
        torch.tensor([[0.9, 0.1, 0.4, 0.2], [0.9, 0.1, 0.4, 0.2]]),
        torch.tensor([0, 2]),
    )
    found = nearest_classes(model, images, labels, 1, 9)
    assert torch.stack(list(found)).T.tolist() == [[2, 3, 1], [0, 3, 1]]
    assert len(nearest_classes(model, images, labels, 1, 2)) == 2


def test_the_standard_version_has_the_papers_parts_in_its_order() -> None:
    attack = AutoAttack(0.1, version="standard", seed=3, draws=7)
    ce, dlr, fab, square = attack.parts()
    assert isinstance(ce, APGD) and isinstance(dlr, APGD) and isinstance(square, Square)
    assert (ce.loss, dlr.loss, dlr.targets) == ("ce", "targeted-dlr", 9)
    assert fab == FAB(0.1, 3, 100, draws=7, restarts=1, targets=9)
    assert fab.name == "FAB-T-100 (EOT 7), ε = 0.1"
    assert attack.name == "AutoAttack standard-100 (EOT 7), ε = 0.1"
