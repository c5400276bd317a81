"""Columns of text on a terminal, held to rich's count."""

import textwrap

import pytest
from rich.cells import cell_len

from stochi.parity.terminal import fit_table, wrap
from stochi.text_width import columns_of, cut_text, pad_text, wrap_text

TEXTS = (
    "plain words of a sentence that is long enough to be wrapped twice",
    "日本語" * 16,
    "日本語 の 名前 with latin words 日本語日本語日本語日本語日本語日本語日本語",
    "e\u0301" * 60,
    "🙂🙃 faces 🙂🙃🙂🙃🙂🙃🙂🙃🙂🙃🙂🙃🙂🙃🙂🙃🙂🙃",
    "한국어 보고서 " * 9,
    "ｆｕｌｌ　ｗｉｄｔｈ" * 5,
    "a-b-c " * 30 + "é",
)


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("width", [2, 20, 40, 79])
def test_no_line_is_wider_and_nothing_is_lost(text: str, width: int) -> None:
    assert columns_of(text) == cell_len(text)
    lines = wrap_text(text, width)
    assert max(map(cell_len, lines)) <= width
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(cell_len(line) <= width for line in wrap(text, width))


def test_narrow_text_is_wrapped_as_ever() -> None:
    assert wrap_text(TEXTS[0], 20) == textwrap.wrap(TEXTS[0], 20)


def test_text_is_cut_and_padded_by_columns() -> None:
    assert cut_text("日本語", 5) == "日本" and cut_text("e\u0301e\u0301", 1) == "e\u0301"
    assert pad_text("日本", 6) == "日本  " and pad_text("日本", 6, left=False) == "  日本"
    assert columns_of("\u2764\ufe0f") == 2


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("width", [20, 40, 80, 120])
def test_tables_of_wide_names_fit_and_stand_in_columns(name: str, width: int) -> None:
    rows = [["report", "float model", "chip"], [name, "98.7\n[96.9, 99.5]", "日本"]]
    lines = fit_table(rows, width)
    assert max(map(cell_len, lines)) <= width
    if "─" in lines[1]:
        assert cell_len(lines[0]) == cell_len(lines[2]) == cell_len(lines[1])
