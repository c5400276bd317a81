"""Reports of commands: their pages, what they say of the command, and several side by side."""

import html
import json
from datetime import datetime
from pathlib import Path

import pytest

from stochi.commands.dated import with_command
from stochi.parity import ParityReport, load_reports
from stochi.parity.report.cost_words import cost_line
from tests.commands.conftest import Run, check_refused
from tests.parity.small_reports import full_report, plain_report


def test_the_date_can_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for value, year in (("0", 1970), ("1e9", datetime.now().year), ("9" * 30, datetime.now().year)):
        monkeypatch.setenv("SOURCE_DATE_EPOCH", value)
        run = with_command(plain_report(), "digits").run
        assert run is not None and run.date is not None and str(run.date).startswith(f"{year}-")


def test_parity_writes_its_page_and_its_words(run: Run, trained: Path) -> None:
    few = ("--no-lava", "--images", "16", "--exact", "2", "--trials", "1", "--epsilon", "0")
    words = ("parity", str(trained / "m.pt"), str(trained / "m.program"), *few)
    status, out, _ = run(*words, "--out", "made/my.report.json")
    assert status == 0
    assert out.splitlines()[-1] == "Wrote made/my.report.json and made/my.report.html"
    report = ParityReport.load("made/my.report.json")
    assert " ".join(report.verdict.text.split()) in " ".join(out.split())
    costs = cost_line(report.costs)
    assert costs is not None and costs in " ".join(out.split())
    report.to_html("again.html")
    assert Path("again.html").read_bytes() == Path("made/my.report.html").read_bytes()
    assert report.run is not None and report.run.command is not None
    assert report.run.command[:2] == ("stochi", "parity")
    assert "made/my.report.json" in report.run.command
    assert report.run.data.startswith("images of digits: 16 images of 1×8×8")
    assert report.run.date is not None
    assert datetime.fromisoformat(report.run.date).utcoffset() is not None
    status, out, _ = run(*words, "--html", "page.html")
    assert status == 0 and out.splitlines()[-1] == "Wrote runs/m_report.json and page.html"
    assert not Path("runs/m_report.html").exists()
    status, out, _ = run(*words, "--out", "r.html")
    assert status == 0 and out.splitlines()[-1] == "Wrote r.html"
    ParityReport.load("r.html")


def test_the_command(run: Run) -> None:
    full_report().save("a.json")
    plain_report(3).save("b.json")
    status, out, err = run(
        *("compare", "a.json", "b.json", "--html", "p.html", "--csv", "t.csv"),
        *("--latex", "t.tex", "--markdown", "t.md", "--figure", "f.pdf"),
    )
    assert status == 0 and err == ""
    assert max(map(len, out.splitlines())) <= 80 and "Wrote p.html" in out
    assert all(Path(name).is_file() for name in ("t.csv", "t.tex", "t.md"))
    assert "Wrote f.pdf" in out and Path("f.pdf").read_bytes().startswith(b"%PDF")
    page = html.unescape(Path("p.html").read_text(encoding="utf-8"))
    assert load_reports(["b.json"])["b"].verdict.headline in page
    status, out, _ = run("compare", "a.json", "b.json", "--json")
    values = json.loads(out)
    assert status == 0 and set(values["verdicts"]) == {"a", "b"} and len(values["records"]) == 3


def test_the_command_refuses_what_it_cannot_read_or_would_replace(run: Run) -> None:
    full_report().save("a.json")
    check_refused(run, ("compare", "a.json", "no.json"), "no.json: no such file")
    check_refused(run, ("compare", "a.json", "a.json"), "named twice")
    check_refused(run, ("compare", "a.json", "--csv", "a.json"), "another file of this command")
    check_refused(run, ("compare", "a.json", "--csv", "t", "--html", "t"), "another file")
    check_refused(run, ("compare", "a.json", "--figure", "f.jpg"), "SVG, PDF or PNG file")
    check_refused(run, ("compare", "a.json", "--csv", "f.svg", "--figure", "f.svg"), "another file")


def test_a_figure_of_one_report_is_replaced_only_if_asked(run_as_typed: Run) -> None:
    plain_report().save("a.json")
    words = ("compare", "a.json", "--figure", "f.SVG")
    assert run_as_typed(*words)[0] == 0
    drawn = Path("f.SVG").read_bytes()
    assert drawn.startswith(b"<?xml")
    check_refused(run_as_typed, words, "f.SVG exists; give --force")
    assert run_as_typed(*words, "--force")[0] == 0 and Path("f.SVG").read_bytes() == drawn
