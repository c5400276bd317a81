"""The format of N-MNIST: five bytes an event (Orchard et al., Frontiers in Neuroscience, 2015)."""

from pathlib import Path

import numpy as np

from stochi.budget import check_memory
from stochi.data.events.recording import Recording, checked_recording
from stochi.errors import InputError

OVERFLOW_ROW = 240
"""Row of the camera's markers, which are not events: times after one are ``OVERFLOW`` later."""
OVERFLOW = 2**13
_COPIES = 20
"""Bytes of memory that a byte of a file takes: an event is five numbers of 8 bytes, and copies."""
_EVENT = np.dtype({"names": ["x", "rest"], "formats": ["u1", ">u4"], "offsets": [0, 1]})
"""Column; then row (8 bits), polarity (1 bit) and time (23 bits), the highest bit first."""


def read_five_bytes(path: Path, height: int, width: int) -> Recording:
    """Return the events of a file, as :func:`parse_five_bytes` does.

    Raises:
        InputError: it takes more memory than the budget allows, or as there.
    """
    check_memory(_COPIES * path.stat().st_size, "its events")
    return parse_five_bytes(path.read_bytes(), height, width)


def parse_five_bytes(content: bytes, height: int, width: int) -> Recording:
    """Return the events of a file.

    Args:
        content: the file: for each event x and y of 8 bits, the polarity of 1 bit and the time of
            23 bits in microseconds.
        height, width: size of the sensor.

    Raises:
        InputError: the file is empty or cut short, or its events are impossible.
    """
    if not content:
        raise InputError("is empty")
    if len(content) % _EVENT.itemsize:
        raise InputError(
            f"{len(content)} bytes are not a whole number of events of {_EVENT.itemsize} bytes; the"
            " file is truncated, or it is of another format"
        )
    events = np.frombuffer(content, _EVENT)
    rest = events["rest"].astype(np.int64)
    x, y = events["x"].astype(np.int64), rest >> 24
    polarity, time = rest >> 23 & 1, rest & 0x7FFFFF
    marker = y == OVERFLOW_ROW
    if height <= OVERFLOW_ROW and marker.any():
        time += OVERFLOW * marker.cumsum()
        x, y, polarity, time = (values[~marker] for values in (x, y, polarity, time))
    return checked_recording(Recording(x, y, polarity, time, height, width))
