"""Files of every kind: some mutants, and crafted ones; ``make fuzz`` tries many more."""

import pytest

from tests.fuzz.__main__ import crafted_cases
from tests.fuzz.harness import RIGHT, survey
from tests.fuzz.kinds import KINDS
from tests.thoroughness import THOROUGH, tries_more, with_slow

MUTANTS, CRAFTED = (60, 10_000) if THOROUGH else (4, 6)
"""Number of files of a kind that are tried, at most."""
LEAST_CRAFTED = 200
LONG = (
    "programs",
    "answers",
    "checkpoints",
    "events",
    "graphs",
    "nets",
    "patterns",
    "reports",
    "trainings",
)
"""Kinds whose files take longest to be read."""


@tries_more
@pytest.mark.parametrize("module", with_slow(KINDS, LONG))
def test_every_file_gives_a_right_answer_or_one_line(module: str) -> None:
    crafted = crafted_cases(module)
    assert len(crafted) >= LEAST_CRAFTED
    cases = [*range(MUTANTS), *crafted[:: max(1, len(crafted) // CRAFTED)]]
    tally = survey(module, cases)
    assert tally.faults == {}
    assert sum(tally.outcomes.values()) == len(cases)
    assert tally.outcomes[RIGHT] > 0 or not THOROUGH
