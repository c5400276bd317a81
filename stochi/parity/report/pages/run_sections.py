"""Sections of a report's page on what was compared and what was run."""

import json
import shlex
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from markupsafe import Markup

from stochi.parity.report.pages.cells import (
    NOTHING,
    Cell,
    Column,
    Row,
    Section,
    Table,
    number_cell,
    text_cell,
)
from stochi.parity.report.pages.svg import element
from stochi.parity.report.randomness import draws_nothing
from stochi.parity.report.tables import EXACT_TITLE
from stochi.parity.results import (
    CLEAN,
    SIDES,
    Configuration,
    ExactComparison,
    MaskingSign,
)
from stochi.plain_text import interval_in_percent

if TYPE_CHECKING:
    from stochi.parity.report.report import ParityReport

_SETTINGS = {
    "chip": "The chip whose arithmetic and limits the Program keeps.",
    "noise": "What stands in for drawn time constants: decay, membrane, current or none.",
    "random_source": "Where the chip's random numbers come from.",
    "time_steps": "Time steps of a sample.",
    "trials": "Repetitions of every measurement, each with other draws.",
    "seeds": "Seeds of the draws; the first is that of the accuracies.",
    "exact_images": "Images compared value for value.",
    "attack_images": "Images that are attacked.",
    "epsilons": "ε of the attacks; – if each has its own budget.",
    "batch_size": "Images at a time.",
    "lava": "Whether Lava ran beside the engine.",
}


def exact_section(exact: Sequence[ExactComparison]) -> Section:
    """Return the comparisons value for value."""
    columns = [
        Column("compared", "Two runs of the chip's arithmetic that must be equal.", False),
        Column("mismatches", "Number of values that differ; a single one is a fault."),
        Column("images", "Number of images, and whether an attack made them.", False),
        Column("seed", "Seed of the draws."),
        Column("values", "Spikes and membranes of all layers at all time steps."),
    ]
    rows = [
        Row(
            [
                text_cell(f"{entry.left} and {entry.right}"),
                number_cell(
                    entry.mismatches, f"{entry.mismatches:,}", "bad" if entry.mismatches else "good"
                ),
                text_cell(f"{entry.images} {'attacked' if entry.attack else CLEAN}"),
                number_cell(entry.seed, f"{entry.seed}"),
                number_cell(entry.compared, f"{entry.compared:,}"),
            ]
        )
        for entry in exact
    ]
    text = (
        "Twin, engine and Lava compute the chip's integers on their own, and must have the same"
        " spikes and membranes."
    )
    return Section("exact", "Twin, engine and Lava", text, [Table(EXACT_TITLE, columns, rows)])


def masking_section(masking: Sequence[MaskingSign]) -> Section:
    """Return the signs of masked gradients."""
    columns = [
        Column("side", "The side whose gradients look masked.", False),
        Column("sign", "What was seen.", False),
        Column("white box", "The gradient attack that did worse than it should.", False),
        Column("ε", "Where it was seen."),
        Column("value, %", "How much more accuracy the white box leaves, and its 95 % interval."),
        Column("limit, %", "The most that honest gradients show."),
    ]
    rows = [
        Row(
            [
                text_cell(SIDES[sign.side]),
                text_cell(sign.sign),
                text_cell(sign.white_box or NOTHING),
                number_cell(sign.epsilon, f"{sign.epsilon}"),
                number_cell(
                    sign.value,
                    interval_in_percent(sign.value, sign.low, sign.high).replace("%", ""),
                    "bad",
                ),
                number_cell(sign.limit, f"{100 * sign.limit:g}"),
            ]
        )
        for sign in masking
    ]
    text = "An attack may fail only because it cannot follow the gradients."
    table = Table("Signs of masked gradients", columns, rows)
    return Section("masking", "Masked gradients", text, [table])


def run_section(report: "ParityReport") -> Section:
    """Return what was run: time, command, data, versions, settings and attacks."""
    parts: list[Table | Markup] = []
    run = report.run
    if run is not None:
        about = {
            "date": NOTHING if run.date is None else date_in_words(run.date),
            "data": run.data or NOTHING,
        }
        about["command"] = NOTHING if run.command is None else shlex.join(run.command)
        versions = {name: version or "not installed" for name, version in run.versions.items()}
        parts.append(_described(about | versions))
    parts.append(_settings(report))
    if report.configuration.attacks:
        parts.append(_attacks(report.configuration))
    if report.own is not None:
        own = report.own
        words = f"{own.differing} of {own.inputs} inputs are answered differently"
        parts.append(_described({"model against its graph": words}))
    text = "With the models, the Program and the data, this repeats the report."
    return Section("run", "What was run", text, parts)


def date_in_words(date: str) -> str:
    """Return a date of ISO 8601 as people read it."""
    return date.replace("T", " ").replace("+00:00", " UTC")


def _described(about: dict[str, str]) -> Markup:
    """Return a list of terms and what they are."""
    rows = [Markup("").join((element("dt", k), element("dd", v))) for k, v in about.items()]
    return element("dl", *rows, class_="about")


def _settings(report: "ParityReport") -> Table:
    columns = [
        Column("setting", "Name of the setting.", False),
        Column("value", "What it was.", False),
        Column("what it is", "In a sentence.", False),
    ]
    values = asdict(report.configuration)
    if draws_nothing(report):
        values["noise"] += ", but the network draws no random numbers"
    rows = [
        Row([text_cell(name.replace("_", " ")), Cell(_plain(values[name])), Cell(note)])
        for name, note in _SETTINGS.items()
    ]
    return Table("Settings", columns, rows)


def _attacks(asked: Configuration) -> Table:
    columns = [
        Column("attack", "Name of the attack.", False),
        Column("budget", "How much it may change."),
        Column("draws", "Runs of the model that one gradient or answer is averaged over."),
        Column("parameters", "With these its class makes the same attack again.", False),
    ]
    rows = []
    for recipe in asked.attacks:
        budget = recipe.budget
        shown = None if budget is None else f"{budget:g} {recipe.budget_unit}"
        given = ", ".join(f"{name}={_plain(v)}" for name, v in recipe.parameters.items())
        cells = [text_cell(recipe.title), number_cell(budget, f"{shown}")]
        rows.append(Row([*cells, number_cell(recipe.draws, f"{recipe.draws}"), Cell(given)]))
    return Table("Attacks", columns, rows)


def _plain(value: object) -> str:
    if value is None or value == ():
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, tuple):
        return ", ".join(map(_plain, value))
    return value if isinstance(value, str) else json.dumps(value)
