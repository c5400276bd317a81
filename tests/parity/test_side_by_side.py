"""Reports side by side, as text, tables and a page."""

import csv
from pathlib import Path

import pytest

from stochi.errors import InputError
from stochi.parity import ReportComparison, compare_reports
from stochi.parity.report.side_by_side import name_files
from tests.parity.small_reports import accuracy_row, costs, errors, full_report, plain_report


@pytest.fixture(scope="module")
def found() -> ReportComparison:
    attacked = accuracy_row("worst of all attacks, ε = 0.1", 0.4, -0.2)
    return compare_reports(
        {
            "decay": full_report(),
            "none_|&": plain_report(accuracy=(accuracy_row(), attacked)),
            "broken": plain_report(3),
            "errors": plain_report(accuracy=(), errors=errors(0.01)),
        }
    )


def test_each_report_has_its_clean_images_and_its_strongest_attack(found: ReportComparison) -> None:
    records = found.records()
    assert [(one["report"], one["shown"]) for one in records] == [
        ("decay", "clean"),
        ("decay", records[1]["shown"]),
        ("none_|&", "clean"),
        ("none_|&", "worst of all attacks, ε = 0.1"),
        ("broken", "clean"),
        ("errors", "all inputs"),
    ]
    assert records[3]["difference"] == -0.2 and records[3]["difference_low"] == -0.22
    assert records[4]["mismatches"] == 3 and records[4]["verdict"] == "fails"
    assert records[5]["measure"] == "mean squared error"


@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_text_fits_the_terminal(
    width: int, found: ReportComparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    lines = f"{found}".split("\n")
    assert max(map(len, lines)) <= width
    assert lines[0].startswith("decay: ")
    if width >= 80:
        assert any("chip − float" in line and "mismatches" in line for line in lines)


def test_tables_are_written_for_other_programs(found: ReportComparison, tmp_path: Path) -> None:
    found.to_csv(tmp_path / "t.csv")
    with (tmp_path / "t.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["report"] for row in rows] == [one["report"] for one in found.records()]
    assert float(rows[3]["difference"]) == -0.2
    found.to_markdown(tmp_path / "t.md")
    lines = (tmp_path / "t.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 2 + 6 and lines[1] == "| --- | ---: | ---: | ---: | ---: |"
    assert lines[4].startswith(r"| none\_\|&: clean | 90.0 \[88.0, 92.0\]")
    found.to_latex(tmp_path / "t.tex")
    text = (tmp_path / "t.tex").read_text(encoding="utf-8")
    assert r"none\_|\&: worst of all attacks, $\varepsilon$ = 0.1 & 60.0" in text
    assert "$-$20.0" in text and text.count(r"\\") == 1 + 6


def test_costs_stand_side_by_side(tmp_path: Path) -> None:
    found = compare_reports(
        {
            "one": plain_report(costs=costs()),
            "two": plain_report(costs=costs("loihi1")),
            "old": plain_report(),
        }
    )
    assert found.cost_table()[1:] == [
        ["one", "loihi2", "2", "4,250", "120", "45.5\nreference"],
        ["two", "loihi1", "2", "4,250", "120", "45.5"],
    ]
    first, _, last = found.records()
    assert (first["cores"], first["nanojoules"], first["reference"]) == (2, 45.5, True)
    assert first["operations"] == 4250.5 and last["cores"] is last["reference"] is None
    assert "What a sample costs" in f"{found}"
    found.to_html(tmp_path / "c.html")
    page = (tmp_path / "c.html").read_text(encoding="utf-8")
    assert page.index('<section id="costs"') < page.index('<section id="run"')
    alone = compare_reports({"old": plain_report()})
    assert "What a sample costs" not in f"{alone}"


def test_pandas_gets_the_same(found: ReportComparison, monkeypatch: pytest.MonkeyPatch) -> None:
    pandas = pytest.importorskip("pandas")
    frame = found.to_pandas()
    assert isinstance(frame, pandas.DataFrame) and len(frame) == 6
    assert frame.loc[3, "chip"] == 0.4
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    with pytest.raises(InputError, match="pip install pandas"):
        found.to_pandas()


def test_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    names = name_files([Path("a/x/r.json"), Path("b/x/r.json"), Path("b/s.json")])
    assert names == ["a/x/r", "b/x/r", "s"]
    assert name_files([Path("r.json"), Path("r.txt")]) == ["r.json", "r.txt"]
    with pytest.raises(InputError, match=r"r\.json is named twice"):
        name_files([tmp_path / "r.json", tmp_path / "r.json"])


def test_reports_without_answers_are_refused() -> None:
    with pytest.raises(InputError, match="at least one"):
        compare_reports({})
    with pytest.raises(InputError, match="the report a has neither"):
        compare_reports({"a": plain_report(accuracy=())})
