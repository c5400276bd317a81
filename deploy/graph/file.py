"""NIR graph files: reading and writing, with errors that name a way out."""

from pathlib import Path

import nir

from stochi.errors import GraphError, first_line
from stochi.files import what_is_missing, written_aside


def write_graph(graph: nir.NIRGraph, path: str | Path) -> None:
    """Write a NIR graph as HDF5, to a temporary file that then replaces the target."""
    with written_aside(path) as aside:
        nir.write(str(aside), graph)


def read_graph(path: str | Path) -> nir.NIRGraph:
    """Read a NIR graph file of any framework.

    Raises:
        GraphError: the file is missing, is not a NIR graph file, or is damaged.
    """
    source = Path(path)
    if not source.is_file():
        raise GraphError(f"{source}: {what_is_missing(source)}; 'stochi export' writes a NIR graph")
    try:
        graph = nir.read(str(source))
    except (OSError, KeyError) as error:
        raise GraphError(
            f"{source}: not a NIR graph file, or damaged; write it again with nir.write or"
            " 'stochi export'"
        ) from error
    except Exception as error:  # nir raises many kinds, AssertionError among them
        cause = first_line(error)
        raise GraphError(f"{source}: NIR cannot build this graph: {cause}") from error
    if not isinstance(graph, nir.NIRGraph):
        raise GraphError(f"{source}: holds a single {type(graph).__name__} node, not a NIR graph")
    return graph
