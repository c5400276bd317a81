"""Lines about counted work: seldom, with the part that runs and the time left."""

from stochi.parity.parts import Parts
from stochi.time_left import PAUSE, Told


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_line_comes_from_time_to_time_and_none_at_the_end() -> None:
    clock, lines = Clock(), list[str]()
    told = Told(lines.append, clock)
    for done in range(1, 101):
        clock.now += 1
        told.count("batches", done, 100)
    assert lines[0] == "batches: 5 of 100, 2 min left"
    assert len(lines) == 19 and lines[-1] == "batches: 95 of 100, 5 s left"
    clock.now += 2 * PAUSE
    told.count("samples", 512, None)
    assert lines[-1] == "samples: 512 so far"


def test_quick_work_is_not_told() -> None:
    lines: list[str] = []
    told = Told(lines.append, Clock())
    for done in range(1, 1001):
        told.count("batches", done, 1000)
    assert lines == []


def test_parts_are_numbered_and_tell_the_time_left_once_it_is_known() -> None:
    clock, lines = Clock(), list[str]()
    parts = Parts(lines.append, ["exact", "exact", "PGD", "PGD", "PGD", ""], clock)
    for what, seconds in (("a", 2), ("b", 3), ("PGD on a", 100), ("PGD on b", 60)):
        parts.begin(what)
        clock.now += seconds
    parts.begin("PGD on c")
    clock.now += PAUSE
    parts.count("inputs", 2, 6)
    assert lines == [
        "part 1 of 6: a",
        "part 2 of 6: b",
        "part 3 of 6: PGD on a",
        "part 4 of 6: PGD on b; about 3 min left",
        "part 5 of 6: PGD on c; about 60 s left",
        "part 5 of 6: inputs: 2 of 6, 10 s left",
    ]
