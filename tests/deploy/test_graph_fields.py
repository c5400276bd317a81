"""Fields of graphs: every field of every node is checked, in files and in Python."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import h5py
import nir
import numpy as np
import pytest
import torch

from stochi.deploy import lower, read_graph, resolve_conventions, write_graph
from stochi.deploy.graph.fields import DEFAULTS, FIELDS
from stochi.errors import GraphError, StochiError
from stochi.export import from_nir
from tests.fuzz.kinds.graph_fields import DT, altered_graphs, change_numbers, plain_graphs


def test_every_field_of_every_node_of_nir_has_a_check() -> None:
    kinds = [kind for kind in vars(nir).values() if dataclasses.is_dataclass(kind)]
    nodes = [kind for kind in kinds if issubclass(kind, nir.NIRNode)]  # type: ignore[arg-type]
    for kind in nodes:
        if kind in (nir.NIRNode, nir.NIRGraph):
            continue
        names = {field.name for field in dataclasses.fields(kind)} - {"metadata"}
        names -= {"input_type", "output_type"}
        assert names <= set(FIELDS[kind.__name__]), kind.__name__
        optional = {
            field.name
            for field in dataclasses.fields(kind)
            if field.default is not dataclasses.MISSING
        }
        assert optional & set(FIELDS[kind.__name__]) <= DEFAULTS


@pytest.mark.parametrize("value", ["text", 1j, np.array(["a"], object), [], {}, np.nan, 10**40])
@pytest.mark.parametrize("door", [lower, from_nir, resolve_conventions])
def test_every_front_door_names_node_and_field(door: Callable[..., Any], value: Any) -> None:
    graph = plain_graphs()["dense"]
    graph.nodes["n0"].weight = value
    with pytest.raises(GraphError, match="node 'n0': its weight"):
        door(graph)


def test_all_problems_are_told_at_once() -> None:
    graph = plain_graphs()["images"]
    graph.nodes["n0"].stride = 0
    graph.nodes["n3"].groups = "two"
    graph.edges.append(("n1", "nobody"))
    with pytest.raises(GraphError) as raised:
        lower(graph)
    for part in ("n0': its stride is 0", "n3': its groups is 'two'", "names 'nobody'"):
        assert part in str(raised.value)


@pytest.mark.parametrize("value", ["text", [1.0, 2.0], {"a": 1.0}, np.inf, 1j])
def test_a_time_step_that_is_no_number(value: Any, tmp_path: Path) -> None:
    graph = plain_graphs()["dense"]
    graph.metadata["dt"] = value
    with pytest.raises(GraphError, match="metadata 'dt'"):
        lower(graph)
    write_graph(plain_graphs()["dense"], tmp_path / "a.nir")
    with h5py.File(tmp_path / "a.nir", "r+") as file:
        del file["node/metadata/dt"]
        if isinstance(value, dict):
            file.create_group("node/metadata/dt")["a"] = 1.0
        else:
            file["node/metadata/dt"] = value
    with pytest.raises(GraphError, match="dt"):
        read_graph(tmp_path / "a.nir")


@pytest.mark.parametrize("name", ["\x1b[31mred", "a\nb", "\u202eabc", "x" * 1000])
def test_names_that_cannot_be_printed_are_escaped(name: str) -> None:
    graph = plain_graphs()["dense"]
    graph.nodes[name] = nir.Scale(np.ones(5))
    with pytest.raises(GraphError, match="can be printed") as raised:
        lower(graph)
    assert str(raised.value).isprintable() and len(str(raised.value)) < 400


def test_two_nodes_of_one_name_are_refused() -> None:
    """An inner node ``a.b`` would take the place of the outer node that is called so."""
    graph = plain_graphs()["inner"]
    graph.nodes["n0.n0"] = nir.Scale(np.ones(5))
    with pytest.raises(GraphError, match=r"two nodes have the name 'n0\.n0'"):
        lower(graph)


@pytest.mark.parametrize("name", plain_graphs())
def test_plain_graphs_are_right(name: str) -> None:
    graph = plain_graphs()[name]
    program, model = lower(graph), from_nir(graph)
    assert torch.isfinite(model(torch.rand(2, *program.input_shape))).all()


@pytest.mark.slow
def test_hostile_graphs_in_python_end_in_one_line() -> None:
    graphs = list(altered_graphs(997).values()) + [change_numbers(Random(n)) for n in range(100)]
    right = 0
    for graph in graphs:
        for door in (lower, from_nir):
            try:
                door(graph, time_steps=2)
                right += 1
            except StochiError as error:
                assert str(error) and "\n" not in str(error)
    assert right > 100


def test_a_delay_is_a_number_of_time_steps_that_fits() -> None:
    for seconds, says in ((1e12, "time steps"), (-DT, "negative"), (np.nan, "finite|whole")):
        graph = plain_graphs()["lines"]
        graph.nodes["n3"].delay = np.full(15, seconds)
        with pytest.raises(StochiError, match=says):
            from_nir(graph)
