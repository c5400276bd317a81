"""Tracing of a model: a run on a sample that records which layer feeds which.

Module hooks see the layers, and a torch function mode sees the operations between them. Any Python
in ``forward`` is therefore possible (loops over time, lists, reshapes), and every operation that a
chip cannot do is an error that names it.
"""

from dataclasses import dataclass, field
from typing import Any

import snntorch as snn
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from stochi.errors import ExportError, first_line

INPUT = "input"
LAYERS = (
    nn.Linear,
    nn.Conv2d,
    nn.AvgPool2d,
    nn.AdaptiveAvgPool2d,
    nn.Flatten,
    nn.BatchNorm1d,
    nn.BatchNorm2d,
    nn.Dropout,
    nn.Dropout2d,
    nn.Identity,
    snn.SpikingNeuron,
)
_PASSING_MODULES = (nn.Dropout, nn.Dropout2d, nn.Identity)

# Names of torch functions, by their effect on the tensors of a trace.
_PASSING = {"clone", "contiguous", "detach", "double", "float", "requires_grad_", "to", "type_as"}
_RESHAPING = {"flatten", "reshape", "squeeze", "unsqueeze", "view"}
_INDEXING = {"__getitem__", "select", "unbind"}
_READING = {
    *("__add__", "__iadd__", "__radd__", "add", "add_"),
    *("__mul__", "__rmul__", "__truediv__", "div", "mul", "true_divide"),
    *("mean", "stack", "sum"),
}
_ASKING = {"__get__", "__len__", "dim", "is_floating_point", "numel", "size", "stride"}


@dataclass
class Node:
    """A layer in the run.

    Attributes:
        name: the module's name in the model.
        module: the layer's module; None for a flatten in ``forward``.
        source: name of the node that feeds the layer, or "input".
        input_shape, output_shape: shapes without the batch.
        calls: number of calls in the run.
    """

    name: str
    module: nn.Module | None
    source: str
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    calls: int = 1


@dataclass
class Trace:
    """Results of a traced run.

    Attributes:
        input_shape: shape of an input, without the batch.
        nodes: the layers by name, in the order of their first calls.
        output: name of the node whose output the model returns.
        time_steps: number of time steps.
    """

    input_shape: tuple[int, ...]
    nodes: dict[str, Node]
    output: str
    time_steps: int


@dataclass
class _Value:
    """The origin of a tensor.

    Attributes:
        kind: "input", "layer", "membrane" or "read" (combined over time).
        node: name of the node that the tensor comes from.
        tensor: the tensor.
    """

    kind: str
    node: str
    tensor: torch.Tensor = field(repr=False)  # kept alive, so that its id stays unique


class _Watcher(TorchFunctionMode):
    """Record of a run, filled by module hooks and by torch functions."""

    def __init__(self, model: nn.Module, sample: torch.Tensor) -> None:
        super().__init__()
        self.names = {module: name or "model" for name, module in model.named_modules()}
        self.values: dict[int, _Value] = {}
        self.nodes: dict[str, Node] = {}
        self.running: list[nn.Module] = []
        self.inside_layer = 0
        self.batch = sample.shape[0]
        self.input_shape: tuple[int, ...] | None = None
        self.record(sample, "input", INPUT)

    def record(self, tensor: torch.Tensor, kind: str, node: str) -> None:
        self.values[id(tensor)] = _Value(kind, node, tensor)

    def where(self) -> str:
        if not self.running:
            return "the model's forward"
        module = self.running[-1]
        return f"{self.names[module]!r} ({type(module).__name__})"

    # Modules.

    def before(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        self.running.append(module)
        self.inside_layer += isinstance(module, LAYERS)

    def after(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        if isinstance(module, LAYERS):
            self.inside_layer -= 1
            if not self.inside_layer:
                self.layer(module, args, output)
        self.running.pop()

    def layer(self, module: nn.Module, args: tuple[Any, ...], output: Any) -> None:
        name = self.names[module]
        source = self.values.get(id(args[0])) if args else None
        if source is None:
            raise ExportError(
                f"layer {name!r} ({type(module).__name__}): its input comes neither from the"
                " model's input nor from another layer, so it cannot be placed in the graph"
            )
        result = output[0] if isinstance(output, tuple) else output
        if isinstance(module, _PASSING_MODULES):
            if isinstance(module, nn.Identity) or not module.training:
                self.record(result, source.kind, source.node)
                return
            raise ExportError(f"layer {name!r}: dropout is on; call model.eval() before exporting")
        self.feeds(source, name)
        if source.kind == "input" and self.input_shape is None:
            self.input_shape = tuple(args[0].shape[1:])
        self.add(name, module, source.node, args[0], result)
        self.record(result, "layer", name)
        if isinstance(output, tuple):
            for state in output[1:]:
                self.record(state, "membrane", name)

    def feeds(self, source: _Value, name: str) -> None:
        if source.kind == "membrane":
            raise ExportError(
                f"layer {name!r} reads the membrane of {source.node!r}; on a chip only spikes"
                " travel between layers"
            )
        if source.kind == "read":
            raise ExportError(
                f"layer {name!r} takes a value computed from {source.node!r} in the model's"
                " forward (a sum, product or mean); put it into a layer, or into the weights"
            )

    def add(
        self,
        name: str,
        module: nn.Module | None,
        source: str,
        given: torch.Tensor,
        result: torch.Tensor,
    ) -> None:
        known = self.nodes.get(name)
        if known is None:
            shapes = tuple(given.shape[1:]), tuple(result.shape[1:])
            self.nodes[name] = Node(name, module, source, *shapes)
            return
        if known.source != source:
            raise ExportError(
                f"layer {name!r} is fed by {known.source!r} in one call and by {source!r} in"
                " another; use a separate layer for each source"
            )
        known.calls += 1

    # Operations between layers.

    def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        result = func(*args, **(kwargs or {}))
        if self.inside_layer:
            return result
        tracked = [self.values[id(a)] for a in _tensors((args, kwargs)) if id(a) in self.values]
        tracked = [value for value in tracked if value.kind != "membrane"]
        results = list(_tensors(result))
        if not tracked or not results:
            return result
        name = getattr(func, "__name__", str(func))
        for tensor in results:
            self.between(name, tracked, tensor)
        return result

    def between(self, name: str, tracked: list[_Value], result: torch.Tensor) -> None:
        value = tracked[0]
        if name in _ASKING:
            return
        if name in _PASSING or (name in _RESHAPING and result.shape == value.tensor.shape):
            self.record(result, value.kind, value.node)
        elif name in _INDEXING and value.kind == "input":
            self.record(result, "input", INPUT)
        elif name in _RESHAPING and value.kind in ("input", "layer") and result.dim() == 2:
            node = f"{value.node}.flatten"
            if value.kind == "input" and self.input_shape is None:
                self.input_shape = tuple(value.tensor.shape[1:])
            self.add(node, None, value.node, value.tensor, result)
            self.record(result, "layer", node)
        elif name in _READING and value.kind in ("layer", "read"):
            others = {other.node for other in tracked}
            if len(others) > 1:
                raise ExportError(
                    f"{self.where()} joins layers {', '.join(sorted(map(repr, others)))} with"
                    f" {name!r}; residual and recurrent connections cannot be exported yet"
                )
            self.record(result, "read", value.node)
        else:
            raise ExportError(
                f"{self.where()} applies {name!r} to the output of {value.node!r}; no layer of"
                " a chip does that. Use Linear, Conv2d, AvgPool2d, Flatten, BatchNorm and spiking"
                " neurons as modules"
            )


def trace(model: nn.Module, sample: torch.Tensor) -> Trace:
    """Run ``model(sample)`` without gradients and return its trace.

    Args:
        model: any module that takes one tensor and runs all its time steps in ``forward``.
        sample: a batch of at least one input.

    Raises:
        ExportError: the model does something that cannot be exported.
    """
    if not isinstance(sample, torch.Tensor) or sample.dim() < 2 or not sample.numel():
        raise ExportError("the sample must be a tensor with a batch of at least one input")
    watcher = _Watcher(model, sample)
    hooks = []
    for module in model.modules():
        hooks.append(module.register_forward_pre_hook(watcher.before))
        hooks.append(module.register_forward_hook(watcher.after))
    try:
        # The run's draws must not advance torch's generator.
        with torch.random.fork_rng(devices=_cuda(sample)), torch.no_grad(), watcher:
            output = model(sample)
    except (RuntimeError, ValueError, IndexError) as error:
        raise ExportError(
            f"the model fails on a sample of shape {tuple(sample.shape)}: {first_line(error)}"
        ) from error
    finally:
        for hook in hooks:
            hook.remove()
    read = output[0] if isinstance(output, tuple | list) else output
    value = watcher.values.get(id(read))
    if value is None or value.kind in ("input", "membrane") or watcher.input_shape is None:
        raise ExportError(
            "the model's output is not the output of its last layer, over time or averaged;"
            " return the last layer's currents or spikes"
        )
    neurons = [n for n in watcher.nodes.values() if isinstance(n.module, snn.SpikingNeuron)]
    calls = {node.calls for node in neurons}
    if len(calls) != 1:
        found = ", ".join(f"{n.name}: {n.calls}" for n in neurons) or "no spiking neurons"
        raise ExportError(f"every spiking layer must run once per time step; found {found}")
    return Trace(watcher.input_shape, watcher.nodes, value.node, calls.pop())


def _cuda(tensor: torch.Tensor) -> list[torch.device]:
    return [tensor.device] if tensor.is_cuda else []


def _tensors(tree: Any):  # type: ignore[no-untyped-def]
    if isinstance(tree, torch.Tensor):
        yield tree
    elif isinstance(tree, tuple | list):
        for item in tree:
            yield from _tensors(item)
    elif isinstance(tree, dict):
        for item in tree.values():
            yield from _tensors(item)
