"""Binning: no event is invented, and every lost one is counted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stochi.data import Binning
from stochi.data.events.binning import LostEvents
from stochi.data.events.recording import Recording
from stochi.errors import InputError


@st.composite
def recordings(draw: st.DrawFn) -> Recording:
    height, width, polarities = draw(st.tuples(*[st.integers(1, 4)] * 2, st.integers(1, 2)))
    event = st.tuples(
        st.integers(0, width - 1),
        st.integers(0, height - 1),
        st.integers(0, polarities - 1),
        st.integers(-50, 50) | st.integers(0, 2**45),
    )
    events = sorted(draw(st.lists(event, min_size=1, max_size=40)), key=lambda event: event[3])
    return Recording(*np.array(events, np.int64).T, height, width, polarities)


BINNINGS = st.one_of(
    st.builds(Binning, st.integers(1, 12), st.sampled_from(["time", "count"])),
    st.builds(
        lambda steps, length: Binning(steps, "duration", length),
        st.integers(1, 12),
        st.integers(1, 40),
    ),
)


@given(recordings(), BINNINGS)
def test_frames_are_the_set_of_the_events_places(recording: Recording, binning: Binning) -> None:
    """Compare with Python's sets and integers."""
    frames, lost = binning.frames(recording)
    steps = binning.steps(recording)
    expected, outside = set(), 0
    begin, length = int(recording.time[0]), int(recording.time[-1] - recording.time[0]) + 1
    for at in range(len(recording)):
        since = int(recording.time[at]) - begin
        step = {
            "time": since * binning.time_steps // length,
            "duration": since // (binning.step_us or 1),
            "count": at * binning.time_steps // len(recording),
        }[binning.by]
        assert steps[at] == step
        if step >= binning.time_steps:
            outside += 1
            continue
        expected.add((step, *(int(getattr(recording, n)[at]) for n in ("polarity", "y", "x"))))
    shape = (binning.time_steps, recording.polarities, recording.height, recording.width)
    assert frames.shape == shape and frames.dtype == np.bool_
    assert set(map(tuple, np.argwhere(frames).tolist())) == expected
    clipped = len(recording) - outside - len(expected)
    assert lost == LostEvents(clipped, outside, len(recording))
    assert lost.lost == len(recording) - int(frames.sum())


@given(recordings(), BINNINGS)
def test_steps_are_in_order_and_the_first_event_is_in_the_first(
    recording: Recording, binning: Binning
) -> None:
    steps = binning.steps(recording)
    assert steps[0] == 0 and (np.diff(steps) >= 0).all()
    if binning.by != "duration":
        assert steps[-1] < binning.time_steps
        assert LostEvents().outside == binning.frames(recording)[1].outside


def test_boundaries() -> None:
    time = np.array([100, 109, 110, 119, 120, 199])
    zero = np.zeros(6, np.int64)
    recording = Recording(zero, zero, zero, time, 1, 1)
    assert Binning(10).steps(recording).tolist() == [0, 0, 1, 1, 2, 9]
    assert Binning(10, "duration", 10).steps(recording).tolist() == [0, 0, 1, 1, 2, 9]
    assert Binning(9, "duration", 10).frames(recording)[1] == LostEvents(2, 1, 6)
    assert Binning(3, "count").steps(recording).tolist() == [0, 0, 1, 1, 2, 2]
    assert Binning(10, "count").steps(recording).tolist() == [0, 1, 3, 5, 6, 8]


def test_what_was_lost_is_told() -> None:
    total = LostEvents(10, 5, 60) + LostEvents(1, 0, 40)
    assert str(total) == (
        "16 of 100 events lost (16.0 %): 11 at a place and step that already had one, 5 after the"
        " last step"
    )


def test_names() -> None:
    assert [b.name for b in (Binning(), Binning(7, "count"), Binning(3, "duration", 10_000))] == [
        "time-10",
        "count-7",
        "duration-3x10000us",
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"time_steps": 0}, "time_steps is 0; it must be a whole number from 1 to 100,000"),
        ({"time_steps": 10**9}, "time_steps is 1000000000"),
        ({"time_steps": True}, "time_steps is True"),
        ({"time_steps": 2.5}, "time_steps is 2.5"),
        ({"by": "frames"}, "unknown binning 'frames'; it must be time, duration or count"),
        ({"by": "duration"}, "needs step_us"),
        ({"by": "duration", "step_us": 0}, "step_us is 0"),
        ({"by": "duration", "step_us": float("nan")}, "step_us is nan"),
        ({"by": "count", "step_us": 10}, "step_us is for binning by duration, not by count"),
    ],
)
def test_impossible_binnings(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Binning(**options)  # type: ignore[arg-type]
