"""Rolling an unrolled run up over time: what feeds each layer, the same at every time step."""

from dataclasses import dataclass, replace

import numpy as np

from stochi.export.neurons import recurrent_signal
from stochi.export.operations import Reshape
from stochi.export.run import Run
from stochi.export.signals import CURRENT, MEMBRANE, Signal, Source, Term, add, same
from stochi.export.values import Constant, Frame, Layer, Merged, Reading, Sequence, Unknown, Value


@dataclass(frozen=True, eq=False)
class Template:
    """A network, with times relative to the step that a layer computes.

    Attributes:
        inputs: what feeds each layer, by its name; times are 0 or negative.
        output: what is read at each time step.
        readout: "mean", "sum", "steps" or "last".
        reads: "spikes", of neurons or of none, or "membrane".
        steps: number of time steps.
    """

    inputs: dict[str, Signal]
    output: Signal
    readout: str
    reads: str
    steps: int


def roll_up(run: Run) -> Template | None:
    """Return the network that a run computes; None, with problems, if it differs over time."""
    steps = _count_steps(run)
    if steps is None:
        if run.layers:
            _read(run, run.output, 0)  # for its problems
        return None
    inputs = {}
    for name, layer in run.layers.items():
        signals = [_with_recurrence(run, layer, k) for k in range(len(layer.inputs))]
        inputs[name] = _relative(signals[-1], steps - 1)
        if name in run.broken:
            continue
        if not layer.inputs[-1].terms:
            run.problems.add(
                f"neuron {name!r}: its input comes neither from the model's input nor from another"
                " layer, so it cannot be placed in the graph"
            )
            continue
        _check_same(run, name, signals)
    read = _read(run, run.output, steps)
    if read is None or run.problems.found:
        return None
    readout, output = read
    kinds = {term.source.kind for term in output.terms}
    template = Template(
        inputs, output, readout, "membrane" if MEMBRANE in kinds else "spikes", steps
    )
    return replace(template, inputs=_needed(template))


def _count_steps(run: Run) -> int | None:
    counts = {name: len(layer.inputs) for name, layer in run.layers.items()}
    if len(set(counts.values())) == 1:
        return next(iter(counts.values()))
    found = ", ".join(f"{name}: {count}" for name, count in counts.items())
    run.problems.add(
        f"every spiking layer must run once per time step; found {found}. Use one module for each"
        " layer"
        if counts
        else "every spiking layer must run once per time step; found no spiking neurons"
    )
    return None


def _with_recurrence(run: Run, layer: Layer, call: int) -> Signal:
    signal, described = layer.inputs[call], run.neurons.get(layer.name)
    if described is None:
        return signal
    recurrent = recurrent_signal(described, layer.shape, call - 1)
    return signal if recurrent is None else add([signal, recurrent], signal.label)


def _relative(signal: Signal, step: int) -> Signal:
    def rename(source: Source) -> Source:
        return source if source.time is None else replace(source, time=source.time - step)

    return signal.renamed(rename)


def _after_start(signal: Signal, step: int) -> Signal:
    """Return a relative signal at a step, without what came before the first step."""
    terms = tuple(t for t in signal.terms if t.source.time is None or t.source.time + step >= 0)
    return replace(signal, terms=terms)


def _check_same(run: Run, name: str, signals: list[Signal]) -> None:
    """Note a problem unless what feeds a layer is the same at every time step."""
    template = _relative(signals[-1], len(signals) - 1)
    for step, signal in enumerate(signals):
        found, expected = (
            _after_start(_relative(signal, step), step),
            _after_start(template, step),
        )
        if same(found, expected):
            continue
        sources = [
            sorted({t.source.name or "the input" for t in s.terms}) for s in (found, expected)
        ]
        if sources[0] != sources[1]:
            one, two = (", ".join(map(repr, names)) or "nothing" for names in sources)
            run.problems.add(
                f"layer {name!r} is fed by {one} at time step {step + 1} and by {two} at time step"
                f" {len(signals)}; connect it alike at every time step, states starting at zero"
            )
        else:
            run.problems.add(
                f"layer {name!r}: the weights, delays or constants that feed it at time step"
                f" {step + 1} differ from those at time step {len(signals)}; use the same at every"
                " time step, and states that start at zero"
            )
        return


# The output.


def _read(run: Run, value: Value, steps: int) -> tuple[str, Signal] | None:
    """Return how the output is read over time, and what is read at each step."""
    problem = _check_output(value, steps)
    if problem:
        run.problems.add(problem)
        return None
    if isinstance(value, Frame):
        found = _split(value.signal, steps)
        if found is None:
            run.problems.add(
                "the model's output is not the output of its last layer at all time steps, at the"
                " last one, or its mean or sum over all; return one of these"
            )
            return None
        readout, signal = found
    else:
        assert isinstance(value, Reading | Sequence)
        readout = value.kind if isinstance(value, Reading) else "steps"
        signal = _relative(value.frames[-1], steps - 1)
        known = list(run.problems.found)
        _check_same(run, "output", list(value.frames))
        if run.problems.found != known:
            return None
    return _checked(run, readout, _squeezed(signal))


def _check_output(value: Value, steps: int) -> str:
    if isinstance(value, Unknown):
        return value.problem
    if isinstance(value, Constant | Merged):
        return (
            "the model's output is not the output of its last layer, over time or averaged; return"
            " the last layer's currents, spikes or membranes"
        )
    frames = getattr(value, "frames", ())
    if steps and frames and len(frames) != steps:
        return (
            f"the model's output reads {len(frames)} of {steps} time steps; read all of them, or"
            " the last one"
        )
    if isinstance(value, Sequence) and value.axis != 0:
        return (
            f"the model's output has time as its axis {value.axis}; stack the time steps along"
            " dim=0, (steps, batch, ...)"
        )
    return ""


def _split(signal: Signal, steps: int) -> tuple[str, Signal] | None:
    """Return a sum over time as the reading that it is."""
    by_step: dict[object, list[Term]] = {}
    for term in signal.terms:
        by_step.setdefault(term.source.time, []).append(term)
    if set(by_step) == {steps - 1} and steps > 1:
        return "last", _relative(signal, steps - 1)
    if set(by_step) != set(range(steps)):
        return None
    frames = [
        _relative(Signal(signal.shape, tuple(by_step[k]), label=signal.label), k)
        for k in range(steps)
    ]
    if not all(same(frame, frames[0]) for frame in frames):
        return None
    whole = all(abs(term.factor) > 1 - 1e-6 for term in frames[0].terms)
    if whole and steps > 1:
        return "sum", replace(frames[0], constant=np.asarray(signal.constant) / steps)
    terms = tuple(replace(t, factor=_rounded(t.factor * steps)) for t in frames[0].terms)
    return "mean", replace(frames[0], terms=terms, constant=signal.constant)


def _rounded(factor: float) -> float:
    return round(factor) if abs(factor - round(factor)) < 1e-9 else factor


def _squeezed(signal: Signal) -> Signal:
    """Return an output without a last reshape that drops or adds axes of size 1 only."""

    def ones_only(term: Term) -> bool:
        last = term.path[-1] if term.path else None
        if not isinstance(last, Reshape):
            return False
        before, after = last.input_shape, last.output_shape
        return [n for n in before if n != 1] == [n for n in after if n != 1]

    if not signal.terms or not all(map(ones_only, signal.terms)):
        return signal
    shape = signal.terms[0].path[-1].input_shape
    terms = tuple(replace(term, path=term.path[:-1]) for term in signal.terms)
    constant = np.broadcast_to(signal.constant, signal.shape).reshape(shape)
    return _squeezed(replace(signal, shape=shape, terms=terms, constant=constant))


def _checked(run: Run, readout: str, signal: Signal) -> tuple[str, Signal] | None:
    """Return the reading unless it computes on states or scales spikes."""
    plain = len(signal.terms) == 1 and not signal.terms[0].path and not np.any(signal.constant)
    names = {t.source.name for t in signal.terms if t.source.kind in (MEMBRANE, CURRENT)}
    if names and not (plain and signal.terms[0].source.kind == MEMBRANE):
        run.problems.add(
            f"the model's output is computed from states of {', '.join(map(repr, sorted(names)))};"
            " a chip can read a membrane, but computes nothing from it: return the membrane itself"
        )
        return None
    if plain and signal.terms[0].source.time not in (0, None):
        run.problems.add("the model's output is read one time step late; return that of each step")
        return None
    if plain and abs(signal.terms[0].factor - 1) > 1e-6:
        what = "membranes" if names else "spikes"
        run.problems.add(
            "the model does not compute what a chip's readout computes: its output is"
            f" {signal.terms[0].factor:g} times the {readout} of its last layer's {what}; return it"
            " without the factor"
        )
        return None
    return readout, signal


def _needed(template: Template) -> dict[str, Signal]:
    """Return the layers that the output depends on."""
    needed: set[str] = set()
    waiting = [t.source.name for t in template.output.terms]
    while waiting:
        name = waiting.pop()
        if name in template.inputs and name not in needed:
            needed.add(name)
            waiting += [t.source.name for t in template.inputs[name].terms]
    return {name: signal for name, signal in template.inputs.items() if name in needed}
