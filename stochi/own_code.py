"""Which line of a user's own code an error passed through."""

import os
import sys
import sysconfig
import traceback
from pathlib import Path

_LIBRARIES = ("stochi", "torch", "snntorch")
_FOREIGN = ("site-packages", "dist-packages", "<")
"""Parts of the names of files that are not the user's."""


def find_own_frame(error: BaseException) -> traceback.FrameSummary | None:
    """Return the last frame that is neither Stochi's nor Python's nor an installed library's."""
    folders = [sysconfig.get_path("stdlib")]
    folders += [str(Path(file).parent) for name in _LIBRARIES if (file := _file_of(name))]
    others = tuple(f"{folder}{os.sep}" for folder in folders)
    own = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(others)
        and not any(part in frame.filename for part in _FOREIGN)
    ]
    return own[-1] if own else None


def place_of(frame: traceback.FrameSummary) -> str:
    """Return a frame's file, without its folder, and line."""
    return f"{Path(frame.filename).name}, line {frame.lineno}"


def own_place(error: BaseException) -> str:
    """Return " (NameError in net.py, line 12)", or "" if no line of the user's ran."""
    frame = find_own_frame(error)
    return "" if frame is None else f" ({type(error).__name__} in {place_of(frame)})"


def _file_of(module: str) -> str | None:
    return getattr(sys.modules.get(module), "__file__", None)
