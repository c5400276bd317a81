"""The type and kind of each field of a Program, checked before anything is computed with it.

Ranges here are those that hold for any network; ``rules.py`` and ``chip_rules.py`` have the chip's.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from stochi.errors import ProgramError
from stochi.program.layers import (
    Convolution,
    Decay,
    Dense,
    Flatten,
    Generator,
    Layer,
    OneToOne,
    Projection,
    Stage,
    SumPool,
)
from stochi.program.network import Network
from stochi.program.target import Target
from stochi.program.wording import shown

LARGEST_INDEX = 2**31 - 1
"""Largest number that the compiled loops count with, in lists of 32-bit integers."""
LARGEST_REAL = 2.0**200
"""Largest scale, factor or time step; the smallest is its inverse, so that no logit overflows."""
LONGEST_NAME = 1000
MOST_DIMENSIONS = 8
MOST_LAYERS = 2**16
"""Largest number of layers, whose numbers have 16 bits in the coordinates of a draw."""
_TOLD = 5


@dataclass(frozen=True)
class Demand:
    """What a field's value must be.

    Attributes:
        wants: what it must be, as the end of a message.
        holds: whether a value is that.
    """

    wants: str
    holds: Callable[[Any], bool]

    def or_none(self) -> "Demand":
        """Return a demand that also holds for None."""
        return Demand(f"{self.wants}, or None", lambda value: value is None or self.holds(value))


def check_fields(network: Network) -> None:
    """Raise ProgramError, naming the fields, unless all have values of their type and kind."""
    problems = list(_problems(network, ""))
    if problems:
        more = len(problems) - _TOLD
        raise ProgramError("; ".join(problems[:_TOLD]) + (f"; and {more} more" * (more > 0)))


def whole(low: int = -LARGEST_INDEX, high: int = LARGEST_INDEX) -> Demand:
    """Demand a Python integer in [low, high]."""
    return Demand(
        f"a whole number (an int) from {low} to {high}",
        lambda value: type(value) is int and low <= value <= high,
    )


def sizes(fewest: int, most: int, low: int = 1) -> Demand:
    """Demand a tuple of Python integers, each of at least ``low``."""
    count = f"{most}" if fewest == most else f"{fewest} to {most}"
    each = whole(low)
    return Demand(
        f"a tuple of {count} whole numbers (ints) from {low} to {LARGEST_INDEX}",
        lambda value: (
            type(value) is tuple and fewest <= len(value) <= most and all(map(each.holds, value))
        ),
    )


def integers(*dimensions: int) -> Demand:
    """Demand an array of integers with one of these numbers of dimensions, any up to 8 if none."""
    allowed = dimensions or range(MOST_DIMENSIONS + 1)
    count = f" with {' or '.join(map(str, dimensions))} dimensions" if dimensions else ""
    return Demand(
        f"a numpy array of signed integers{count}, not empty, in this machine's byte order"
        " (numpy.asarray makes one)",
        lambda value: (
            type(value) in (np.ndarray, np.memmap)
            and value.dtype.kind == "i"
            and value.dtype.isnative
            and value.ndim in allowed
            and value.size > 0
        ),
    )


def several(kind: Any, fewest: int, most: int, what: str) -> Demand:
    """Demand a tuple of parts of a kind."""
    return Demand(
        f"a tuple of {fewest} to {most} {what}",
        lambda value: (
            type(value) is tuple
            and fewest <= len(value) <= most
            and all(isinstance(part, kind) for part in value)
        ),
    )


def one(kind: type) -> Demand:
    """Demand a part of a kind."""
    return Demand(f"a {kind.__name__}", lambda value: isinstance(value, kind))


def _is_name(value: Any) -> bool:
    if not isinstance(value, str) or not 1 <= len(value) <= LONGEST_NAME:
        return False
    try:
        value.encode()
    except UnicodeEncodeError:  # half a surrogate pair, which no screen and no file takes
        return False
    return True


def _is_real(value: Any) -> bool:
    if not isinstance(value, float) and type(value) is not int:
        return False
    return 1 / LARGEST_REAL <= value <= LARGEST_REAL


NAME = Demand(f"text of 1 to {LONGEST_NAME} characters", _is_name)
FLAG = Demand("True or False", lambda value: type(value) is bool)
REAL = Demand("a positive number, from 2^-200 to 2^200", _is_real)
FIELDS: dict[type, dict[str, Demand]] = {
    Network: {
        "target": one(Target),
        "input_shape": sizes(1, MOST_DIMENSIONS),
        "layers": several(Layer, 1, MOST_LAYERS, "layers"),
        "output": NAME,
        "readout": NAME,
        "over_time": NAME,
    },
    Target: {
        "chip": NAME,
        "noise": NAME,
        "time_steps": whole(),
        "input_levels": whole(),
        "dt": REAL,
        "random_source": NAME,
    },
    Layer: {
        "name": NAME,
        "shape": sizes(1, MOST_DIMENSIONS),
        "projections": several(Projection, 0, MOST_LAYERS, "projections"),
        "bias_mantissa": integers(),
        "bias_exponent": whole(),
        "decay": one(Decay),
        "threshold_mantissa": integers().or_none(),
        "scale": REAL,
        "current_keep": integers().or_none(),
        "reset": NAME,
        "reset_delay": FLAG,
        "reset_current": FLAG,
        "refractory": whole(),
        "generator": one(Generator).or_none(),
        "threshold_factor": REAL,
    },
    Decay: {"values": integers(), "drawn": FLAG, "redraw": FLAG, "programmable": FLAG},
    Generator: {"target": NAME, "mantissa": whole(), "exponent": whole()},
    Projection: {
        "source": NAME,
        "stages": several(Stage, 0, MOST_LAYERS, "stages"),
        "weight_exponent": whole(),
        "delay": integers(),
    },
    Dense: {"weight": integers(2)},
    Convolution: {
        "weight": integers(4),
        "stride": sizes(2, 2),
        "padding": sizes(2, 2, low=0),
        "dilation": sizes(2, 2),
        "groups": whole(1),
    },
    OneToOne: {"weight": integers()},
    SumPool: {"kernel": sizes(2, 2), "stride": sizes(2, 2), "padding": sizes(2, 2, low=0)},
    Flatten: {},
}
"""Kind of part → field → what its value must be."""


def _problems(part: Any, where: str) -> Iterator[str]:
    """Yield what is wrong in a part of a Program, and in the parts of it."""
    fields = next(fields for kind, fields in FIELDS.items() if isinstance(part, kind))
    for name, demand in fields.items():
        value = getattr(part, name)
        if not demand.holds(value):
            yield f"{where}{name} is {shown(value)}; it must be {demand.wants}"
            continue
        for number, inner in enumerate(value if type(value) is tuple else (value,)):
            if isinstance(inner, tuple(FIELDS)):
                yield from _problems(inner, _where(where, name, number, inner))


def _where(outer: str, field: str, number: int, part: Any) -> str:
    """Return the beginning of a message about a part."""
    if isinstance(part, Layer):
        return f"layer {shown(part.name) if NAME.holds(part.name) else number}: "
    if isinstance(part, Projection):
        name = shown(part.source) if NAME.holds(part.source) else f"number {number}"
        return f"{outer}projection from {name}: "
    if isinstance(part, Stage):
        return f"{outer}{type(part).__name__}: "
    return f"{outer}{field}: "
