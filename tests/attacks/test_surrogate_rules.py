"""The surrogates' derivatives, and how they are put in place."""

import math

import pytest
import snntorch as snn
import torch
from snntorch import surrogate
from torch import nn

from stochi.attacks import (
    PGD,
    AdaptiveSurrogate,
    FixedSurrogate,
    PotentialSurrogate,
)
from stochi.attacks.expectation import expected_gradient
from stochi.attacks.surrogates.adaptive import Moments, start_moments, update_moments
from stochi.attacks.surrogates.choice import make_surrogate, make_surrogates
from stochi.attacks.surrogates.kernels import KERNELS
from stochi.attacks.surrogates.replacement import surrogate_in
from stochi.attacks.surrogates.surrogate import GivenSurrogate, OwnSurrogate, derivative_of
from stochi.deploy import lower
from stochi.errors import InputError
from stochi.export import to_nir
from stochi.train import FreshDraws, twin_of
from tests.conftest import conv_net

DISTANCE = torch.tensor([[-2.0, -0.3, 0.0, 0.1, 1.0]])


@pytest.mark.parametrize(
    ("kernel", "function"),
    [
        ("atan", surrogate.atan(alpha=5.0)),
        ("fast-sigmoid", surrogate.fast_sigmoid(slope=5.0)),
    ],
)
def test_kernels_are_those_of_snntorch(kernel: str, function) -> None:  # type: ignore[no-untyped-def]
    assert torch.allclose(KERNELS[kernel](DISTANCE, 5.0), derivative_of(function, DISTANCE))


@pytest.mark.parametrize("kernel", ["atan", "triangle", "gaussian"])
@pytest.mark.parametrize("sharpness", [2.0, 25.0])
def test_kernels_of_a_step_integrate_to_its_height(kernel: str, sharpness: float) -> None:
    grid = torch.linspace(-200, 200, 4_000_001, dtype=torch.float64)
    area = torch.trapezoid(KERNELS[kernel](grid, sharpness), grid)
    assert float(area) == pytest.approx(1, abs=2e-3)


def test_moments_by_hand() -> None:
    moments = start_moments(torch.zeros(2))
    moments = update_moments(moments, torch.tensor([-3.0, 0.5]))
    assert moments.mean.tolist() == pytest.approx([0.9 + 0.3, 0.9 + 0.05])
    assert moments.deviation.tolist() == pytest.approx([0.1 * 1.8, 0.1 * 0.45])
    moments = update_moments(moments, torch.tensor([1.0, 0.5]))
    assert moments.mean.tolist() == pytest.approx([1.08 + 0.1, 0.855 + 0.05])
    assert isinstance(moments, Moments)


def test_the_adaptive_kernel_by_hand_and_from_the_first_draw_only() -> None:
    rule = AdaptiveSurrogate(0.4).begin()
    first, other = torch.tensor([[0.5, -1.0]]), torch.tensor([[7.0, 7.0]])
    slope = rule(torch.cat([first, other]), "place", 1)
    mean = 0.9 + 0.1 * first.abs()
    deviation = 0.1 * (first.abs() - mean).abs()
    sharpness = 2 * math.tan(0.4 * math.pi) / math.pi / (mean + 1.5 * deviation + 1e-4)
    for row, distance in zip(slope, (first, other), strict=True):
        assert torch.allclose(row, KERNELS["atan"](distance, sharpness)[0])
    # Another place begins on its own; the same one goes on.
    assert torch.equal(rule(torch.cat([first, other]), "elsewhere", 1), slope)
    assert not torch.equal(rule(torch.cat([first, other]), "place", 1), slope)


def test_the_adaptive_kernel_covers_what_it_should() -> None:
    """Its step reaches 1/2 + h at M + 1.5·D."""
    rule, distance = AdaptiveSurrogate().begin(), torch.tensor([[2.0]])
    for _ in range(200):
        slope = rule(distance, 0, 1)
    # In the limit M = |x| and D = 0, so α·|x| = 2·tan(π·h)/π and the step there is 1/2 + h.
    sharpness = 2 * math.tan(math.pi * 0.425) / math.pi / 2
    assert math.atan(math.pi / 2 * sharpness * 2) / math.pi == pytest.approx(0.425)
    assert float(slope) == pytest.approx(float(KERNELS["atan"](distance, sharpness)), rel=1e-3)


def test_the_potentials_spread_is_that_of_a_channel() -> None:
    distance = torch.randn(4, 3, 5, 5) * torch.tensor([0.1, 1.0, 3.0]).view(1, 3, 1, 1)
    slope = PotentialSurrogate().begin()(distance, 0, 4)
    for channel in range(3):
        spread = distance[:, channel].std(correction=0)
        expected = KERNELS["gaussian"](distance[:, channel], 1 / spread)
        assert torch.allclose(slope[:, channel], expected)
    flat = torch.randn(1, 6)
    expected = KERNELS["gaussian"](flat, 1 / flat.std(correction=0))
    assert torch.allclose(PotentialSurrogate().begin()(flat, 0, 1), expected)
    assert bool(PotentialSurrogate().begin()(torch.zeros(1, 1), 0, 1).isfinite().all())


def test_names_make_values_and_values_have_names() -> None:
    named = {
        "own": OwnSurrogate(),
        "adaptive": AdaptiveSurrogate(),
        "adaptive-0.35": AdaptiveSurrogate(0.35),
        "potential": PotentialSurrogate(),
        "atan-25": FixedSurrogate("atan", 25.0),
        "fast-sigmoid-5": FixedSurrogate("fast-sigmoid", 5.0),
    }
    for name, value in named.items():
        assert make_surrogate(name) == value and value.name == name
    assert make_surrogates("own, atan-25,own") == (OwnSurrogate(), FixedSurrogate("atan", 25.0))
    function = surrogate.atan(alpha=7.0)
    assert make_surrogates([function, "own"]) == (GivenSurrogate(function), OwnSurrogate())


@pytest.mark.parametrize(
    "bad",
    ["steep", "atan", "atan-0", "atan-x", "step-3", "adaptive-0.5", "", 3, [], "own,", "atan-nan"],
)
def test_what_is_no_surrogate_raises(bad: object) -> None:
    with pytest.raises(InputError, match=r"surrogate|sharpness|coverage"):
        PGD(0.1, surrogates=bad)  # type: ignore[arg-type]


def two_ways(model: nn.Module, name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the answers and the gradient through a surrogate, with the same draws each time."""
    x, y = torch.linspace(0, 1, 3 * 128).view(3, 2, 8, 8), torch.arange(3)
    with surrogate_in(model, make_surrogate(name), 3):
        torch.manual_seed(5)
        if isinstance(model, FreshDraws):
            model.calls = 0
        gradient = expected_gradient(model, x, y, 2)
        torch.manual_seed(5)
        if isinstance(model, FreshDraws):
            model.calls = 0
        return model(x).detach(), gradient


def twin_model() -> nn.Module:
    net, sample = conv_net(spike_grad=surrogate.atan()), torch.rand(1, 2, 8, 8)
    return FreshDraws(twin_of(lower(to_nir(net, sample)), net, sample), seed=3)


@pytest.mark.parametrize("make", [lambda: conv_net(spike_grad=surrogate.atan()), twin_model])
def test_answers_stay_and_the_model_is_left_as_it_was(make) -> None:  # type: ignore[no-untyped-def]
    model = make()
    answers, own = two_ways(model, "own")
    for name in ("atan-25", "adaptive", "potential", "triangle-2"):
        same, gradient = two_ways(model, name)
        assert torch.equal(answers, same)
        assert bool(gradient.any()) and not torch.allclose(own, gradient)
    again, still_own = two_ways(model, "own")
    assert torch.equal(again, answers) and torch.equal(own, still_own)
    assert torch.allclose(two_ways(model, "atan-2")[1], own, atol=1e-7)
    assert not model._forward_pre_hooks


class Plain(nn.Module):
    """snnTorch's own neurons, as its tutorials write them."""

    def __init__(self) -> None:
        super().__init__()
        self.fc, self.out = nn.Linear(16, 12), nn.Linear(12, 4)
        self.first, self.second = snn.Leaky(beta=0.9), snn.Synaptic(alpha=0.8, beta=0.9)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        membrane = self.first.reset_mem()
        current, potential = self.second.reset_mem()
        total = 0
        for _ in range(4):
            spikes, membrane = self.first(self.fc(images.flatten(1)), membrane)
            spikes, current, potential = self.second(self.out(spikes), current, potential)
            total = total + potential
        return total


@pytest.mark.parametrize("name", ["atan-25", "adaptive", "potential"])
def test_neurons_of_snntorch_get_other_surrogates(name: str) -> None:
    torch.manual_seed(0)
    model, x, y = Plain(), torch.rand(5, 1, 4, 4), torch.arange(5) % 4
    own = expected_gradient(model, x, y, 1)
    with surrogate_in(model, make_surrogate(name), len(x)):
        other = expected_gradient(model, x, y, 1)
    assert bool(other.any()) and not torch.allclose(own, other)
    assert torch.equal(own, expected_gradient(model, x, y, 1))
    PGD(0.1, iterations=3, draws=2, surrogates=name)(model, x, y)


def test_an_error_inside_leaves_the_model_as_it_was() -> None:
    model = conv_net()
    own = [neuron.spike_grad for neuron in model.modules() if hasattr(neuron, "spike_grad")]
    with pytest.raises(InputError, match="fails on inputs"):
        PGD(0.1, surrogates="adaptive")(model, torch.rand(2, 2, 3, 3), torch.arange(2))
    after = [neuron.spike_grad for neuron in model.modules() if hasattr(neuron, "spike_grad")]
    assert own == after and not model._forward_pre_hooks


def test_a_model_without_spikes_has_no_surrogate_to_replace() -> None:
    model = nn.Sequential(nn.Flatten(), nn.Linear(16, 4))
    with pytest.raises(InputError, match="no spiking neuron of snnTorch"):
        PGD(0.1, surrogates="adaptive")(model, torch.rand(2, 1, 4, 4), torch.arange(2))


class Ternary(nn.Module):
    """A spike function of a user, a module with three values."""

    def forward(self, distance: torch.Tensor) -> torch.Tensor:
        return distance.sign() * (distance.abs() > 0.1)


class Method(Plain):
    """Neurons whose spike function is not in the instance."""

    def __init__(self) -> None:
        super().__init__()

        class Leaky(snn.Leaky):
            def spike_grad(self, distance: torch.Tensor) -> torch.Tensor:  # type: ignore[override]
                return surrogate.atan()(distance)

        self.first = Leaky(beta=0.9)
        self.first.__dict__.pop("spike_grad", None)


@pytest.mark.parametrize("kind", ["a module", "a method"])
def test_whatever_spikes_a_neuron_has_stay_and_come_back(kind: str) -> None:
    torch.manual_seed(0)
    model, x = (Plain() if kind == "a module" else Method()), torch.rand(3, 1, 4, 4)
    if kind == "a module":
        del model.first.spike_grad
        model.first.spike_grad = Ternary()
    before, kept = model(x), {name: vars(model.first).get(name) for name in ("spike_grad",)}
    with surrogate_in(model, FixedSurrogate("atan", 25.0), 3):
        assert "spike_grad" in vars(model.first)
        assert torch.equal(before, model(x.requires_grad_(True)))
    assert {name: vars(model.first).get(name) for name in ("spike_grad",)} == kept
    assert torch.equal(before, model(x))


def test_random_spikes_stay_random() -> None:
    class Escape(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.leaky = snn.Leaky(beta=0.5)
            self.leaky.spike_grad = lambda d: (d > 0.3 * torch.randn_like(d)).float()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.leaky(3 * x, self.leaky.reset_mem())[0]

    model, x = Escape(), torch.rand(4, 5)
    with surrogate_in(model, AdaptiveSurrogate(), 4):
        given = x.requires_grad_(True)
        assert not torch.equal(model(given), model(given))


def test_rows_that_are_not_draws_keep_their_own_moments() -> None:
    """``LeakyParallel`` has time first: no row is a draw of an image."""
    model = nn.Sequential(snn.LeakyParallel(3, 4, beta=0.9))
    seen: list[int | None] = []

    class Watching(AdaptiveSurrogate):
        def begin(self):  # type: ignore[no-untyped-def]
            rule = super().begin()
            return lambda d, place, first: (seen.append(first), rule(d, place, first))[1]

    class TimeFirst(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = model

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.inner(x[None].repeat(8, 1, 1)).mean(0)

    net, x = TimeFirst(), torch.rand(2, 3)
    with surrogate_in(net, Watching(), 2):
        expected_gradient(net, x, torch.zeros(2).long(), 3)
    assert seen and set(seen) == {None}
    folded = PotentialSurrogate().begin()(torch.randn(8, 6, 4), 0, None)
    assert folded.shape == (8, 6, 4) and bool(folded.isfinite().all())


def test_given_functions_of_other_slopes_have_other_names() -> None:
    names = {GivenSurrogate(surrogate.fast_sigmoid(slope=slope)).name for slope in (5, 25)} | {
        GivenSurrogate(surrogate.atan()).name
    }
    assert len(names) == 3 and all(name.split("@")[0] in ("fast_sigmoid", "atan") for name in names)
