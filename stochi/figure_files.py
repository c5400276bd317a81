"""Figures as files: SVG, PDF or PNG, as the name ends, with the same bytes each time."""

import io
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stochi.errors import InputError
from stochi.files import check_output, write_whole
from stochi.plain_text import SHOWN, escape_text

if TYPE_CHECKING:  # matplotlib is slow to import
    from matplotlib.figure import Figure

_GLYPH = re.compile(r"Glyph (\d+) .*missing from")
"""What matplotlib says of a character that none of its fonts has."""
FORMATS = ("svg", "pdf", "png")
_WITHOUT_DATE: dict[str, dict[str, Any]] = {
    "svg": {"Date": None},
    "pdf": {"CreationDate": None},
    "png": {},
}


def find_format(path: str | Path) -> str:
    """Return a figure's format, "svg", "pdf" or "png", by the ending of its name.

    Raises:
        InputError: the name ends otherwise.
    """
    target = Path(path)
    ending = target.suffix.lower().removeprefix(".")
    if ending not in FORMATS:
        raise InputError(
            f"{target}: the ending of a figure's name says its format; give the name of an SVG, PDF"
            f" or PNG file, like {target.stem or 'figure'}.svg"
        )
    return ending


def check_figure(path: str | Path | None, *others: str | Path | None) -> None:
    """Raise InputError unless a figure can be written there, before its content is computed.

    Args:
        path: None if nothing is written.
        others: as for :func:`stochi.files.check_output`.
    """
    if path is not None:
        find_format(path)
        check_output(path, *others)


def write_figure(figure: "Figure", path: str | Path, dpi: int) -> None:
    """Write a figure in the format of its name's ending, aside and then into place.

    Args:
        figure: of matplotlib.
        path: ends in .svg, .pdf or .png.
        dpi: dots per inch of a PNG, and of what is made of pixels in the others.

    Raises:
        InputError: the name ends otherwise.
    """
    from matplotlib import rc_context

    from stochi.turns import turn

    ending, drawn = find_format(path), io.BytesIO()
    # Names inside an SVG that are the same each time; fonts in a PDF that journals take (TrueType).
    # The settings are the whole process's, hence the turn.
    settings = rc_context({"svg.hashsalt": "stochi", "pdf.fonttype": 42})
    with turn(), settings, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        figure.savefig(drawn, format=ending, dpi=dpi, metadata=_WITHOUT_DATE[ending])
    write_whole(path, drawn.getvalue())
    _warn(caught, Path(path))


def _warn(caught: Sequence[warnings.WarningMessage], path: Path) -> None:
    """Warn as matplotlib did, but once of all characters that no font has."""
    missing: dict[str, None] = {}
    for one in caught:
        found = _GLYPH.match(str(one.message))
        if found:
            missing[chr(int(found[1]))] = None
        else:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
    if missing:
        signs = escape_text("".join(missing))
        shown = f"{signs[:SHOWN]}…" if len(signs) > SHOWN else signs
        warnings.warn(
            f"{path}: no installed font of matplotlib has {shown}, and boxes stand for them;"
            " install a font that has them, or use names in Latin letters; tables and CSV files"
            " have the names as they are",
            stacklevel=3,
        )
