"""What README shows holds; ``tests/pages`` runs its snippet and checks its commands."""

import re
from pathlib import Path

import pytest

from tests.pages.blocks import PAGES, ROOT, blocks, missing_line

README = (ROOT / "README.md").read_text(encoding="utf-8")
LINES = 120


@pytest.mark.lava
def test_the_snippet_is_short_and_its_network_is_exact_and_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (snippet,) = re.findall(r"```python\n(.*?)```", README, re.S)
    lines = [line for line in snippet.splitlines() if line.strip()]
    assert len(lines) <= 23
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    monkeypatch.setenv("COLUMNS", "80")
    exec(compile(snippet, "README.md", "exec"), names)
    _, printed = (block.text for block in blocks("") if block.page == "README.md")
    assert missing_line(printed, capsys.readouterr().out) is None
    assert [layer.name for layer in names["program"].layers] == ["lif1", "lif2"]
    report = names["report"]
    assert report.mismatches == 0 and report.compared > 0
    assert {entry.right for entry in report.exact} >= {"lava"}
    # Guessing is right on one image in ten.
    assert report.accuracy[0].sides["chip"].low > 0.8
    assert "Accuracy" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_readme_fits() -> None:
    assert len(README.splitlines()) <= LINES
    shown = [block for block in blocks("") if block.page == "README.md"]
    assert len(shown) == 2
    for block in shown:
        assert max(len(line) for line in block.text.splitlines()) <= 80


def test_the_table_has_the_numbers_of_the_demo() -> None:
    demo = (ROOT / "docs" / "demo.md").read_text(encoding="utf-8")
    table = next(block for block in blocks("") if block.page == "README.md").text
    numbers = re.findall(r"\[[+-].*?\]|[+-]?\d+\.\d+", table)
    assert len(numbers) > 20
    for number in numbers:
        assert number in demo or number == "0.1", number
    (compared,) = re.findall(r"0 of\s+([\d,]+) compared", README)
    assert f"0 mismatches in {compared} compared values" in demo


def test_the_links_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)\)", page.read_text(encoding="utf-8")):
            if not target.startswith("https://"):
                assert (page.parent / target).exists(), f"{page.name}: {target}"
