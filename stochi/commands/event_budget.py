"""The options that say what attacks on events may change."""

from typing import TYPE_CHECKING, Annotated

import typer

from stochi.commands.configuration import Several
from stochi.errors import InputError

if TYPE_CHECKING:
    from stochi.attacks import EventBudget

FLIPS = 10
"""Number of changes of a sample unless the user says otherwise."""

FlipsOption = Annotated[
    int | None,
    typer.Option(
        help=f"Number of events that attacks on events may change in a sample; {FLIPS} by default,"
        " any number with --share."
    ),
]
ShareOption = Annotated[
    float | None,
    typer.Option(help="The same as a share of the sample's own events, like 0.05."),
]
KindsOption = Annotated[
    str | None,
    typer.Option(
        help="What attacks on events may do, separated by commas: insert, delete, flip, move-time:2"
        " (by up to 2 time steps), move-space:1 (by up to 1 row and column). By default insert and"
        " delete, or what --max-delay says."
    ),
    Several,
]
MaxDelayOption = Annotated[
    int, typer.Option(help="Number of time steps by which attacks may move events: move-time:N.")
]
RefractoryOption = Annotated[
    int,
    typer.Option(
        help="Number of time steps for which a pixel is dead: new events of attacks are at least"
        " this far from its others."
    ),
]


def read_event_budget(
    flips: int | None, share: float | None, kinds: str | None, max_delay: int, refractory: int
) -> "EventBudget":
    """Return what attacks on events may change.

    Args:
        flips, share, kinds, max_delay, refractory: as the options have them.

    Raises:
        InputError: a value is out of range, or a kind has no distance that needs one.
    """
    from stochi.attacks import EventBudget

    named = {} if kinds is None else dict(map(_read_kind, kinds.split(",")))
    if max_delay:
        named["move-time"] = max_delay
    return EventBudget(
        count=FLIPS if flips is None and share is None else flips,
        share=share,
        kinds=tuple(named or ("insert", "delete")),
        max_delay=named.get("move-time", 0),
        max_distance=named.get("move-space", 0),
        refractory=refractory,
    )


def _read_kind(word: str) -> tuple[str, int]:
    """Return a kind, and the distance behind its colon, 0 if there is none."""
    kind, colon, distance = word.strip().partition(":")
    if not colon:
        return kind, 0
    if not kind.startswith("move-") or not distance.isdecimal():
        raise InputError(
            f"--kinds has {word.strip()!r}; only move-time and move-space have a distance, like"
            " move-time:2"
        )
    return kind, int(distance)
