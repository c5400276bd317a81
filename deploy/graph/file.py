"""NIR graph files: reading and writing, with errors that name a way out."""

import io
from pathlib import Path
from typing import Any

import nir

from stochi.arguments import check_arguments
from stochi.deploy.graph.arrays import map_nodes, with_arrays
from stochi.deploy.graph.fields import check_contents, check_graph, type_of
from stochi.deploy.graph.repair import read_repaired
from stochi.deploy.graph.shown_graph import make_shown
from stochi.errors import GraphError, first_line
from stochi.files import check_plain_file, write_whole
from stochi.hdf5.contents import Form, read_contents

_FORM = Form(
    "a NIR graph file",
    "write it again with nir.write or 'stochi export'",
    ("node",),
    error=GraphError,
)
_SHOWN = 300
"""Most characters of NIR's own message that are passed on."""


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
    check_plain_file(source, "'stochi export' writes a NIR graph", GraphError)
    contents = _node(source)
    try:
        check_contents(contents)
    except GraphError as error:
        raise GraphError(f"{source}: {error}") from None
    try:
        graph = make_shown(nir.dict2NIRNode(_copied(contents) | {"type_check": True}))
    except Exception as error:  # nir raises many kinds, AssertionError among them
        cause = "".join(c if c.isprintable() else " " for c in first_line(error)[:_SHOWN])
        try:
            graph = read_repaired(contents, f"{source}", cause)
        except Exception:
            raise GraphError(f"{source}: NIR cannot build this graph: {cause}") from error
    try:
        check_graph(graph)
    except GraphError as error:
        raise GraphError(f"{source}: {error}") from None
    return graph


def _node(source: Path) -> dict[str, Any]:
    """Return what a file holds of its graph."""
    try:
        found = read_contents(source, _FORM).get("node")
    except OSError as error:
        raise GraphError(f"{source}: {error.strerror or error}") from error
    if not isinstance(found, dict):
        raise GraphError(
            f"{source}: not a NIR graph file: it has no group 'node'; write it again with nir.write"
            " or 'stochi export'"
        )
    kind = type_of(found)
    if kind != "NIRGraph":
        raise GraphError(f"{source}: holds a single node of type {kind!r}, not a NIR graph")
    return found


def _copied(contents: dict[str, Any]) -> dict[str, Any]:
    """Return a copy that NIR may change; the arrays are not copied."""
    return {
        name: _copied(value) if isinstance(value, dict) else value
        for name, value in contents.items()
    }
