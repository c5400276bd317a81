"""Names of outputs, which carry the name of what they are made of."""

import re
from pathlib import Path

FOLDER = Path("runs")
_STRANGE = re.compile(r"[^\w.+-]+")


def named_after(source: str | Path, ending: str) -> Path:
    """Return the path of an output in ``runs/``: the name of its source, and an ending.

    Args:
        source: a file, or FILE.py:NAME, whose NAME counts.
        ending: with its dot, or with what tells the output from others of the same source.
    """
    place, _, name = str(source).rpartition(":")
    stem = name if place and "/" not in name else Path(source).stem
    return FOLDER / (_STRANGE.sub("_", stem).strip(".") + ending)
