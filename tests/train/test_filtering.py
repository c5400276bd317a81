"""Filters in front of a model, and attacks that go through them."""

import pytest
import torch
from torch import nn

from stochi.data.events.filters import BackgroundFilter, EventFilter, MaskFilter
from stochi.errors import InputError
from stochi.train.filtering import FilteredModel


class Linear(nn.Module):
    """Answers with one weight for each place."""

    def __init__(self, grid: tuple[int, ...]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(3, *grid))

    def forward(self, events: torch.Tensor) -> torch.Tensor:
        return torch.einsum("tnpyx,ctpyx->nc", events, self.weight)


GRID = (4, 2, 5, 5)
FILTERS = [BackgroundFilter(), BackgroundFilter(2, 0), MaskFilter(1), MaskFilter(3)]


def some_events(share: float = 0.2) -> torch.Tensor:
    return (torch.rand(4, 3, 2, 5, 5) < share).float()


@pytest.mark.parametrize("one", FILTERS)
@pytest.mark.parametrize("leak", [0.0, 0.5, 1.0])
def test_answers_are_those_of_the_filtered_events(one: EventFilter, leak: float) -> None:
    model, events = Linear(GRID), some_events()
    filtered = FilteredModel(model, one, MaskFilter(4), leak=leak)
    expected = model(MaskFilter(4)(one(events)))
    assert torch.equal(filtered(events), expected)
    assert torch.equal(filtered(events.requires_grad_(True)), expected)


def gradient(model: nn.Module, events: torch.Tensor) -> torch.Tensor:
    leaf = events.clone().requires_grad_(True)
    return torch.autograd.grad(model(leaf)[:, 0].sum(), leaf)[0]


@pytest.mark.parametrize("one", FILTERS)
def test_gradients_pass_whole_or_leak(one: EventFilter) -> None:
    """Without what an event does to others, each place has its own gradient or a share of it."""
    model, events = Linear(GRID), some_events()
    alone = FilteredModel(model, one, surrogate=lambda margin: (margin > 0).float(), leak=0.25)
    passes = (one.margin(events) > 0).expand_as(events)
    assert passes.any() and not passes.all()
    expected = model.weight[0][:, None] * torch.where(passes, 1.0, 0.25)
    assert torch.allclose(gradient(alone, events), expected)


def test_gradients_tell_which_event_lets_another_pass() -> None:
    events, model = torch.zeros(4, 1, 2, 5, 5), Linear(GRID)
    events[2, 0, 0, 2, 2] = 1  # isolated, and stopped
    with torch.no_grad():
        model.weight.zero_()
        model.weight[0, 2, 0, 2, 2] = 1
    found = gradient(FilteredModel(model, BackgroundFilter(1, 1), leak=0.0), events)
    helps = torch.zeros_like(events)
    helps[1:3, :, :, 1:4, 1:4] = 1
    helps[:, :, :, 2, 2] = 0
    assert torch.equal(found > 0, helps > 0) and not (found < 0).any()


def test_gradients_tell_which_event_masks_a_pixel() -> None:
    events, model = torch.zeros(4, 1, 2, 5, 5), Linear(GRID)
    events[:2, 0, 1, 3, 3] = 1  # as many as pass
    with torch.no_grad():
        model.weight.fill_(1)
        model.weight[0, 3, 0, 3, 3] = 0
    found = gradient(FilteredModel(model, MaskFilter(2)), events)
    assert found[3, 0, 0, 3, 3] < 0 and (found[:, :, :, :3] > 0).all()
    masked = events.clone()
    masked[3, 0, 0, 3, 3] = 1
    assert not MaskFilter(2)(masked).any()


def test_mistakes_are_named() -> None:
    model = Linear(GRID)
    with pytest.raises(InputError, match="filters are missing"):
        FilteredModel(model)
    with pytest.raises(InputError, match="filters are Linear; pass filters of events"):
        FilteredModel(model, model)  # type: ignore[arg-type]
    for leak in (-0.1, 1.5, float("nan")):
        with pytest.raises(InputError, match="leak is"):
            FilteredModel(model, MaskFilter(1), leak=leak)
