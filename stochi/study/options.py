"""Options that may be left out."""

from typing import TypeVar

Value = TypeVar("Value")


def given(option: Value | None, standard: Value) -> Value:
    """Return an option, or the standard value if it was not given."""
    return standard if option is None else option
