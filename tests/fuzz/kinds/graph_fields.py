"""Small graphs with every node that Stochi reads, and the same with hostile fields."""

from itertools import pairwise
from random import Random
from typing import Any

import nir
import numpy as np
import torch

DT = 1e-3
_NAN, _INF = float("nan"), float("inf")


def plain_graphs() -> dict[str, nir.NIRGraph]:
    """Return graphs by name; together they have every node."""
    images = (2, 6, 6)
    return {
        "dense": chain((6,), _affine(5, 6), lif(5), _linear(4, 5), _if(4)),
        "images": chain(
            images,
            nir.Conv2d((6, 6), _random(2, 1, 3, 3), 1, 1, 1, 2, _random(2)),
            lif(2, 6, 6),
            nir.AvgPool2d(*(np.array([size, size]) for size in (2, 2, 0))),
            nir.Conv2d((3, 3), _random(3, 2, 2, 2), 1, 0, 1, 1, _random(3)),
            nir.Threshold(np.full((3, 2, 2), 0.1)),
            nir.SumPool2d(*(np.array([size, size]) for size in (2, 1, 1))),
            nir.Flatten({"input": np.array([3, 3, 3])}, 0, -1),
            _affine(4, 27),
            nir.LI(*_values(4, 5 * DT, 1.0, 0.0)),
        ),
        "lines": chain(
            (2, 9),
            nir.Conv1d(9, _random(3, 2, 3), 2, 1, 1, 1, _random(3)),
            lif(3, 5),
            nir.Flatten({"input": np.array([3, 5])}, 0, -1),
            nir.Delay(DT * (np.arange(15) % 3)),
            _affine(4, 15),
            nir.CubaLIF(*_values(4, 3 * DT, 6 * DT, 2.0, 0.0, 0.5, 0.0), metadata=_ZERO),
            nir.Scale(np.abs(_random(4))),
            nir.CubaLI(*_values(4, 3 * DT, 6 * DT, 2.0, 0.0)),
        ),
        "loop": _loop(),
        "inner": chain((6,), chain((6,), _affine(5, 6), lif(5)), nir.I(np.full(5, 1 / DT))),
        "random": chain((6,), _affine(5, 6), _random_lif(5)),
    }


def altered_graphs(every: int = 211) -> dict[str, nir.NIRGraph]:
    """Return graphs, each with one field of one node, or of itself, changed to a hostile value.

    Args:
        every: one of so many changes of a node's field is made.
    """
    found = _hand_made()
    changes = [
        (name, at, field, value)
        for name, plain in plain_graphs().items()
        for at, node in plain.nodes.items()
        for field in vars(node)
        for value in _HOSTILE
    ]
    for name, at, field, value in changes[::every]:
        graph = plain_graphs()[name]
        setattr(graph.nodes[at], field, value)
        found[f"{name}: {at}.{field} = {_named(value)}"] = graph
    for number, (what, value) in enumerate(_GRAPH_FIELDS):
        graph = plain_graphs()["dense"]
        setattr(graph, what, value)
        found[f"{number}: graph.{what} = {_named(value)}"] = graph
    noted = [("dense", "", what, value) for what in _GRAPH_METADATA for value in _HOSTILE]
    noted += [("random", "n1", what, value) for what in _NODE_METADATA for value in _HOSTILE]
    noted += [("images", "n3", "groups", value) for value in _HOSTILE]
    for name, at, what, value in noted[:: max(every // 10, 1)]:
        graph = plain_graphs()[name]
        (graph.nodes[at] if at else graph).metadata[what] = value
        found[f"{name}: {at} metadata {what} = {_named(value)}"] = graph
    for what in ("distribution", "parameters", "sampling", "input_gain", "bits"):
        for value in _HOSTILE[:: max(every // 10, 1)]:
            graph = plain_graphs()["random"]
            graph.nodes["n1"].metadata["random_tau"][what] = value
            found[f"random: {what} = {_named(value)}"] = graph
    for numbers in (
        "1e400",
        "nan",
        "0",
        "-1",
        "1e308",
        "1e-320",
        "1 2 3",
        "",
        "0.2 0.8",
        "1e300 1e300",
    ):
        for kind in ("logit-normal", "uniform", "normal-tau", "empirical"):
            graph = plain_graphs()["random"]
            graph.nodes["n1"].metadata["random_tau"] |= {
                "distribution": kind,
                "parameters": numbers,
            }
            found[f"{kind} of {numbers}"] = graph
    return found


def change_numbers(random: Random) -> nir.NIRGraph:
    """Return one of the plain graphs with some numbers, shapes or edges changed to valid types."""
    name = random.choice(list(plain_graphs()))
    graph = plain_graphs()[name]
    for _ in range(random.randint(1, 4)):
        if not random.randrange(6):
            graph.edges.append((random.choice([*graph.nodes]), random.choice([*graph.nodes])))
            continue
        if not random.randrange(8):
            graph.metadata["dt"] = DT * 10.0 ** random.randint(-300, 300)
            continue
        node = random.choice([node for node in graph.nodes.values() if _is_plain(node)])
        fields = [field for field in vars(node) if not field.endswith(("_type", "metadata"))]
        if fields:
            field = random.choice(fields)
            setattr(node, field, _changed(random, getattr(node, field)))
    return graph


def _is_plain(node: nir.NIRNode) -> bool:
    return not isinstance(node, nir.NIRGraph)


def _changed(random: Random, value: Any) -> Any:
    values = np.array(value)
    if values.dtype.kind not in "fi":
        return random.choice((None, "same", "valid", 0, 1))
    if values.dtype.kind == "i":
        return random.choice((0, 1, 2, 3, 5, 2**16, 2**30, np.array([1, 3]), "same", "valid"))
    how = random.randrange(6)
    if how == 0:
        return values * values.dtype.type(10.0 ** random.uniform(-18, 18))
    if how == 1:
        return -values
    if how == 2:
        return values.astype(np.float64) * 10.0 ** random.uniform(-300, 17)
    if how == 3:
        values = values.astype(np.float64)
        values.reshape(-1)[random.randrange(values.size)] = random.choice((0.0, 1e17, -1e9, 1e-300))
        return values
    if how == 4:
        return values * 0
    shapes: tuple[tuple[int, ...], ...] = ((), (1,), (1, *values.shape), (*values.shape, 1))
    return np.resize(values, random.choice((*shapes, values.shape[::-1], (*values.shape[:-1], 7))))


def diamonds(count: int, names: tuple[str, str] = ("a", "b")) -> nir.NIRGraph:
    """Return a graph of branches that part and meet: 2 to the power of ``count`` paths."""
    graph = chain((2,), *(nir.Scale(np.ones(2)) for _ in range(count)), lif(2))
    for number in range(count):
        for name in names:
            graph.nodes[f"{name}{number}"] = nir.Scale(np.ones(2))
        after = f"n{number + 1}"
        graph.edges += [(f"n{number}", f"{name}{number}") for name in names]
        graph.edges += [(f"{name}{number}", after) for name in names]
        graph.edges.remove((f"n{number}", after))
    return graph


def _hand_made() -> dict[str, nir.NIRGraph]:
    found = {f"{count} diamonds": diamonds(count) for count in (4, 8, 24, 500)}
    laughs = chain((2,), lif(2))
    for _ in range(10):
        laughs = chain((2,), *(laughs,) * 4)
    found["a billion laughs"] = laughs
    deep = chain((2,), lif(2))
    for _ in range(50):
        deep = chain((2,), deep)
    found["50 deep"] = deep
    itself = chain((2,), lif(2))
    itself.nodes["n0"] = itself
    found["a graph in itself"] = itself
    cycle = chain((2,), nir.Scale(np.ones(2)), nir.Scale(np.ones(2)), lif(2))
    cycle.edges.append(("n1", "n0"))
    found["a cycle of linear nodes"] = cycle
    found["a long chain"] = chain((2,), *(nir.Scale(np.ones(2)) for _ in range(1000)), lif(2))
    found["many layers"] = chain((2,), *(lif(2) for _ in range(200)))
    found["many nodes"] = chain((2,), *(lif(2) for _ in range(5000)))
    passing = {f"p{n}": nir.ir.graph.Identity({"input": np.array([2])}) for n in range(60)}
    graph = chain((2,), lif(2))
    graph.nodes |= passing
    for n in range(0, 57, 3):
        graph.edges += [(f"p{n}", f"p{n + 1}"), (f"p{n}", f"p{n + 2}")]
        graph.edges += [(f"p{n + 1}", f"p{n + 3}"), (f"p{n + 2}", f"p{n + 3}")]
    graph.edges += [("input", "p0"), ("p57", "n0")]
    found["diamonds of nodes that pass on"] = graph
    for delay in (_NAN, _INF, -DT, 1e4, 1e300, 1e-300, DT / 3):
        nodes = (_affine(5, 6), lif(5), nir.Delay(np.full(5, delay)), _linear(5, 5), lif(5))
        found[f"a delay of {delay} s"] = chain((6,), *nodes)
    for shape in ((10**9,), (2**31, 2**31), (2**62, 4), (1,) * 40, (0,), (-3,)):
        found[f"an input of {shape}"] = chain(shape, nir.Scale(np.ones(1)), lif(1))
    for size in (2**16, 2**31 - 1, 10**6):
        pool = nir.AvgPool2d(*(np.array([side, side]) for side in (size, 1, size // 2)))
        found[f"windows of {size}"] = chain((1, 4, 4), pool, lif(1))
        conv = nir.Conv2d(None, np.ones((1, 1, 3, 3)), 1, size, 1, 1, np.zeros(1))
        found[f"a padding of {size}"] = chain((1, 4, 4), conv, lif(1))
    return found


def chain(shape: tuple[int, ...], *nodes: nir.NIRNode) -> nir.NIRGraph:
    named = {"input": nir.Input(np.array(shape))}
    named |= {f"n{number}": node for number, node in enumerate(nodes)}
    last = nodes[-1].output_type
    named["output"] = nir.Output(np.array(next(iter(last.values()))))
    noted = {"dt": DT, "steps": 3, "readout": "mean"}
    return nir.NIRGraph(named, list(pairwise(named)), noted, type_check=False)


def _loop() -> nir.NIRGraph:
    graph = chain((6,), _affine(5, 6), lif(5))
    graph.nodes["back"] = _affine(5, 5)
    graph.edges += [("n1", "back"), ("back", "n1")]
    return graph


def _random(*shape: int) -> np.ndarray:
    return np.random.default_rng(shape).standard_normal(shape).astype(np.float32)


def _affine(outputs: int, inputs: int) -> nir.Affine:
    return nir.Affine(_random(outputs, inputs), _random(outputs))


def _linear(outputs: int, inputs: int) -> nir.Linear:
    return nir.Linear(_random(outputs, inputs))


def _values(count: int, *numbers: float) -> list[np.ndarray]:
    return [np.full(count, number) for number in numbers]


_ZERO = {"reset": "zero"}


def lif(*shape: int) -> nir.LIF:
    numbers = (4 * DT, 2.0, 0.0, 0.3, 0.0)
    return nir.LIF(*(np.full(shape, number) for number in numbers), metadata=dict(_ZERO))


def _if(*shape: int) -> nir.IF:
    numbers = (1 / DT, 1.0, 0.0)
    noted = {"reset": "subtract", "refractory": DT}
    return nir.IF(*(np.full(shape, number) for number in numbers), metadata=noted)


def _random_lif(count: int) -> nir.LIF:
    noted = {
        "distribution": "logit-normal",
        "parameters": "1.0",
        "sampling": "step",
        "input_gain": "coupled",
        "bits": 4,
    }
    metadata = _ZERO | {"random_tau": noted}
    return nir.LIF(*_values(count, 2 * DT, 1.0, 0.0, 0.5, 0.0), metadata=metadata)


def _named(value: Any) -> str:
    return " ".join(repr(value).split())[:60] + f" {type(value).__name__}"


_HOSTILE: tuple[Any, ...] = (
    *(None, "text", b"\xff\x00", "", [], {}, (), True, 0, -1, 1, 2.5, 3, _NAN, _INF, -_INF),
    *(1e300, -1e300, 1e-300, 1e30, 2**31, 2**63, -(2**63), 10**40, 1j, {"input": None}),
    *([1, [2, 3]], ["a", "b"], {"a": {"b": 1}}, "a\x1b[31m\n" * 3, "x" * 10**6, range(3)),
    *(np.zeros(0), np.zeros((2, 0, 3)), np.ones((1,) * 7), np.array(3), np.array([2, 2, 2])),
    *(np.array(["a"], object), np.array([1j]), np.array(["1"]), np.ones(5, bool)),
    *(np.full(5, _NAN), np.full(5, 1e18), np.full(5, -1e17), np.full(5, 1e-310)),
    *(np.array([2**62] * 2), np.array([-1, -1]), np.array([0, 0]), np.array([2**31, 1])),
    *(np.datetime64(5, "s"), np.ma.masked_array([1.0] * 5, [True] * 5), np.ones(5, ">f8")),
    *(torch.ones(5), torch.ones(5, dtype=torch.complex64), torch.ones(5).bfloat16()),
    *(torch.ones(5).to_sparse(), torch.ones(5, requires_grad=True), np.ones(5, np.longdouble)),
    *(np.ones(5, np.float16), np.ones(5, np.uint64) * (2**64 - 1), np.ones((5, 6)) * 1e17),
    *({"input": np.array([6])}, {"output": "x"}, {1: 2}, nir.Scale(np.ones(5)), int, object),
)
_GRAPH_FIELDS: tuple[tuple[str, Any], ...] = (
    *(("nodes", value) for value in (None, [], {}, "x", {"a": 1}, {1: nir.Scale(np.ones(1))})),
    *(("nodes", {name: nir.Scale(np.ones(2))}) for name in ("", "..", "a/b", "\u202ea", "x" * 999)),
    *(("edges", value) for value in (None, [], {}, "ab", [("input",)], [(1, 2)], ["ab"], [None])),
    *(("edges", [("input", end)]) for end in ("nobody", "", "input", "output", "\x00")),
    *(("edges", [("input", "n0")] * 10**6), ("edges", [("output", "input")])),
    *(("edges", [("input", "output")]), ("edges", [("n1", "n1"), ("n1", "output")])),
    *(("metadata", value) for value in (None, [], "x", {1: 2}, {"dt": DT}, {"a": object})),
)
_GRAPH_METADATA = ("dt", "steps", "readout", "reads", "convention")
_NODE_METADATA = ("reset", "reset_delay", "reset_current", "refractory", "learns", "random_tau")
