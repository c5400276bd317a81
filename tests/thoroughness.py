"""Tests that try few cases in the default run, and all of them in ``make slow``."""

import os
from collections.abc import Callable
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings

THOROUGH = bool(os.environ.get("STOCHI_THOROUGH"))
"""Whether all cases are tried, as ``make slow`` asks."""
settings.register_profile("few", max_examples=25)
Test = TypeVar("Test", bound=Callable[..., Any])

tries_more = pytest.mark.tries_more
"""Marks a test of which ``make slow`` tries more cases."""


def examples(few: int, many: int) -> Callable[[Test], Test]:
    """Return a decorator: so many random examples in the default run, and in ``make slow``."""

    def decorate(test: Test) -> Test:
        chosen = settings(
            max_examples=many if THOROUGH else few,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        return tries_more(chosen(test))

    return decorate
