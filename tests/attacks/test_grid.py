import torch
from hypothesis import given
from hypothesis import strategies as st

from stochi.attacks import PGD
from stochi.attacks.grid import onto_grid
from stochi.deploy import lower
from stochi.export import to_nir
from stochi.sim.inputs import check_inputs, to_frames
from tests.conftest import conv_net


def clean_images(on_grid: bool) -> torch.Tensor:
    pixels = torch.rand(3, 2, 8, 8)
    return (pixels * 255).round() / 255 if on_grid else pixels


@given(epsilon=st.floats(0, 1), on_grid=st.booleans(), seed=st.integers(0, 2**31))
def test_the_chip_sees_no_more_than_epsilon(epsilon: float, on_grid: bool, seed: int) -> None:
    torch.manual_seed(seed)
    clean = clean_images(on_grid)
    noise = epsilon * (torch.randint(0, 3, clean.shape) - 1) * torch.rand(()).round()
    perturbed = (clean + noise).clamp(0, 1)
    found = onto_grid(perturbed, clean, epsilon)
    assert float((found - clean).abs().max()) <= epsilon + 2e-6
    assert float(found.min()) >= 0 and float(found.max()) <= 1
    # On the grid, or clean if the ball holds no level; close to the attack's own result.
    on_level = ((found * 255).round() / 255 - found).abs() < 1e-6
    assert bool((on_level | (found == clean)).all())
    assert bool(on_level.all()) or not on_grid
    assert float((found - perturbed).abs().max()) <= 1.5 / 255 + 1e-6 or epsilon < 1 / 255


def test_pixels_that_the_chip_would_see_outside_the_ball_are_moved_back() -> None:
    clean = torch.tensor([10.0, 10.0, 10.0]) / 255
    perturbed = clean + torch.tensor([0.1, -0.1, 0.05])
    seen = (perturbed * 255).round()
    assert seen.tolist()[0] == 36  # 26/255 > 0.1
    found = onto_grid(perturbed.clamp(0, 1), clean, 0.1)
    assert (found * 255).round().tolist() == [35, 0, 23]


def test_a_program_sees_exactly_the_images_that_the_attack_made() -> None:
    net, clean = conv_net(), clean_images(on_grid=True)
    program = lower(to_nir(net, clean[:1]))
    found = PGD(0.1, iterations=2, draws=2, grid=255)(net, clean, torch.arange(3))
    seen = to_frames(program, check_inputs(program, found))[0] / 255
    assert torch.allclose(seen, found, atol=1e-6)
    assert float((seen - clean).abs().max()) <= 0.1
    plain = PGD(0.1, iterations=2, draws=2)(net, clean, torch.arange(3))
    assert (
        float((to_frames(program, check_inputs(program, plain))[0] / 255 - clean).abs().max()) > 0.1
    )
