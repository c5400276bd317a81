"""NIR graph files: reading and writing, with errors that name a way out."""

import io
from pathlib import Path

import nir

from stochi.arguments import check_arguments
from stochi.deploy.graph.arrays import map_nodes, with_arrays
from stochi.deploy.graph.repair import read_repaired
from stochi.errors import GraphError, first_line
from stochi.files import what_is_missing, write_whole


def write_graph(graph: nir.NIRGraph, path: str | Path) -> None:
    """Write a NIR graph as HDF5, to a temporary file that then replaces the target."""
    check_arguments(write_graph, locals())
    content = io.BytesIO()  # HDF5 ends the process if it cannot write to a disk
    nir.write(content, map_nodes(graph, lambda name, node: with_arrays(node)))
    write_whole(path, content.getvalue())


def read_graph(path: str | Path) -> nir.NIRGraph:
    """Read a NIR graph file of any framework.

    Files that NIR does not accept, because shapes or names in them do not agree, are repaired where
    there is only one way to do so.

    Raises:
        GraphError: the file is missing, is not a NIR graph file, or is damaged.

    Warns:
        RepairedGraph: the file was repaired.
    """
    check_arguments(read_graph, locals())
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
        try:
            graph = read_repaired(source, cause)
        except Exception:
            raise GraphError(f"{source}: NIR cannot build this graph: {cause}") from error
    if not isinstance(graph, nir.NIRGraph):
        raise GraphError(f"{source}: holds a single {type(graph).__name__} node, not a NIR graph")
    return graph
