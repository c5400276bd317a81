"""Budgets of memory and work, checked before anything is allocated or computed.

A file may claim any size. What it claims is worked out in Python's integers and held against these
budgets first. The environment variables ``STOCHI_MEMORY`` (bytes, as 4GiB or 500MB) and
``STOCHI_WORK`` (number of additions, as 1e13) set others.
"""

import os
import re

from stochi.errors import InputError, StochiError

MEMORY, WORK = 8 * 2**30, 10**12
"""Budgets that hold unless the environment sets others: 8 GiB, and 10¹² additions for a sample."""
MEMORY_NAME, _WORK_NAME = "STOCHI_MEMORY", "STOCHI_WORK"
_UNITS = {"": 1, "B": 1}
_UNITS |= {f"{letter}iB": 2 ** (10 * power) for power, letter in enumerate("KMGT", 1)}
_UNITS |= {f"{letter}B": 10 ** (3 * power) for power, letter in enumerate("kMGT", 1)}
_NUMBER = re.compile(r"\s*(\d{1,30}(?:\.\d{0,30})?(?:e\d{1,2})?)\s*([A-Za-z]*)\s*", re.ASCII)


def memory_budget() -> int:
    """Return the bytes that one file, or one call, may take.

    Raises:
        InputError: ``STOCHI_MEMORY`` is not a number of bytes.
    """
    return _read(MEMORY_NAME, MEMORY, _UNITS, "a number of bytes, as 16GiB")


def work_budget() -> int:
    """Return the number of additions that one sample may take.

    Raises:
        InputError: ``STOCHI_WORK`` is not a number.
    """
    return _read(_WORK_NAME, WORK, {"": 1}, "a number of additions, as 1e13")


def check_budgets() -> None:
    """Raise InputError if the environment sets a budget that is no number."""
    memory_budget()
    work_budget()


def check_memory(needed: int, what: str, error: type[StochiError] = InputError) -> None:
    """Raise unless so many bytes keep the budget of memory.

    Args:
        needed: bytes, worked out in Python's integers.
        what: what takes them, as the beginning of a message.
        error: the kind of error that is raised.
    """
    budget = memory_budget()
    if needed > budget:
        raise error(
            f"{what} would take {in_bytes(needed)} of memory, more than the budget of"
            f" {in_bytes(budget)}; if you trust it, set the environment variable {MEMORY_NAME} to"
            " more"
        )


def check_work(needed: int, what: str, error: type[StochiError] = InputError) -> None:
    """Raise unless so many additions keep the budget of work.

    Args:
        needed: additions of a sample, worked out in Python's integers.
        what: what takes them, as the beginning of a message.
        error: the kind of error that is raised.
    """
    budget = work_budget()
    if needed > budget:
        raise error(
            f"{what} would take {_count(needed)} additions, more than the budget of"
            f" {_count(budget)}; if you trust it, set the environment variable {_WORK_NAME} to more"
        )


def _read(name: str, default: int, units: dict[str, int], wanted: str) -> int:
    given = os.environ.get(name, "")
    if not given:
        return default
    found = _NUMBER.fullmatch(given)
    if found is None or found[2] not in units:
        raise InputError(f"the environment variable {name} is {given!r}; give {wanted}")
    return int(float(found[1]) * units[found[2]])


def in_bytes(number: int) -> str:
    """Return a number of bytes as people write it: 350.5 MiB."""
    for unit, letter in ((2**40, "T"), (2**30, "G"), (2**20, "M"), (2**10, "K")):
        if number >= unit:
            return f"{_count(number, unit)} {letter}iB"
    return f"{number} bytes"


def _count(number: int, unit: int = 1) -> str:
    """Return a number in few digits; integers of any size, which a float may not hold."""
    tenths = number * 10 // unit
    if tenths < 10**6:
        return f"{tenths / 10:g}"
    digits = str(tenths // 10) if tenths < 10**4000 else "1" + "0" * 4000
    return f"{digits[0]}.{digits[1]}e{len(digits) - 1}"
