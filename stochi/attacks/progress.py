"""Attacks that take long, and tell how far they are."""

from collections.abc import Callable
from dataclasses import dataclass, field


def say_nothing(message: str) -> None:
    """Where nobody listens. A function of a module, so that attacks can be pickled."""


@dataclass(frozen=True)
class TellsProgress:
    """What such an attack has besides its own attributes.

    Attributes:
        progress: called with a line now and then; two attacks that differ in it are equal.
    """

    progress: Callable[[str], None] = field(
        default=say_nothing, kw_only=True, compare=False, repr=False
    )
