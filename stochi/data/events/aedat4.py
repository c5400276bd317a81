"""AEDAT4, the format of iniVation's cameras, read by the library aedat."""

from pathlib import Path

import numpy as np

from stochi.data.events.recording import Recording, checked_recording
from stochi.errors import InputError, first_line


def read_aedat4(path: Path, height: int, width: int) -> Recording:
    """Read the first stream of events in a file.

    Raises:
        InputError: the library is missing, the file is damaged or has no events, or they are
            impossible; the message names the file.
    """
    try:
        import aedat
    except ImportError:
        raise InputError(
            f"{path}: reading it needs the library aedat: pip install 'stochi[events]'"
        ) from None
    try:
        decoder = aedat.Decoder(path)
        streams = decoder.id_to_stream()
        chosen = min((n for n, s in streams.items() if s["type"] == "events"), default=None)
        packets = [p["events"] for p in decoder if p["stream_id"] == chosen and "events" in p]
    except Exception as error:  # the library raises RuntimeError, and others
        raise InputError(
            f"{path}: not an AEDAT4 file, or a damaged one ({first_line(error)}); record or copy it"
            " again"
        ) from error
    try:
        if not packets:
            raise InputError("it holds no events")
        events = np.concatenate(packets)
        x, y, polarity, time = (events[name].astype(np.int64) for name in ("x", "y", "on", "t"))
        return checked_recording(Recording(x, y, polarity, time, height, width))
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
