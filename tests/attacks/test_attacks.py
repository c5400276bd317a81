import pytest
import torch
from torch import nn
from torch.nn import functional

from stochi.attacks import PGD, UniformNoise
from stochi.errors import InputError
from tests.conftest import conv_net


class Noisy(nn.Module):
    """A linear classifier whose gradient is mostly noise, so that only its mean is of use."""

    def __init__(self, noise: float) -> None:
        super().__init__()
        self.weight = torch.linspace(-1, 1, 40).view(2, 20)
        self.noise = noise

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (x[:, None] * (self.weight + self.noise * torch.randn(len(x), 2, 20))).sum(2)


@pytest.mark.parametrize("attack", [PGD(0.1, steps=3, draws=2), UniformNoise(0.1)])
def test_images_stay_in_the_ball_and_repeat(attack) -> None:  # type: ignore[no-untyped-def]
    net, x, y = conv_net(), torch.rand(6, 2, 8, 8), torch.arange(6) % 5
    state = torch.get_rng_state()
    adversarial = attack(net, x, y)
    assert adversarial.shape == x.shape and not adversarial.requires_grad
    assert float((adversarial - x).abs().max()) <= 0.1 + 1e-6
    assert float(adversarial.min()) >= 0 and float(adversarial.max()) <= 1
    assert torch.equal(adversarial, attack(net, x, y))
    assert torch.equal(state, torch.get_rng_state())
    assert all(p.grad is None for p in net.parameters())


def test_pgd_finds_the_corner_that_a_linear_model_fears_most() -> None:
    model, x, y = Noisy(0.0), 0.3 + 0.4 * torch.rand(5, 20), torch.zeros(5, dtype=torch.long)
    adversarial = PGD(0.1, steps=20, draws=1)(model, x, y)
    worst = x + 0.1 * (model.weight[1] - model.weight[0]).sign()
    assert torch.allclose(adversarial, worst, atol=1e-6)


def test_more_draws_make_the_expected_gradient_truer() -> None:
    model, x, y = Noisy(3.0), torch.rand(1, 20), torch.zeros(1, dtype=torch.long)
    truth = model.weight[1] - model.weight[0]
    similar = []
    for draws in (1, 400):
        found = [
            functional.cosine_similarity(
                PGD(0.1, draws=draws).expected_gradient(model, x, y)[0], truth, dim=0
            )
            for _ in range(20)
        ]
        similar.append(float(torch.stack(found).mean()))
    assert similar[1] > similar[0] + 0.2


def test_no_budget_no_change() -> None:
    x = torch.rand(2, 2, 8, 8)
    assert torch.equal(PGD(0.0, steps=1, draws=1)(conv_net(), x, torch.zeros(2).long()), x)


@pytest.mark.parametrize("bad", [{"epsilon": -0.1}, {"epsilon": 2}, {"steps": 0}, {"draws": 0}])
def test_bad_budgets_are_refused(bad: dict) -> None:
    with pytest.raises(InputError):
        PGD(**{"epsilon": 0.1, **bad})


def test_images_without_labels_are_refused() -> None:
    with pytest.raises(InputError):
        PGD(0.1)(conv_net(), torch.rand(2, 2, 8, 8), torch.zeros(1).long())
