"""Codes that turn images, or streams, into the inputs of every time step."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch

from stochi.arguments import check_arguments
from stochi.data.images import Images
from stochi.data.samples import Samples
from stochi.data.streams import Streams
from stochi.data.words import ENCODER_LAYER, draw_words
from stochi.errors import InputError
from stochi.hardware.draws import LayerDraws, check_coordinates

_RATE_BITS = 24
"""Bits of a draw, three bytes: as many as the mantissa of a float32."""
_CLOSEST = 1e-7
"""Brightness above the threshold at which a logarithmic latency ends, as in snnTorch."""
_MOST_STEPS = 100_000


@dataclass(frozen=True)
class _Code:
    """Arguments of a code.

    Attributes:
        time_steps: number of time steps.
        seed: seed of the draws.
        first_sample: number of the first sample.
        threshold: see :func:`encode`.
    """

    time_steps: int
    seed: int
    first_sample: int
    threshold: float


def encode(
    samples: Samples,
    name: str,
    time_steps: int | None = None,
    *,
    seed: int = 0,
    first_sample: int = 0,
    threshold: float | None = None,
) -> Streams:
    """Encode samples in time; float model, twin, engine and Lava then take the same streams.

    Every sample is encoded for itself, with the same result in any batch and on any device.

    - ``direct``: the image itself at every time step.
    - ``rate``: a spike with the pixel's value as its probability, drawn for every pixel and time
      step from the chip's counter-based generator (to 24 bits).
    - ``latency``: one spike a pixel, at step ``(1 − value)·(time_steps − 1)``, rounded.
    - ``latency-log``: one spike a pixel, at a step proportional to ``ln(value / (value − θ))``, the
      time at which a leaky membrane that charges up to ``value`` crosses the threshold θ.
    - ``delta``: of streams: where a value falls or rises by at least the threshold from one step to
      the next, an event; the first step is compared with 0. Falling values make events in the first
      half of the channels, rising ones in the second.

    Both latencies are those of ``snntorch.spikegen.latency`` with ``normalize=True``, except that
    the longest logarithmic latency is that of a black pixel, also in a batch without one.

    Args:
        samples: images in [0, 1]; for ``delta`` streams.
        name: the code.
        time_steps: number of time steps; for ``delta`` the streams' own.
        seed: whole number in [0, 2³²); only ``rate`` draws.
        first_sample: number of the first sample, so that parts of a set draw like the whole.
        threshold: in (0, 1). For latencies, 0.01 by default, the darkest pixel that is told from
            black; for ``delta``, 0.1 by default, the smallest change that makes an event.

    Returns:
        Inputs (time steps, n, *shape) float32, exactly 0 or 1 except for ``direct``, and the
        samples' labels. For ``delta`` there are twice as many channels.

    Raises:
        InputError: an argument has the wrong type or is out of its range.
    """
    check_arguments(encode, locals(), besides=("samples",))
    if name not in _CODES:
        raise InputError(f"unknown code {name!r}; known codes: {', '.join(CODES)}")
    kind, function, usual = _CODES[name]
    if not isinstance(samples, kind):
        raise InputError(
            f"{name} encodes stochi.data.{kind.__name__}, not a {type(samples).__name__} object"
        )
    inputs = _checked(samples.inputs, samples.batch_dim)
    code = _Code(
        _steps(name, inputs, time_steps), seed, first_sample, _fraction(name, threshold, usual)
    )
    check_coordinates(seed=seed)
    count = inputs.shape[samples.batch_dim]
    if not 0 <= first_sample <= 2**32 - count:
        raise InputError(f"first_sample is {first_sample}; samples are numbered from 0 to 2^32 - 1")
    return Streams(function(inputs, code), samples.labels)


def _direct(images: torch.Tensor, code: _Code) -> torch.Tensor:
    return images.expand(code.time_steps, *images.shape)


def _rate(images: torch.Tensor, code: _Code) -> torch.Tensor:
    samples = torch.arange(len(images), device=images.device) + code.first_sample
    pixels = math.prod(images.shape[1:])
    limits = (images.double().flatten(1) * 2**_RATE_BITS).ceil_()
    spikes = images.new_empty(code.time_steps, *images.shape)
    for step, frame in enumerate(spikes):
        draws = LayerDraws(code.seed, 0, ENCODER_LAYER, step)
        words = draw_words(samples, pixels, _RATE_BITS // 8, draws)
        frame.copy_((words < limits).view_as(frame))
    return spikes


def _latency(images: torch.Tensor, code: _Code) -> torch.Tensor:
    last = code.time_steps - 1
    return _spikes_at(((1 - images.clamp_min(code.threshold)) * last).round(), code)


def _latency_log(images: torch.Tensor, code: _Code) -> torch.Tensor:
    # Pixels are compared with the values at which steps end, since a logarithm is not the same on
    # every device.
    last, theta = code.time_steps - 1, code.threshold
    longest = (theta + _CLOSEST) / _CLOSEST
    steps = torch.zeros_like(images)
    for step in range(last):
        ratio = longest ** ((step + 0.5) / last)
        steps += images < theta * ratio / (ratio - 1)
    return _spikes_at(steps, code)


def _delta(stream: torch.Tensor, code: _Code) -> torch.Tensor:
    change = torch.diff(stream, dim=0, prepend=torch.zeros_like(stream[:1]))
    events = torch.cat([change <= -code.threshold, change >= code.threshold], dim=2)
    return events.to(torch.float32)


def _spikes_at(steps: torch.Tensor, code: _Code) -> torch.Tensor:
    """Return one spike for each element, at its step."""
    spikes = steps.new_empty(code.time_steps, *steps.shape)
    for step, frame in enumerate(spikes):
        frame.copy_(steps == step)
    return spikes


_CODES: dict[
    str, tuple[type[Samples], Callable[[torch.Tensor, _Code], torch.Tensor], float | None]
] = {
    "direct": (Images, _direct, None),
    "rate": (Images, _rate, None),
    "latency": (Images, _latency, 0.01),
    "latency-log": (Images, _latency_log, 0.01),
    "delta": (Streams, _delta, 0.1),
}
"""What each code encodes, its function, and its usual threshold."""
CODES = tuple(_CODES)
"""Names of the codes."""


def _checked(inputs: torch.Tensor, batch_dim: int) -> torch.Tensor:
    """Return the inputs as float32.

    Raises:
        InputError: a dimension is missing, or a value is not in [0, 1].
    """
    if inputs.dim() < batch_dim + 2:
        raise InputError(
            f"inputs have the shape {tuple(inputs.shape)}, which has no dimension behind that of"
            " the samples"
        )
    inputs = inputs.to(torch.float32)
    if inputs.numel():
        low, high = (float(end) for end in torch.aminmax(inputs))
        if not (low >= 0 and high <= 1):
            raise InputError(f"inputs range from {low:g} to {high:g}; a code needs [0, 1]")
    return inputs


def _steps(name: str, inputs: torch.Tensor, time_steps: int | None) -> int:
    if name == "delta":
        if time_steps not in (None, len(inputs)):
            raise InputError(
                f"time_steps is {time_steps}; the streams have {len(inputs)}, so leave it out"
            )
        return len(inputs)
    whole = isinstance(time_steps, int) and not isinstance(time_steps, bool)
    if not whole or not 1 <= time_steps <= _MOST_STEPS:  # type: ignore[operator]
        raise InputError(
            f"time_steps is {time_steps}; {name} needs a whole number from 1 to {_MOST_STEPS:,}"
        )
    return time_steps  # type: ignore[return-value]


def _fraction(name: str, threshold: float | None, usual: float | None) -> float:
    if threshold is None or usual is None:
        if threshold is not None:
            raise InputError(f"{name} has no threshold; leave it out")
        return usual or 0.0
    if not 0 < threshold < 1:
        raise InputError(f"threshold is {threshold}; it must be above 0 and below 1")
    return threshold
