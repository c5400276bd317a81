"""The verdict says what a report shows, and no more."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from stochi.commands.console import least_widths, split_columns
from stochi.errors import InputError
from stochi.parity import ParityReport, compare_reports
from stochi.parity.distribution.results import (
    AnswerDistribution,
    Comparison,
    Distribution,
    LayerDistribution,
    Margins,
)
from stochi.parity.report.quantities import name_places
from stochi.parity.report.randomness import draws_nothing
from stochi.parity.results import WORST, MaskingSign, OwnComparison
from stochi.parity.terminal import fit_table
from tests.parity.small_reports import (
    accuracy_row,
    costs,
    errors,
    estimate,
    full_report,
    plain_report,
)


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
        "Your network survives the chip: twin and engine agree in all 1,000 values; from float"
        " model to chip, accuracy changes by −0.2 points [−1.1, +0.7], and under attack by +1.2"
        " points [−3.8, +6.2]."
    )
    assert "the chip keeps 40.0% right, and the float model 38.8%" in found.text
    assert "Lava did not run" in found.text and "not compared in distribution" in found.text


CASES = {
    "mismatches": (plain_report(3), "fails", "twin and engine differ in 3 of 1,000 values"),
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
        "open",
        "A loss of up to 30.0 points under this attack cannot be ruled out.",
    ),
    "more lost than there is": (
        plain_report(accuracy=(accuracy_row(), accuracy_row("FGSM", 0.1, 0.0, 0.3))),
        "open",
        "A loss of up to 10.0 points under this attack cannot be ruled out.",
    ),
    "few attacked images, in the headline": (
        plain_report(accuracy=(accuracy_row(), accuracy_row("FGSM", 0.4, 0.0, 0.3))),
        "open",
        "on clean images; under attack there is too little to tell, on 100 images: twin",
    ),
    "white-box for one side alone": (
        plain_report(
            accuracy=(
                accuracy_row(),
                replace(accuracy_row("FGSM", 0.4, 0.3), made_on="float"),
                replace(accuracy_row("FGSM", 0.2, -0.3), made_on="twin"),
                replace(accuracy_row(f"{WORST}, 8 events", 0.25, 0.01), title=WORST),
            )
        ),
        "holds",
        f"Under the strongest attack ({WORST}, 8 events, 100 images) the chip keeps 25.0%",
    ),
    "nothing left": (
        plain_report(accuracy=(accuracy_row(), accuracy_row("FGSM", 0.0, 0.0, 0.082))),
        "holds",
        "keeps 0.0% right, and the float model 0.0%. That is too little to compare; take a smaller",
    ),
    "nothing left, in the headline": (
        plain_report(accuracy=(accuracy_row(), accuracy_row("FGSM", 0.0, 0.0, 0.082))),
        "holds",
        "[−2.0, +2.0], and under attack too little is left to compare.",
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
        "Float model and chip differ beyond the margins in the firing rates of lif1.",
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
        "the mean squared error changes by +0 [−0.001, 0.001] to 0.01.",
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


def alike(trials: int, **parts: object) -> ParityReport:
    """A report of a network that draws nothing, whose spikes move by rounding."""
    equal = Comparison({"float": 0.0, "chip": 0.0}, 0.0, 0.0, 0.0, 0.02, 0.0, "equivalent")
    # As earlier versions judged it, relative to the distance of trials that are alike.
    moved = replace(equal, sides={"float": 0.0, "chip": 0.002}, difference=None, low=None)
    moved = replace(moved, high=None, p_value=1.0, verdict="different")
    rate = replace(equal, sides={"float": 0.14, "chip": 0.14}, margin=0.01)
    layer, network = LayerDistribution(rate=rate), AnswerDistribution(None, {"0": rate})
    if trials > 1:
        layer = LayerDistribution(rate, equal, equal, moved, equal)
        network = replace(network, logit_spread=equal)
    layers = {"lif1": layer, "lif2": layer}
    left_out = ("fano",) if trials == 1 else ()
    found = Distribution(100, trials, Margins(), layers, network, left_out, "different")
    return plain_report(distribution=found, **parts)


@pytest.mark.parametrize("trials", [1, 2])
def test_trials_of_a_network_that_draws_nothing_do_not_change_its_verdict(trials: int) -> None:
    of_one = costs()
    still = replace(of_one, layers=tuple(replace(x, random_numbers=0.0) for x in of_one.layers))
    report = alike(trials, own=OwnComparison(4, 0, 0.0, 1.0), costs=still)
    assert draws_nothing(report)
    assert report.verdict.level == "holds" and report.warnings() == []
    assert "draws no random numbers, so all trials are alike" in report.verdict.text
    assert ("in 0.2% of its places" in report.verdict.text) == (trials > 1)
    assert ("a second one shows how far rounding moves" in report.verdict.text) == (trials == 1)
    random = replace(report, costs=of_one)
    assert not draws_nothing(random)
    assert any("single trial" in text for text in random.warnings()) == (trials == 1)


def test_without_a_count_of_draws_one_trial_does_not_tell() -> None:
    report = alike(1, own=OwnComparison(4, 0, 0.0, 1.0))
    assert not draws_nothing(report)
    assert report.warnings() == ["a single trial shows nothing of variability; run at least 2"]


def test_a_random_chip_beside_a_still_model_is_different() -> None:
    report = alike(2)
    assert report.distribution is not None
    layer = report.distribution.layers["lif1"]
    random = replace(layer, distance=replace(layer.distance, sides={"float": 0.0, "chip": 0.1}))
    found = replace(report.distribution, layers={"lif1": random})
    found_verdict = replace(report, distribution=found).verdict
    assert found_verdict.level == "partly"
    assert "in the spikes of lif1." in found_verdict.text


def test_places_are_named_as_a_sentence_lists_them() -> None:
    layers = [("layers", f"lif{number}", "rate") for number in range(1, 8)]
    assert name_places(layers[:1]) == "the firing rates of lif1"
    assert name_places(layers[:4]) == "the firing rates of lif1, lif2, lif3 and lif4"
    assert name_places(layers) == "the firing rates of lif1, lif2, lif3, lif4 and 3 more"
    places = [("network", "logit_mean", n) for n in "03"] + [("layers", "a", "distance_across")]
    places += [*layers[:2], ("network", "agreement_across")]
    assert name_places(places) == (
        "the firing rates of lif1 and lif2, the spikes of a, the logits of classes 0 and 3,"
        " and the answers"
    )


def test_a_regression_is_not_blamed_for_missing_attacks() -> None:
    assert "attacked" not in plain_report(accuracy=(), errors=errors(0.0)).verdict.text


@pytest.mark.parametrize("width", [20, 40, 60, 80, 200])
def test_a_printed_report_fits_the_terminal(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    lines = str(full_report()).split("\n")
    assert max(map(len, lines)) <= width
    assert all(line == line.rstrip() for line in lines)
    assert "FGSM" in "".join(lines) and "chip" in "".join(lines)


def test_tables_of_the_terminal_are_not_split_at_80_columns() -> None:
    # The chip − float of the widest kind, and Lava's column.
    rows = accuracy_row(), accuracy_row("AutoAttack snn-20 (EOT 5), ε = 0.1", 0.5, -0.2, 0.15)
    report = plain_report(accuracy=tuple(replace(row, lava=estimate(0.5)) for row in rows))
    found = full_report()
    tables = (report.table(), report.differences_table(), found.distribution_table())
    for rows_of_text in (*tables, found.table(), found.differences_table()):
        assert len(split_columns(least_widths(rows_of_text, 1, 80), 1, 80)) == 1, rows_of_text[0]


@pytest.mark.parametrize(
    "content, problem",
    [
        (b"\x93NUMPY\xff", "it is not text"),
        (b"{1: 2}", "it is not JSON, from line 1, column 2 on"),
        (b"[1, 2]", "it is JSON of something else"),
    ],
)
def test_what_is_no_report_is_called_so(content: bytes, problem: str, tmp_path: Path) -> None:
    (tmp_path / "r.json").write_bytes(content)
    with pytest.raises(InputError, match=f"r.json: not a report: {problem}; name a report.json"):
        ParityReport.load(tmp_path / "r.json")


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
    # Lines and distances do not depend on the style of the page around it.
    assert "padding:" in shown and re.search(r"\d<br>all 2: ", shown)
    assert shown.count("<strong>Warning:</strong>") == len(report.warnings()) > 0
    assert re.search(r'text-align:left">clean<br>12 images</td>', shown)


def test_a_notebook_shows_comparisons_and_ablations() -> None:
    report = full_report()
    compared = compare_reports({"<one>": report, "two": report})
    shown = compared._repr_html_()
    assert shown.count(report.verdict.headline) == 2 and "&lt;one&gt;" in shown
    assert repr(compared) == "ReportComparison('<one>', 'two')"
    found = report.ablation
    assert found is not None and "float model" in found._repr_html_()
    assert str(found).startswith("Each of the chip's properties alone") and len(repr(found)) < 200
    assert all(len(line) <= 80 for line in str(found).splitlines())
