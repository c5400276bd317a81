"""The parity report: plain values, a JSON file, an HTML page."""

import html
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from stochi.files import written_aside
from stochi.sim.distribution_table import distribution_rows, distribution_warnings

SIDES = {"float": "GPU float", "hardware_aware": "hardware-aware", "chip": "chip"}
DISTRIBUTION_TITLE = "In distribution (90 % intervals over images)"
FORMAT_VERSION = 2


@dataclass
class ParityReport:
    """What :func:`stochi.sim.check_parity` found; ``docs/report.md`` describes every key."""

    configuration: dict[str, Any]
    exact: list[dict[str, Any]] = field(default_factory=list)
    accuracy: list[dict[str, Any]] = field(default_factory=list)
    distribution: dict[str, Any] | None = None

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
        if self.mismatches:
            entry = next(e for e in self.exact if e["mismatches"])
            layer = next(c for c in entry["layers"] if c["mismatches"])
            first = layer["first"]
            found.append(
                f"{entry['left']} and {entry['right']} differ, first in {layer['quantity']} of"
                f" {layer['layer']} at step {first['step']}, sample {first['sample']}, neuron"
                f" {tuple(first['neuron'])}: {first['left']} against {first['right']}"
            )
        gradient = [r for r in self.accuracy if r["made_on"]]
        noise = [r for r in self.accuracy if not r["made_on"] and r["attack"] != "clean"]
        for side in SIDES:
            best = min((r[side]["value"] for r in gradient), default=None)
            blind = min((r[side]["value"] for r in noise), default=None)
            if best is not None and blind is not None and best > blind:
                found.append(
                    f"gradients look masked on {SIDES[side]}: the gradient attack leaves"
                    f" {best:.1%}, random noise {blind:.1%}"
                )
        return found + distribution_warnings(self.distribution)

    def table(self) -> list[list[str]]:
        """Rows of text: what was shown, then each side's accuracy; the first row is the head."""
        rows = [["images shown", *SIDES.values(), "on Lava", "chip − float"]]
        for entry in self.accuracy:
            lava = self._clean_on_lava() if entry["attack"] == "clean" else entry.get("lava")
            made_on = f"\nmade on {SIDES[entry['made_on']]}" if entry["made_on"] else ""
            rows.append(
                [
                    f"{entry['attack']}{made_on}\n{entry['chip']['images']} images",
                    *(_interval(entry[side]) for side in SIDES),
                    f"{_interval(lava)}\n{lava['images']} images" if lava else "–",
                    _points(entry["chip_minus_float"]),
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

    def save(self, path: str | Path) -> None:
        """Write the report as JSON, aside and then into place."""
        with written_aside(path) as aside:
            aside.write_text(json.dumps(self.as_dict(), indent=2, sort_keys=True) + "\n")

    def to_html(self, path: str | Path) -> None:
        """Write the tables as one HTML page that needs nothing else."""
        distribution = ""
        if self.distribution is not None:
            distribution = f"<h2>{DISTRIBUTION_TITLE}</h2>{_html(self.distribution_table())}"
        warnings = "".join(f"<p><b>{html.escape(text)}</b></p>" for text in self.warnings())
        page = (
            "<!doctype html><meta charset='utf-8'><title>Parity report</title><style>"
            "body{font:16px system-ui;margin:2em auto;max-width:70em}"
            "table{border-collapse:collapse;margin:1em 0}td,th{padding:.3em .8em;"
            "border-bottom:1px solid #ccc;text-align:left}</style><h1>Parity report</h1>"
            f"{warnings}<h2>Accuracy (95 % intervals over images)</h2>{_html(self.table())}"
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


def _points(estimate: dict[str, Any]) -> str:
    value, low, high = (100 * estimate[key] for key in ("value", "low", "high"))
    return f"{value:+.1f}\n[{low:+.1f}, {high:+.1f}]"


def _html(rows: list[list[str]]) -> str:
    def cell(text: str) -> str:
        return html.escape(text).replace("\n", "<br>")

    def row(cells: list[str], tag: str) -> str:
        return "<tr>" + "".join(f"<{tag}>{cell(c)}</{tag}>" for c in cells) + "</tr>"

    return f"<table>{row(rows[0], 'th')}{''.join(row(cells, 'td') for cells in rows[1:])}</table>"
