"""AEDAT4, the format of iniVation's cameras, read by the library aedat."""

from pathlib import Path

import numpy as np

from stochi.budget import check_memory
from stochi.data.events.aedat4_layout import largest_content
from stochi.data.events.recording import Recording, checked_recording
from stochi.errors import InputError, first_line
from stochi.files import check_plain_file

_COPIES = 6
"""Times that events are in memory: as the library gives them, joined, and as numbers of 8 bytes."""


def read_aedat4(path: Path, height: int, width: int) -> Recording:
    """Read the first stream of events in a file.

    Raises:
        InputError: the library is missing, the file is damaged or has no events, or they are
            impossible; the message names the file.
    """
    events = read_events(path)
    try:
        x, y, polarity, time = (events[name].astype(np.int64) for name in ("x", "y", "on", "t"))
        return checked_recording(Recording(x, y, polarity, time, height, width))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def read_events(path: Path) -> np.ndarray:
    """Return the first stream of events in a file, (events,) with the fields t, x, y and on.

    Raises:
        InputError: as for :func:`read_aedat4`.
    """
    try:
        import aedat
    except ImportError:
        raise InputError(
            f"{path}: reading it needs the library aedat: pip install 'stochi[events]'"
        ) from None
    check_plain_file(path)
    check_memory(path.stat().st_size, f"{path}")
    try:
        check_memory(_COPIES * largest_content(path.read_bytes()), f"{path}")
        decoder, packets, size = aedat.Decoder(path), [], 0
        streams = decoder.id_to_stream()
        chosen = min((n for n, s in streams.items() if s["type"] == "events"), default=None)
        for packet in decoder:
            if packet["stream_id"] == chosen and "events" in packet:
                packets.append(packet["events"])
                size += packets[-1].nbytes
                check_memory(_COPIES * size, f"{path}")
    except (InputError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # RuntimeError and others; a panic of Rust is no Exception
        raise InputError(
            f"{path}: not an AEDAT4 file, or a damaged one ({first_line(error)}); record or copy it"
            " again"
        ) from error
    if not packets:
        raise InputError(f"{path}: it holds no events")
    return np.concatenate(packets)
