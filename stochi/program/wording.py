"""Values as messages show them: short, on one line, with nothing that a screen obeys."""

import numpy as np

_SHOWN, _VALUES = 60, 8
"""The most characters, and the most values of a collection."""


def shown(value: object) -> str:
    """Return a value as a message shows it: on one line, and short."""
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype} and shape {value.shape}"
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) >= 10**_SHOWN:
        return f"a number of {value.bit_length()} bits"
    if isinstance(value, tuple | list | dict | set) and len(value) > _VALUES:
        return f"a {type(value).__name__} of {len(value)} values"
    try:
        text = repr(value)
    except Exception:  # a foreign class, or integers in a tuple that are too long to print
        text = f"of type {type(value).__name__}"
    text = text if text.isprintable() else ascii(text)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
