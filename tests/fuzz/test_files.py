"""Files of every kind: some mutants, and crafted ones; ``make fuzz`` tries many more."""

import pytest

from tests.fuzz.__main__ import crafted_cases
from tests.fuzz.harness import RIGHT, survey
from tests.fuzz.kinds import KINDS

MUTANTS = 60
LEAST_CRAFTED = 200
EVERY = {"graphs": 9, "nets": 4, "events": 2, "trainings": 20, "reports": 20}
"""Kinds whose files each take a process to be read, a training, or several pages: one of so many
crafted files is tried."""


@pytest.mark.parametrize("module", KINDS)
def test_every_file_gives_a_right_answer_or_one_line(module: str) -> None:
    every, crafted = EVERY.get(module, 1), crafted_cases(module)
    assert len(crafted) >= LEAST_CRAFTED
    check(module, [*range(MUTANTS if every == 1 else MUTANTS // 3), *crafted[::every]])


@pytest.mark.slow
@pytest.mark.parametrize("module", EVERY)
def test_every_crafted_file(module: str) -> None:
    check(module, crafted_cases(module))


def check(module: str, cases: list[int | str]) -> None:
    tally = survey(module, cases)
    assert tally.faults == {}
    assert sum(tally.outcomes.values()) == len(cases)
    assert tally.outcomes[RIGHT] > 0
