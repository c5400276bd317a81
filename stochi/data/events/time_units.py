"""Units of the times in recordings of one's own, and what gives a wrong one away."""

from typing import Literal, get_args

import numpy as np

from stochi.data.events.binning import Binning
from stochi.data.events.recording import Recording
from stochi.errors import InputError

TimeUnit = Literal["s", "ms", "us", "ns"]
UNITS = get_args(TimeUnit)
_FACTORS = {"s": (10**6, 1), "ms": (1000, 1), "us": (1, 1), "ns": (1, 1000)}
"""Unit → a factor and a divisor that make microseconds of it."""
_EXACT, _MOST = 2**53, 2**62
_LEAST_SHARE = 100
"""If frames show less than this part of a recording, the unit is not the one that was taken."""


def check_unit(unit: str | None) -> None:
    """Raise InputError unless this is the name of a unit, or None, which is not known."""
    if unit is not None and unit not in UNITS:
        raise InputError(f"time_unit is {unit!r}; it must be one of {', '.join(UNITS)}")


def to_microseconds(times: np.ndarray, unit: str | None) -> np.ndarray:
    """Return times as whole microseconds, int64.

    Args:
        times: (events,) numbers, whole or not.
        unit: of the numbers; None: microseconds, which must then be whole.

    Raises:
        InputError: a time is not finite, too large, or not whole although the unit is not known.
    """
    factor, divisor = _FACTORS[unit or "us"]
    if times.dtype.kind == "f":
        scaled = times.astype(np.float64) * (factor / divisor)
        wrong = ~(np.abs(scaled) < _EXACT)  # NaN is wrong too
        if unit is None:
            wrong |= scaled != np.trunc(scaled)
    else:
        wrong = (times > _MOST // factor) | (times < -_MOST // factor)
    if wrong.any():
        at = int(wrong.argmax())
        raise InputError(_reason(at, times[at], unit))
    if times.dtype.kind == "f":
        return np.rint(scaled).astype(np.int64)
    return times.astype(np.int64) * factor // divisor


def check_plausible(recording: Recording, binning: Binning) -> None:
    """Raise InputError if times of a unit that nobody named cannot be microseconds.

    Only steps of a duration depend on the unit. They give it away if they hold all events of a
    recording in the first one, or only a small part of its time.
    """
    if binning.step_us is None or binning.time_steps == 1:
        return
    span = int(recording.time[-1] - recording.time[0])
    shown = binning.time_steps * binning.step_us
    if len(recording) > 1 and (span < binning.step_us or span >= _LEAST_SHARE * shown):
        where = "all lie in the first step" if span < binning.step_us else "nearly all are left out"
        raise InputError(
            f"its times range over {span:,}; in microseconds, with {binning.time_steps} steps of"
            f" {binning.step_us:,}, {where}. Give time_unit='s', 'ms' or 'ns' if they are in"
            " another unit, or time_unit='us' if this is right"
        )


def _reason(at: int, time: float, unit: str | None) -> str:
    if unit is not None:
        return f"event {at} has time {time} {unit}; it must be a finite number, and not as large"
    message = f"event {at} has time {time}; it must be a whole number of microseconds"
    if np.isfinite(time) and abs(time) < _EXACT:
        message += "; give time_unit='s' or 'ms' if times are in seconds or milliseconds"
    return message
