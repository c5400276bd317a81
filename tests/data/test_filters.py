"""Filters of events, against a search event by event."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stochi.data.events.filters import BackgroundFilter, EventFilter, MaskFilter
from stochi.errors import InputError


@st.composite
def frames(draw: st.DrawFn) -> torch.Tensor:
    shape = [draw(st.integers(1, most)) for most in (5, 2, 2, 5, 5)]
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**32)))
    return (torch.rand(shape, generator=generator) < draw(st.sampled_from([0.1, 0.4]))).float()


def background_by_search(events: torch.Tensor, distance: int, steps: int) -> torch.Tensor:
    kept, all_events = torch.zeros_like(events), events.nonzero().tolist()
    for t, n, p, y, x in all_events:
        for t2, n2, _, y2, x2 in all_events:
            near = max(abs(y - y2), abs(x - x2)) <= distance and (y, x) != (y2, x2)
            if n == n2 and near and t - steps <= t2 <= t:
                kept[t, n, p, y, x] = 1
    return kept


@settings(max_examples=150, deadline=None)
@given(frames(), st.integers(1, 6), st.integers(0, 6))
def test_background_filter_is_a_search_for_neighbours(
    events: torch.Tensor, distance: int, steps: int
) -> None:
    found = BackgroundFilter(distance, steps)(events)
    assert torch.equal(found, background_by_search(events, distance, steps))


@settings(max_examples=150, deadline=None)
@given(frames(), st.integers(0, 6))
def test_mask_filter_counts_pixel_by_pixel(events: torch.Tensor, most: int) -> None:
    expected = events.clone()
    _, samples, _, height, width = events.shape
    for n in range(samples):
        for y in range(height):
            for x in range(width):
                if events[:, n, :, y, x].sum() > most:
                    expected[:, n, :, y, x] = 0
    assert torch.equal(MaskFilter(most)(events), expected)


def test_filters_of_frames_without_events_and_of_no_samples() -> None:
    for one in (BackgroundFilter(), MaskFilter(0)):
        assert not one(torch.zeros(3, 2, 2, 4, 4)).any()
        assert one(torch.zeros(3, 0, 2, 4, 4)).shape == (3, 0, 2, 4, 4)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: BackgroundFilter(0), "distance is 0"),
        (lambda: BackgroundFilter(1, -1), "steps is -1"),
        (lambda: BackgroundFilter(1.5), "distance is 1.5"),
        (lambda: MaskFilter(-1), "most is -1"),
        (lambda: MaskFilter(True), "most is True"),
    ],
)
def test_values_out_of_range_are_refused(make, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=message):
        make()


@pytest.mark.parametrize("one", [BackgroundFilter(), MaskFilter(1)])
@pytest.mark.parametrize("wrong", [torch.zeros(3, 2, 4, 4), torch.zeros(3, 1, 2, 4, 4).bool()])
def test_frames_of_another_form_are_refused(one: EventFilter, wrong: torch.Tensor) -> None:
    with pytest.raises(InputError, match="a filter takes floats of shape"):
        one(wrong)
