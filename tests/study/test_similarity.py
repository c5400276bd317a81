import pytest
import torch
from torch import nn

from stochi.attacks import PGD
from stochi.data.images import Images
from stochi.study.similarity import (
    gradient_similarities,
    mean_cosines,
    perturbation_similarities,
)


def test_mean_cosines_of_known_vectors() -> None:
    east, north = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 2.0])
    draws = torch.stack([torch.stack(v) for v in ((east, east, north), (3 * east, north, -north))])
    assert mean_cosines(draws).tolist() == pytest.approx([1.0, 0.0, -1.0])
    three = torch.stack([east, east, north])[:, None]
    assert mean_cosines(three).tolist() == pytest.approx([1 / 3])


def test_a_model_without_randomness_sends_everyone_the_same_way() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    images = Images(torch.rand(5, 1, 4, 4), torch.tensor([0, 1, 2, 0, 1]))
    for batch_size in (None, 1, 2, 9):
        found = gradient_similarities(model, images, 4, batch_size)
        assert found.tolist() == pytest.approx([1.0] * 5)
    attack = PGD(0.1, iterations=3, draws=1, use_random_start=False)
    found = perturbation_similarities(model, images, attack, 3)
    assert found.tolist() == pytest.approx([1.0] * 5)


def test_noise_alone_sends_them_anywhere() -> None:
    class Noise(nn.Module):
        def forward(self, inputs: torch.Tensor) -> torch.Tensor:
            flat = inputs.flatten(1)
            return torch.einsum("ni,nic->nc", flat, torch.randn(*flat.shape, 3))

    torch.manual_seed(0)
    images = Images(torch.rand(200, 1, 8, 8), torch.zeros(200, dtype=torch.long))
    found = gradient_similarities(Noise(), images, 6)
    assert abs(float(found.mean())) < 0.02
