"""Proof that a graph computes what its model computes, layer by layer and step by step.

Every layer of the graph receives the spikes that the model's layers really sent, so one spike that
rounding flips changes nothing else. Each layer's input must then agree up to rounding, and each of
its spikes, unless its membrane is within rounding of the threshold.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import nir
import numpy as np
import snntorch as snn
import torch
from torch import nn

from stochi.errors import ExportError, StochiWarning, warn_caller
from stochi.export.copying import reset_states
from stochi.export.dependence import describe_reads, find_dependence, note_dependence
from stochi.export.evaluation import Evaluation, NeuronState, evaluate_all
from stochi.export.neurons import SpikingLayer
from stochi.export.problems import RETRAIN, Problems
from stochi.export.reads import listed
from stochi.export.recording import Recording, record, tensors
from stochi.export.rolling import Template
from stochi.export.run import Run
from stochi.export.unlike_inputs import inputs_unlike

TOLERANCE = 1e-3
AT_THRESHOLD = 1e-4
DRAWS = 6
FIRST_SEED = 2
"""Seed of what a model draws in the first run of the check on other inputs."""


class QuietLayerWarning(StochiWarning):
    """Warning that a layer never spiked in the export's check, so nothing shows what follows it."""


@dataclass(frozen=True, eq=False)
class Export:
    """A model and its graph.

    Attributes:
        model: the model, its random time constants at their means.
        run: the interpreted run on the sample.
        template: the network that was found.
        graph: the graph.
        names: node's name of each layer.
        time_axis: axis of the sample that is time, or None.
    """

    model: nn.Module
    run: Run
    template: Template
    graph: nir.NIRGraph
    names: dict[str, str]
    time_axis: int | None

    @property
    def dt(self) -> float:
        return float(self.graph.metadata["dt"])

    def layers(self) -> Iterator[tuple[str, SpikingLayer]]:
        """Return the layers of neurons that are modules, with their names."""
        for name in self.template.inputs:
            described = self.run.neurons.get(name)
            if described is not None:
                yield name, described


def verify(
    export: Export, again: Recording, problems: Problems, progress: Callable[[int, int], None]
) -> None:
    """Compare a graph with its model on the sample, on other inputs, and neuron by neuron.

    Args:
        export: the model and its graph.
        again: another run of the sample, with other draws.
        problems: receives every disagreement.
        progress: function that is called with (done, total) parts; the first, understanding the
            model, is done.

    Warns:
        QuietLayerWarning: a layer spikes neither on the sample nor on the draws.
        ReadValuesWarning: the answer depends on values that forward reads.
    """
    layers = list(export.layers())
    alone = 1 + len(layers)
    total = alone + 3
    progress(1, total)
    for done, (name, described) in enumerate(layers, 2):
        _compare_neurons(export, name, described, problems)
        progress(done, total)
    if problems.found:
        return
    recording = export.run.recording
    note_changes(recording, again, problems)
    if not problems.found:
        _compare(export, recording, problems)
    progress(alone + 1, total)
    _compare_unlike(export, problems)
    progress(alone + 2, total)
    _compare_drawn(export, problems)
    progress(total, total)
    if recording.reads and not problems.found:
        note_dependence(find_dependence(export.model, recording), problems)


def _compare_unlike(export: Export, problems: Problems) -> None:
    """Compare a graph with its model on inputs unlike the sample."""
    recording = export.run.recording
    thorough = bool(recording.reads) or recording.drew_outside
    batch_axis = 1 if export.time_axis == 0 else 0
    shown = inputs_unlike(recording.sample, batch_axis, thorough)
    for number, (words, inputs) in enumerate(shown):
        if problems.found:
            return
        try:
            found = record(export.model, inputs, events=False, seed=FIRST_SEED + number)
        except ExportError:
            continue
        _check_fresh(export, found, problems)
        if not problems.found:
            _compare(export, found, problems, f" on {words}")


def _compare_drawn(export: Export, problems: Problems) -> None:
    """Compare a graph with its model on noise, until every layer has spiked."""
    recording = export.run.recording
    loud = _spiking(export, recording)
    wanted = {
        name
        for name, _ in export.layers()
        if hasattr(export.graph.nodes[export.names[name]], "v_threshold")
    }
    for number in range(DRAWS):
        if problems.found or (number and wanted <= loud):
            break
        try:
            inputs = _draw(recording.sample, number)
            drawn = record(export.model, inputs, events=False, seed=FIRST_SEED + number)
        except ExportError:
            continue
        _check_fresh(export, drawn, problems)
        if not problems.found:
            _compare(export, drawn, problems)
            loud |= _spiking(export, drawn)
    if wanted - loud and not problems.found:
        quiet = ", ".join(map(repr, sorted(wanted - loud)))
        warn_caller(
            f"no neuron of {quiet} spikes, on the sample or on inputs drawn for the check, so"
            " nothing shows what its spikes do; pass a sample of real data, or check thresholds and"
            " weights",
            QuietLayerWarning,
        )


def _check_fresh(export: Export, recording: Recording, problems: Problems) -> None:
    note_stale(recording, problems)
    for name, _ in export.layers():
        count = len(recording.calls.get(name, []))
        if count != export.template.steps:
            problems.add(
                f"neuron {name!r} runs {export.template.steps} time steps on the sample and {count}"
                " on another input; let the number of time steps not depend on values or on the"
                " batch" + _read_at(export)
            )


def _read_at(export: Export) -> str:
    reads = export.run.recording.reads
    return f" (forward reads values at {listed(reads)})" if reads else ""


def note_stale(recording: Recording, problems: Problems) -> None:
    """Note a problem for each layer whose state outlives a pass, if the model has run before."""
    for name, calls in recording.calls.items():
        if not calls[0].fresh:
            problems.add(
                f"neuron {name!r}: its state outlives a pass, so the answer depends on the inputs"
                " before; reset it at the start of forward, with snntorch.utils.reset(net) or"
                " reset_mem(). If the model computes one time step per call, wrap it in"
                " stochi.train.RepeatSteps"
            )


def note_changes(recording: Recording, again: Recording, problems: Problems) -> None:
    """Note a problem for each layer that receives something else in a second run."""
    for name, calls in recording.calls.items():
        others = again.calls.get(name, [])
        if len(others) == len(calls) and all(
            _close(two.current.double(), one.current.double())
            for one, two in zip(calls, others, strict=True)
        ):
            continue
        where = " with numpy or random" if recording.drew_outside else ""
        problems.add(
            f"neuron {name!r} receives something else when the same input is shown again: forward"
            f" draws random numbers{where}, or counts its calls. Draw outside and pass the draws as"
            " inputs, use RandomTauLeaky for random time constants, and let nothing change from"
            " pass to pass"
        )
        return


def _spiking(export: Export, recording: Recording) -> set[str]:
    return {n for n, calls in recording.calls.items() if any(bool(c.spikes.any()) for c in calls)}


def _draw(sample: torch.Tensor, number: int) -> torch.Tensor:
    """Return an input of the sample's shape: noise over its range, wider with each number."""
    generator = torch.Generator().manual_seed(number)
    noise = torch.rand(sample.shape, generator=generator, dtype=torch.float64)
    low, high = float(sample.min()), float(sample.max())
    span = max(high - low, 1e-3) if number == 0 else max(high - low, 1.0)
    values = low + noise * span * 4.0 ** max(number - 1, 0)
    if not sample.is_floating_point():
        values = values.round()
    return values.to(sample.device, sample.dtype)


# Layers in the network.


def _compare(export: Export, recording: Recording, problems: Problems, on: str = "") -> None:
    """Compare every layer in the network, and the output.

    Args:
        export: the model and its graph.
        recording: a run of the model.
        problems: receives every disagreement.
        on: words for the input, unless it is the sample.
    """
    steps = export.template.steps
    forced = {export.names[n]: _sent(export, recording, n, d) for n, d in export.layers()}
    inputs = _graph_inputs(export, recording.sample)
    found = evaluate_all(export.graph, inputs, steps, export.dt, forced)
    for name, described in export.layers():
        node = export.names[name]
        given = _received(recording, name, described)
        currents = torch.stack(found.currents[node]) + _leak(export.graph.nodes[node])
        least = _least(export.run.recording.calls[name][0].current) if on else 0.0
        fits = currents.numel() == given.numel()
        if not fits or not _close(currents.reshape(given.shape), given, least):
            problems.add(
                f"neuron {name!r} receives something else in the model than in its graph{on};"
                f" {describe_reads(export.run.recording)}"
            )
        elif hasattr(export.graph.nodes[node], "v_threshold"):
            margin = torch.stack(found.reached[node])
            own, sent = torch.stack(found.spikes[node]), torch.stack(forced[node])
            threshold = torch.from_numpy(np.asarray(export.graph.nodes[node].v_threshold))
            if not _agree(own, sent, margin, threshold.to(margin)):
                problems.add(_differs(name, described))
    if not problems.found:
        _compare_output(export, recording, found, problems, on)


def _sent(
    export: Export, recording: Recording, name: str, described: SpikingLayer
) -> list[torch.Tensor]:
    """Return the spikes of a layer's calls as the graph's neurons send them, 0 or 1."""
    shape = tuple(export.graph.nodes[export.names[name]].output_type["output"])
    size = 1.0 if described.spike_size is None else torch.from_numpy(described.spike_size)
    return [
        (c.spikes.double() / size).reshape(-1, *(int(n) for n in shape))
        for c in recording.calls[name]
    ]


def _received(recording: Recording, name: str, described: SpikingLayer) -> torch.Tensor:
    """Return what a layer received at each step, recurrent input included."""
    calls = recording.calls[name]
    currents = [call.current for call in calls]
    if isinstance(described.module, snn.RLeaky | snn.RSynaptic):
        before = [torch.zeros_like(calls[0].spikes), *(call.spikes for call in calls[:-1])]
        with torch.no_grad():
            currents = [
                current + described.module.recurrent(spikes.to(current))
                for current, spikes in zip(currents, before, strict=True)
            ]
    return torch.stack(currents).double()


def _leak(node: nir.NIRNode) -> torch.Tensor | float:
    """Return the constant current that a node's leak to ``v_leak`` amounts to."""
    if not np.any(getattr(node, "v_leak", 0.0)) or hasattr(node, "tau_syn"):
        return 0.0
    return torch.from_numpy(np.asarray(node.v_leak) / np.asarray(node.r))


def _graph_inputs(export: Export, sample: torch.Tensor) -> torch.Tensor:
    """Return a sample as the graph takes it."""
    shape = tuple(int(n) for n in next(iter(export.graph.inputs.values())).output_type["output"])
    if export.time_axis is None:
        return sample.reshape(sample.shape[0], *shape)
    frames = sample.movedim(export.time_axis, 0)
    return frames.reshape(*frames.shape[:2], *shape)


def _compare_output(
    export: Export, recording: Recording, found: Evaluation, problems: Problems, on: str
) -> None:
    outputs = torch.stack(found.outputs)
    readout = export.template.readout
    read = {
        "steps": outputs,
        "mean": outputs.mean(0),
        "sum": outputs.sum(0),
        "last": outputs[-1],
    }[readout]
    given = next(tensors(recording.output)).double()
    least = _least(next(tensors(export.run.recording.output))) if on else 0.0
    if read.numel() != given.numel() or not _close(read.reshape(given.shape), given, least):
        problems.add(
            f"the model does not compute what its graph computes with mean τ{on}: its output of"
            f" shape {tuple(given.shape)} is not the last layer's output as read over time"
            f" ({readout}). Look for arithmetic in forward, or for a membrane that is not reset at"
            " the start" + _read_at(export)
        )


def _least(values: torch.Tensor) -> float:
    """Return a size that matters beside a sample's values; below it, there may be rounding only."""
    return 0.01 * float(values.abs().max())


def _close(found: torch.Tensor, given: torch.Tensor, least: float = 0.0) -> bool:
    scale = max(float(given.abs().max()), float(found.abs().max()), least, 1e-12)
    return bool(((found - given).abs() <= TOLERANCE * scale).all())


def _agree(
    own: torch.Tensor, sent: torch.Tensor, reached: torch.Tensor, threshold: torch.Tensor
) -> bool:
    """Return whether spikes agree where membranes are not within rounding of the threshold."""
    finite = torch.where(threshold.isfinite(), threshold, torch.zeros_like(threshold))
    scale = max(float(reached.abs().max()), float(finite.abs().max()), 1e-12)
    return bool(((own == sent) | ((reached - threshold).abs() <= AT_THRESHOLD * scale)).all())


# Neurons alone.


def _compare_neurons(
    export: Export, name: str, described: SpikingLayer, problems: Problems
) -> None:
    """Drive a layer's module and its node with the same currents, and compare their spikes."""
    node = export.graph.nodes[export.names[name]]
    if not hasattr(node, "v_threshold"):
        return
    shape = export.run.layers[name].shape
    currents = _probe_currents(described, shape)
    try:
        spikes = _drive(described.module, currents)
    except Exception:
        return  # the module cannot run alone; the comparison in the network remains
    state = NeuronState(node, export.dt)
    state.leak = torch.zeros(())  # it stands for a constant current, which is not given here
    own, reached = [], []
    for step, current in enumerate(currents):
        if isinstance(described.module, snn.RLeaky | snn.RSynaptic):
            before = spikes[step - 1] if step else torch.zeros_like(spikes[0])
            with torch.no_grad():
                current = current + described.module.recurrent(before.to(current))
        size = 1.0 if described.spike_size is None else torch.from_numpy(described.spike_size)
        spikes[step] = sent = (spikes[step].double() / size).cpu()
        flat = tuple(int(n) for n in node.output_type["output"])
        own.append(state.step(current.double().cpu().reshape(-1, *flat), sent.reshape(-1, *flat)))
        reached.append(state.reached)
    sent_all = torch.stack(list(spikes)).reshape(torch.stack(own).shape)
    if not _agree(torch.stack(own), sent_all, torch.stack(reached), state.threshold):
        problems.add(_differs(name, described))


def _probe_currents(described: SpikingLayer, shape: tuple[int, ...]) -> list[torch.Tensor]:
    """Return currents (3, *shape) for 20 steps that bring membranes around the threshold."""

    def number(values: np.ndarray | None, default: float) -> float:
        finite = np.asarray(default if values is None else values, np.float64)
        finite = finite[np.isfinite(finite)]
        return float(finite.mean()) if finite.size else default

    threshold = number(described.threshold, 1.0)
    largest = (abs(threshold) or 1.0) * (2 - number(described.decay, 0.0)) * 0.95
    largest *= max(1 - number(described.current_decay, 0.0), 0.05)
    largest /= max(abs(number(described.gain, 1.0)), 1e-6)
    like = torch.as_tensor(described.module.threshold)
    dtype = like.dtype if like.is_floating_point() else torch.float32
    generator = torch.Generator().manual_seed(0)
    sizes = torch.tensor([0.5, 0.8, 1.0]).reshape(3, *(1,) * len(shape))
    return [
        ((torch.rand(3, *shape, generator=generator) * 1.2 - 0.2) * sizes * largest).to(
            like.device, dtype
        )
        for _ in range(20)
    ]


def _drive(module: Any, currents: list[torch.Tensor]) -> list[torch.Tensor]:
    """Run a layer's module alone, from reset states; return its spikes."""
    reset_states(module)
    spikes: list[torch.Tensor] = []
    states: tuple[torch.Tensor, ...] = ()
    with torch.no_grad():
        for current in currents:
            output = module(current, *states)
            results = tuple(tensors(output))
            spikes.append(results[0].clone())
            if not module.init_hidden:
                recurrent = isinstance(module, snn.RLeaky | snn.RSynaptic)
                states = results if recurrent else results[1:]
    reset_states(module)
    return spikes


def _differs(name: str, described: SpikingLayer) -> str:
    module = described.module
    kinds: list[Any] = [k for k in type(module).__mro__ if k.__module__.startswith("snntorch")]
    if type(module).forward is not kinds[0].forward and not hasattr(module, "sampling"):
        return (
            f"neuron {name!r}: {type(module).__name__} does not compute what its base class"
            f" snn.{kinds[0].__name__} computes; use snn.{kinds[0].__name__} itself{RETRAIN}"
        )
    if described.reset == "subtract" and not described.delayed:
        return (
            f"neuron {name!r}: with reset_delay=False snnTorch skips a spike if the membrane stays"
            " above the threshold after a reset, as it does on this input; use reset_delay=True, or"
            f" smaller weights{RETRAIN}"
        )
    return (
        f"neuron {name!r} does not compute what its graph computes with mean τ: other spikes for"
        " the same input. Its surrogate must give 1 above the threshold and 0 below, and nothing"
        f" may change its state from outside{RETRAIN}"
    )
