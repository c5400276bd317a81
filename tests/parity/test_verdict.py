"""The verdict says what a report shows, and no more."""

from dataclasses import replace

import pytest

from stochi.parity import ParityReport
from stochi.parity.distribution.results import (
    AnswerDistribution,
    Comparison,
    Distribution,
    LayerDistribution,
    Margins,
)
from stochi.parity.report.terminal import fit_table
from stochi.parity.results import MaskingSign, OwnComparison
from tests.parity.small_reports import accuracy_row, errors, full_report, plain_report


def distribution(verdict: str, left_out: tuple[str, ...] = ()) -> Distribution:
    found = Comparison({"float": 0.2, "chip": 0.3}, 0.5, 0.4, 0.6, 0.01, 1.0, verdict)
    layers = {"lif1": LayerDistribution(rate=found)}
    network = AnswerDistribution(None, {"0": replace(found, verdict="equivalent")})
    return Distribution(100, 3, Margins(), layers, network, left_out, verdict)


def test_a_network_that_survives() -> None:
    attacked = accuracy_row("worst of all attacks, ε = 0.1", 0.4, 0.012, 0.05)
    found = plain_report(accuracy=(accuracy_row(shift=-0.002, half=0.009), attacked)).verdict
    assert found.level == "holds"
    assert found.headline == (
        "Your network survives the chip: 0 of 1,000 values differ; accuracy −0.2 points"
        " [−1.1, +0.7]; under attack +1.2 points [−3.8, +6.2]."
    )
    assert "the chip keeps 40.0% right, and the float model 38.8%" in found.text
    assert "Lava did not run" in found.text and "not compared in distribution" in found.text


CASES = {
    "mismatches": (plain_report(3), "fails", "3 of 1,000 values differ"),
    "first mismatch": (plain_report(3), "fails", "spikes of lif1, step 2, between twin and engine"),
    "no attack": (plain_report(), "holds", "It was not attacked."),
    "loss": (plain_report(accuracy=(accuracy_row(shift=-0.1),)), "fails", "loses accuracy"),
    "few images": (
        plain_report(accuracy=(accuracy_row(half=0.3),)),
        "open",
        "Too little to tell whether your network survives the chip, on 100 images",
    ),
    "loss under attack": (
        plain_report(accuracy=(accuracy_row(), accuracy_row("FGSM", 0.4, -0.2))),
        "partly",
        "loses under attack",
    ),
    "few attacked images": (
        plain_report(accuracy=(accuracy_row(), accuracy_row("FGSM", 0.4, 0.0, 0.3))),
        "holds",
        "There a loss of 30.0 points is not excluded.",
    ),
    "nothing compared": (replace(plain_report(), exact=()), "open", "nothing was compared"),
    "no accuracy": (plain_report(accuracy=()), "open", "no accuracy was measured"),
    "other model": (
        replace(plain_report(5), other_weights={"lif1": 0.9}),
        "fails",
        "lowered from another model",
    ),
    "own model": (
        replace(plain_report(), own=OwnComparison(8, 2, 0.5, 1.0)),
        "fails",
        "No verdict on your model",
    ),
    "different": (
        plain_report(distribution=distribution("different")),
        "partly",
        "Beyond the margins: firing rate of lif1.",
    ),
    "undecided": (
        plain_report(distribution=distribution("undecided")),
        "holds",
        "1 of 2 comparisons in distribution; more images or trials",
    ),
    "one trial": (
        plain_report(distribution=distribution("equivalent", ("fano",))),
        "holds",
        "A single trial shows nothing of variability.",
    ),
    "regression": (
        plain_report(accuracy=(), errors=errors(0.0)),
        "holds",
        "mean squared error 0.01 on the chip, +0 [−0.001, 0.001]",
    ),
    "larger error": (plain_report(accuracy=(), errors=errors(0.01)), "partly", "error grows"),
    "masking": (
        plain_report(
            accuracy=(accuracy_row(), accuracy_row("FGSM", 0.9)),
            masking=(MaskingSign("chip", 0.1, "FGSM", "noise", 0.2, 0.1, 0.3, 0.0),),
        ),
        "holds",
        "Gradients look masked, so stronger attacks may exist.",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_every_case_has_its_sentence(case: str) -> None:
    report, level, sentence = CASES[case]
    assert report.verdict.level == level, report.verdict.text
    assert sentence in report.verdict.text


def test_a_regression_is_not_blamed_for_missing_attacks() -> None:
    assert "attacked" not in plain_report(accuracy=(), errors=errors(0.0)).verdict.text


@pytest.mark.parametrize("width", [20, 40, 60, 80, 200])
def test_a_printed_report_fits_the_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    lines = str(full_report()).split("\n")
    assert max(map(len, lines)) <= width
    assert all(line == line.rstrip() for line in lines)
    assert "FGSM" in "".join(lines) and "chip" in "".join(lines)


def test_a_report_is_short_in_a_list() -> None:
    assert len(repr(full_report())) < 120
    assert repr(plain_report(2)).startswith("ParityReport(chip='loihi2'")


def test_a_table_keeps_names_from_files_harmless() -> None:
    lines = fit_table([["name", "value"], ["\x1b[31mred", "1"]], 80)
    assert lines == ["name         value", "─" * 18, "\\x1b[31mred      1"]


def test_a_notebook_shows_verdict_and_table() -> None:
    report: ParityReport = replace(full_report(), other_weights={})
    shown = report._repr_html_()
    assert report.verdict.headline in shown and "<td" in shown and "<script" not in shown
