"""Number of messages that a spike of each source takes."""

from collections.abc import Mapping

from stochi.errors import InputError
from stochi.program.layers import INPUT
from stochi.program.program import Program

Destinations = Mapping[str, int]
"""Source, a layer's name or ``"input"`` → number of cores that each of its spikes is sent to."""


def fewest_destinations(program: Program) -> dict[str, int]:
    """Return the number of layers that each source feeds: the fewest cores of any placement."""
    sources = (INPUT, *(layer.name for layer in program.layers))
    return {
        source: sum(any(p.source == source for p in layer.projections) for layer in program.layers)
        for source in sources
    }


def check_destinations(program: Program, destinations: Destinations) -> None:
    """Raise InputError unless every source has a whole number of destinations, as many as needed.

    Args:
        program: the Program whose sources are meant.
        destinations: the numbers.
    """
    fewest = fewest_destinations(program)
    unknown = sorted(set(destinations) - set(fewest))
    if unknown:
        raise InputError(
            f"destinations of {', '.join(map(repr, unknown))}; this Program has {', '.join(fewest)}"
        )
    for source, least in fewest.items():
        given = destinations.get(source)
        if isinstance(given, bool) or not isinstance(given, int) or given < least:
            raise InputError(
                f"destinations of {source!r} is {given}; it must be a whole number from {least} on,"
                " since it feeds that many layers"
            )
