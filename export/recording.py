"""Recording of a model's run: every torch function on values that depend on the input.

Module hooks see the spiking neurons, each of whose calls is one event. A torch function mode sees
every operation between them. Any Python in ``forward`` is therefore possible.
"""

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import snntorch as snn
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from stochi.errors import ExportError, first_line
from stochi.export.memory import storage_of, version_of, written_parts
from stochi.export.randomness import in_torch, moved, outside_torch, seeded_generators
from stochi.export.reads import Alteration, Read, find_read, is_read
from stochi.own_code import own_place

STATES = ("spk", "syn", "mem")


@dataclass(eq=False)
class Event:
    """A torch function's call, or a spiking neuron's.

    Attributes:
        name: name of the function; "neuron" for a neuron.
        function: the function; None for a neuron.
        args, kwargs: the arguments.
        results: all tensors that were returned.
        module: the innermost module that was running.
        layer: its name in the model; "" for the model itself.
        encoder: name of the function of ``snntorch.spikegen`` that was running; "" if none.
        states: state → the tensor that a neuron starts from.
        left: state → the tensor that a neuron's state becomes.
        drawn: whether the function drew random numbers.
        written: the parts of memory that it wrote, as views.
    """

    name: str
    function: Callable[..., Any] | None
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    results: tuple[torch.Tensor, ...]
    module: nn.Module
    layer: str
    encoder: str = ""
    states: Mapping[str, torch.Tensor] = field(default_factory=dict)
    left: Mapping[str, torch.Tensor] = field(default_factory=dict)
    drawn: bool = False
    written: tuple[torch.Tensor, ...] = ()


@dataclass(eq=False)
class NeuronCall:
    """The values of one call of a spiking neuron, copied.

    Attributes:
        current: its input (batch, *shape).
        spikes: its spikes.
        fresh: whether all its states were zero or empty before the call.
    """

    current: torch.Tensor
    spikes: torch.Tensor
    fresh: bool


@dataclass(eq=False)
class Recording:
    """A run of a model.

    Attributes:
        sample: the input.
        shown: the copy of it that the model took, and maybe wrote to.
        output: what the model returned.
        events: the events, in order.
        calls: the calls of each spiking neuron, by its name.
        reads: the places where forward takes values out of tensors, if events were recorded.
        drew_outside: whether numpy or Python drew random numbers.
    """

    sample: torch.Tensor
    shown: torch.Tensor
    output: Any
    events: list[Event]
    calls: dict[str, list[NeuronCall]]
    reads: list[Read]
    drew_outside: bool


def is_neuron(module: nn.Module) -> bool:
    """Return whether a module is one of snnTorch's neurons, which are watched as a whole."""
    return isinstance(module, snn.SpikingNeuron) or any(
        kind.__module__.startswith("snntorch._neurons") for kind in type(module).__mro__
    )


def record(
    model: nn.Module,
    sample: torch.Tensor,
    events: bool = True,
    seed: int = 0,
    altered: Read | None = None,
) -> Recording:
    """Run ``model(sample)`` without gradients and return what happened.

    Args:
        model: any module that takes one tensor; its neurons' states are left as they are.
        sample: the input, which is copied.
        events: whether to record the functions as well as the neurons' values.
        seed: of whatever the model draws; the global generators are left as they were.
        altered: a place where forward shall read other values than there are.

    Raises:
        ExportError: the model fails on the sample.
    """
    shown = sample.clone()
    watcher = _Watcher(model, shown, events, Alteration(altered))
    hooks = []
    for module in model.modules():
        hooks.append(module.register_forward_pre_hook(watcher.before, with_kwargs=True))
        hooks.append(module.register_forward_hook(watcher.after, with_kwargs=True))
    try:
        with seeded_generators(seed, sample.device), torch.no_grad(), _alone(model):
            before = outside_torch()
            with watcher:
                output = model(shown)
            drew_outside = outside_torch() != before
    except ExportError:
        raise
    except Exception as error:
        raise ExportError(
            f"the model fails on a sample of shape {tuple(sample.shape)}: {first_line(error)}"
            f"{own_place(error)}{_hint(error)}"
        ) from error
    finally:
        for hook in hooks:
            hook.remove()
    return Recording(
        *(sample, shown, output, watcher.events, watcher.calls, list(watcher.reads)), drew_outside
    )


@contextmanager
def _alone(model: nn.Module) -> Iterator[None]:
    """Let ``snntorch.utils.reset`` see this model's neurons only, not those of other networks."""
    everywhere = snn.SpikingNeuron.instances
    snn.SpikingNeuron.instances = [m for m in model.modules() if isinstance(m, snn.SpikingNeuron)]
    try:
        yield
    finally:
        snn.SpikingNeuron.instances = everywhere


def _hint(error: Exception) -> str:
    if isinstance(error, TypeError) and "missing" in str(error) and "argument" in str(error):
        return (
            "; forward must take the input alone and run all time steps. Start from reset states"
            " in a loop over time in forward, or wrap the network in stochi.train.RepeatSteps"
        )
    if "same dtype" in str(error):
        return "; snnTorch's neurons send float32, so export model.float()"
    return ""


class _Watcher(TorchFunctionMode):
    def __init__(
        self, model: nn.Module, shown: torch.Tensor, record_events: bool, alteration: Alteration
    ) -> None:
        super().__init__()
        self.names = {module: name for name, module in model.named_modules()}
        self.running: list[nn.Module] = []
        self.inside = 0
        self.live = {id(shown)}
        self.drawn: set[int] = set()
        self.written: set[int] = set()
        self.record_events = record_events
        self.alteration = alteration
        self.device = shown.device
        self.events: list[Event] = []
        self.reads: dict[Read, None] = {}
        self.calls: dict[str, list[NeuronCall]] = {}
        self.started: list[tuple[dict[str, torch.Tensor], bool]] = []
        self.model = model

    def before(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.running.append(module)
        if is_neuron(module):
            self.inside += 1  # first, so that reading states is not taken for the model's own
            if self.inside == 1:
                self.started.append(_states_before(module, args, kwargs))

    def after(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any
    ) -> None:
        if is_neuron(module):
            if self.inside == 1:
                self.neuron(module, args, kwargs, output)
            self.inside -= 1
        self.running.pop()

    def neuron(
        self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any
    ) -> None:
        states, fresh = self.started.pop()
        given = args[0] if args else next(iter(kwargs.values()), None)
        results = tuple(tensors(output))
        name = self.names[module]
        if isinstance(given, torch.Tensor) and results:
            call = NeuronCall(given.detach().clone(), results[0].detach().clone(), fresh)
            self.calls.setdefault(name, []).append(call)
        left = {s: getattr(module, s) for s in STATES if _is_tensor(getattr(module, s, None))}
        event = Event(
            *("neuron", None, (given,), {}, results, module, name, ""), states=states, left=left
        )
        self.live |= {id(t) for t in (*results, *left.values())}
        self.events.append(event)

    def __torch_function__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        kwargs = kwargs or {}
        if self.inside or not self.record_events:
            return func(*args, **kwargs)
        name, given = _name(func), list(tensors((args, kwargs)))
        live = any(id(t) in self.live or storage_of(t) in self.written for t in given)
        drawn = any(id(t) in self.drawn for t in given)
        versions = list(map(version_of, given))
        states = in_torch(self.device, kwargs)
        if live and is_read(name, args):
            read = find_read(name, drawn)
            self.reads[read] = None
            result = self.alteration.call(read, func, args, kwargs)
        else:
            result = func(*args, **kwargs)
        draws = moved(states, in_torch(self.device, kwargs))
        if live or draws:
            changed = [t for t, v in zip(given, versions, strict=True) if version_of(t) != v]
            written = written_parts(name, args, changed)
            self.function(name, func, args, kwargs, result, draws, written)
            if drawn or draws:
                self.drawn |= {id(t) for t in (*tensors(result), *written)}
        return result

    def function(
        self,
        name: str,
        func: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        result: Any,
        draws: bool,
        written: tuple[torch.Tensor, ...],
    ) -> None:
        """Record a function's call."""
        results = tuple(tensors(result)) or written
        if name in ("__setitem__", "copy_", "__set__.data"):
            results = (args[0],)
        if not results:
            return
        self.live |= {id(t) for t in results}
        self.written |= {storage_of(t) for t in written} - {0}
        module = self.running[-1] if self.running else self.model
        event = Event(
            *(name, func, tuple(args), dict(kwargs), results, module),
            *(self.names.get(module, ""), _encoder()),
            drawn=draws,
            written=written,
        )
        self.events.append(event)


def _name(func: Callable[..., Any]) -> str:
    name = getattr(func, "__name__", str(func))
    if name in ("__get__", "__set__"):
        return f"{name}.{getattr(getattr(func, '__self__', None), '__name__', '')}"
    return name


def _states_before(
    module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[dict[str, torch.Tensor], bool]:
    """Return the states that a neuron starts from, and whether they are all zero or empty."""
    try:
        given = inspect.signature(type(module).forward).bind(module, *args, **kwargs).arguments
    except TypeError:
        given = {}
    current = args[0] if args else next(iter(kwargs.values()), None)
    shape = current.shape if isinstance(current, torch.Tensor) else None
    states = {}
    for name in STATES:
        state = given.get(name)
        state = getattr(module, name, None) if state is None else state
        if isinstance(state, torch.Tensor) and state.shape == shape:
            states[name] = state
    fresh = not any(bool(state.any()) for state in states.values())
    return states, fresh


def _encoder() -> str:
    """Return the name of the outermost running function of ``snntorch.spikegen``, or ""."""
    frame, found = sys._getframe(3), ""
    while frame is not None:
        if frame.f_globals.get("__name__") == "snntorch.spikegen":
            found = frame.f_code.co_name
        frame = frame.f_back  # type: ignore[assignment]
    return found


def _is_tensor(value: Any) -> bool:
    return isinstance(value, torch.Tensor)


def tensors(tree: Any) -> Iterator[torch.Tensor]:
    """Return the tensors in nested tuples, lists and dictionaries."""
    if isinstance(tree, torch.Tensor):
        yield tree
    elif isinstance(tree, tuple | list):
        for item in tree:
            yield from tensors(item)
    elif isinstance(tree, dict):
        for item in tree.values():
            yield from tensors(item)
