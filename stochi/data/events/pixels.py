"""Pixels of a simulated event camera, which compare brightness with what it was."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from stochi.data.events.background import NEVER
from stochi.data.events.optics import UNIT
from stochi.data.words import CAMERA_LAYER, draw_words
from stochi.hardware.draws import LayerDraws

Events = tuple[np.ndarray, np.ndarray, np.ndarray]
"""Pixel, time and polarity of events, each (events,) int64."""


def draw_limits(
    threshold: float, mismatch: float, pixels: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Draw every pixel's thresholds of rising and falling brightness, (pixels,) in ``1 / UNIT``."""
    normal = NormalDist()
    quantiles = [normal.inv_cdf((level + 0.5) / 256) for level in range(256)]
    table = np.array(
        [round(UNIT * threshold * (1 + mismatch * quantile)) for quantile in quantiles], np.int64
    )
    draws = LayerDraws(seed, 0, CAMERA_LAYER, 0)
    sensor = np.zeros(1, np.int64)
    rising, falling = (table[draw_words(sensor, pixels, 1, draws, at)[0]] for at in (0, 1))
    return rising, falling


def fire(
    levels: Iterator[np.ndarray],
    limits: tuple[np.ndarray, np.ndarray],
    noise: tuple[np.ndarray, np.ndarray],
    interval: int,
    refractory: int,
) -> Events:
    """Return all events of sensors that see the same moments.

    A pixel fires at the first microsecond at which its level has left the limits around its
    reference, or with a background event. It is then blind for the refractory time and takes the
    level at its end as the new reference.

    Args:
        levels: (sensors · pixels,) int64 at each moment, linear in between.
        limits: each pixel's thresholds of rising and falling levels, (pixels,).
        noise: times, ascending and ``NEVER`` behind the last, and polarities of background events,
            (sensors · pixels, most + 1).
        interval: microseconds between two moments.
        refractory: microseconds, at least 1.

    Returns:
        Pixel, time and polarity of events, in no particular order.
    """
    before = next(levels)
    sensors = len(before) // len(limits[0])
    state = _Pixels(
        numbers=np.arange(len(before)),
        reference=before.copy(),
        ready=np.zeros_like(before),
        rising=np.tile(limits[0], sensors),
        falling=np.tile(limits[1], sensors),
        upcoming=noise[0][:, 0].copy(),
    )
    events = [(before[:0], before[:0], before[:0])]
    for number, after in enumerate(levels):
        span = _Span(before, after, number * interval, interval)
        live = _wake(state, span, slice(None))
        while len(live):
            time, polarity = _next_events(state, span, noise, live)
            events.append((live, time, polarity))
            state.ready[live] = time + refractory
            heard = (noise[0][live] < state.ready[live, None]).sum(1)
            state.upcoming[live] = noise[0][live, heard]
            live = _wake(state, span, live)
        before = after
    pixel, time, polarity = (np.concatenate(parts) for parts in zip(*events, strict=True))
    return pixel, time, polarity


@dataclass(frozen=True)
class _Pixels:
    """State of all pixels, changed in place.

    Attributes:
        numbers: the pixels' numbers, 0, 1, ….
        reference: the level that a pixel compares with.
        ready: the time at which a pixel's last blindness ends.
        rising, falling: its thresholds.
        upcoming: time of its next background event.
    """

    numbers: np.ndarray
    reference: np.ndarray
    ready: np.ndarray
    rising: np.ndarray
    falling: np.ndarray
    upcoming: np.ndarray


class _Span(NamedTuple):
    """Levels of all pixels at the start of an interval and at its end, and the two times."""

    before: np.ndarray
    after: np.ndarray
    start: int
    interval: int


def _wake(state: _Pixels, span: _Span, pixels: np.ndarray | slice) -> np.ndarray:
    """Give pixels whose blindness ends their reference, and return those that will fire."""
    numbers = state.numbers[pixels]
    wait = state.ready[pixels] - span.start
    ending = (wait >= 0) & (wait < span.interval)
    woken, wait = numbers[ending], wait[ending]
    rise = span.after[woken] - span.before[woken]
    state.reference[woken] = span.before[woken] + rise * wait // span.interval
    change = span.after[pixels] - state.reference[pixels]
    leaving = (change >= state.rising[pixels]) | (change <= -state.falling[pixels])
    end = span.start + span.interval
    fires = (state.ready[pixels] < end) & (leaving | (state.upcoming[pixels] < end))
    return numbers[fires]


def _next_events(
    state: _Pixels, span: _Span, noise: tuple[np.ndarray, np.ndarray], pixels: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return time and polarity of the next event of pixels that fire in this interval."""
    level, end = span.before[pixels], span.after[pixels]
    rise = end - level
    brighter = rise > 0
    limit = np.where(brighter, state.rising[pixels], -state.falling[pixels])
    target = state.reference[pixels] + limit
    # Rounded up: the first microsecond at which the level is there.
    passed = -((level - target) * span.interval // np.where(rise == 0, 1, rise))
    reached = np.where(brighter, end >= target, end <= target)
    crossing = np.where(reached, span.start + passed, NEVER)
    spurious = state.upcoming[pixels] < crossing
    heard = (noise[0][pixels] < state.upcoming[pixels, None]).sum(1)
    polarity = np.where(spurious, noise[1][pixels, heard], brighter)
    return np.where(spurious, state.upcoming[pixels], crossing), polarity
