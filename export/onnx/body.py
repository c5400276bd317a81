"""Nodes of an ONNX graph or function while it is written."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from onnx import AttributeProto, NodeProto, helper, numpy_helper

DOMAIN = "stochi"
"""Domain of the functions that a model brings along."""


@dataclass
class Body:
    """Nodes in order, and the arrays that they read.

    Attributes:
        prefix: start of its values' names, so that those of a loop's body hide none outside.
        nodes: nodes in the order in which they run.
        arrays: arrays that nodes read by name: a function's inputs, a graph's initializers.
        names: names of tensors by their ``id``; others get a number.
    """

    prefix: str = ""
    nodes: list[NodeProto] = field(default_factory=list)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    _constants: dict[tuple[str, tuple[int, ...], bytes], str] = field(default_factory=dict)
    _count: int = 0

    def emit(
        self, op: str, inputs: Iterable[str], outputs: int = 1, domain: str = "", **attributes: Any
    ) -> list[str]:
        """Add a node; return the names of its outputs."""
        names = [self._new_name(op) for _ in range(outputs)]
        self.add(op, inputs, names, domain, **attributes)
        return names

    def add(
        self,
        op: str,
        inputs: Iterable[str],
        outputs: Iterable[str],
        domain: str = "",
        **attributes: Any,
    ) -> None:
        """Add a node whose outputs have these names."""
        made = helper.make_node(op, list(inputs), list(outputs), domain=domain, **attributes)
        self.nodes.append(made)

    def constant(self, values: np.ndarray) -> str:
        """Return the name of a small array that stands in the body itself."""
        key = (values.dtype.str, values.shape, values.tobytes())
        if key not in self._constants:
            (name,) = self.emit("Constant", [], value=numpy_helper.from_array(values))
            self._constants[key] = name
        return self._constants[key]

    def array(self, name: str, values: np.ndarray) -> str:
        """Return the name of an array that is stored once, outside of functions."""
        known = self.arrays.setdefault(name, values)
        assert known.dtype == values.dtype and known.shape == values.shape, name
        return name

    def reachable(self, outputs: Iterable[str]) -> list[NodeProto]:
        """Return the nodes that outputs depend on, in order."""
        wanted = set(outputs)
        kept = []
        for node in reversed(self.nodes):
            if wanted & set(node.output):
                wanted |= names_read_by(node)
                kept.append(node)
        return kept[::-1]

    def _new_name(self, op: str) -> str:
        self._count += 1
        return f"{self.prefix}{op.lower()}_{self._count}"


def names_read_by(node: NodeProto) -> set[str]:
    """Return the names of values that a node reads, those of its inner graphs among them."""
    inner = (name for attribute in node.attribute for name in _read_inside(attribute))
    return {*node.input, *inner}


def _read_inside(attribute: AttributeProto) -> Iterable[str]:
    if attribute.HasField("g"):
        for node in attribute.g.node:
            yield from names_read_by(node)
        yield from (value.name for value in attribute.g.output)
