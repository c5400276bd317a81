"""Graphs whose paths, orders and sizes would take all time or memory, or that are wired oddly."""

import time
from collections.abc import Callable

import nir
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stochi.deploy import lower
from stochi.deploy.graph.order import order_layers
from stochi.errors import LoweringError, StochiError
from stochi.export import from_nir
from tests.fuzz.kinds.graph_fields import chain, diamonds, lif, plain_graphs


def test_branches_that_meet_and_part_are_counted_before_they_are_listed() -> None:
    before = time.monotonic()
    with pytest.raises(LoweringError, match="pass 838,860,800 nodes"):
        from_nir(diamonds(24))
    assert time.monotonic() - before < 2
    model = from_nir(diamonds(3))
    assert len(model.wiring.layers[0].paths) == 8
    one = from_nir(chain((2,), nir.Scale(np.full(2, 8.0)), lif(2)))
    shown = torch.rand(4, 2)
    assert torch.equal(model(shown), one(shown))


def test_nodes_that_pass_on_are_joined_and_bounded() -> None:
    graph = chain((2,), lif(2))
    graph.edges.remove(("input", "n0"))
    for name in ("a", "b", "c", "d"):
        graph.nodes[name] = nir.ir.graph.Identity({"input": np.array([2])})
    graph.edges += [("input", "a"), ("a", "b"), ("a", "c"), ("b", "d"), ("c", "d"), ("d", "n0")]
    twice = from_nir(chain((2,), nir.Scale(np.full(2, 2.0)), lif(2)))
    shown = torch.rand(4, 2)
    assert torch.equal(from_nir(graph)(shown), twice(shown))
    graph.edges.append(("d", "a"))
    with pytest.raises(LoweringError, match="feeds itself"):
        from_nir(graph)


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_the_order_is_that_of_its_definition(data: st.DataObject) -> None:
    names = [f"n{number}" for number in range(data.draw(st.integers(1, 7)))]
    its = st.lists(st.sampled_from([*names, "input"]), max_size=3)
    sources = {name: data.draw(its) for name in names}
    assert order_layers(names, sources.__getitem__) == slowly_ordered(names, sources)


def slowly_ordered(names: list[str], sources: dict[str, list[str]]) -> list[str]:
    """Place layer after layer: nearest to the input first, of those that wait for nothing."""
    before = {name: [s for s in sources[name] if s in names] for name in names}
    reached = {name: set(before[name]) for name in names}
    distance = {name: 0 if len(before[name]) < len(sources[name]) else len(names) for name in names}
    for _ in names:
        for name in names:
            reached[name] |= {far for s in reached[name] for far in reached[s]}
            distance[name] = min([distance[name], *(distance[s] + 1 for s in before[name])])
    placed: list[str] = []
    while len(placed) < len(names):
        left = [name for name in names if name not in placed]
        ready = [
            name
            for name in left
            if all(s in placed or s == name or name in reached[s] for s in reached[name])
        ]
        free = [name for name in ready if all(s in placed or s == name for s in before[name])]
        placed.append(min(free or ready, key=lambda name: (distance[name], names.index(name))))
    return placed


def test_thousands_of_layers_are_ordered_at_once() -> None:
    names = [f"n{number}" for number in range(4000)]
    sources = {name: ["input", names[number // 2]] for number, name in enumerate(names)}
    before = time.monotonic()
    assert order_layers(names, sources.__getitem__)[0] == "n0"
    assert time.monotonic() - before < 2


def change(name: str, of: str = "images", **fields: object) -> Callable[[], nir.NIRGraph]:
    def changed() -> nir.NIRGraph:
        graph = plain_graphs()[of]
        for field, value in fields.items():
            setattr(graph.nodes[name], field, value)
        return graph

    return changed


def edged(name: str, *edge: str) -> Callable[[], nir.NIRGraph]:
    def changed() -> nir.NIRGraph:
        graph = plain_graphs()[name]
        graph.edges.append((edge[0], edge[1]))
        return graph

    return changed


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (edged("dense", "n1", "input"), "feeds the input"),
        (edged("dense", "output", "n1"), "the output 'output' feeds"),
        (edged("loop", "back", "back"), "feeds itself"),
        (change("n0", groups=3, weight=np.ones((2, 1, 3, 3))), "groups take 3 channels"),
        (change("n3", metadata={"groups": 2}), "2 groups do not divide"),
        (change("n3", bias=np.ones(2)), "bias has 2 values for 3 outputs"),
        (change("n2", padding=np.array([2, 2])), "more than half of its windows"),
        (change("n2", of="lines", start_dim=5), "flattens the axes 5"),
        (lambda: chain((2, 2**20, 2**12), nir.Scale(np.array(2.0)), lif(1)), "STOCHI_MEMORY"),
        (change("n2", kernel_size=np.array([2**16, 2**16])), "does not fit"),
    ],
)
def test_odd_wiring_and_sizes_are_refused(make: Callable[[], nir.NIRGraph], says: str) -> None:
    for door in (lower, from_nir):
        with pytest.raises(StochiError, match=says):
            door(make())


def test_neurons_that_the_input_does_not_reach_have_the_shape_that_arrives() -> None:
    graph = plain_graphs()["lines"]
    graph.edges.remove(("n0", "n1"))
    graph.edges.append(("n2", "n1"))
    with pytest.raises(LoweringError, match=r"declares neurons of shape \(3, 5\)"):
        from_nir(graph)


def test_work_is_held_against_its_budget(monkeypatch: pytest.MonkeyPatch) -> None:
    from_nir(plain_graphs()["images"], time_steps=4)
    monkeypatch.setenv("STOCHI_WORK", "1000")
    with pytest.raises(LoweringError, match="STOCHI_WORK"):
        from_nir(plain_graphs()["images"], time_steps=4)
