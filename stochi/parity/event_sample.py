"""One sample's events, as they are and as an attack made them, small enough for a report."""

import math
from base64 import b64encode
from dataclasses import dataclass

import numpy as np
import torch

from stochi.data.samples import Samples
from stochi.parity.bounds import Count, Positive
from stochi.parity.results import AccuracyRow, Side
from stochi.program.program import Program

MOST_FRAMES = 64
"""Number of frames that are kept; of more time steps, several are joined into a frame."""
MOST_EVENTS = 8_000
"""Number of events that are kept of those that an attack changed, and of the others."""
LARGEST = 2 * 346 * 260
"""Places of a sensor, over both polarities, up to which events are kept."""
MOST_BITS = 2**22
"""Number of places of all frames together; of a large sensor fewer frames are kept."""


@dataclass(frozen=True)
class EventFrames:
    """Events of a sample.

    Attributes:
        events: number of its events.
        left_out: number of places with an event, over all frames, that are left out of these.
        frames: for each frame a bit for each place in base64, 1 for an event, in the order of the
            sensor's shape, the first one in the highest bit; () if the sample is not kept.
    """

    events: Count
    left_out: Count
    frames: tuple[str, ...]


@dataclass(frozen=True)
class EventSample:
    """A sample's events, clean and under an attack.

    Attributes:
        number: of the sample, from 0.
        shape: of its frames: (polarities, height, width), or as the Program's input is if that is
            no sensor of 1 or 2 polarities. Of two polarities the second is ON.
        time_steps: of the sample.
        steps_of_frame: number of time steps that a frame joins: a place has an event in it if it
            has one in any of them.
        clean: without the attack.
        attack, made_on: as of the row in the table of accuracies; None without an attack.
        attacked: None without an attack.
    """

    number: Count
    shape: tuple[Count, ...]
    time_steps: Positive
    steps_of_frame: Positive
    clean: EventFrames
    attack: str | None = None
    made_on: Side | None = None
    attacked: EventFrames | None = None


def keep_events(
    program: Program,
    clean: Samples,
    attacked: Samples | None = None,
    row: AccuracyRow | None = None,
) -> EventSample | None:
    """Return the events of the first sample, or of one that an attack flips.

    Args:
        clean, attacked: the samples before and after the attack.
        row: what the attack did.

    Returns:
        None if the samples are not streams of events.
    """
    if not program.target.events or clean.batch_dim != 1:
        return None
    number = 0 if row is None else _flipped(row)
    sides = [_events(clean, number)]
    if attacked is not None:
        sides.append(_events(attacked, number))
    shape, steps = _sensor(tuple(clean.inputs.shape[2:])), len(clean.inputs)
    places = math.prod(shape)
    joined = -(-steps // min(MOST_FRAMES, max(1, MOST_BITS // max(1, places))))
    found = [EventFrames(int(events.sum()), 0, ()) for events in sides]
    if is_sensor(shape) and places <= LARGEST:
        frames = [_join(events, joined) for events in sides]
        found = [
            EventFrames(one.events, int(whole.sum() - few.sum()), _as_text(few))
            for one, whole, few in zip(found, frames, _thinned(frames), strict=True)
        ]
    name, made_on = (None, None) if row is None else (row.attack, row.made_on)
    return EventSample(
        *(number, shape, steps, joined, found[0], name, made_on),
        attacked=found[1] if len(found) > 1 else None,
    )


def is_sensor(shape: tuple[int, ...]) -> bool:
    """Return whether a shape is (1 or 2 polarities, height, width)."""
    return len(shape) == 3 and shape[0] in (1, 2) and min(shape) >= 1


def _sensor(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (1, *shape) if len(shape) == 2 else shape


def _flipped(row: AccuracyRow) -> int:
    """Return the first image that the attack flips on the chip, else on the float model, else 0."""
    flips = row.flips
    kinds = () if flips is None else (flips.both, flips.chip_only, flips.float_only)
    return next((numbers[0] for numbers in kinds if numbers), 0)


def _events(samples: Samples, number: int) -> np.ndarray:
    """Return where a sample has events, (time steps, places) bool."""
    of_one: torch.Tensor = samples.inputs[:, number] != 0
    return of_one.flatten(1).cpu().numpy()


def _join(events: np.ndarray, steps: int) -> np.ndarray:
    """Return frames of several time steps each, (frames, places) bool."""
    starts = np.arange(0, len(events), steps)
    return np.logical_or.reduceat(events, starts, axis=0)


def _thinned(sides: list[np.ndarray]) -> list[np.ndarray]:
    """Leave out events at regular distances if there are too many, the same ones on both sides."""
    union, common = np.logical_or.reduce(sides), np.logical_and.reduce(sides)
    kept = np.zeros(union.size, bool)
    for group in (common, union & ~common):
        places = np.flatnonzero(group)
        kept[places[:: max(1, -(-len(places) // MOST_EVENTS))]] = True
    return [side & kept.reshape(side.shape) for side in sides]


def _as_text(frames: np.ndarray) -> tuple[str, ...]:
    return tuple(b64encode(bits.tobytes()).decode("ascii") for bits in np.packbits(frames, axis=1))
