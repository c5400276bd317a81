"""Draws in forward: every one is refused, by whatever function and generator it is made."""

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from benchmarks.support.idioms import DENSE, Net, plain
from benchmarks.support.networks import strong
from stochi.errors import ExportError
from stochi.export import to_nir
from stochi.export.randomness import outside_torch


def through_data() -> torch.Tensor:
    drawn = torch.empty(10)
    drawn.data.normal_()
    return drawn


def written_out() -> torch.Tensor:
    drawn = torch.empty(10)
    torch.randn(10, out=drawn)
    return drawn


def in_part() -> torch.Tensor:
    drawn = torch.ones(10)
    drawn[:5].normal_()
    return drawn


DRAWS: dict[str, Callable[[], Any]] = {
    "dropout of ones": lambda: F.dropout(torch.ones(10), 0.5),
    "alpha dropout": lambda: F.alpha_dropout(torch.ones(10), 0.5, training=True),
    "log_normal_": lambda: torch.empty(10).log_normal_(),
    "cauchy_": lambda: torch.empty(10).cauchy_(),
    "geometric_": lambda: torch.empty(10).geometric_(0.5),
    "binomial": lambda: torch.binomial(torch.full((10,), 3.0), torch.full((10,), 0.5)),
    "rrelu": lambda: F.rrelu(-torch.ones(10), training=True),
    "a distribution": lambda: torch.distributions.Gamma(2.0, 2.0).sample((10,)),
    "an own generator": lambda: torch.rand(10, generator=torch.Generator().manual_seed(1)),
    "through .data": through_data,
    "out=": written_out,
    "a part": in_part,
}
DECISIONS: dict[str, Callable[[], Any]] = {
    "numpy": lambda: torch.from_numpy(np.random.rand(10)).float(),
    "numpy's own generator": lambda: float(np.random.default_rng().random()),
    "Python": random.random,
    "a branch by a draw": lambda: 1.0 if torch.rand(1) < 0.5 else 2.0,
}


class Drawn:
    """A step that multiplies currents by numbers, drawn once a pass or at every step."""

    def __init__(self, draw: Callable[[], Any], once: bool) -> None:
        self.draw, self.once = draw, once

    def __call__(self, n: Any, x: torch.Tensor) -> torch.Tensor:
        if not self.once or not n.sent:
            n.factor = self.draw()
        n.sent.append(n.factor)
        return n.b(n.n(n.a(x) * n.factor))


def dense(step: Any) -> Any:
    return strong(Net(step, **{name: make() for name, make in DENSE.items()}))


@pytest.mark.parametrize("once", [True, False])
@pytest.mark.parametrize("name", DRAWS)
def test_a_draw_is_refused_whatever_makes_it(name: str, once: bool) -> None:
    with pytest.raises(ExportError, match=r"random numbers|dropout is on in eval mode"):
        to_nir(dense(Drawn(DRAWS[name], once)), torch.rand(3, 12))


@pytest.mark.parametrize("once", [True, False])
@pytest.mark.parametrize("name", DECISIONS)
def test_draws_outside_tensors_are_refused(name: str, once: bool) -> None:
    with pytest.raises(ExportError, match=r"random numbers|time step 1 differ"):
        to_nir(dense(Drawn(DECISIONS[name], once)), torch.rand(3, 12))


def test_dropped_weights_are_refused() -> None:
    def step(n: Any, x: torch.Tensor) -> torch.Tensor:
        if not n.sent:
            n.dropped = F.dropout(n.a.weight, 0.5)
        n.sent.append(x)
        return n.b(n.n(F.linear(x, n.dropped, n.a.bias)))

    with pytest.raises(ExportError, match="dropout is on in eval mode"):
        to_nir(dense(step), torch.rand(3, 12))


def test_a_count_of_passes_is_refused() -> None:
    def step(n: Any, x: torch.Tensor) -> torch.Tensor:
        n.count = getattr(n, "count", 0) + 1
        return n.b(n.n(n.a(x) * (1.0 if n.count <= 5 else 2.0)))

    with pytest.raises(ExportError, match=r"same input is shown again.*counts its calls"):
        to_nir(dense(step), torch.rand(3, 12))


def test_draws_that_go_nowhere_are_no_problem_and_generators_stay() -> None:
    def step(n: Any, x: torch.Tensor) -> torch.Tensor:
        n.log = (torch.rand(1), np.random.rand(), random.random())
        return plain(n, x)

    net, sample = dense(step), torch.rand(3, 12)
    before, state = outside_torch(), torch.get_rng_state()
    to_nir(net, sample)
    assert outside_torch() == before
    assert torch.equal(torch.get_rng_state(), state)
