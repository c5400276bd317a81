"""What the fields of a NIR graph must be: a table, and the check of a graph against it.

A file may hold anything under a field's name, and so may a graph that was made in Python. What
passes here has the types that the rest of Stochi takes for granted; whether the numbers fit each
other is found where they are used.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import nir
import numpy as np
import torch

from stochi.errors import GraphError

MOST_NODES, MOST_DEEP, LONGEST_NAME = 4096, 32, 500
"""Most nodes of a graph, inner graphs' included; most graphs in graphs; characters of a name."""
LARGEST = 2.0**64
"""Largest size of a number; products and sums of larger ones leave the range of floats."""
_MOST_WHOLE = 2**31 - 1
_MOST_AXES = 16
_LONGEST_PARAMETERS = 2**20
_LISTED = 3

Check = Callable[[Any], str | None]
"""Returns what is wrong with a value, as the rest of a sentence, or None."""


def numbers(least: int = 0, most: int = 32, *, finite: bool = True) -> Check:
    """Return the check of an array of real numbers.

    Args:
        least, most: numbers of axes that it may have.
        finite: whether every number must be finite. Neurons say by themselves what infinite
            thresholds and NaN mean.
    """

    def check(value: Any) -> str | None:
        found = _as_array(value)
        if found is None or found.dtype.kind not in "biuf":
            return f"is {_shown(value)}; it must be an array of real numbers"
        if not least <= found.ndim <= most:
            return f"has {found.ndim} axes; it must have {least if found.ndim < least else most}"
        if not found.size:
            return f"of shape {found.shape} holds no numbers"
        low, high = found.min(), found.max()
        if not finite and not (math.isfinite(low) and math.isfinite(high)):
            return None
        if not (low >= -LARGEST and high <= LARGEST):  # NaN too
            bad = found[~((found >= -LARGEST) & (found <= LARGEST))].flat[0]
            what = "NaN" if np.isnan(bad) else f"{bad:g}"
            return f"holds {what}; numbers from {-LARGEST:g} to {LARGEST:g} are read"
        return None

    return check


def whole(least: int, counts: Sequence[int] = (1,), *, most: int = _MOST_WHOLE) -> Check:
    """Return the check of whole numbers.

    Args:
        least, most: their range.
        counts: how many there may be; any number if empty.
    """

    def check(value: Any) -> str | None:
        found = _as_array(value)
        wrong = found is None or (found.size and found.dtype.kind not in "iuf") or found.ndim > 1
        if wrong or found is None or (counts and found.size not in counts):
            many = " or ".join(map(str, counts)) or "a list of"
            return f"is {_shown(value)}; it must be {many} whole number{'s' * (many != '1')}"
        for number in found.reshape(-1).tolist():
            if not least <= number <= most or number != int(number):
                return f"is {_shown(value)}; it must be whole, from {least} to {most}"
        return None

    return check


def text(value: Any) -> str | None:
    """Check a short text."""
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    if isinstance(value, str) and len(value) <= LONGEST_NAME:
        return None
    return f"is {_shown(value)}; it must be a text of at most {LONGEST_NAME} characters"


def _parameters(value: Any) -> str | None:
    """Check the numbers of a distribution, of which an empirical one has many, as one text."""
    if isinstance(value, str | bytes) and len(value) <= _LONGEST_PARAMETERS:
        return None
    return f"is {_shown(value)}; it must be a text of numbers"


def _number(value: Any) -> str | None:
    found = _as_array(value)
    if found is not None and not found.ndim and found.dtype.kind in "iuf":
        return None if np.isfinite(found).all() else f"is {_shown(value)}; it must be finite"
    return f"is {_shown(value)}; it must be a number"


def _random_tau(value: Any) -> str | None:
    if not isinstance(value, dict):
        return f"is {_shown(value)}; it must be a group of values"
    for name, check in _RANDOM_TAU.items():
        problem = check(value[name]) if name in value else None
        if problem is not None:
            return f"has {name!r}, which {problem}"
    return None


def _membrane_noise(value: Any) -> str | None:
    if not isinstance(value, dict):
        return f"is {_shown(value)}; it must be a group of values"
    for name, check in (("std", _number), ("distribution", text)):
        problem = check(value[name]) if name in value else None
        if problem is not None:
            return f"has {name!r}, which {problem}"
    return None


def _declared(value: Any) -> str | None:
    """Check the type of a node's input or output: None, or a shape or None by one name."""
    if value is None:
        return None
    if not isinstance(value, dict) or len(value) != 1:
        return f"is {_shown(value)}; it must be a dictionary of one shape"
    shape = next(iter(value.values()))
    return None if shape is None else whole(0, ())(shape)


def _optional(check: Check) -> Check:
    return lambda value: None if value is None else check(value)


def _input_shape(value: Any) -> str | None:
    """Check the shape of a sample; what has none is refused where it is needed."""
    if value is None:
        return None
    problem = whole(1, ())(value)
    if problem is None and not 1 <= np.size(value) <= _MOST_AXES:
        return f"has {np.size(value)} axes; it must have 1 to {_MOST_AXES}"
    return problem


def _padding(count: Sequence[int]) -> Check:
    numeric = whole(0, count)

    def check(value: Any) -> str | None:
        if isinstance(value, str | bytes):
            known = value in ("same", "valid", b"same", b"valid")
            return None if known else f"is {_shown(value)}; choose 'same', 'valid' or numbers"
        return numeric(value)

    return check


def _convolution(axes: int) -> dict[str, Check]:
    counts = tuple(range(1, axes + 1))
    return {
        "input_shape": _optional(whole(1, (axes,))),
        "weight": numbers(axes + 2, axes + 2),
        "stride": whole(1, counts),
        "padding": _padding(counts),
        "dilation": whole(1, counts),
        "groups": whole(1),
        "bias": _optional(numbers()),
    }


def _neuron(*parameters: str) -> dict[str, Check]:
    check = numbers(finite=False)
    return {what: _optional(check) if what == "v_reset" else check for what in parameters}


_PAIR = (1, 2)
_POOLING = {
    "kernel_size": whole(1, _PAIR),
    "stride": whole(1, _PAIR),
    "padding": whole(0, _PAIR),
}
_DIMENSION = whole(-64, most=64)
FIELDS: dict[str, dict[str, Check]] = {
    "Input": {"shape": _input_shape},
    "Output": {"shape": _optional(whole(0, ()))},
    "Linear": {"weight": numbers(2)},
    "Affine": {"weight": numbers(2), "bias": _optional(numbers())},
    "Conv1d": _convolution(1),
    "Conv2d": _convolution(2),
    "Scale": {"scale": numbers()},
    "AvgPool2d": _POOLING,
    "SumPool2d": _POOLING,
    "Flatten": {
        "input_type": _optional(whole(0, ())),
        "start_dim": _DIMENSION,
        "end_dim": _DIMENSION,
    },
    "Delay": {"delay": numbers(finite=False)},
    "Threshold": _neuron("threshold"),
    "I": _neuron("r"),
    "IF": _neuron("r", "v_threshold", "v_reset"),
    "LI": _neuron("tau", "r", "v_leak"),
    "LIF": _neuron("tau", "r", "v_leak", "v_threshold", "v_reset"),
    "CubaLI": _neuron("tau_syn", "tau_mem", "r", "v_leak", "w_in"),
    "CubaLIF": _neuron("tau_syn", "tau_mem", "r", "v_leak", "v_threshold", "v_reset", "w_in"),
}
"""Type of node → field → its check."""
DEFAULTS = {"v_reset", "w_in", "input_type", "input_shape", "start_dim", "end_dim", "bias"}
"""Fields that a file may leave out."""
_RANDOM_TAU: dict[str, Check] = dict.fromkeys(("distribution", "sampling", "input_gain"), text)
_RANDOM_TAU |= {"parameters": _optional(_parameters), "bits": whole(0, most=64)}
METADATA: dict[str, Check] = {
    **dict.fromkeys(("reset", "learns", "surrogate", "readout", "reads", "convention"), text),
    **dict.fromkeys(("dt", "refractory", "reset_delay", "reset_current", "gate"), _number),
    **{"steps": whole(0, most=2**62), "groups": whole(1), "random_tau": _random_tau},
    "membrane_noise": _membrane_noise,
}
"""What Stochi reads of the metadata of graphs and nodes → its check."""


def check_contents(contents: dict[str, Any]) -> None:
    """Raise unless what a file holds of a graph has the types of NIR's fields.

    Args:
        contents: the graph's fields by name, arrays, texts and dictionaries.

    Raises:
        GraphError: naming the first problems.
    """
    _raise(_problems_of_contents(contents, ""))


def type_of(contents: dict[str, Any]) -> str:
    """Return the type of node that a file's group names, or "" if it names none."""
    found = contents.get("type")
    return found if isinstance(found, str) and text(found) is None else ""


def check_graph(graph: nir.NIRGraph) -> None:
    """Raise unless the fields of all nodes of a graph have the types of NIR's fields.

    Raises:
        GraphError: naming the first problems, with the node and the field of each.
    """
    if not isinstance(graph, nir.NIRGraph):
        raise GraphError(
            f"a nir.NIRGraph is needed, but the graph has type {type(graph).__name__}; make one"
            " with stochi.export.to_nir(model, sample) or stochi.deploy.read_graph(path)"
        )
    _raise(_problems_of_graph(graph, "", 0, set()))


def _raise(problems: Iterator[str]) -> None:
    found = list(problems)
    if found:
        more = f"; and {len(found) - _LISTED} more" if len(found) > _LISTED else ""
        raise GraphError("; ".join(found[:_LISTED]) + more)


def _problems_of_contents(graph: dict[str, Any], prefix: str) -> Iterator[str]:
    where = f"inner graph {prefix[:-1]!r}" if prefix else "the graph"
    nodes, edges = graph.get("nodes"), graph.get("edges")
    if not isinstance(nodes, dict):
        yield f"{where}: its nodes are {_shown(nodes)}; they must be a group"
        return
    if not isinstance(edges, np.ndarray) or (
        edges.size and not (edges.dtype == object and edges.shape[1:] == (2,))
    ):
        yield f"{where}: its edges are {_shown(edges)}; they must be pairs of names"
    elif len(edges) > 2 * MOST_NODES:
        yield f"{where}: it has {len(edges):,} edges; at most {2 * MOST_NODES:,} are read"
    if "type_check" in graph:
        yield f"{where}: it has a field 'type_check', which NIR does not have"
    yield from _problems_of_metadata(where, graph.get("metadata", {}))
    for name, node in nodes.items():
        full = prefix + name
        if not isinstance(node, dict):
            yield f"node {_shown(full)}: it is no group of fields"
        elif type_of(node) == "NIRGraph":
            yield from _problems_of_contents(node, f"{full}.")
        elif type_of(node) not in FIELDS:
            yield f"node {_shown(full)}: its type is {_shown(node.get('type'))}; NIR has no such"
        else:
            yield from _problems_of_node(full, type_of(node), node)


def _problems_of_graph(
    graph: nir.NIRGraph, prefix: str, depth: int, seen: set[str]
) -> Iterator[str]:
    """Yield the problems of a graph; ``seen`` holds the names of all nodes so far."""
    where = f"inner graph {prefix[:-1]!r}" if prefix else "the graph"
    if depth > MOST_DEEP:
        raise GraphError(f"graphs lie in graphs more than {MOST_DEEP} deep; write fewer")
    if not isinstance(graph.nodes, dict):
        yield f"{where}: its nodes are {_shown(graph.nodes)}; they must be a dictionary"
        return
    yield from _problems_of_edges(where, graph)
    yield from _problems_of_metadata(where, graph.metadata)
    for name, node in graph.nodes.items():
        if not isinstance(name, str) or not name.isprintable() or len(name) > LONGEST_NAME:
            yield (
                f"{where}: a node has the name {_shown(name)}; it must be a text of at most"
                f" {LONGEST_NAME} characters that can be printed"
            )
            continue
        full = prefix + name
        if full in seen:
            yield f"two nodes have the name {full!r}, inner graphs' names in front; rename one"
        seen.add(full)
        if len(seen) > MOST_NODES:
            raise GraphError(f"the graph has more than {MOST_NODES:,} nodes; write fewer")
        if isinstance(node, nir.NIRGraph):
            yield from _problems_of_graph(node, f"{full}.", depth + 1, seen)
        elif not isinstance(node, nir.NIRNode):
            yield f"node {full!r}: it is {_shown(node)}; it must be a node of NIR"
        else:
            yield from _problems_of_types(full, node)
            yield from _problems_of_node(full, _type_of(node), _fields_of(node))


def _problems_of_edges(where: str, graph: nir.NIRGraph) -> Iterator[str]:
    edges = graph.edges
    if not isinstance(edges, list | tuple | set) or len(edges) > 2 * MOST_NODES:
        many = isinstance(edges, list | tuple | set)
        shown = f"{len(edges):,} edges" if many else _shown(edges)
        yield f"{where}: its edges are {shown}; give a list of at most {2 * MOST_NODES:,} pairs"
        return
    for edge in edges:
        pair = isinstance(edge, list | tuple) and len(edge) == 2
        if not pair or not all(isinstance(end, str) for end in edge):
            yield f"{where}: an edge is {_shown(edge)}; it must be a pair of names"
            continue
        for end in edge:
            if end not in graph.nodes:
                yield f"{where}: an edge names {_shown(end)}, which is not a node of the graph"


def _problems_of_node(name: str, kind: str, fields: Mapping[str, Any]) -> Iterator[str]:
    checks = FIELDS.get(kind, {})
    for field, check in checks.items():
        if field not in fields:
            problem = None if field in DEFAULTS else "is missing"
        else:
            problem = check(fields[field])
        if problem is not None:
            yield f"node {_shown(name)}: its {field} {problem}"
    yield from _problems_of_metadata(f"node {_shown(name)}", fields.get("metadata", {}))


def _problems_of_types(name: str, node: nir.NIRNode) -> Iterator[str]:
    for field in ("input_type", "output_type"):
        declared = getattr(node, field, None)
        problem = _declared(declared)
        by_name = isinstance(declared, dict) and field.removesuffix("_type") in declared
        if problem is None and isinstance(node, nir.Input | nir.Output) and not by_name:
            problem = f"is {_shown(declared)}; it must hold a shape, or None, by its name"
        if problem is not None:
            yield f"node {name!r}: its {field} {problem}"


def _problems_of_metadata(where: str, noted: Any) -> Iterator[str]:
    if not isinstance(noted, dict):
        if noted is not None and not isinstance(noted, type):  # NIR's own default is a type
            yield f"{where}: its metadata is {_shown(noted)}; it must be a dictionary"
        return
    for name, value in noted.items():
        check = METADATA.get(name) if isinstance(name, str) else None
        problem = None if check is None else check(value)
        if problem is not None:
            yield f"{where}: metadata {name!r} {problem}"


def _type_of(node: nir.NIRNode) -> str:
    """Return the name of NIR's type that a node has, or that its class extends."""
    return next((kind.__name__ for kind in type(node).__mro__ if kind.__name__ in FIELDS), "")


def _fields_of(node: nir.NIRNode) -> dict[str, Any]:
    """Return the fields of a node, with the shapes that files hold."""
    found = dict(vars(node))
    for field, end, kinds in (
        ("shape", "input", nir.Input),
        ("shape", "output", nir.Output),
        ("input_type", "input", nir.Flatten),
    ):
        if isinstance(node, kinds):
            declared = found.get(f"{end}_type")
            found[field] = declared.get(end) if isinstance(declared, dict) else None
    return found


def _as_array(value: Any) -> np.ndarray | None:
    """Return a value as an array, or None if numpy has none for it."""
    if isinstance(value, torch.Tensor):
        if value.is_complex() or value.is_quantized or value.layout is not torch.strided:
            return None
        plain = value.detach().cpu()
        return (plain.float() if plain.dtype.itemsize < 4 else plain).numpy()
    if not isinstance(value, np.ndarray | np.generic | int | float | list | tuple):
        return None
    try:
        return np.asarray(value)
    except (ValueError, TypeError, OverflowError):  # ragged lists
        return None


def _shown(value: Any) -> str:
    """Return a value as a message shows it, on one line and short."""
    if isinstance(value, np.ndarray) and value.size > 8:
        return f"an array of {value.dtype} of shape {value.shape}"
    if isinstance(value, dict):
        return "a group of values"
    found = "".join(c if c.isprintable() else " " for c in repr(value))
    return found if len(found) <= 80 else f"{found[:76]} ..."
