"""Tests that try few cases in the default run, and all of them in ``make slow``."""

import os
from collections.abc import Callable, Container, Iterable
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings

THOROUGH = bool(os.environ.get("STOCHI_THOROUGH"))
"""Whether all cases are tried, as ``make slow`` asks."""
settings.register_profile("few", max_examples=25)
Test = TypeVar("Test", bound=Callable[..., Any])

tries_more = pytest.mark.tries_more
"""Marks a test of which ``make slow`` tries more cases."""


def with_slow(values: Iterable[Any], slow: Container[Any]) -> list[Any]:
    """Return the values of a parametrized test, with those that are slow marked so."""
    return [pytest.param(v, marks=pytest.mark.slow) if v in slow else v for v in values]


def examples(few: int, many: int) -> Callable[[Test], Test]:
    """Return a decorator: so many random examples in the default run, and in ``make slow``.

    All random tests are marked by ``conftest.py``.
    """
    return settings(
        max_examples=many if THOROUGH else few,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
