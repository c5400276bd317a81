"""Patterns of events: a header and an array under a checksum."""

import json
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch

from stochi.attacks.events.budget import EventBudget
from stochi.attacks.events.event_pattern import EventPattern
from stochi.attacks.events.offsets import Offsets
from stochi.attacks.events.pattern_file import PATTERN_FILE, load_pattern, save_pattern
from stochi.attacks.events.pattern_form import PatternForm
from stochi.program.archive import read_archive, write_archive
from tests.fuzz import hostile
from tests.fuzz.kind import Kind
from tests.fuzz.mutation import damage

_FORM = PatternForm((3, 4), (4, 2, 6, 8), Offsets((0, 3), (0, 2), (0, 2)), EventBudget(5))
_PATTERN = EventPattern(_FORM, ((0, 0, 0, 1), (1, 1, 2, 3), (3, 0, 1, 1)))
_ALTERED = "altered"
"""Title of a pattern that was altered under a checksum made anew."""
_MOST = 2**16
"""Places of a sample that a pattern is applied to here."""


def originals(folder: Path) -> list[Path]:
    """Write a pattern."""
    save_pattern(_PATTERN, folder / "a.pattern")
    return [folder / "a.pattern"]


def mutate(random: Random, original: Path, path: Path) -> None:
    """Damage bytes, or a value under a checksum made anew."""
    if random.random() < 0.6:
        path.write_bytes(damage(random, original.read_bytes()))
        return
    header, events = _parts(original)
    if random.random() < 0.3:
        events = events.copy()
        events[random.randrange(3), random.randrange(4)] = random.choice((-1, 3, 8, 2**31, 2**62))
    else:
        part = random.choice((header, header["budget"], header["offsets"]))
        part[random.choice(list(part))] = random.choice(hostile.VALUES)
    _write(path, header | {"title": _ALTERED}, events)


def crafted(folder: Path) -> dict[str, Path]:
    """Write every field with every hostile value, and events of every kind."""
    header, events = _parts(originals(folder)[0])
    whole = header | {"title": _ALTERED}
    headers = list(hostile.replaced(whole, hostile.VALUES[::2]))
    headers += [
        whole | {"budget": other}
        for other in hostile.replaced(header["budget"], hostile.VALUES[1::2])
    ]
    headers += [
        whole | {"offsets": other}
        for other in hostile.replaced(header["offsets"], hostile.VALUES[::2])
    ]
    window = header["budget"] | {"kind": "WindowBudget", "kinds": ["insert", "delete"]}
    for value in ([1, 1], *hostile.VALUES):
        headers.append(whole | {"budget": window | {"window": value}})
    paths = {}
    for number, other in enumerate(headers):
        paths[f"header {number}"] = _write(folder / f"header {number}.pattern", other, events)
    arrays = (events.astype(np.float64), events[:0], events[0], events - 1, events * 2**40)
    for number, other in enumerate((*arrays, np.repeat(events, 2, 0), events.astype(">i8"))):
        paths[f"events {number}"] = _write(folder / f"events {number}.pattern", whole, other)
    for name, data in {
        "empty": b"",
        "text": b"pattern",
        "claimed": hostile.zip_of({"events.npy": hostile.npy((10**9, 4), "<i8")}),
        "bomb": hostile.zip_of_zeros(("events.npy", "header.npy", "sha256.npy")),
    }.items():
        paths[name] = folder / f"{name}.pattern"
        paths[name].write_bytes(data)
    return paths | hostile.no_files(folder, ".pattern")


def use(path: Path) -> None:
    """Load a pattern and apply it."""
    pattern = load_pattern(path)
    assert pattern == _PATTERN or pattern.form.title != _FORM.title
    if np.prod(pattern.form.shape) <= _MOST:
        steps, *shape = pattern.form.shape
        samples = torch.zeros(steps, 2, *shape)
        applied = pattern.apply(samples, 3)
        assert applied.shape == samples.shape and bool(((applied == 0) | (applied == 1)).all())


def _parts(path: Path) -> tuple[dict[str, Any], np.ndarray]:
    header, arrays = read_archive(path, PATTERN_FILE)
    return json.loads(json.dumps(header)), arrays["events"]


def _write(path: Path, header: dict[str, Any], events: np.ndarray) -> Path:
    write_archive(path, PATTERN_FILE, header, {"events": events})
    return path


KIND = Kind("event patterns", originals, mutate, crafted, use)
