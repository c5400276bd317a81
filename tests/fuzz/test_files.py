"""Files of every kind: some mutants, and all crafted ones; ``make fuzz`` tries many more."""

import pytest

from tests.fuzz.__main__ import crafted_cases
from tests.fuzz.harness import survey
from tests.fuzz.kinds import KINDS

MUTANTS = 60


@pytest.mark.parametrize("module", KINDS)
def test_every_file_gives_a_right_answer_or_one_line(module: str) -> None:
    cases = [*range(MUTANTS), *crafted_cases(module)]
    tally = survey(module, cases)
    assert tally.faults == {}
    assert sum(tally.outcomes.values()) == len(cases)
