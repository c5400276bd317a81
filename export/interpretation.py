"""Interpretation of a recorded run: each tensor as a signal, a sum of linear paths.

Every event is read in order. Functions that a graph cannot express make their results unknown; that
is a problem only once an unknown value reaches a neuron or the model's output.
"""

from typing import Any

import torch

from stochi.export.idioms import READERS
from stochi.export.memory import is_in_place, is_same_view
from stochi.export.neurons import SpikingLayer, read_module
from stochi.export.recording import Event, tensors
from stochi.export.refusals import explain
from stochi.export.run import Run
from stochi.export.signals import CURRENT, INPUT, MEMBRANE, SPIKES, Signal, Source, Term, is_zero
from stochi.export.values import (
    Constant,
    Frame,
    Layer,
    Reading,
    Sequence,
    Unknown,
    Value,
    each,
    frame_constant,
    to_frame,
)

_KINDS = {"spk": SPIKES, "syn": CURRENT, "mem": MEMBRANE}
_WORDS = {"spk": "spikes", "syn": "synaptic current", "mem": "membrane"}


def interpret(run: Run, time_axis: int | None) -> None:
    """Interpret a recording, event by event.

    Args:
        run: the recording and its model's parameters; receives layers, output and problems.
        time_axis: axis of the sample that is time; None for inputs shown at every time step.
    """
    recording = run.recording
    run.set_value(recording.shown, _input(recording.sample, time_axis))
    for event in recording.events:
        if event.name == "neuron":
            _neuron(run, event)
        else:
            _function(run, event)
    run.output = _output(run, recording.output)


def _input(sample: torch.Tensor, time_axis: int | None) -> Value:
    def frame(time: int | None, shape: tuple[int, ...]) -> Signal:
        return Signal(shape, (Term(Source(INPUT, "", time, shape)),), label=INPUT)

    if time_axis is None:
        return Frame(frame(None, tuple(sample.shape[1:])))
    shape = tuple(sample.shape[2:])
    return Sequence(tuple(frame(t, shape) for t in range(sample.shape[time_axis])), time_axis)


def _function(run: Run, event: Event) -> None:
    arguments = [run.value(t) for t in tensors((event.args, event.kwargs))]
    unknown = [value for value in arguments if isinstance(value, Unknown)]
    results: list[Value]
    if event.drawn:
        results = [Unknown(explain(event))] * len(event.results)
    elif unknown:
        results = [unknown[0]] * len(event.results)
    elif all(isinstance(value, Constant) for value in arguments):
        results = [Constant(t) for t in event.results]
    else:
        reader = READERS.get(event.name)
        read = reader(run, event) if reader else None
        results = read or [Unknown(explain(event))] * len(event.results)
    _set_results(run, event, results)


def _set_results(run: Run, event: Event, results: list[Value]) -> None:
    given = set(map(id, tensors(event.args)))
    changed = {id(t) for t in event.written} if not is_in_place(event.name) else given
    for tensor, value in zip(event.results, results, strict=True):
        # A function such as flatten(1) of (batch, n) returns its argument itself.
        unchanged = id(tensor) in given - changed and not isinstance(value, Unknown)
        if not unchanged:
            run.set_value(tensor, value)
    for part in event.written:
        target = next((t for t in event.results if is_same_view(t, part)), event.results[0])
        run.write(part, target)


def _neuron(run: Run, event: Event) -> None:
    name = event.layer
    given = event.args[0]
    layer = run.layers.get(name)
    if not isinstance(given, torch.Tensor) or not event.results:
        run.problems.add(f"neuron {name!r}: its first argument or result is not a tensor")
        return
    shape = tuple(event.results[0].shape[1:])
    if layer is None:
        layer = run.layers[name] = Layer(name, event.module, shape)
        sampling = run.samplings.get(name, "")
        run.neurons[name] = read_module(name, event.module, sampling, run.problems)
    call = len(layer.inputs)
    layer.inputs.append(_current(run, name, given))
    described = run.neurons[name]
    if described is not None:
        _check_states(run, event, call)
    _set_outputs(run, event, call, shape, described)


def _current(run: Run, name: str, given: torch.Tensor) -> Signal:
    """Return what feeds a neuron; note a problem unless it is a signal of one time step."""
    shape = tuple(given.shape[1:])
    value = to_frame(run.value(given))
    if isinstance(value, Frame):
        for term in value.signal.terms:
            if term.source.kind in (MEMBRANE, CURRENT):
                what = "membrane" if term.source.kind == MEMBRANE else "synaptic current"
                run.problems.add(
                    f"neuron {name!r} takes the {what} of {term.source.name!r}; on a chip only"
                    " spikes travel between layers, so connect its spikes (needs retraining)"
                )
                run.broken.add(name)
        return value.signal
    run.broken.add(name)
    if isinstance(value, Unknown):
        run.problems.add(value.problem)
    elif isinstance(value, Constant):
        # In the first steps a delayed input may not have arrived.
        constant = frame_constant(value.tensor, shape)
        if constant is not None:
            run.broken.discard(name)
            return Signal(shape, constant=constant)
        run.problems.add(
            f"neuron {name!r}: its input is a constant that differs between samples; use one that"
            " is the same for all"
        )
    else:
        run.problems.add(
            f"neuron {name!r} is called once on several time steps; call it once for each time"
            " step, in a loop"
        )
    return Signal(shape)


def _check_states(run: Run, event: Event, call: int) -> None:
    """Note a problem unless each state starts at zero and continues from the call before."""
    for state in event.left:
        kind, word = _KINDS[state], _WORDS[state]
        tensor = event.states.get(state)
        value = to_frame(run.value(tensor)) if tensor is not None else None
        zero = tensor is None or (
            not bool(tensor.any())
            if isinstance(value, Constant)
            else isinstance(value, Frame) and is_zero(value.signal)
        )
        name = event.layer
        if call == 0 and not zero:
            run.problems.add(
                f"neuron {name!r}: its {word} is not zero when the pass starts; reset all states"
                " at the start of forward, with snntorch.utils.reset(net) or reset_mem()"
            )
        continued = (
            isinstance(value, Frame)
            and len(value.signal.terms) == 1
            and value.signal.terms[0].key == (Source(kind, name, call - 1, value.signal.shape),)
            and value.signal.terms[0].factor == 1
        )
        if call > 0 and not continued and (name, state) not in run.interrupted:
            run.interrupted.add((name, state))
            what = "is reset" if zero else "is changed"
            run.problems.add(
                f"neuron {name!r}: its {word} {what} between two time steps, before its call"
                f" {call + 1}; pass on the state that the call before returned, and reset only at"
                " the start of forward"
            )


def _set_outputs(
    run: Run, event: Event, call: int, shape: tuple[int, ...], described: SpikingLayer | None
) -> None:
    def signal(kind: str) -> Signal:
        return Signal(shape, (Term(Source(kind, event.layer, call, shape)),), label=event.layer)

    spikes = signal(SPIKES)
    if described is not None and described.spike_size is not None:
        spikes = spikes.times(described.spike_size)
    for state, tensor in event.left.items():
        value = Frame(spikes if state == "spk" else signal(_KINDS[state]))
        run.set_value(tensor, value)
    kinds = ("syn", "mem")[3 - len(event.results) :] if len(event.results) < 4 else ()
    run.set_value(event.results[0], Frame(spikes))
    for tensor, state in zip(event.results[1:], kinds, strict=False):
        run.set_value(tensor, Frame(signal(_KINDS[state])))


def _output(run: Run, output: Any) -> Value:
    if isinstance(output, tuple | list) and output:
        output = output[0]
    if not isinstance(output, torch.Tensor):
        return Unknown(
            f"the model returns a {type(output).__name__}; return a tensor, or a tuple whose first"
            " element is the output"
        )
    value = run.value(output)
    return each(value, lambda s: s) if not isinstance(value, Reading) else value
