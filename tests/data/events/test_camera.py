"""The simulated event camera: its pixels, its optics, its noise, and what they promise together."""

import math
from dataclasses import replace
from fractions import Fraction
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import poisson

from stochi.data.events.background import NEVER, draw_background
from stochi.data.events.camera import Camera, record
from stochi.data.events.optics import UNIT, brightness, grey_levels
from stochi.data.events.pixels import draw_limits, fire
from stochi.data.events.recording import Recording
from stochi.errors import InputError

IDEAL = Camera(mismatch=0, noise=0, refractory=1)
ONE = np.zeros(1, np.int64)
STILL = np.zeros((50, 2))
RIGHT = np.stack([np.zeros(50), np.linspace(-2, 2, 50)], 1)
"""Rows and columns of a centre that moves to the right at a constant speed."""


def bar(columns: slice = slice(2, 4)) -> np.ndarray:
    """One image, (1, 6, 6), of a bright vertical bar on black."""
    image = np.zeros((1, 6, 6))
    image[:, :, columns] = 1
    return image


def events_of(recording: Recording) -> list[tuple[int, ...]]:
    columns = recording.time, recording.y, recording.x, recording.polarity
    return list(zip(*(column.tolist() for column in columns), strict=True))


def slow_pixel(
    levels: list[int],
    limits: tuple[int, int],
    noise: list[tuple[int, int]],
    interval: int,
    refractory: int,
) -> list[tuple[int, int]]:
    """Time and polarity of a pixel's events, microsecond by microsecond, in fractions."""
    events, reference, ready = [], levels[0], 0
    for time in range((len(levels) - 1) * interval + 1):
        at = min(time // interval, len(levels) - 2)
        rise = Fraction(levels[at + 1] - levels[at], interval)
        level = levels[at] + rise * (time - at * interval)
        if time < ready:
            continue
        if time == ready:
            reference = math.floor(level)
        heard = [polarity for when, polarity in noise if when == time]
        if level >= reference + limits[0]:
            events.append((time, 1))
        elif level <= reference - limits[1]:
            events.append((time, 0))
        elif heard:
            events.append((time, heard[0]))
        else:
            continue
        ready = time + refractory
    return events


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_pixel_fires_when_its_level_leaves_the_limits(data: st.DataObject) -> None:
    interval = data.draw(st.integers(1, 12))
    refractory = data.draw(st.integers(1, 15))
    moments = data.draw(st.integers(2, 5))
    pixels = data.draw(st.integers(1, 3))
    level = st.integers(-3000, 3000)
    levels = data.draw(
        st.lists(
            st.lists(level, min_size=moments, max_size=moments), min_size=pixels, max_size=pixels
        )
    )
    limits = data.draw(
        st.lists(
            st.tuples(st.integers(1, 1500), st.integers(1, 1500)),
            min_size=pixels,
            max_size=pixels,
        )
    )
    duration = (moments - 1) * interval
    times = sorted(data.draw(st.sets(st.integers(0, duration - 1), max_size=4)))
    noise = [(time, data.draw(st.integers(0, 1))) for time in times]
    padded = np.array([*times, NEVER]), np.array([*(bit for _, bit in noise), 0])
    rising, falling = np.array(limits).T
    pixel, time, polarity = fire(
        iter(np.array(levels).T),
        (rising, falling),
        (np.tile(padded[0], (pixels, 1)), np.tile(padded[1], (pixels, 1))),
        interval,
        refractory,
    )
    for number in range(pixels):
        mine = pixel == number
        fired = sorted(zip(time[mine].tolist(), polarity[mine].tolist(), strict=True))
        assert fired == slow_pixel(levels[number], limits[number], noise, interval, refractory)


def test_events_lie_where_the_image_changes_and_nowhere_else() -> None:
    (seen,) = record(bar(), RIGHT, IDEAL, ONE)
    logarithms = np.stack(list(brightness(grey_levels(bar()), RIGHT, 16, 16, 0.8, 0.1)))
    change = (logarithms.max(0) - logarithms.min(0)).reshape(16, 16)
    away = np.abs(logarithms - logarithms[0]).max(0).reshape(16, 16)
    fired = np.zeros((16, 16), np.int64)
    np.add.at(fired, (seen.y, seen.x), 1)
    assert len(seen) > 100
    assert (change[fired > 0] >= IDEAL.threshold * UNIT - 1).all()
    assert (fired[away >= IDEAL.threshold * UNIT + 1] > 0).all()


def test_brightness_rises_in_front_of_a_bar_and_falls_behind_it() -> None:
    (seen,) = record(bar(), RIGHT, IDEAL, ONE)
    (back,) = record(bar(), RIGHT[::-1], IDEAL, ONE)
    for recording, right, left in ((seen, 1, 0), (back, 0, 1)):
        assert set(recording.polarity[recording.x >= 10]) == {right}
        assert set(recording.polarity[recording.x <= 4]) == {left}


def test_a_higher_threshold_fires_less() -> None:
    counts = [
        len(record(bar(), RIGHT, replace(IDEAL, threshold=threshold), ONE)[0])
        for threshold in (0.1, 0.2, 0.4, 0.8, 2.4)
    ]
    assert counts == sorted(counts, reverse=True) and counts[0] > 2 * counts[2] and counts[-1] == 0


@pytest.mark.parametrize("up", [True, False])
@pytest.mark.parametrize("refractory", [1, 50_000])
def test_a_steady_change_makes_events_at_a_steady_rate(up: bool, refractory: int) -> None:
    ramp = iter(np.array([[0], [10 * UNIT if up else -10 * UNIT]]))
    never = np.array([[NEVER]]), np.array([[0]])
    limit = np.array([UNIT])
    _, time, polarity = fire(ramp, (limit, limit), never, 10**6, refractory)
    period = 100_000 + (refractory if refractory > 1 else 0)
    expected = np.arange(100_000, 10**6 + 1, period)
    assert len(time) >= len(expected) - 1 and set(polarity) == {int(up)}
    assert np.abs(np.sort(time) - expected[: len(time)]).max() <= 250


@pytest.mark.parametrize("refractory", [1, 1_000, 20_000])
def test_a_pixel_is_blind_for_the_refractory_time(refractory: int) -> None:
    camera = replace(IDEAL, refractory=refractory, threshold=0.05, noise=200.0)
    (seen,) = record(bar(), RIGHT, camera, ONE)
    place = seen.y * camera.width + seen.x
    gaps = [np.diff(seen.time[place == one]) for one in np.unique(place)]
    assert min(gap.min(initial=10**9) for gap in gaps) >= refractory
    assert (np.diff(seen.time) >= 0).all()


@pytest.mark.parametrize("image", [bar(), np.zeros((1, 6, 6)), np.ones((1, 3, 5))])
def test_a_still_image_makes_no_events(image: np.ndarray) -> None:
    assert len(record(image, STILL, replace(IDEAL, mismatch=0.1), ONE)[0]) == 0
    assert len(record(image * 0, RIGHT, IDEAL, ONE)[0]) == 0


def test_background_events_come_at_their_rate_and_with_both_polarities() -> None:
    camera = replace(IDEAL, noise=4.0)
    seen = record(np.zeros((40, 2, 2)), STILL, camera, np.arange(40))
    counts = np.array([len(recording) for recording in seen])
    expected = 4.0 * 49 * camera.interval / 1e6 * camera.pixels
    low, high = poisson.interval(1 - 1e-6, 40 * expected)
    assert low <= counts.sum() <= high
    assert 0.5 * expected < counts.var() < 2 * expected  # Poisson, not one number for all
    polarity = np.concatenate([recording.polarity for recording in seen])
    assert abs(polarity.mean() - 0.5) < 5 * 0.5 / math.sqrt(len(polarity))
    time = np.concatenate([recording.time for recording in seen])
    assert abs(time.mean() / (49 * camera.interval) - 0.5) < 5 / math.sqrt(12 * len(time))
    assert events_of(seen[0]) != events_of(seen[1])


@settings(max_examples=30, deadline=None)
@given(st.floats(0, 50), st.integers(1, 10**6), st.integers(0, 2**32 - 1))
def test_background_times_ascend_within_the_recording(
    rate: float, duration: int, seed: int
) -> None:
    times, polarity = draw_background(rate, duration, 12, np.arange(3), seed)
    assert times.shape == polarity.shape and len(times) == 36
    assert (times[:, -1] == NEVER).all() and (np.diff(times) >= 0).all()
    assert ((times < duration) | (times == NEVER)).all() and times.min() >= 0


def test_thresholds_differ_between_pixels_as_the_mismatch_says() -> None:
    rising, falling = draw_limits(0.4, 0.1, 10_000, seed=3)
    for limits in (rising, falling):
        assert abs(limits.mean() / UNIT - 0.4) < 0.002
        assert abs(limits.std() / UNIT - 0.04) < 0.002
    assert abs(np.corrcoef(rising, falling)[0, 1]) < 0.05
    assert all((limits == round(0.4 * UNIT)).all() for limits in draw_limits(0.4, 0, 10, 0))
    assert min(draw_limits(0.01, 0.3, 10_000, 0)[0]) >= 1


@settings(max_examples=15, deadline=None)
@given(st.data())
def test_a_recording_does_not_depend_on_its_batch(data: st.DataObject) -> None:
    count = data.draw(st.integers(2, 6))
    grey = np.random.default_rng(data.draw(st.integers(0, 99))).random((count, 4, 5))
    numbers = np.arange(count) + data.draw(st.integers(0, 2**32 - 7))
    camera = Camera(height=7, width=9, noise=20.0, threshold=0.2)
    whole = record(grey, RIGHT, camera, numbers, seed=5)
    chosen = data.draw(st.permutations(range(count)))[: data.draw(st.integers(1, count))]
    part = record(grey[chosen], RIGHT, camera, numbers[chosen], seed=5)
    assert [events_of(one) for one in part] == [events_of(whole[row]) for row in chosen]
    for one in whole:
        assert one.x.max(initial=0) < 9 and one.y.max(initial=0) < 7
        assert one.time.max(initial=0) <= 49 * camera.interval


def test_the_seed_is_another_sensor() -> None:
    camera = replace(IDEAL, mismatch=0.1)
    first, again, other = (record(bar(), RIGHT, camera, ONE, seed)[0] for seed in (0, 0, 1))
    assert events_of(first) == events_of(again) != events_of(other)


def test_light_is_a_whole_number_times_the_image() -> None:
    """The sums are exact, so no machine rounds them another way."""
    full = list(brightness(grey_levels(np.ones((1, 8, 8))), STILL[:2], 4, 4, 1.0, 0.5))
    assert full[0].reshape(4, 4)[1, 1] == 0  # white's logarithm
    dark = list(brightness(grey_levels(np.zeros((1, 8, 8))), STILL[:2], 4, 4, 1.0, 0.5))
    assert set(dark[0]) == {round(UNIT * math.log(0.5))}
    image = np.random.default_rng(0).random((1, 8, 8))
    for down, right in RIGHT[::7] * 0.3:
        path = np.array([[down, right]] * 2)
        (seen, _) = brightness(grey_levels(image), path, 8, 8, 1.0, 0.1)
        (turned, _) = brightness(grey_levels(image[:, ::-1, ::-1]), -path, 8, 8, 1.0, 0.1)
        # Rounding of places to 1/1024 of a pixel is the only thing that is not symmetric.
        assert np.abs(seen - turned[::-1]).max() < 0.02 * UNIT


def test_no_number_that_is_rounded_lies_near_a_tie() -> None:
    """Where a logarithm or an exponential differs in its last bits, the rounded number does not."""
    camera = Camera()
    dark = camera.dark
    logarithms = [UNIT * math.log(dark + (1 - dark) * shade / 4096) for shade in range(4097)]
    quantiles = [NormalDist().inv_cdf((level + 0.5) / 256) for level in range(256)]
    limits = [UNIT * camera.threshold * (1 + camera.mismatch * quantile) for quantile in quantiles]
    assert all(abs(value % 1 - 0.5) > 1e-6 for value in [*logarithms, *limits])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"height": 0}, "height is 0; it must be from 1"),
        ({"width": 2000}, "width is 2000; it must be from 1 to 1024"),
        ({"threshold": 0.0}, "threshold is 0.0"),
        ({"threshold": math.nan}, "threshold is nan"),
        ({"dark": 0.0}, "dark is 0.0"),
        ({"mismatch": 0.5}, "mismatch is 0.5; it must be from 0 to 0.3"),
        ({"refractory": 0}, "refractory is 0"),
        ({"interval": 2.5}, "interval is 2.5; it must be a whole number"),
        ({"noise": -1}, "noise is -1"),
        ({"noise": math.inf}, "noise is inf"),
    ],
)
def test_a_camera_that_cannot_be(change: dict[str, float], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(Camera(), **change)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("images", "path", "message"),
    [
        (np.zeros((6, 6)), RIGHT, r"shape \(6, 6\)"),
        (np.zeros((1, 0, 6)), RIGHT, r"shape \(1, 0, 6\)"),
        (bar() * 2, RIGHT, "range from 0 to 2"),
        (bar() * math.nan, RIGHT, "range from nan to nan"),
        (bar(), RIGHT[:1], r"path has the shape \(1, 2\)"),
        (bar(), RIGHT[:, :1], r"path has the shape \(50, 1\)"),
        (bar(), np.full((2, 2), math.inf), "within"),
        (bar(), np.full((2, 2), math.nan), "within"),
    ],
)
def test_images_and_paths_that_cannot_be_recorded(
    images: np.ndarray, path: np.ndarray, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        record(images, path, IDEAL, ONE)


def test_too_much_noise_and_no_image() -> None:
    with pytest.raises(InputError, match="background events must be at most 100"):
        record(bar(), RIGHT, replace(IDEAL, noise=10_000), ONE)
    assert record(np.zeros((0, 6, 6)), RIGHT, IDEAL, ONE[:0]) == []
    with pytest.raises(InputError, match="1 images have 0 numbers"):
        record(bar(), RIGHT, IDEAL, ONE[:0])
