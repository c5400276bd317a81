"""Saved reports: what loads is printed, drawn as a page and saved again as it was."""

import json
import tempfile
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from random import Random
from typing import Any

from stochi.parity import ParityReport, compare_reports
from tests.fuzz import hostile
from tests.fuzz.kind import Kind
from tests.fuzz.mutation import damage
from tests.parity.small_reports import composed_report, errors, plain_report

Place = tuple[str | int, ...]


def originals(folder: Path) -> list[Path]:
    """Write reports with every part, and of a regression."""
    made = {"all": composed_report(), "errors": plain_report(accuracy=(), errors=errors(0.01))}
    for name, report in made.items():
        report.save(folder / f"{name}.json")
    return [folder / f"{name}.json" for name in made]


def mutate(random: Random, original: Path, path: Path) -> None:
    """Damage bytes, or values anywhere."""
    if random.random() < 0.3:
        path.write_bytes(damage(random, original.read_bytes()))
        return
    content = json.loads(original.read_bytes())
    for _ in range(random.choice((1, 1, 2, 3))):
        places = list(_places(content))
        *before, last = random.choice(places)
        held = content
        for key in before:
            held = held[key]
        number = isinstance(held[last], int | float)
        if random.random() < 0.15 and isinstance(held, dict):
            del held[last]
        else:
            held[last] = random.choice(hostile.NUMBERS if number else hostile.VALUES)
    path.write_text(json.dumps(content))


def crafted(folder: Path) -> dict[str, Path]:
    """Write every key with hostile values, and what is no report."""
    paths: dict[str, Path] = {}
    (original, _) = originals(folder)
    content = json.loads(original.read_bytes())
    for number, place in enumerate(_places(content)):
        # Every value somewhere, and a ninth of them everywhere.
        for value in hostile.VALUES[number % 9 :: 9]:
            other = deepcopy(content)
            held = other
            for key in place[:-1]:
                held = held[key]
            held[place[-1]] = value
            name = f"{'.'.join(map(str, place))} {len(paths)}"
            paths[name] = folder / f"{len(paths)}.json"
            paths[name].write_text(json.dumps(other))
    texts = {"deep": "[" * 200_000, "null": "null", "digits": "9" * 100_000, "empty": ""}
    for name, text in texts.items():
        paths[name] = folder / f"{name}.json"
        paths[name].write_text(text)
    return paths | hostile.no_files(folder, ".json")


def use(path: Path) -> None:
    """Load a report, print and draw it, alone and beside itself, and save it."""
    report = ParityReport.load(path)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "r.json"
        report.save(place)
        again = ParityReport.load(place)
        pages = []
        for one in (report, again):
            one.to_html(Path(folder) / "r.html")
            pages.append((Path(folder) / "r.html").read_bytes())
        assert pages[0] == pages[1] and b"<script>alert" not in pages[0]
        assert str(report) == str(again) and report._repr_html_() == again._repr_html_()
        if report.accuracy and report.accuracy[0].attack == "clean":
            compare_reports({"a": report, "b": again}).to_html(Path(folder) / "c.html")


def _places(content: Any, before: Place = ()) -> Iterator[Place]:
    """Yield the place of every value."""
    keys = content if isinstance(content, dict) else range(len(content))
    for key in keys:
        yield (*before, key)
        if isinstance(content[key], dict | list):
            yield from _places(content[key], (*before, key))


KIND = Kind("reports", originals, mutate, crafted, use)
