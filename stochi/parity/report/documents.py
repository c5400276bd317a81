"""JSON of others: what is wrong with it is said with its place."""

import json
import math
from collections.abc import Iterator, Sequence
from typing import Any

from stochi.plain_text import counted, escape_text, shorten_repr

Place = tuple[str | int, ...]
"""Keys and numbers from the whole down to a value."""
DEEPEST = 32
"""Levels below the whole that a value may lie; a report has about ten."""
_DIGITS = 300
"""Digits of whole numbers that are read; a float holds these."""


class LongNumber:
    """A whole number of too many digits."""

    def __init__(self, digits: int) -> None:
        self.digits = digits

    def __repr__(self) -> str:
        return f"a number of {counted(self.digits, 'digit')}"


class _Object(dict[str, Any]):
    """An object, and the keys that it has more than once."""

    repeated: frozenset[str] = frozenset()


def read_document(content: bytes) -> Any:
    """Return JSON in UTF-8, with or without a byte order mark.

    Raises:
        ValueError, RecursionError: it is no JSON.
    """
    text = content.decode("utf-8-sig")
    return json.loads(text, parse_int=_whole_number, object_pairs_hook=_object)


def clear_faults(value: Any) -> tuple[Any, dict[Place, str]]:
    """Return what can be written as JSON, and place → what is wrong there; null takes its place."""
    faults: dict[Place, str] = {}
    return _cleared(value, (), faults), faults


def write_place(place: Sequence[str | int]) -> str:
    """Return a place as Python would write it: ``accuracy[0].sides.chip``."""
    return "".join(map(_step, place)).removeprefix(".")


def _step(key: str | int) -> str:
    if isinstance(key, int):
        return f"[{key}]"
    return f".{key}" if key.isascii() and key.isidentifier() else f"[{shorten_repr(key)}]"


def _whole_number(digits: str) -> int | LongNumber:
    return int(digits) if len(digits) <= _DIGITS else LongNumber(len(digits.lstrip("-")))


def _object(pairs: list[tuple[str, Any]]) -> _Object:
    values = _Object(pairs)
    if len(values) < len(pairs):
        keys = [key for key, _ in pairs]
        values.repeated = frozenset(key for key in values if keys.count(key) > 1)
    return values


def _cleared(value: Any, place: Place, faults: dict[Place, str]) -> Any:
    if isinstance(value, dict | list):
        if len(place) > DEEPEST:
            faults[place] = f"lies deeper than {DEEPEST} levels"
            return None
        if isinstance(value, list):
            return [_cleared(one, (*place, number), faults) for number, one in enumerate(value)]
        for key in getattr(value, "repeated", ()):
            faults[(*place, key)] = "stands there more than once"
        return {
            _key(key, place, faults): _cleared(one, (*place, key), faults)
            for key, one in value.items()
        }
    found = "; ".join(_faults(value))
    if found:
        faults[place] = found
    return None if found else value


def _key(key: str, place: Place, faults: dict[Place, str]) -> str:
    if _is_text(key):
        return key
    faults[(*place, key)] = "has half a character in its key"
    return ascii(key)


def _faults(value: Any) -> Iterator[str]:
    if isinstance(value, LongNumber):
        yield f"is {value!r}; it must be one of at most {_DIGITS}"
    elif isinstance(value, float) and not math.isfinite(value):
        yield f"is {value}; it must be a finite number"
    elif isinstance(value, str) and not _is_text(value):
        half = next(sign for sign in value if not _is_text(sign))
        yield f"has half a character, {escape_text(half)}, which is not text"


def _is_text(text: str) -> bool:
    """Return whether text can be written; half of a surrogate pair cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
