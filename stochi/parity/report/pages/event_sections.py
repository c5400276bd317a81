"""The section of a report's page on one sample's events."""

from base64 import b64decode

import numpy as np

from stochi.parity.event_sample import EventFrames, EventSample
from stochi.parity.report.pages.cells import Column, Row, Section, Table, number_cell, text_cell
from stochi.parity.report.pages.event_animation import Panel, animate
from stochi.parity.results import SIDES
from stochi.plain_text import counted

TITLE = "Events of one sample"
_FRAME = Column("time step", "The time step, or those that are joined into a frame.", False)
_CHANGES = (
    Column("added", "Events that only the attacked sample has."),
    Column("removed", "Events that only the clean sample has."),
)


def event_section(sample: EventSample) -> Section:
    """Return a sample's events as an animation and as numbers, or why they are not shown."""
    size = "×".join(map(str, sample.shape))
    text = (
        f"Sample {sample.number}: inputs of {size} at {counted(sample.time_steps, 'time step')},"
        f" {counted(sample.clean.events, 'event')}"
    )
    attacked = sample.attacked
    if attacked is not None:
        text += f", and {attacked.events:,} under {_attack(sample)}"
    if not sample.clean.frames:
        why = "it is no picture of one or two polarities, or a larger one than a report keeps"
        return Section("events", TITLE, f"{text}. The sample is not shown: {why}.", [])
    clean = _events(sample.clean, sample.shape)
    panels = [Panel("clean", clean)]
    if attacked is not None:
        changed = _events(attacked, sample.shape)
        added, removed = changed & ~clean, clean & ~changed
        panels.append(Panel("attacked", changed, added, removed))
    text = " ".join((f"{text}.", *_notes(sample, panels)))
    names = [_name(sample, number) for number in range(len(clean))]
    turns = [f"time step{'s' * (' ' in name)} {name}" for name in names]
    caption = f"Sample {sample.number}, frame by frame"
    figure = animate("events-figure", caption, _description(sample, panels), panels, turns)
    return Section("events", TITLE, text, [figure, _table(panels, names)])


def _attack(sample: EventSample) -> str:
    where = f", made on the {SIDES[sample.made_on]}" if sample.made_on in SIDES else ""
    return f"{sample.attack}{where}"


def _notes(sample: EventSample, panels: list[Panel]) -> list[str]:
    """Return what the picture shows and leaves out, a sentence each."""
    notes = [
        f"The animation shows {'both' if len(panels) > 1 else 'it'} in slow motion; where nothing"
        " moves, all time steps lie on top of each other."
    ]
    if sample.shape[0] == 2:
        notes.append("An ON event, of rising brightness, fills its place, an OFF event half of it.")
    if len(panels) > 1:
        notes.append("Changes are marked: added events are framed, removed ones crossed.")
    if sample.steps_of_frame > 1:
        notes.append(f"{sample.steps_of_frame} time steps are joined into each frame.")
    left_out = sum(one.left_out for one in (sample.clean, sample.attacked) if one is not None)
    if left_out:
        notes.append(f"It is thinned out: {counted(left_out, 'event')} are left out.")
    return notes


def _events(side: EventFrames, shape: tuple[int, ...]) -> np.ndarray:
    """Return a side's events, (frames, polarities, height, width) bool."""
    places = int(np.prod(shape))
    bits = [np.frombuffer(b64decode(frame), np.uint8) for frame in side.frames]
    unpacked = np.unpackbits(np.stack(bits), axis=1, count=places)
    return unpacked.astype(bool).reshape(-1, *shape)


def _name(sample: EventSample, number: int) -> str:
    """Return the time steps of a frame."""
    first = number * sample.steps_of_frame
    last = min(first + sample.steps_of_frame, sample.time_steps) - 1
    return f"{first}" if first == last else f"{first} to {last}"


def _description(sample: EventSample, panels: list[Panel]) -> str:
    words = f"Sample {sample.number}, {counted(len(panels[0].events), 'frame')} one after another"
    words += f": {counted(int(panels[0].events.sum()), 'event')}"
    changed = panels[-1]
    if changed.added is not None and changed.removed is not None:
        added, removed = int(changed.added.sum()), int(changed.removed.sum())
        words += f"; under attack {added:,} are added and {removed:,} removed"
    return f"{words}. The table below counts them by time step."


def _table(panels: list[Panel], names: list[str]) -> Table:
    clean, changed = panels[0].events, panels[-1]
    columns, counts = [_FRAME], []
    kinds = ("OFF", "ON") if clean.shape[1] == 2 else ("events",)
    for polarity, kind in enumerate(kinds):
        columns.append(Column(kind, "Events of the clean sample that are shown."))
        counts.append(clean[:, polarity].sum((1, 2)))
    if changed.added is not None and changed.removed is not None:
        columns += _CHANGES
        counts += [one.sum((1, 2, 3)) for one in (changed.added, changed.removed)]
    rows = [
        Row([text_cell(name), *(number_cell(int(n), f"{n:,}") for n in of_frame)])
        for name, of_frame in zip(names, zip(*counts, strict=True), strict=True)
    ]
    return Table("Events by time step", columns, rows)
