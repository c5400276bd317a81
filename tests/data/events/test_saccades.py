"""The digits seen by the simulated camera: the set that needs no download."""

import hashlib

import numpy as np
import pytest
import torch

from stochi.data import Binning, EventSet, load_digits, open_events
from stochi.data.events.recording import Recording
from stochi.data.events.saccades import CAMERA, SACCADE, triangle

DIGEST = "7d51d9880b4708b8e3a063a661a7898b4186deb66427077e60eaabc967bf8a75"
"""Of the events of the first 32 recordings of either part, on every machine."""


@pytest.fixture(scope="module")
def sets() -> tuple[EventSet, EventSet]:
    return open_events("saccades")


def digest(recordings: list[Recording]) -> str:
    total = hashlib.sha256()
    for one in recordings:
        total.update(np.stack([one.time, one.y, one.x, one.polarity]).astype("<i8").tobytes())
    return total.hexdigest()


def some(sets: tuple[EventSet, EventSet]) -> list[Recording]:
    training, test = sets
    return [training.recording(n) for n in range(32)] + [test.recording(n) for n in range(32)]


def test_the_events_are_the_same_everywhere(sets: tuple[EventSet, EventSet]) -> None:
    assert digest(some(sets)) == DIGEST


def test_the_split_is_that_of_the_digits(sets: tuple[EventSet, EventSet]) -> None:
    for part, digits in zip(sets, load_digits(), strict=True):
        assert torch.equal(part.labels, digits.labels)
        assert (part.shape, part.time_steps, part.classes) == ((2, 16, 16), 10, 10)
    assert list(map(len, sets)) == [1438, 359]


def test_recordings_are_like_those_of_the_real_camera(sets: tuple[EventSet, EventSet]) -> None:
    """N-MNIST: 3.3 events a pixel, as many rising as falling, in three bursts."""
    recordings = some(sets)
    counts = np.array([len(one) for one in recordings])
    assert counts.min() > 500 and counts.max() < 1500
    assert 2.5 < counts.mean() / CAMERA.pixels < 4.5
    assert 0.45 < np.concatenate([one.polarity for one in recordings]).mean() < 0.55
    time = np.concatenate([one.time for one in recordings])
    assert time.max() <= 3 * SACCADE
    phase = time % SACCADE / SACCADE
    middle = ((phase > 0.25) & (phase < 0.75)).mean()
    rest = ((phase < 0.05) | (phase > 0.95)).mean()
    assert middle > 0.6 and rest < 0.03
    first = recordings[0]
    place = np.lexsort((first.time, first.x, first.y))
    same = np.diff((first.y * 16 + first.x)[place]) == 0
    assert np.diff(first.time[place])[same].min() >= CAMERA.refractory


def test_the_order_of_reading_does_not_matter(sets: tuple[EventSet, EventSet]) -> None:
    training, _ = sets
    again, _ = open_events("saccades", binning=Binning(10))
    rows = torch.tensor([130, 3, 64, 63])
    assert torch.equal(again.select(rows).inputs, training.select(rows).inputs)
    frames = training.first(5).load()
    assert frames.inputs.shape == (10, 5, 2, 16, 16)
    assert set(frames.inputs.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(frames.inputs[:, 3], training.select(rows).inputs[:, 1])


def test_training_and_test_recordings_have_noise_of_their_own(
    sets: tuple[EventSet, EventSet],
) -> None:
    training, test = sets
    texts = {part.recordings.identity(0) for part in (training, test)}
    assert len(texts) == 2
    assert training.recordings.identity(0) == open_events("saccades")[0].recordings.identity(0)
    numbers = [part.recordings.first for part in (training, test)]  # type: ignore[attr-defined]
    assert numbers == [0, len(training)]


def test_the_path_is_a_triangle_that_rests_at_its_corners() -> None:
    path = triangle()
    third = SACCADE // CAMERA.interval
    assert path.shape == (3 * third + 1, 2)
    assert np.array_equal(path[0], path[-1])
    speed = np.linalg.norm(np.diff(path, axis=0), axis=1)
    for saccade in np.split(speed, 3):
        assert saccade[[0, -1]].max() < 0.2 * saccade[third // 2]
    assert len(np.unique(path[::third].round(9), axis=0)) == 3
