"""Reports side by side as a figure."""

import re
import warnings
from dataclasses import replace
from pathlib import Path

import pytest
from matplotlib.axes import Axes

from stochi.errors import InputError
from stochi.parity import ParityReport, compare_reports, draw_report, draw_robustness
from stochi.parity.report.comparison_figure import (
    draw_comparison,
    lowest_by_epsilon,
    make_comparison,
)
from stochi.parity.report.palette import COLOURS, look_of
from tests.parity.small_reports import accuracy_row, composed_report, errors, plain_report
from tests.thoroughness import with_slow


def attacked(accuracy: float, *epsilons: float) -> ParityReport:
    """A report whose chip loses 2 points, and as many per 0.01 of ε."""
    clean = accuracy_row(chip=accuracy, shift=-0.02)
    rows = [
        replace(
            accuracy_row(f"PGD, ε = {epsilon:g}", accuracy - 2 * epsilon - worse, -0.02),
            **{"title": "PGD", "epsilon": epsilon, "made_on": side},
        )
        for epsilon in epsilons
        for side, worse in (("float", 0.0), ("twin", 0.01))
    ]
    return plain_report(accuracy=(clean, *rows))


def titles(axes: Axes) -> str:
    return axes.get_title(loc="left")


def dots(axes: Axes) -> list[tuple[float, float]]:
    """Where the marks of a panel stand, as (x, y)."""
    lines = [bars.lines[0] for bars in axes.containers]
    return [(float(x), float(y)) for one in lines for x, y in one.get_xydata()]


def test_a_report_has_both_sides_and_their_difference() -> None:
    clean, shift, worst, _, curves = make_comparison({"a": attacked(0.9, 0.1, 0.2)}).axes
    assert titles(clean) == "clean images"
    assert [round(x, 6) for x, _ in dots(clean)] == [92.0, 90.0]
    assert [round(x, 6) for x, _ in dots(shift)] == [-2.0]
    assert [round(x, 6) for x, _ in dots(worst)] == [51.0, 49.0]
    assert titles(curves) == "float model and chip: the lowest at each ε"
    assert [round(y, 6) for _, y in dots(curves)] == [92, 71, 51, 90, 69, 49]


def test_reports_have_curves_by_side_if_one_was_attacked_at_several_budgets() -> None:
    reports = {"a": attacked(0.9, 0.1, 0.2), "b": attacked(0.8, 0.1), "c": plain_report()}
    figure = make_comparison(reports)
    assert [titles(axes).partition(":")[0] for axes in figure.axes[-2:]] == ["float model", "chip"]
    assert [len(axes.containers) for axes in figure.axes[-2:]] == [2, 2]
    names = [text.get_text() for text in figure.legends[0].get_texts()]
    assert names == ["float model", "chip", "a", "b"]
    once = make_comparison({"b": reports["b"], "c": reports["c"]})
    assert [titles(axes) for axes in once.axes[::2]] == [
        "clean images",
        "strongest attack of each report",
    ]


def test_a_regression_has_its_errors() -> None:
    reports = {"a": plain_report(), "e": plain_report(accuracy=(), errors=errors(0.01))}
    _, _, shown, shift = make_comparison(reports).axes
    assert shown.get_xlabel() == "mean squared error"
    assert [x for x, _ in dots(shown)] == [0.01, 0.02] and dots(shift)[0][0] == 0.01


def test_the_lowest_of_all_attacks_counts() -> None:
    found = lowest_by_epsilon(attacked(0.9, 0.2, 0.1), "chip")
    values = [(epsilon, round(one.value, 6)) for epsilon, one in found]
    assert values == [(0.0, 0.9), (0.1, 0.69), (0.2, 0.49)]


def test_many_reports_are_told_apart() -> None:
    assert len({look_of(number) for number in range(49)}) == 49
    assert len(set(COLOURS)) == 7


@pytest.mark.parametrize("ending", with_slow(["svg", "pdf", "png"], ["pdf", "png"]))
def test_the_file_has_the_same_bytes_each_time(ending: str, tmp_path: Path) -> None:
    found = compare_reports({"a_$x$ <b>\x1b": attacked(0.9, 0.1, 0.2)})
    first, second = tmp_path / f"a.{ending}", tmp_path / f"new/b.{ending.upper()}"
    found.to_figure(first)
    found.to_figure(f"{second}")
    drawn = first.read_bytes()
    assert drawn == second.read_bytes()
    assert not re.search(rb"20\d\d-\d\d-\d\d|CreationDate|dc:date", drawn)


def test_all_figures_of_a_report_take_all_formats(tmp_path: Path) -> None:
    report = composed_report()
    draw_report(report, tmp_path / "r.svg")
    draw_robustness(report, tmp_path / "r.pdf")
    assert (tmp_path / "r.svg").read_bytes().startswith(b"<?xml")
    assert (tmp_path / "r.pdf").read_bytes().startswith(b"%PDF")


def test_other_endings_are_refused_with_what_to_do(tmp_path: Path) -> None:
    report = composed_report()
    for draw in (compare_reports({"a": report}).to_figure, lambda p: draw_report(report, p)):
        with pytest.raises(InputError, match=r"an SVG, PDF or PNG file, like f\.svg"):
            draw(tmp_path / "f.jpeg")
    with pytest.raises(InputError, match=r"like f\.svg"):
        draw_robustness(report, tmp_path / "f")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_characters_without_a_font_are_named_in_one_warning(ending: str, tmp_path: Path) -> None:
    name = "\U00013000\U00013001 and \U00013000"
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        draw_comparison({name: plain_report()}, tmp_path / f"f.{ending}")
    (one,) = caught
    assert "has \U00013000\U00013001, and boxes" in str(one.message)
    assert (tmp_path / f"f.{ending}").stat().st_size > 1000
