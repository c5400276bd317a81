"""Budgets: their defaults, the environment variables that set others, and the messages."""

import pytest

from stochi.budget import MEMORY, WORK, check_memory, check_work, memory_budget, work_budget
from stochi.errors import InputError, ProgramError


@pytest.mark.parametrize(
    ("given", "bytes_"),
    [("", MEMORY), ("1", 1), ("4GiB", 2**32), ("1.5 kB", 1500), ("2MB", 2 * 10**6), ("1e3", 1000)],
)
def test_memory_is_read_with_its_unit(
    monkeypatch: pytest.MonkeyPatch, given: str, bytes_: int
) -> None:
    monkeypatch.setenv("STOCHI_MEMORY", given)
    assert memory_budget() == bytes_


@pytest.mark.parametrize("given", ["much", "-1", "4XB", "nan", "1e", "٤GiB"])
def test_what_is_no_budget_is_refused(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    monkeypatch.setenv("STOCHI_MEMORY", given)
    monkeypatch.setenv("STOCHI_WORK", given)
    with pytest.raises(InputError, match="STOCHI_MEMORY is"):
        memory_budget()
    with pytest.raises(InputError, match="STOCHI_WORK is"):
        work_budget()


def test_what_is_within_a_budget_passes_and_one_more_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("STOCHI_MEMORY", raising=False)
    monkeypatch.delenv("STOCHI_WORK", raising=False)
    check_memory(MEMORY, "a file")
    check_work(WORK, "a file")
    with pytest.raises(InputError, match=r"^a file would take 8 GiB .* budget of 8 GiB; .*MEMORY"):
        check_memory(MEMORY + 1, "a file")
    with pytest.raises(ProgramError, match=r"^it would take 1.0e12 additions, .*STOCHI_WORK"):
        check_work(WORK + 1, "it", ProgramError)
    with pytest.raises(InputError, match="e4"):
        check_work(10**5000, "a crafted file")
