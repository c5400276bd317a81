"""Columns that text takes on a terminal, where a letter may take two, or none."""

import textwrap
import unicodedata

_WIDE = ("W", "F")
_MARKS = ("Mn", "Me")
"""Categories of characters that stand on the one before."""
_AS_EMOJI = "\ufe0f"
"""Makes a picture of the character before, which takes two columns then."""


def columns_of(text: str) -> int:
    """Return the columns that a line of text takes."""
    return len(text) if text.isascii() else sum(map(_columns, _signs(text)))


def wrap_text(text: str, width: int) -> list[str]:
    """Return text in lines of at most this number of columns, broken between words if it can be.

    Args:
        text: the text.
        width: columns of a line, at least 2.
    """
    if columns_of(text) == len(text):
        return textwrap.wrap(text, width)
    lines = [""]
    for word in text.split():
        rest = word
        while rest:
            used = columns_of(lines[-1]) + bool(lines[-1])
            if lines[-1] and used + min(columns_of(rest), width) > width:
                lines.append("")
                continue
            part = cut_text(rest, width - used)
            lines[-1] += " " * bool(lines[-1]) + part
            rest = rest[len(part) :]
    return [line for line in lines if line]


def cut_text(text: str, width: int) -> str:
    """Return the beginning of a text that takes at most this number of columns, or a character."""
    used, end = 0, 0
    for sign in _signs(text):
        used += _columns(sign)
        if used > width and end:
            break
        end += len(sign)
    return text[:end]


def pad_text(text: str, width: int, *, left: bool = True) -> str:
    """Return text with blanks up to a number of columns, the text at the left or at the right."""
    blanks = " " * max(0, width - columns_of(text))
    return text + blanks if left else blanks + text


def _signs(text: str) -> list[str]:
    """Return each character, with the marks that stand on it."""
    found: list[str] = []
    for sign in text:
        if found and unicodedata.category(sign) in _MARKS:
            found[-1] += sign
        else:
            found.append(sign)
    return found


def _columns(sign: str) -> int:
    """Return the columns of a character with its marks."""
    wide = unicodedata.east_asian_width(sign[0]) in _WIDE or _AS_EMOJI in sign
    return 2 if wide else 1
