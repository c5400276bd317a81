"""The page of promises names tests that exist, and the budgets that hold."""

import re
from pathlib import Path

from stochi import budget

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "promises.md").read_text()


def test_every_test_that_holds_a_promise_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)
    assert len(named) > 40
    missing = [
        f"{path}::{name}"
        for path, name in named
        if not (ROOT / path).is_file() or f"\ndef {name}(" not in (ROOT / path).read_text()
    ]
    assert missing == []


def test_every_promise_has_a_test() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and "held by" not in line]
    promises = [row for row in rows if not row.startswith(("| `", "| variable"))]
    assert len(promises) > 20
    assert all("::test_" in row for row in promises)


def test_the_budgets_are_those_of_the_code() -> None:
    assert f"{budget.MEMORY // 2**30} GiB |" in PAGE
    assert f"{budget.WORK:.0e}".replace("+", "") in PAGE
