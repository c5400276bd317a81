"""What a graph's metadata say of its output: what of it is read, and how over time.

``"reads"`` names what is read of neurons that spike, "spikes" (the default) or "membrane".
``"readout"`` names how a model reads it over time: the "mean" (the default), the "sum", "steps" for
each step by itself, or the "last" step alone.
"""

import nir

from stochi.errors import GraphError

READS = ("spikes", "membrane")
ANSWERS = {"mean": "mean", "sum": "mean", "last": "last", "steps": "mean"}
"""Readout → how a Program reads the output over time, of ``stochi.program.network.OVER_TIME``.

The class with the largest sum has the largest mean, and so it is if all time steps are returned.
"""
READOUTS = tuple(ANSWERS)


def find_reads(graph: nir.NIRGraph) -> str:
    """Return what is read of an output that spikes, "spikes" or "membrane".

    Raises:
        GraphError: the graph names something else.
    """
    return _noted(graph, "reads", READS)


def find_over_time(graph: nir.NIRGraph) -> str:
    """Return how a Program reads the output over time, "mean" or "last".

    Raises:
        GraphError: the graph names another readout.
    """
    return ANSWERS[_noted(graph, "readout", READOUTS)]


def _noted(graph: nir.NIRGraph, name: str, known: tuple[str, ...]) -> str:
    """Return what the metadata hold under a name; the first of what is known if nothing."""
    noted = graph.metadata if isinstance(graph.metadata, dict) else {}
    found = noted.get(name, known[0])
    if found not in known:
        raise GraphError(
            f"the graph's metadata {name!r} is {found!r}; choose from {', '.join(known)}"
        )
    return str(found)
