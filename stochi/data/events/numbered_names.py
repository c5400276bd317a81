"""Order of names with numbers in them."""

import re


def by_numbers(name: str) -> tuple[tuple[tuple[int, str], ...], str]:
    """Return a key that sorts names by the numbers in them, so that 10 comes after 9."""
    parts = re.split(r"([0-9]+)", name)
    return tuple((int(part), "") if at % 2 else (0, part) for at, part in enumerate(parts)), name
