"""Files of patterns: round trips, damaged ones, and pictures."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stochi.attacks import (
    EventBudget,
    EventPattern,
    Offsets,
    PatternForm,
    load_pattern,
    save_pattern,
)
from stochi.attacks.events.pattern_file import PATTERN_FILE
from stochi.attacks.events.window_budget import WindowBudget
from stochi.data import draw_events
from stochi.errors import InputError
from stochi.program.archive import read_archive, write_archive

BUDGET = EventBudget(count=7, share=0.5, refractory=2)
PATTERN = EventPattern(
    PatternForm((3, 4), (5, 2, 8, 9), Offsets((0, 4), (-1, 2), (0, 5)), BUDGET, True, "a patch"),
    ((4, 1, 2, 3), (0, 0, 0, 0), (2, 1, 0, 0)),
)


@pytest.mark.parametrize(
    "pattern",
    [
        PATTERN,
        PATTERN.within(WindowBudget(window=(3, 4))),
        EventPattern(PatternForm((2, 2), (1, 1, 2, 2), Offsets(), EventBudget())),
    ],
    ids=["patch", "window", "empty"],
)
def test_a_pattern_comes_back_from_its_file(pattern: EventPattern, tmp_path: Path) -> None:
    save_pattern(pattern, tmp_path / "new" / "a.pattern")
    found = load_pattern(tmp_path / "new" / "a.pattern")
    assert found == pattern and type(found.budget) is type(pattern.budget)
    assert repr(found) == repr(pattern) and hash(found) == hash(pattern)
    save_pattern(pattern, tmp_path / "b.pattern")
    again = (tmp_path / "b.pattern").read_bytes()
    assert again == (tmp_path / "new" / "a.pattern").read_bytes()


def test_every_damage_is_an_error_of_one_line(tmp_path: Path) -> None:
    whole, damaged = tmp_path / "whole", tmp_path / "damaged"
    save_pattern(PATTERN, whole)
    content = whole.read_bytes()
    broken = [content[:length] for length in range(0, len(content), 97)]
    for at in range(0, len(content), 53):
        broken.append(content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :])
    for each in broken:
        damaged.write_bytes(each)
        try:
            found = load_pattern(damaged)
        except InputError as error:
            assert str(damaged) in str(error) and "\n" not in str(error)
        else:
            assert found == PATTERN  # a byte that zip does not look at
    for foreign in (tmp_path / "none", tmp_path):
        with pytest.raises(InputError, match="event pattern"):
            load_pattern(foreign)


@pytest.mark.parametrize(
    "change",
    [
        {"size": [9, 9]},
        {"size": "wide"},
        {"size": 3},
        {"shape": [60000, 2, 60000, 60000]},
        {"shape": [5, 2, 8]},
        {"occludes": 1},
        {"title": 3},
        {"budget": {"kind": "open"}},
        {"budget": {"kind": "EventBudget", "count": -1}},
        {"budget": {"kind": "EventBudget", "unknown": 1}},
        {"budget": []},
        {"offsets": {"steps": [3, 1]}},
        {"offsets": None},
    ],
    ids=str,
)
def test_a_wrong_header_is_refused(change: dict, tmp_path: Path) -> None:
    save_pattern(PATTERN, tmp_path / "whole")
    header, arrays = read_archive(tmp_path / "whole", PATTERN_FILE)
    arrays.pop("header")
    write_archive(tmp_path / "wrong", PATTERN_FILE, {**header, **change}, arrays)
    with pytest.raises(InputError, match="event pattern is wrong"):
        load_pattern(tmp_path / "wrong")


@pytest.mark.parametrize(
    "events",
    [np.zeros((2, 4)), np.zeros((2, 3), np.int64), np.full((1, 4), 2**40), np.zeros((2, 4), int)],
)
def test_wrong_events_are_refused(events: np.ndarray, tmp_path: Path) -> None:
    save_pattern(PATTERN, tmp_path / "whole")
    header, _ = read_archive(tmp_path / "whole", PATTERN_FILE)
    write_archive(tmp_path / "wrong", PATTERN_FILE, header, {"events": events})
    with pytest.raises(InputError, match="event pattern is wrong"):
        load_pattern(tmp_path / "wrong")


def test_a_pattern_is_drawn_as_events_are(tmp_path: Path) -> None:
    for name in ("p.png", "p.gif"):
        draw_events(PATTERN.frames, tmp_path / name)
    with Image.open(tmp_path / "p.gif") as image:
        image.seek(image.n_frames - 1)
        shown = np.array(image.convert("RGB"))
    step = shown.shape[0] // 3
    red, _, blue = shown[2 * step + 1, 3 * step + 1].tolist()  # the event at the last step
    assert red > blue
