"""The graph that Stochi returns: how it is shown, and that it is NIR's in all else."""

import copy
import pickle
import re
from pathlib import Path

import nir
import numpy as np
import pytest
import torch

from stochi.deploy import lower, read_graph, resolve_conventions, write_graph
from stochi.deploy.graph.node_table import count_nodes, node_rows
from stochi.deploy.graph.shown_graph import SHOWN, NIRGraph, make_shown
from stochi.export import from_nir, to_nir
from tests.conftest import conv_net


@pytest.fixture(scope="module")
def graph() -> nir.NIRGraph:
    return to_nir(conv_net(), torch.rand(2, 2, 8, 8))


def neurons(size: int) -> nir.LIF:
    ones = np.ones(size)
    return nir.LIF(2e-3 * ones, 2 * ones, 0 * ones, 0.5 * ones)


def recurrent() -> nir.NIRGraph:
    """A layer that feeds itself within an inner graph, in the order of an alphabet."""
    inner = nir.NIRGraph(
        {
            "again": nir.Linear(np.eye(3)),
            "in": nir.Input(np.array([3])),
            "lif": neurons(3),
            "out": nir.Output(np.array([3])),
        },
        [("in", "lif"), ("lif", "again"), ("again", "lif"), ("lif", "out")],
        type_check=False,
    )
    nodes = {
        "a_output": nir.Output(np.array([3])),
        "b_inner": inner,
        "c_fc": nir.Affine(np.ones((3, 2)), np.ones(3)),
        "d_input": nir.Input(np.array([2])),
    }
    edges = [("d_input", "c_fc"), ("c_fc", "b_inner"), ("b_inner", "a_output")]
    return nir.NIRGraph(nodes, edges, {"dt": 1e-3}, type_check=False)


def test_nodes_stand_in_the_order_in_which_they_compute() -> None:
    rows = node_rows(recurrent())
    assert rows[0] == ["node", "kind", "to", "input", "output", "parameters"]
    assert [row[0] for row in rows[1:]] == [
        *("d_input", "c_fc", "b_inner", "b_inner.in", "b_inner.lif", "b_inner.again"),
        *("b_inner.out", "a_output"),
    ]
    assert rows[2] == ["c_fc", "Affine", "b_inner", "2", "3", "9"]
    assert rows[3][1:3] == ["NIRGraph of 4 nodes", "a_output"]
    assert int(rows[3][5]) == int(rows[5][5]) + int(rows[6][5]) and rows[6][5] == "9"
    assert rows[5][2] == "again, out" and rows[6][2] == "back to lif"


def test_a_notebook_shows_the_table(graph: nir.NIRGraph) -> None:
    shown = graph._repr_html_()
    assert shown.count("<tr>") == 1 + len(graph.nodes)
    assert f"{len(graph.nodes)} nodes, {len(graph.edges)} edges" in shown
    assert "2×8×8" in shown and "dt: 0.001, steps: 4" in shown and "Conv2d" in shown
    assert re.fullmatch(r"<NIRGraph: \d+ nodes, \d+ edges, [\d,]+ parameters>", f"{graph}")


def test_a_long_graph_is_cut_and_its_text_is_escaped() -> None:
    nodes = {f"<b>{n}\x1b": nir.Linear(np.eye(2)) for n in range(SHOWN + 20)}
    names = list(nodes)
    nodes = {"in": nir.Input(np.array([2])), **nodes, "out": nir.Output(np.array([2]))}
    edges = list(zip(["in", *names], [*names, "out"], strict=True))
    shown = NIRGraph(nodes, edges, {"<i>": "<script>"}, type_check=False)._repr_html_()
    assert shown.count("<tr>") == 1 + SHOWN and "22 more" in shown
    assert "<script>" not in shown and "<i>" not in shown and "<b>" not in shown
    assert "&lt;b&gt;0\\x1b" in shown


def test_graphs_that_are_wrong_are_shown_too() -> None:
    loop = NIRGraph({"a": neurons(2)}, [("a", "a"), ("a", "gone")], type_check=False)
    loop.nodes["self"] = loop
    assert count_nodes(loop) == 2
    assert node_rows(loop, 3)[1][2] == "back to a, gone"
    assert loop._repr_html_().count("<tr>") == 1 + SHOWN
    assert "0 nodes" in NIRGraph({}, [], type_check=False)._repr_html_()


def test_it_is_a_graph_of_nir(graph: nir.NIRGraph, tmp_path: Path) -> None:
    assert isinstance(graph, NIRGraph) and isinstance(graph, nir.NIRGraph)
    nir.write(tmp_path / "a.nir", graph)
    write_graph(graph, tmp_path / "b.nir")
    for read in (nir.read(tmp_path / "a.nir"), nir.read(tmp_path / "b.nir")):
        assert type(read) is nir.NIRGraph and set(read.nodes) == set(graph.nodes)
        assert sorted(read.edges) == sorted(graph.edges)
    again = nir.NIRGraph.from_dict(graph.to_dict())
    assert list(again.nodes) == list(graph.nodes) and again.edges == graph.edges
    assert type(NIRGraph.from_dict(graph.to_dict())) is NIRGraph
    graph.infer_types()
    assert graph.check_types()


def test_copies_show_themselves_as_well(graph: nir.NIRGraph, tmp_path: Path) -> None:
    write_graph(graph, tmp_path / "a.nir")
    for copied in (
        *(copy.copy(graph), copy.deepcopy(graph), pickle.loads(pickle.dumps(graph))),
        *(read_graph(tmp_path / "a.nir"), resolve_conventions(graph), make_shown(again(graph))),
        to_nir(from_nir(graph), torch.rand(1, 2, 8, 8)),
    ):
        assert type(copied) is NIRGraph and copied._repr_html_().count("<tr>") > 5
        assert copied.edges == graph.edges or sorted(copied.edges) == sorted(graph.edges)


def test_it_lowers_as_a_plain_one_does(graph: nir.NIRGraph, tmp_path: Path) -> None:
    lower(graph).save(tmp_path / "a.program")
    lower(again(graph)).save(tmp_path / "b.program")
    assert (tmp_path / "a.program").read_bytes() == (tmp_path / "b.program").read_bytes()


def again(graph: nir.NIRGraph) -> nir.NIRGraph:
    """The same as a plain graph of NIR."""
    return nir.NIRGraph(graph.nodes, graph.edges, graph.metadata)
