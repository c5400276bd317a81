"""The shapes that travel along a graph's edges, followed from the input.

What a node declares is not needed: files exist whose declared shapes do not agree, or are missing.
"""

import math
from collections.abc import Callable

import nir
import numpy as np

from stochi.deploy.graph.flat import FlatGraph
from stochi.deploy.graph.sizes import check_shapes
from stochi.errors import GraphError, LoweringError
from stochi.hardware.sums import windows

Shape = tuple[int, ...]


def infer_shapes(flat: FlatGraph) -> dict[str, Shape]:
    """Return the shape of every node's output, without a batch, by the node's name.

    Leading axes of size 1 of the input, as of a batch or of time, are dropped if the graph fits
    only without them. Neurons that the input does not reach have the shape that they declare.

    Raises:
        GraphError: the input has no shape.
        LoweringError: a node does not take the shape that reaches it, two shapes reach it, or the
            shapes take more than the budget of memory.
    """
    declared = declared_shape(flat.nodes[flat.input])
    if declared is None:
        raise GraphError(f"node {flat.input!r} has no shape; give nir.Input the shape of a sample")
    first_error: Exception | None = None
    while True:
        try:
            found = _follow(flat, declared)
            check_shapes(found)
            return found
        except (GraphError, LoweringError) as error:
            first_error = first_error or error
            if declared[:1] != (1,) or len(declared) == 1:
                raise first_error from None
            declared = declared[1:]


def declared_shape(node: nir.NIRNode) -> Shape | None:
    """Return the shape that a node declares for its output; None if it declares none."""
    shape = None if not node.output_type else next(iter(node.output_type.values()))
    return None if shape is None else tuple(int(size) for size in np.atleast_1d(shape))


def _follow(flat: FlatGraph, shape: Shape) -> dict[str, Shape]:
    after: dict[str, list[str]] = {name: [] for name in flat.nodes}
    for name, sources in flat.before.items():
        for source in sources:
            after[source].append(name)
    found = {flat.input: shape}
    # Neurons that the input does not reach, as a loop that its own bias drives, know their shape.
    islands = [name for name, node in flat.nodes.items() if _is_neuron(node)]
    waiting = [flat.input]
    while waiting or islands:
        if not waiting:
            name = islands.pop(0)
            declared = declared_shape(flat.nodes[name])
            if name not in found and declared is not None:
                found[name] = declared
                waiting.append(name)
            continue
        source = waiting.pop(0)
        for name in after[source]:
            if name not in found:
                consumers = [flat.nodes[other] for other in after[name]]
                found[name] = shape_after(name, flat.nodes[name], found[source], consumers)
                waiting.append(name)
    for name, sources in flat.before.items():
        arriving = {source: found[source] for source in sources if source in found}
        if len(set(arriving.values())) > 1:
            listed = ", ".join(f"{other} from {source!r}" for source, other in arriving.items())
            raise LoweringError(
                f"node {name!r}: inputs of different shapes add up: {listed}; give them one shape"
            )
        for source, shape in arriving.items():
            if _is_neuron(flat.nodes[name]) and shape != found[name]:
                raise LoweringError(
                    f"node {name!r}: it declares neurons of shape {found[name]}, but what arrives"
                    f" from {source!r} has shape {shape}; give them one shape"
                )
    return found


def shape_after(name: str, node: nir.NIRNode, shape: Shape, consumers: list[nir.NIRNode]) -> Shape:
    """Return the shape of a node's output for an input of this shape.

    Args:
        consumers: the nodes that take the output.

    Raises:
        LoweringError: the node does not take such an input.
    """
    for kind, rule in _RULES:
        if isinstance(node, kind):
            return rule(name, node, shape)
    if isinstance(node, nir.Flatten):
        return _flattened(name, node, shape, consumers)
    return shape


def pair(value: object) -> tuple[int, int]:
    """Return one or two numbers as two integers."""
    first, second = np.broadcast_to(np.asarray(value), 2)
    return int(first), int(second)


def padding_of(name: str, node: nir.Conv1d | nir.Conv2d) -> tuple[int, int]:
    """Return a convolution's padding as two numbers; that of Conv1d is the second.

    Raises:
        LoweringError: padding "same" would pad two sides unequally.
    """
    kernel = kernel_of(node)
    if not isinstance(node.padding, str | bytes):
        return two_axes(node, node.padding, 0)
    if node.padding in ("valid", b"valid"):
        return (0, 0)
    totals = [d * (k - 1) for d, k in zip(two_axes(node, node.dilation, 1), kernel, strict=True)]
    if any(total % 2 for total in totals):
        raise LoweringError(
            f"node {name!r}: padding 'same' with an even kernel pads two sides unequally; choose"
            " the padding as numbers"
        )
    return (totals[0] // 2, totals[1] // 2)


def kernel_of(node: nir.Conv1d | nir.Conv2d) -> tuple[int, int]:
    """Return a kernel's height and width; the height of Conv1d is 1."""
    sizes = tuple(int(size) for size in node.weight.shape[2:])
    return (1, sizes[0]) if isinstance(node, nir.Conv1d) else (sizes[0], sizes[1])


def two_axes(node: nir.Conv1d | nir.Conv2d, value: object, other: int) -> tuple[int, int]:
    """Return a convolution's number for both axes; ``other`` is that of the axis Conv1d lacks."""
    if not isinstance(node, nir.Conv1d):
        return pair(value)
    return other, int(np.asarray(value).reshape(-1)[0])


def groups_of(node: nir.Conv1d | nir.Conv2d) -> int:
    """Return the number of groups, which ``to_nir`` notes in the metadata."""
    noted = node.metadata.get("groups", 1) if isinstance(node.metadata, dict) else 1
    return max(int(node.groups), int(noted))


def _is_neuron(node: nir.NIRNode) -> bool:
    return hasattr(node, "r") or isinstance(node, nir.Threshold)


def _dense(name: str, node: nir.Linear, shape: Shape) -> Shape:
    if node.weight.ndim != 2:
        raise LoweringError(f"node {name!r}: its weights have {node.weight.ndim} dimensions, not 2")
    outputs, inputs = (int(size) for size in node.weight.shape)
    _check_bias(name, node, outputs)
    if shape != (inputs,):
        way_out = "; put a nir.Flatten before it" if math.prod(shape) == inputs else ""
        raise LoweringError(
            f"node {name!r}: its weights take {inputs} inputs, but its input has shape"
            f" {shape}{way_out}"
        )
    return (outputs,)


def _convolved(name: str, node: nir.Conv1d | nir.Conv2d, shape: Shape) -> Shape:
    axes = 1 if isinstance(node, nir.Conv1d) else 2
    channels = int(node.weight.shape[1]) * int(node.groups)
    if len(shape) != axes + 1 or shape[0] != channels:
        raise LoweringError(
            f"node {name!r}: its kernels in {groups_of(node)} groups take {channels} channels of"
            f" {'one axis' if axes == 1 else 'two axes'}, but its input has shape {shape}"
        )
    outputs, groups = int(node.weight.shape[0]), groups_of(node)
    if outputs % groups or channels % groups:
        raise LoweringError(
            f"node {name!r}: its {groups} groups do not divide its {channels} input channels and"
            f" {outputs} output channels"
        )
    _check_bias(name, node, outputs)
    sides = (1, *shape[1:])[-2:]
    sizes = windows(
        sides,
        kernel_of(node),
        two_axes(node, node.stride, 1),
        padding_of(name, node),
        two_axes(node, node.dilation, 1),
    )
    return _checked(name, (outputs, *sizes[2 - axes :]), shape)


def _pooled(name: str, node: nir.AvgPool2d | nir.SumPool2d, shape: Shape) -> Shape:
    if len(shape) != 3:
        raise LoweringError(f"node {name!r}: it pools images, but its input has shape {shape}")
    kernel, padding = pair(node.kernel_size), pair(node.padding)
    if any(2 * pad > side for pad, side in zip(padding, kernel, strict=True)):
        raise LoweringError(
            f"node {name!r}: it pads by {padding}, more than half of its windows of {kernel}"
        )
    sizes = windows(shape[1:], kernel, pair(node.stride), padding, (1, 1))
    return _checked(name, (shape[0], *sizes), shape)


def _check_bias(name: str, node: nir.NIRNode, outputs: int) -> None:
    bias = getattr(node, "bias", None)
    size = 1 if bias is None else math.prod(np.shape(bias))
    if size not in (1, outputs):
        raise LoweringError(
            f"node {name!r}: its bias has {size:,} values for {outputs:,} outputs; give it one each"
        )


def _checked(name: str, found: Shape, shape: Shape) -> Shape:
    if min(found) < 1:
        raise LoweringError(
            f"node {name!r}: its window does not fit an input of shape {shape}, which would leave"
            f" {found}"
        )
    return found


def _flattened(name: str, node: nir.Flatten, shape: Shape, consumers: list[nir.NIRNode]) -> Shape:
    """Flatten the axes that the node names, or all of them if weights need that."""
    whole = (math.prod(shape),)
    if any(
        isinstance(c, nir.Linear | nir.Affine) and c.weight.shape[1:] == whole for c in consumers
    ):
        return whole
    axes = max(len(shape), 1)
    inside = all(-axes <= int(dim) < axes for dim in (node.start_dim, node.end_dim))
    first, last = (int(dim) % axes for dim in (node.start_dim, node.end_dim))
    if first > last or not inside:
        raise LoweringError(
            f"node {name!r}: it flattens the axes {node.start_dim} to {node.end_dim} of the shape"
            f" {shape}; NIR counts them without a batch"
        )
    return (*shape[:first], math.prod(shape[first : last + 1]), *shape[last + 1 :])


_RULES: tuple[tuple[tuple[type, ...], Callable[..., Shape]], ...] = (
    ((nir.Linear, nir.Affine), _dense),
    ((nir.Conv1d, nir.Conv2d), _convolved),
    ((nir.AvgPool2d, nir.SumPool2d), _pooled),
)
