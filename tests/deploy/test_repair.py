"""Files that NIR refuses, with faults like those of public files."""

from itertools import pairwise
from pathlib import Path

import h5py
import nir
import numpy as np
import pytest
import torch

from stochi.deploy import RepairedGraph, lower, read_graph, write_graph
from stochi.errors import GraphError
from stochi.sim import run

DT = 1e-4


def lif(n: int) -> nir.LIF:
    ones = np.ones(n, np.float32)
    return nir.LIF(25 * DT * ones, 24 * ones, 0 * ones, ones, metadata={"reset": "zero"})


def chain(*nodes: nir.NIRNode, shape: tuple[int, ...], out: tuple[int, ...]) -> nir.NIRGraph:
    named = {"input": nir.Input(np.array(shape))}
    named |= {f"n{i}": node for i, node in enumerate(nodes)}
    named["output"] = nir.Output(np.array(out))
    return nir.NIRGraph(named, list(pairwise(named)), {}, type_check=False)


def write(graph: nir.NIRGraph, path: Path) -> Path:
    nir.write(str(path), graph)
    return path


def test_an_output_that_declares_a_batch(tmp_path: Path) -> None:
    """As lif_rockpool.nir of NIR's repository does."""
    weight = nir.Linear(np.random.default_rng(0).standard_normal((3, 4)))
    file = write(chain(weight, lif(3), shape=(4,), out=(1, 1, 3)), tmp_path / "a.nir")
    with pytest.raises(ValueError, match="mismatch"):
        nir.read(str(file))
    with pytest.warns(RepairedGraph, match=r"'output' has shape \(3,\), not \(1, 1, 3\)"):
        graph = read_graph(file)
    assert graph.check_types()
    good = chain(weight, lif(3), shape=(4,), out=(3,))
    inputs = (torch.rand(20, 5, 4) > 0.5).float()
    records = [
        run(lower(g, dt=DT, time_steps=20, events=True), inputs).logits for g in (graph, good)
    ]
    assert torch.equal(*records) and float(records[0].mean()) > 0


def test_inner_edges_with_another_name(tmp_path: Path) -> None:
    """As the subgraphs of NIR's recurrent example do: edges name lif, the node is lif1."""
    inner_nodes = {
        "input": nir.Input(np.array([4])),
        "lif1": lif(4),
        "w": nir.Linear(np.eye(4)),
        "output": nir.Output(np.array([4])),
    }
    edges = [("input", "lif"), ("lif", "w"), ("w", "lif"), ("lif", "output")]
    inner = nir.NIRGraph(inner_nodes, edges, {}, type_check=False)
    outer = {"input": nir.Input(np.array([4])), "r": inner, "output": nir.Output(np.array([4]))}
    graph = nir.NIRGraph(outer, list(pairwise(outer)), {}, type_check=False)
    file = write(graph, tmp_path / "a.nir")
    with pytest.warns(RepairedGraph, match="edges of 'lif' are those of 'lif1'"):
        read = read_graph(file)
    program = lower(read, dt=DT, events=True)
    assert [p.source for p in program.layers[0].projections] == ["input", "r.lif1"]


def test_one_value_beside_many(tmp_path: Path) -> None:
    file = write(chain(nir.Linear(np.eye(4)), lif(4), shape=(4,), out=(4,)), tmp_path / "a.nir")
    with h5py.File(file, "r+") as opened:
        node = opened["node/nodes/n1"]
        del node["r"]
        node["r"] = np.float32(24)
    with pytest.warns(RepairedGraph, match="no shape changed"):
        graph = read_graph(file)
    assert graph.nodes["n1"].r.tolist() == [24] * 4


def test_flatten_that_counts_a_batch(tmp_path: Path) -> None:
    flatten = nir.Flatten({"input": np.array([2, 3, 3])}, 1, -1)
    nodes = flatten, nir.Linear(np.ones((4, 18))), lif(4)
    file = write(chain(*nodes, shape=(2, 3, 3), out=(4,)), tmp_path / "a.nir")
    with pytest.warns(RepairedGraph, match=r"'n0' has shape \(18,\), not \(2, 9\)"):
        assert lower(read_graph(file), dt=DT, events=True).layers[0].shape == (4,)


@pytest.mark.parametrize(
    "graph",
    [
        chain(nir.Linear(np.ones((4, 7))), lif(4), shape=(5,), out=(4,)),
        chain(nir.Linear(np.ones((4, 5))), lif(3), shape=(5,), out=(4,)),
        nir.NIRGraph(
            {"a": nir.Linear(np.ones((2, 2))), "b": lif(2)}, [("a", "c"), ("b", "d")], {}, False
        ),
    ],
    ids=["weights", "neurons", "names"],
)
def test_what_has_no_single_repair_is_refused_with_nir_s_reason(
    graph: nir.NIRGraph, tmp_path: Path
) -> None:
    with pytest.raises(GraphError, match="NIR cannot build this graph"):
        read_graph(write(graph, tmp_path / "a.nir"))


def test_tensors_are_written_as_arrays(tmp_path: Path) -> None:
    weight = torch.nn.Parameter(torch.eye(4, dtype=torch.bfloat16))
    write_graph(chain(nir.Linear(weight), lif(4), shape=(4,), out=(4,)), tmp_path / "a.nir")
    assert np.array_equal(read_graph(tmp_path / "a.nir").nodes["n0"].weight, np.eye(4))
