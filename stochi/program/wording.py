"""Values as messages show them: short, on one line, with nothing that a screen obeys."""

import numpy as np

from stochi.plain_text import shorten_repr

_VALUES = 8
"""The most values of a collection."""


def shown(value: object) -> str:
    """Return a value as a message shows it: on one line, and short."""
    if isinstance(value, np.ndarray):
        return f"an array of {value.dtype} and shape {value.shape}"
    if isinstance(value, tuple | list | dict | set) and len(value) > _VALUES:
        return f"a {type(value).__name__} of {len(value)} values"
    return shorten_repr(value)
