"""The bound that quantization states on one time step, and how far the float module is from it.

Spikes that differ once change all that follows, so the float module and the chip are compared step
by step: in every time step the float layer starts from the chip's state, divided by its unit, and
receives what the chip's layers sent. docs/arithmetic.md has the formula. The bound of every neuron,
sample and step comes from the roundings of the Program's numbers and from what arrives, never from
a difference that was observed.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch

from stochi.deploy.graph.layers import RealLayer, cut_into_layers
from stochi.deploy.graph.wiring import WiredLayer
from stochi.export.model.model import GraphModel
from stochi.export.model.running import RealRunningLayer, group_paths
from stochi.hardware.delays import delayed
from stochi.hardware.draws import Draws
from stochi.hardware.fixed_point import STATE_MAX
from stochi.hardware.neuron import NeuronState
from stochi.program.layers import INPUT
from stochi.program.program import Program
from stochi.sim.engine.layer_step import LayerState
from stochi.sim.engine.torch_engine import run_torch
from stochi.sim.inputs import check_inputs, to_frames
from stochi.train.twin.path import TwinPath
from tests.parity.neuron_bound import NeuronStep, drawn_decays
from tests.parity.roundings import EXACT, assert_rounded, find_roundings

Sent = Mapping[str, Mapping[int, torch.Tensor]]
"""Source → time step → the values that it sent, (batch, *shape)."""


@dataclass(frozen=True)
class StepComparison:
    """A layer in one time step, on the chip and in real numbers.

    Attributes:
        layer, step: the layer's name, and the time step.
        distances, bounds: of the membranes that are compared, (n,), in units of the membrane.
        broken: number of neurons that break the bound, by what is compared; empty if none does.
        neurons, uncertain: number of neurons that may spike, and of those whose membrane is so
            close to the threshold that the bound allows both.
        left_out: number of membranes that are not compared, because the bound allowed both and the
            spikes differ, or because the chip saturated before it subtracted a threshold.
    """

    layer: str
    step: int
    distances: torch.Tensor
    bounds: torch.Tensor
    broken: dict[str, int]
    neurons: int = 0
    uncertain: int = 0
    left_out: int = 0


@dataclass(frozen=True)
class Tightness:
    """How much a bound leaves open in a run.

    Attributes:
        membranes, left_out: number of membranes, and of those that were not compared.
        spikes, uncertain: number of neurons that may spike in all time steps, and of those whose
            membrane is so close to the threshold that the bound allows both.
        share: the mean distance of the chip's membranes as a share of their bounds.
        largest_share: the largest such share.
    """

    membranes: int
    left_out: int
    spikes: int
    uncertain: int
    share: float
    largest_share: float


class OneStepBound:
    """The bound on a Program's steps.

    Args:
        program: the Program; it draws decays where its graph does.
        model: the graph that it was lowered from, as a float64 module.
    """

    def __init__(self, program: Program, model: GraphModel) -> None:
        network = cut_into_layers(model.graph, model.reading.dt)
        self.program, self.shapes, self.real = program, model.shapes, network.layers
        self.layers = [
            _Layer(index, wired, real, model, program)
            for index, (wired, real) in enumerate(
                zip(model.wiring.layers, network.layers, strict=True)
            )
        ]

    def assert_rounded(self, program: Program) -> None:
        """Assert that a Program's numbers are the graph's, rounded as the documentation says."""
        for real, layer in zip(self.real, program.layers, strict=True):
            assert_rounded(real, layer, program.target)

    def compare(
        self, inputs: torch.Tensor, draws: Draws, ran: Program | None = None
    ) -> Iterator[StepComparison]:
        """Yield the comparison of every layer in every time step.

        Args:
            inputs: as for ``stochi.sim.run``.
            draws: draws of the batch.
            ran: the Program that runs, if it is another than the one whose bound this is.
        """
        program = self.program if ran is None else ran
        given = check_inputs(program, inputs)
        frames = to_frames(program, given)
        exact: dict[str, dict[int, torch.Tensor]] = {name: {} for name in self.shapes}
        rounded: dict[str, dict[int, torch.Tensor]] = {name: {} for name in self.shapes}
        before: Mapping[str, LayerState] = {}
        for now, states in enumerate(run_torch(program, frames, draws)):
            place = now if len(frames) > 1 else 0
            exact[INPUT][now] = given[place].double()
            rounded[INPUT][now] = frames[place].double() / program.target.input_levels
            for name, state in states.items():
                exact[name][now] = rounded[name][now] = state.spikes.double()
            for layer in self.layers:
                after = states[layer.name]
                start = before.get(layer.name) or _at_rest(after)
                arriving = layer.arriving(exact, rounded, now)
                yield layer.compare(arriving, start, after, draws, now)
            before = states


def assert_within_bound(
    program: Program, model: GraphModel, inputs: torch.Tensor, draws: Draws
) -> Tightness:
    """Assert that a Program's numbers and all its steps are within what quantization states.

    Args:
        program, model: as for :class:`OneStepBound`.
        inputs, draws: as for the engine.
    """
    bound = OneStepBound(program, model)
    bound.assert_rounded(program)
    with torch.no_grad():
        steps = list(bound.compare(inputs, draws))
    broken = [(found.layer, found.step, found.broken) for found in steps if found.broken]
    assert not broken, broken
    shares = torch.cat([found.distances / found.bounds.clamp(min=EXACT) for found in steps])
    left_out = sum(found.left_out for found in steps)
    return Tightness(
        membranes=shares.numel() + left_out,
        left_out=left_out,
        spikes=sum(found.neurons for found in steps),
        uncertain=sum(found.uncertain for found in steps),
        share=float(shares.mean()),
        largest_share=float(shares.max()),
    )


class _Layer:
    """A layer in real numbers, with the roundings of its Program's layer."""

    def __init__(
        self, index: int, wired: WiredLayer, real: RealLayer, model: GraphModel, program: Program
    ) -> None:
        self.index, self.name, self.shapes = index, real.name, model.shapes
        self.numbers, self.unit = program.layers[index], program.layers[index].membrane_unit
        self.roundings = find_roundings(real, self.numbers, program.target)
        groups = tuple(group for path in wired.paths for group in group_paths((path,)))
        self.running = RealRunningLayer(groups, model.nodes, model.neurons().get(wired.name))
        self.paths = [
            TwinPath(projection, path, model, program.target.input_levels)
            for projection, path in zip(real.projections, wired.paths, strict=True)
        ]

    def arriving(self, exact: Sent, rounded: Sent, now: int) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the layer's real input, and how far the chip's may be from it.

        Args:
            exact, rounded: what was sent, before the input was rounded and after.
            now: the time step.

        Returns:
            The input in the model's units, and the bound of its distance in units of the membrane,
            without the chip's own bias.
        """
        roundings, batch = self.roundings, len(exact[INPUT][now])
        currents, bound = [], roundings.constant + roundings.dropped
        for number, group in enumerate(self.running.groups):
            ((source, delay),), path = group.sources, self.paths[number]
            resting = torch.zeros(batch, *self.shapes[source], dtype=torch.float64)
            values = delayed(exact[source], now, delay, resting)
            on_chip = delayed(rounded[source], now, delay, resting)
            currents.append(self.running.through(number, values))
            errors = path.in_real_numbers(on_chip, roundings.weight_errors[number])
            weights = roundings.weights[number]
            errors = errors + path.in_real_numbers((on_chip - values).abs(), weights)
            bound = bound + errors * self.unit
        return self.running.join(currents), bound

    def compare(
        self,
        arriving: tuple[torch.Tensor, torch.Tensor],
        before: LayerState,
        after: LayerState,
        draws: Draws,
        now: int,
    ) -> StepComparison:
        """Compare the chip's time step with the same step in real numbers.

        Args:
            arriving: from :meth:`arriving`.
            before, after: the chip's states.
            draws: draws of the batch.
            now: the time step.
        """
        given, bound = arriving
        neuron = self.running.neuron
        if neuron is None:
            distances = (after.membrane - before.membrane - given * self.unit).abs()
            bounds = (bound + self.roundings.bias).expand_as(distances)
            broken = _counts(membrane=distances > bounds + EXACT)
            return StepComparison(self.name, now, distances.flatten(), bounds.flatten(), broken)
        samples = draws.samples(len(given))
        decays = drawn_decays(self.numbers, self.roundings, samples, draws.at(self.index, now))
        real = NeuronStep(self.numbers, self.roundings, neuron, before, given, bound, decays)
        return self._compare_neurons(real, after, now)

    def _compare_neurons(self, real: NeuronStep, after: LayerState, now: int) -> StepComparison:
        bound, threshold = real.reached_bound, self.roundings.threshold
        agree = (after.spikes == real.spikes) & ~real.doubtful
        uncertain = torch.zeros_like(agree)
        broken = {}
        if real.level is not None:
            gap = (real.reached - real.level).abs()
            uncertain = (gap <= bound + threshold + EXACT) & ~real.waiting
            earlier = (real.before.membrane - real.level).abs()
            broken["spikes"] = (after.spikes != real.spikes) & ~uncertain & ~real.doubtful
            broken["spikes before"] = real.doubtful & (earlier > threshold + EXACT)
        saturated = real.reached.abs() + bound > STATE_MAX
        compared = agree & ~(saturated & real.spikes & real.subtracts_at_once)
        distances = (after.membrane - real.membrane).abs()
        bounds = real.membrane_bound.expand_as(distances)
        broken["membrane"] = compared & (distances > bounds + EXACT)
        if real.current is not None:
            apart = (after.neurons.current - real.current).abs()
            broken["current"] = agree & (apart > real.current_bound + EXACT)
        if real.waits is not None:
            broken["refractory period"] = agree & (after.neurons.waiting != real.waits)
        return StepComparison(
            self.name,
            now,
            distances[compared],
            bounds[compared],
            _counts(**broken),
            real.spikes.numel() if real.level is not None else 0,
            int(uncertain.sum()),
            int((~compared).sum()),
        )


def _at_rest(like: LayerState) -> LayerState:
    zeros = [torch.zeros_like(torch.as_tensor(part)) for part in like.neurons]
    return LayerState(torch.zeros_like(like.spikes), NeuronState(*zeros))


def _counts(**broken: torch.Tensor) -> dict[str, int]:
    """Return how many neurons break the bound, by what is compared, where any does."""
    return {what: int(places.sum()) for what, places in broken.items() if bool(places.any())}
