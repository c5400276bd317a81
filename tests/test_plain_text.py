"""Names from files are shown escaped, on screen, page and figure, and never obeyed."""

import pickle
import unicodedata
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stochi.commands.console import Output
from stochi.commands.ending import run_to_its_end
from stochi.commands.stopping import Stopping
from stochi.deploy.portable.readme import _shown
from stochi.errors import InputError, ProgramError, StochiError, StochiWarning
from stochi.parity import ParityReport
from stochi.parity.report.pages.report_page import render_report
from stochi.parity.results import RunDetails
from stochi.plain_text import (
    LONGEST,
    Lines,
    escape_label,
    escape_lines,
    escape_message,
    escape_text,
)
from tests.parity.small_reports import accuracy_row, plain_report

NAMES = (
    "\x1b[31mred\x1b[0m",
    "over\rwritten",
    "bell\x07",
    "a\x00b",
    "right\u202etfel",
    "\u2066isolated\u2069",
    "line\u2028separator",
    "\x9bcontrol",
    "\ud800",
    "\ufeffmark",
)


def is_plain(text: str) -> bool:
    """Return whether a terminal shows text and obeys none of it."""
    return all(unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Zl", "Zp") for c in text)


@given(st.text(st.characters(exclude_categories=())))
def test_whatever_a_name_holds_is_shown_on_one_line(name: str) -> None:
    for shown in (escape_text(name), escape_message(name)):
        assert is_plain(shown)
        shown.encode()
    assert is_plain(escape_lines(name).replace("\n", ""))
    assert escape_text(escape_text(name)) == escape_text(name)


@given(st.text(st.characters(categories=("L", "N", "P", "S"))))
def test_what_can_be_shown_stays_as_it_is(name: str) -> None:
    assert escape_text(name) == escape_message(name) == name


@pytest.mark.parametrize("name", NAMES)
def test_errors_and_warnings_show_names_escaped(name: str) -> None:
    for error in (InputError(f"layer {name}"), ProgramError(f"layer {name}"), StochiError(name)):
        assert is_plain(str(error)) and error.args[0].endswith(name)
        assert str(pickle.loads(pickle.dumps(error))) == str(error)
    with pytest.warns(StochiWarning) as caught:
        warnings.warn(f"layer {name}", StochiWarning, stacklevel=1)
    assert is_plain(str(caught[0].message))


def test_a_flood_of_a_message_is_cut_in_its_middle() -> None:
    shown = str(InputError(f"layer {'n' * 10**6} is wrong; write it again"))
    assert len(shown) <= LONGEST + 3
    assert shown.startswith("layer nnn") and shown.endswith("is wrong; write it again")


@pytest.mark.parametrize("name", [*NAMES, "[red]x[/red]", "[/]", ":smile:", "$x^2$"])
def test_the_console_shows_names_escaped(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(as_json=False)
    output.line(f"layer {name}")
    output.progress(name)
    output.warning(name)
    output.table([["layer", name], [name, f"1\n{name}"]], f"Layers of {name}")

    def fail() -> None:
        raise InputError(name)

    assert run_to_its_end(fail, Stopping()) == 2
    out, err = capsys.readouterr()
    assert is_plain(out.replace("\n", "")) and is_plain(err.replace("\n", ""))
    shown = escape_text(name)
    assert f"layer {shown}" in out and f"Layers of {shown}" in out and shown in err


def test_lines_of_our_own_stay_apart(capsys: pytest.CaptureFixture[str]) -> None:
    label = Lines.of("PGD\nPGD", "8 images")
    assert label == "PGD\\nPGD\n8 images"
    Output(as_json=False).table([["shown", "right"], [label, "50 %\n40–60"]], "Accuracy")
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["PGD\\nPGD", "50", "%"] in lines and ["8", "images", "40–60"] in lines


def test_a_name_of_two_lines_makes_no_second_row(capsys: pytest.CaptureFixture[str]) -> None:
    output = Output(as_json=False)
    output.line("layer a\nb")
    output.table([["layer", "number"], ["a\nb", "1"]], "Layers")
    out = capsys.readouterr().out
    assert out.count(r"a\nb") == 2


@pytest.mark.parametrize("name", [*NAMES, "<script>alert(1)</script>", "</td>", "'\"&"])
def test_a_page_shows_names_escaped(name: str) -> None:
    plain = render_report(named_report("name"))
    page = render_report(named_report(name))
    assert is_plain(page.replace("\n", ""))
    for tag in ("<script", "<td", "<th", "<option", "<p", "<img"):
        assert page.count(tag) == plain.count(tag)
    page.encode()


def named_report(name: str) -> ParityReport:
    """A report in which everything that has a name is called like this."""
    report = plain_report(3, accuracy=(accuracy_row(), accuracy_row(name, 0.5)))
    (exact,) = report.exact
    layers = tuple(replace(layer, layer=name) for layer in exact.layers)
    run = RunDetails({name: name}, name, name, (name,))
    asked = replace(report.configuration, chip=name, noise=name)
    return replace(report, configuration=asked, exact=(replace(exact, layers=layers),), run=run)


@pytest.mark.parametrize(
    "name", ["$x^2$", r"$\frac$", "$", "a\x1bb", "_hidden", r"\$5$", "$$", "{"]
)
def test_a_figure_shows_names_as_they_are(name: str, tmp_path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure()
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    label = escape_label(name)
    axes.plot([0, 1], [0, 1], label=label)
    axes.set_xticks([0], [label])
    legend = axes.legend()
    figure.savefig(tmp_path / "a.png")
    (text,) = legend.get_texts()
    shown, is_formula = text._preprocess_math(text.get_text())  # type: ignore[attr-defined]
    assert not is_formula and shown.lstrip(" ") == escape_text(name)


def test_markdown_shows_names_as_they_are() -> None:
    assert _shown("a|b`c`*d*[e](f)<g>\n&amp;") == r"a\|b\`c\`\*d\*\[e\](f)\<g\>\\n\&amp;"
    assert _shown("network.lif_1, conv2") == "network.lif_1, conv2"
