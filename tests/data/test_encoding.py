"""Codes in time: against snnTorch, and the same in any batch."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom
from snntorch import spikegen

from stochi.data import Images, Streams, encode
from stochi.data.encoding import CODES
from stochi.data.samples import Samples, join_samples
from stochi.errors import InputError


def images(count: int = 6, seed: int = 0, levels: int = 16) -> Images:
    """Random images, (count, 1, 4, 5), with black and white pixels among them."""
    generator = torch.Generator().manual_seed(seed)
    inputs = torch.randint(0, levels + 1, (count, 1, 4, 5), generator=generator) / levels
    inputs[:, 0, 0, 0], inputs[:, 0, 0, 1] = 0, 1
    return Images(inputs, torch.arange(count))


def samples_for(name: str, count: int = 6, seed: int = 0) -> Samples:
    if name != "delta":
        return images(count, seed)
    generator = torch.Generator().manual_seed(seed)
    return Streams(torch.rand(7, count, 1, 4, 5, generator=generator), torch.arange(count))


@pytest.mark.parametrize("name", CODES)
def test_streams_of_any_code(name: str) -> None:
    samples = samples_for(name)
    streams = encode(samples, name, 7)
    assert isinstance(streams, Streams) and streams.inputs.dtype == torch.float32
    assert streams.inputs.shape == (7, 6, 2 if name == "delta" else 1, 4, 5)
    assert torch.equal(streams.labels, samples.labels)
    if name != "direct":
        assert set(streams.inputs.unique().tolist()) == {0.0, 1.0}


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(CODES),
    size=st.integers(1, 6),
    seed=st.integers(0, 2**32 - 1),
    start=st.integers(0, 2**32 - 6),
)
def test_parts_are_encoded_like_the_whole(name: str, size: int, seed: int, start: int) -> None:
    samples = samples_for(name)
    whole = encode(samples, name, 7, seed=seed, first_sample=start)
    first, parts = start, []
    for batch in samples.batches(size):
        parts.append(encode(batch, name, 7, seed=seed, first_sample=first))
        first += len(batch)
    assert torch.equal(join_samples(parts).inputs, whole.inputs)


@pytest.mark.cuda
@pytest.mark.parametrize("name", CODES)
def test_a_gpu_encodes_the_same(name: str) -> None:
    samples = samples_for(name, 50)
    there = encode(samples.to(torch.device("cuda")), name, 7, seed=3)
    assert torch.equal(there.inputs.cpu(), encode(samples, name, 7, seed=3).inputs)


def test_direct_shows_the_image_at_every_step() -> None:
    shown = encode(images(), "direct", 3).inputs
    assert all(torch.equal(frame, images().inputs) for frame in shown)


def test_rates_are_the_pixels_values() -> None:
    one = images(1).inputs
    grey = Images(one.expand(500, *one.shape[1:]), torch.zeros(500, dtype=torch.int64))
    counts = encode(grey, "rate", 8, seed=1).inputs.sum((0, 1))
    for count, value in zip(counts.flatten().tolist(), one.flatten().tolist(), strict=True):
        low, high = binom.interval(1 - 1e-6, 4000, value)
        assert low <= count <= high if 0 < value < 1 else count == 4000 * value


def test_rates_are_drawn_for_every_pixel_step_sample_and_seed() -> None:
    grey = Images(torch.full((40, 1, 10, 10), 0.5), torch.arange(40))
    spikes = encode(grey, "rate", 10).inputs
    assert torch.equal(spikes, encode(grey, "rate", 10).inputs)
    other = encode(grey, "rate", 10, seed=1).inputs
    for one, another in (
        (spikes, other),
        (spikes[1:], spikes[:-1]),
        (spikes[:, 1:], spikes[:, :-1]),
        (spikes[..., 1:], spikes[..., :-1]),
    ):
        share = (one == another).float().mean().item()
        assert abs(share - 0.5) < 5 * 0.5 / math.sqrt(one.numel())
    assert torch.equal(encode(grey, "rate", 3).inputs, spikes[:3])


def test_rates_of_the_smallest_and_largest_values() -> None:
    values = torch.tensor([[0.0, 1.0, 1 - 2**-24, 2**-140]])
    spikes = encode(Images(values, torch.zeros(1, dtype=torch.int64)), "rate", 200).inputs
    assert spikes.sum(0).flatten().tolist()[:3] == [0, 200, 200]
    assert spikes[..., 3].sum() <= 1


@pytest.mark.parametrize("time_steps", [2, 5, 8, 9, 20])
@pytest.mark.parametrize("threshold", [0.01, 0.1, 0.3])
def test_latencies_are_those_of_snntorch(time_steps: int, threshold: float) -> None:
    grey = images(50)
    theirs = spikegen.latency(
        grey.inputs, num_steps=time_steps, threshold=threshold, normalize=True, linear=True
    )
    ours = encode(grey, "latency", time_steps, threshold=threshold).inputs
    assert torch.equal(ours, theirs)
    theirs = spikegen.latency(
        grey.inputs.double(), num_steps=time_steps, threshold=threshold, normalize=True
    )
    ours = encode(grey, "latency-log", time_steps, threshold=threshold).inputs
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize("name", ["latency", "latency-log"])
@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 1, width=32), min_size=2, max_size=30), st.integers(1, 30))
def test_a_pixel_spikes_once_and_a_brighter_one_no_later(
    name: str, values: list[float], time_steps: int
) -> None:
    row = torch.tensor(sorted(values))[None]
    spikes = encode(Images(row, torch.zeros(1, dtype=torch.int64)), name, time_steps).inputs
    assert (spikes.sum(0) == 1).all()
    assert (torch.diff(spikes[:, 0].argmax(0)) <= 0).all()


@pytest.mark.parametrize("threshold", [0.1, 0.25, 0.9])
def test_deltas_are_those_of_snntorch(threshold: float) -> None:
    stream = samples_for("delta", 20)
    theirs = spikegen.delta(stream.inputs, threshold=threshold, off_spike=True)
    falling, rising = encode(stream, "delta", threshold=threshold).inputs.split(1, 2)
    assert torch.equal(rising - falling, theirs)
    assert not (rising * falling).any()


def test_a_still_stream_has_no_deltas_but_at_its_start() -> None:
    still = encode(images(), "direct", 5)
    events = encode(still, "delta").inputs
    assert not events[1:].any() and not events[0, :, 0].any()
    assert torch.equal(events[0, :, 1:], (images().inputs >= 0.1).float())


def test_no_sample() -> None:
    empty = Images(torch.zeros(0, 1, 4, 5), torch.zeros(0, dtype=torch.int64))
    for name in CODES:
        if name != "delta":
            assert encode(empty, name, 3).inputs.shape == (3, 0, 1, 4, 5)


BYTES = Images(torch.randint(0, 256, (2, 1, 4, 4), dtype=torch.uint8), torch.zeros(2))
NANS = Images(torch.full((2, 1, 4, 4), math.nan), torch.zeros(2))


@pytest.mark.parametrize(
    ("samples", "name", "options", "message"),
    [
        (images(), "phase", {}, "unknown code 'phase'; known codes: direct, rate, latency"),
        (images(), "delta", {}, "delta encodes stochi.data.Streams, not a Images object"),
        (samples_for("delta"), "rate", {}, "rate encodes stochi.data.Images, not a Streams object"),
        (images().inputs, "rate", {}, "not a Tensor object"),
        (images(), "rate", {"time_steps": None}, "time_steps is None"),
        (images(), "rate", {"time_steps": 0}, "time_steps is 0"),
        (images(), "rate", {"time_steps": 2.0}, "time_steps is 2.0"),
        (samples_for("delta"), "delta", {"time_steps": 3}, "the streams have 7"),
        (images(), "rate", {"seed": -1}, "seed is -1"),
        (images(), "rate", {"seed": 2**32}, "seed is 4294967296"),
        (images(), "rate", {"first_sample": -1}, "first_sample is -1"),
        (images(), "rate", {"first_sample": 2**32}, "first_sample is 4294967296"),
        (images(), "rate", {"threshold": 0.5}, "rate has no threshold"),
        (images(), "latency", {"threshold": 0.0}, "threshold is 0.0"),
        (images(), "latency-log", {"threshold": math.nan}, "threshold is nan"),
        (BYTES, "rate", {}, "inputs range from"),
        (NANS, "latency", {}, "inputs range from nan"),
        (Images(torch.rand(4), torch.zeros(4)), "direct", {}, r"shape \(4,\)"),
    ],
)
def test_what_cannot_be_encoded(
    samples: Samples, name: str, options: dict[str, object], message: str
) -> None:
    arguments = {"time_steps": 7, **options} if name != "delta" else options
    with pytest.raises(InputError, match=message):
        encode(samples, name, **arguments)  # type: ignore[arg-type]
