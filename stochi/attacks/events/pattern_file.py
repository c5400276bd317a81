"""A pattern's file: an archive of its events and its form, with a checksum."""

from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np

from stochi.arguments import check_arguments
from stochi.attacks.events.budget import EventBudget
from stochi.attacks.events.event_pattern import EventPattern
from stochi.attacks.events.offsets import Offsets
from stochi.attacks.events.pattern_form import PatternForm
from stochi.attacks.events.random_pattern import RandomPattern
from stochi.attacks.events.window_budget import WindowBudget
from stochi.errors import InputError, ProgramError, first_line
from stochi.files import check_plain_file
from stochi.program.archive import Format, read_archive, write_archive

PATTERN_FILE = Format(
    "stochi-event-pattern", "event pattern", made_by="save_pattern", version=1, readable=(1,)
)
_BUDGETS: dict[str, type[EventBudget]] = {c.__name__: c for c in (EventBudget, WindowBudget)}
_PARTS = ("size", "shape", "occludes", "title")


def save_pattern(pattern: EventPattern, path: str | Path) -> None:
    """Write a pattern as an archive of numpy arrays, aside and then into place.

    Raises:
        InputError: the path is a folder, or the pattern is one of :func:`random_like`, whose events
            differ by sample.
    """
    check_arguments(save_pattern, locals())
    if isinstance(pattern, RandomPattern):
        raise InputError(
            "a random pattern inserts other events into each sample, so it has no file; save the"
            f" pattern that it is like, and call random_like(pattern, {pattern.seed}) again"
        )
    form = pattern.form
    header = {
        **{name: getattr(form, name) for name in _PARTS},
        "offsets": form.offsets.ranges,
        "budget": {"kind": type(form.budget).__name__, **_plain(form.budget)},
    }
    write_archive(path, PATTERN_FILE, header, {"events": pattern.coordinates.numpy()})


def load_pattern(path: str | Path) -> EventPattern:
    """Read a pattern that :func:`save_pattern` wrote; nothing in the file is run.

    Raises:
        InputError: the file is missing, damaged, or not a pattern's.
    """
    check_arguments(load_pattern, locals())
    check_plain_file(Path(path), "'save_pattern' writes an event pattern")
    try:
        header, arrays = read_archive(path, PATTERN_FILE)
    except ProgramError as error:
        raise InputError(str(error)) from error
    try:
        return _build(header, arrays["events"])
    except (
        KeyError,
        TypeError,
        ValueError,
        AttributeError,
    ) as error:  # InputErrors are ValueErrors
        raise InputError(f"{path}: the event pattern is wrong ({first_line(error)})") from error


def _build(header: dict[str, Any], events: np.ndarray) -> EventPattern:
    if events.dtype != np.int64 or events.ndim != 2 or events.shape[1] != 4:
        raise InputError(f"events are {events.dtype} of shape {events.shape}, not (n, 4) int64")
    described = dict(header["budget"])
    budget = _BUDGETS[described.pop("kind")](**_tuples(described))
    offsets = Offsets(**_tuples(header["offsets"]))
    parts = _tuples({name: header[name] for name in _PARTS})
    if not isinstance(parts["occludes"], bool) or not isinstance(parts["title"], str):
        raise InputError("occludes must be true or false, and the title text")
    form = PatternForm(offsets=offsets, budget=budget, **parts)
    return EventPattern(form, tuple((t, p, y, x) for t, p, y, x in events.tolist()))


def _plain(budget: EventBudget) -> dict[str, Any]:
    return {each.name: getattr(budget, each.name) for each in fields(budget)}


def _tuples(values: dict[str, Any]) -> dict[str, Any]:
    return {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
