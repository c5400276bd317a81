import numpy as np
import pytest
import torch
from scipy.optimize import linprog

from stochi.attacks.box_projection import onto_plane


def shortest(point: np.ndarray, value: float, gradient: np.ndarray) -> float | None:
    """Return the distance to the plane by a linear program, None if no image lies on it."""
    pixels = len(point)
    within = np.concatenate([np.eye(pixels), -np.eye(pixels)])
    found = linprog(
        np.append(np.zeros(pixels), 1),
        np.column_stack([within, -np.ones(2 * pixels)]),
        np.concatenate([point, -point]),
        np.append(gradient, 0)[None],
        [gradient @ point - value],
        bounds=[(0, 1)] * pixels + [(0, None)],
    )
    assert found.status in (0, 2)
    return None if found.status == 2 else found.fun


def random_cases(count: int, pixels: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return images with some pixels on the border of [0, 1] and some without a gradient."""
    points = (3 * torch.rand(count, pixels, dtype=torch.float64) - 1).clamp(0, 1)
    gradients = torch.randn(count, pixels, dtype=torch.float64)
    gradients[torch.rand(count, pixels) < 0.2] = 0
    return points, torch.randn(count, dtype=torch.float64), gradients


@pytest.mark.parametrize("pixels", [1, 2, 7])
def test_as_near_as_a_linear_program_comes(pixels: int) -> None:
    points, values, gradients = random_cases(60, pixels)
    nearest = onto_plane(points, values, gradients)
    assert float(nearest.min()) >= 0 and float(nearest.max()) <= 1
    reached = values + (gradients * (nearest - points)).sum(1)
    corner = torch.where(gradients * values[:, None] > 0, 0.0, 1.0)
    possible = 0
    for place, point in enumerate(points):
        length = shortest(point.numpy(), float(values[place]), gradients[place].numpy())
        if length is None:  # then as far as [0, 1] allows
            moves = gradients[place] != 0
            assert torch.equal(nearest[place][moves], corner[place][moves])
            assert torch.equal(nearest[place][~moves], point[~moves])
            continue
        possible += 1
        assert float(reached[place]) == pytest.approx(0, abs=1e-9)
        assert float((nearest[place] - point).abs().max()) == pytest.approx(length, abs=1e-9)
    assert 0 < possible < len(points)


def test_by_hand() -> None:
    points = torch.tensor([[0.5, 0.9], [0.5, 0.5], [0.5, 0.5], [0.5, 0.5]])
    gradients = torch.tensor([[1.0, 1.0], [2.0, 0.0], [0.0, 0.0], [1.0, 1.0]])
    values = torch.tensor([-0.4, 0.5, 3.0, 0.0])
    # The second pixel stops at 1; only the first has a slope; no slope; already on the plane.
    wanted = torch.tensor([[0.8, 1.0], [0.25, 0.5], [0.5, 0.5], [0.5, 0.5]])
    assert torch.allclose(onto_plane(points, values, gradients), wanted, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_shape_and_type_are_the_points(dtype: torch.dtype) -> None:
    points = torch.rand(3, 2, 4, 4, dtype=dtype)
    found = onto_plane(points, torch.randn(3, dtype=dtype), torch.randn_like(points))
    assert found.shape == points.shape and found.dtype == dtype
