"""The graph that Stochi returns: NIR's own, which notebooks show as a table."""

import nir

from stochi.deploy.graph.node_table import (
    TEXT_COLUMNS,
    count_nodes,
    node_rows,
    noted_in_words,
    size_in_words,
)
from stochi.notebook_tables import html_table

SHOWN = 50
"""The most nodes that a notebook shows."""


class NIRGraph(nir.NIRGraph):
    """A NIR graph like any other, but one that can be looked at.

    It has NIR's name, which NIR writes into files. What NIR itself makes of it, by reading a file
    or from a dictionary, is a plain ``nir.NIRGraph``.
    """

    def __repr__(self) -> str:
        """One line; NIR's own has every weight."""
        return f"<NIRGraph: {size_in_words(self)}>"

    def _repr_html_(self) -> str:
        """Nodes in their order, with kinds, edges, shapes and numbers of parameters."""
        title = f"NIR graph: {size_in_words(self)}"
        noted = noted_in_words(self)
        table = html_table(
            f"{title}\n{noted}" if noted else title, node_rows(self, SHOWN), TEXT_COLUMNS
        )
        left = count_nodes(self) - SHOWN
        if left <= 0:
            return table
        return f"{table}<p>{left:,} more; write the graph, and 'stochi show' lists it.</p>"


def make_shown(graph: nir.NIRGraph) -> NIRGraph:
    """Return a graph of the same nodes, edges and metadata, which notebooks show."""
    return NIRGraph(graph.nodes, graph.edges, graph.metadata, type_check=False)
