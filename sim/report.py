"""The parity report: plain values, a JSON file, an HTML page."""

import html
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from stochi.files import written_aside
from stochi.sim.ablation_table import ABLATION_TITLE, ablation_rows
from stochi.sim.distribution_table import distribution_rows, distribution_warnings

SIDES = {"float": "GPU float", "hardware_aware": "hardware-aware", "chip": "chip"}
ACCURACY_TITLE = "Accuracy (95 % intervals over images)"
DISTRIBUTION_TITLE = "In distribution (90 % intervals over images)"
DIFFERENCES_TITLE = "Differences in points (95 % paired intervals), and how many images flip"
DIFFERENCES = {
    "chip_minus_float": "chip − float",
    "hardware_aware_minus_float": "hardware-aware − float",
    "chip_minus_hardware_aware": "chip − hardware-aware",
}
FLIPS = {"float_only": "flip: float", "chip_only": "flip: chip", "both": "flip: both"}
FORMAT_VERSION = 3
FOREIGN_SHARE = 0.1
"""Of a layer's weights; where more differ, they were trained otherwise."""


@dataclass
class ParityReport:
    """What :func:`stochi.sim.check_parity` found; ``docs/report.md`` describes every key."""

    configuration: dict[str, Any]
    exact: list[dict[str, Any]] = field(default_factory=list)
    accuracy: list[dict[str, Any]] = field(default_factory=list)
    distribution: dict[str, Any] | None = None
    masking: list[dict[str, Any]] = field(default_factory=list)
    ablation: dict[str, Any] | None = None
    other_weights: dict[str, float] = field(default_factory=dict)

    @property
    def mismatches(self) -> int:
        """All mismatches of all exact comparisons."""
        return sum(int(entry["mismatches"]) for entry in self.exact)

    @property
    def compared(self) -> int:
        """How many values were compared exactly."""
        return sum(int(entry["compared"]) for entry in self.exact)

    def as_dict(self) -> dict[str, Any]:
        """All of it, as it is saved."""
        return {
            "version": FORMAT_VERSION,
            **asdict(self),
            "compared": self.compared,
            "mismatches": self.mismatches,
            "warnings": self.warnings(),
        }

    def warnings(self) -> list[str]:
        """What a reader must know before believing the numbers."""
        found = []
        foreign = {n: share for n, share in self.other_weights.items() if share > FOREIGN_SHARE}
        if foreign:
            shares = ", ".join(f"{name} ({share:.0%})" for name, share in foreign.items())
            found.append(
                "the Program was lowered from another model than the one that was named, so two"
                f" unrelated networks are compared: many weights differ, in {shares}. Pass the"
                " model that the Program came from, or, where that was tuned to answer like this"
                " one, this one with that as lowered_from (--lowered-from)"
            )
        if self.mismatches:
            entry = next(e for e in self.exact if e["mismatches"])
            layer = next(c for c in entry["layers"] if c["mismatches"])
            first = layer["first"]
            found.append(
                f"{entry['left']} and {entry['right']} differ, first in {layer['quantity']} of"
                f" {layer['layer']} at step {first['step']}, sample {first['sample']}, neuron"
                f" {tuple(first['neuron'])}: {first['left']} against {first['right']}"
            )
            altered = [n for n, share in self.other_weights.items() if 0 < share <= FOREIGN_SHARE]
            if altered and not foreign:
                found.append(
                    "some of the Program's weights are not those that the model gives, in"
                    f" {', '.join(altered)}: it comes from an older Stochi, which rounded"
                    " otherwise, or was changed; lower the model again"
                )
        for sign in self.masking:
            against = f" ({sign['white_box']})" if sign["white_box"] else ""
            found.append(
                f"gradients look masked on {SIDES[sign['side']]}: {sign['sign']}{against}:"
                f" {_share(sign)}, where honest gradients show at most {sign['limit']:.0%}"
            )
        return found + distribution_warnings(self.distribution)

    def table(self) -> list[list[str]]:
        """Rows of text: what was shown, then each side's accuracy, with Lava's where it ran; the
        first row is the head."""
        on_lava = [
            self._clean_on_lava() if entry["attack"] == "clean" else entry.get("lava")
            for entry in self.accuracy
        ]
        ran = any(on_lava)
        rows = [["images shown", *SIDES.values(), *["on Lava"] * ran, "chip − float"]]
        for entry, lava in zip(self.accuracy, on_lava, strict=True):
            shown = f"{_interval(lava)}\n{lava['images']} images" if lava else "–"
            rows.append(
                [
                    _shown(entry),
                    *(_interval(entry[side]) for side in SIDES),
                    *[shown] * ran,
                    _points(entry["chip_minus_float"]),
                ]
            )
        return rows

    def differences_table(self) -> list[list[str]]:
        """Rows of text: what was shown, all differences of sides, and how many images flip where;
        the first row is the head."""
        rows = [["images shown", *DIFFERENCES.values(), *FLIPS.values()]]
        for entry in self.accuracy:
            flips = entry["flips"]
            rows.append(
                [
                    _shown(entry),
                    *(_points(entry[name]) for name in DIFFERENCES),
                    *("–" if flips is None else str(len(flips[name])) for name in FLIPS),
                ]
            )
        return rows

    def exact_table(self) -> list[list[str]]:
        """Rows of text: which runs were compared, on what, and how many values differ."""
        rows = [["compared", "images", "seed", "values", "mismatches"]]
        for entry in self.exact:
            shown = "attacked" if entry.get("attack") else "clean"
            rows.append(
                [
                    f"{entry['left'].replace('_', '-')} and {entry['right']}",
                    f"{entry['images']} {shown}",
                    str(entry["seed"]),
                    f"{entry['compared']:,}",
                    f"{entry['mismatches']:,}",
                ]
            )
        return rows

    def distribution_table(self) -> list[list[str]]:
        """Rows of text: what was compared in distribution, and the verdicts."""
        return distribution_rows(self.distribution)

    def ablation_table(self) -> list[list[str]]:
        """Rows of text: what each of the chip's differences does alone."""
        return ablation_rows(self.ablation)

    def save(self, path: str | Path) -> None:
        """Write the report as JSON, aside and then into place."""
        with written_aside(path) as aside:
            aside.write_text(json.dumps(self.as_dict(), indent=2, sort_keys=True) + "\n")

    def to_html(self, path: str | Path) -> None:
        """Write the tables as one HTML page that needs nothing else."""
        distribution = ""
        if self.distribution is not None:
            distribution = f"<h2>{DISTRIBUTION_TITLE}</h2>{_html(self.distribution_table())}"
        ablation = ""
        if self.ablation is not None:
            ablation = f"<h2>{ABLATION_TITLE}</h2>{_html(self.ablation_table())}"
        warnings = "".join(f"<p><b>{html.escape(text)}</b></p>" for text in self.warnings())
        page = (
            "<!doctype html><meta charset='utf-8'><title>Parity report</title><style>"
            "body{font:16px system-ui;margin:2em auto;max-width:70em}"
            "table{border-collapse:collapse;margin:1em 0}td,th{padding:.3em .8em;"
            "border-bottom:1px solid #ccc;text-align:left}</style><h1>Parity report</h1>"
            f"{warnings}<h2>{ACCURACY_TITLE}</h2>{_html(self.table())}"
            f"<h2>{DIFFERENCES_TITLE}</h2>{_html(self.differences_table())}"
            f"{ablation}"
            f"<h2>Value for value</h2>{_html(self.exact_table())}"
            f"{distribution}"
            f"<h2>Configuration</h2><pre>{html.escape(json.dumps(self.configuration, indent=2))}"
            "</pre>"
        )
        with written_aside(path) as aside:
            aside.write_text(page, encoding="utf-8")

    def _clean_on_lava(self) -> dict[str, Any] | None:
        return next((e["lava_accuracy"] for e in self.exact if "lava_accuracy" in e), None)


def _interval(estimate: dict[str, Any]) -> str:
    return f"{estimate['value']:.1%}\n{100 * estimate['low']:.1f}–{100 * estimate['high']:.1f}"


def _share(estimate: dict[str, Any]) -> str:
    return f"{estimate['value']:.1%} ({estimate['low']:.1%} to {estimate['high']:.1%})"


def _shown(entry: dict[str, Any]) -> str:
    made_on = f"\nmade on {SIDES[entry['made_on']]}" if entry["made_on"] else ""
    return f"{entry['attack']}{made_on}\n{entry['chip']['images']} images"


def _points(estimate: dict[str, Any]) -> str:
    value, low, high = (100 * estimate[key] for key in ("value", "low", "high"))
    return f"{value:+.1f}\n[{low:+.1f}, {high:+.1f}]"


def _html(rows: list[list[str]]) -> str:
    def cell(text: str) -> str:
        return html.escape(text).replace("\n", "<br>")

    def row(cells: list[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{cell(c)}</{tag}>" for c in cells) + "</tr>"

    return f"<table>{row(rows[0], 'th')}{''.join(row(cells, 'td') for cells in rows[1:])}</table>"
