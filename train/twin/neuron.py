"""The random-τ neuron's step in the chip's integers, inside a torch network.

Forward values are the chip's, divided by the layer's scale to give the model's units. Gradients are
those of the real-valued step with the same decays (straight-through).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch

from stochi.export.model.neuron import Dynamics, GraphNeuron, State
from stochi.export.model.neuron import step as real_step
from stochi.hardware.broadcasting import over_neurons
from stochi.hardware.decays import draw_decays, look_up
from stochi.hardware.draws import Draws
from stochi.hardware.fixed_point import ALIGN_SHIFT, DECAY_UNITY, shift
from stochi.hardware.neuron import (
    SUBTRACT,
    TO_ZERO,
    NeuronKind,
    NeuronParameters,
    NeuronState,
    fire,
    integrate,
)
from stochi.hardware.noise import (
    DECAY_STREAM,
    HIGH_STREAM,
    LOW_STREAM,
    draw_generator,
    registers_at,
)
from stochi.hardware.quantization import QuantizedLayer, to_integers
from stochi.program.layers import Decay, Generator
from stochi.train.twin.compiled_loop import compiled_step
from stochi.train.twin.exact_products import substitute


@dataclass
class DrawsNow:
    """The draws of a model's next passes; all layers of a model share one object."""

    draws: Draws


@dataclass(frozen=True)
class StepNumbers:
    """A layer's numbers in the form that its neurons need at every step.

    Attributes:
        quantized: the layer's integers on the chip.
        bias: int64, in a shape that broadcasts over the neurons.
        each_bias, each_threshold: (n,) int32, for the compiled step.
        keep: int32, for the compiled step: the decays, or the table of 256 to draw them from.
        current_keep: decays of the synaptic current, int64.
        exponent: exponent by which the step shifts the sums; 0 if they are shifted already.
    """

    quantized: QuantizedLayer
    bias: torch.Tensor
    each_bias: np.ndarray
    each_threshold: np.ndarray
    keep: np.ndarray
    current_keep: torch.Tensor
    exponent: int

    @property
    def per_sum(self) -> float:
        """Synaptic sums, before the step's shift, per unit of the model's current."""
        return self.quantized.scale / 2.0**self.exponent

    @property
    def unit(self) -> float:
        """Integers of the membrane per unit of the model's membrane."""
        return 2.0**ALIGN_SHIFT * self.quantized.scale

    def to(self, device: torch.device) -> "StepNumbers":
        """Return the numbers on a device; those of the compiled step stay on the CPU."""
        return replace(
            self,
            quantized=self.quantized.to(device),
            bias=self.bias.to(device),
            current_keep=self.current_keep.to(device),
        )

    @classmethod
    def of(
        cls,
        quantized: QuantizedLayer,
        decay: Decay,
        current_keep: np.ndarray | None,
        shape: tuple[int, ...],
        shifts: bool,
    ) -> "StepNumbers":
        """Collect the numbers of a layer.

        Args:
            quantized: the layer's integers on the chip.
            decay: the layer's decays, as in the Program.
            current_keep: decays of the synaptic current, as in the Program.
            shape: shape of the neurons, channels first.
            shifts: whether the step shifts the sums of the layer's only path.
        """

        def of_each(values: torch.Tensor) -> np.ndarray:
            if not values.numel():
                return np.zeros(0, np.int32)
            return values.expand(shape).reshape(-1).int().cpu().numpy()

        bias = over_neurons(quantized.bias, shape)
        keep = look_up(decay.values, np.arange(256)) if decay.drawn else decay.values.ravel()
        threshold = over_neurons(quantized.threshold_mantissa, shape)
        return cls(
            quantized,
            bias,
            of_each(bias),
            of_each(threshold),
            np.asarray(keep, np.int32),
            torch.from_numpy(np.zeros(()) if current_keep is None else current_keep).long(),
            quantized.projections[0].exponent if shifts else 0,
        )


@dataclass
class TwinStep:
    """The step of one layer's neurons on the chip.

    Attributes:
        layer: the layer's number in the Program, a coordinate of its draws.
        decay: the neurons' decays, as in the Program.
        kind: what the neurons do, as in the Program.
        now: the draws, shared by all layers of the model.
        generator, threshold_factor: fitted additive noise, as in the Program.
    """

    layer: int
    decay: Decay
    kind: NeuronKind
    now: DrawsNow
    generator: Generator | None = None
    threshold_factor: float = 1.0

    def advance(
        self,
        current: torch.Tensor,
        state: State,
        step: int,
        neuron: GraphNeuron,
        numbers: StepNumbers,
    ) -> tuple[torch.Tensor, State]:
        """Return spikes and the state after a time step, in the model's units.

        32-bit floats are precise enough: their rounding error is less than half the unit of a
        24-bit integer, so rounding restores the integer. Gradients also reach decays that are
        learned.

        Args:
            current: (batch, *shape), with the bias.
            neuron: the neurons in real numbers, whose parameters learn.
        """
        if state.current is None and state.waiting is None and neuron.threshold is not None:
            learns = neuron.learns_decays
            levels, mean = neuron.learned_decays(self.decay) if learns else (None, None)
            others = _WithoutGradient(self, numbers, step, neuron.spike_grad)
            spikes, membrane, updated = _Step.apply(
                current, state.membrane, neuron.threshold, levels, mean, others
            )
            see = getattr(neuron.spike_grad, "see", None)
            if see is not None:  # someone watches the distances from the thresholds
                see(updated - self.threshold_factor * neuron.threshold)
            return spikes, State(membrane)
        return self._any_step(current, state, step, neuron, numbers)

    def plain_step(
        self, current: torch.Tensor, membrane: torch.Tensor, step: int, numbers: StepNumbers
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Compute one step of neurons without synaptic memory or refractory period.

        Returns:
            Spikes, the membrane, the membrane before a reset of this step in real numbers, and the
            decay in [0, 1] that was applied, all (batch, …).
        """
        if current.device.type == "cpu":
            return self._in_one_pass(current, membrane, step, numbers)
        bias, unit = numbers.bias, numbers.unit
        threshold = numbers.quantized.threshold_mantissa
        keep, noise = self.draw_keep(current, step), self.draw_noise(current, step)
        before = NeuronState(to_integers(membrane, unit), 0, 0)
        # Weight layers add the bias to their currents, as in torch; the chip adds it later.
        sums = to_integers(current - bias / unit, numbers.per_sum)
        given = shift(sums, numbers.exponent)
        state = integrate(
            before, given, NeuronParameters(keep, 0, bias + noise, threshold), self.kind
        )
        fired, state = fire(state, threshold, self.kind)
        share = (keep / DECAY_UNITY).to(current.dtype)
        gain = 1 - share if self.decay.programmable else 1.0
        start: torch.Tensor = membrane
        lost: torch.Tensor | float = 0.0
        if self.kind.reset_delay:
            level = threshold << ALIGN_SHIFT
            spiked = (before.membrane > level).to(membrane.dtype)
            if self.kind.reset == SUBTRACT:
                lost = spiked * (level / unit)
            else:
                start = membrane * (1 - spiked)
        updated = share * start + gain * current + noise / unit - lost
        after = (state.membrane.double() / unit).to(membrane.dtype)
        return fired.to(current.dtype), after, updated.to(current.dtype), share.expand_as(current)

    def kept(self, membrane: torch.Tensor, numbers: StepNumbers) -> torch.Tensor | None:
        """Return which membranes a delayed reset to zero leaves in a step; None for all."""
        if not self.kind.reset_delay or self.kind.reset != TO_ZERO:
            return None
        level = numbers.quantized.threshold_mantissa << ALIGN_SHIFT
        return to_integers(membrane, numbers.unit) <= level

    def _any_step(
        self,
        current: torch.Tensor,
        state: State,
        step: int,
        neuron: GraphNeuron,
        numbers: StepNumbers,
    ) -> tuple[torch.Tensor, State]:
        """Compute one step of any neurons: the chip's values, and the real step's gradients."""
        unit, kind, dtype = numbers.unit, self.kind, state.membrane.dtype
        keep, noise = self.draw_keep(current, step), self.draw_noise(current, step)
        threshold = numbers.quantized.threshold_mantissa
        memory = state.current is not None
        resting = numbers.bias / unit
        before = NeuronState(
            to_integers(state.membrane, unit),
            0 if state.current is None else to_integers(state.current, unit),
            0 if state.waiting is None else state.waiting.long(),
        )
        # The bias of neurons with synaptic memory arrives with their sums.
        given = to_integers(current if memory else current - resting, numbers.quantized.scale)
        on_membrane = self.generator is None or self.generator.target == "membrane"
        parameters = NeuronParameters(
            keep, numbers.current_keep, numbers.bias + noise * on_membrane, threshold
        )
        after = integrate(before, given, parameters, kind, noise * (not on_membrane))
        fired: torch.Tensor = torch.zeros_like(given)
        if neuron.threshold is not None:
            fired, after = fire(after, threshold, kind)
        share = (keep / DECAY_UNITY).to(dtype)
        real = Dynamics(
            share,
            1 - share if self.decay.programmable else 1.0,
            None if neuron.threshold is None else neuron.threshold * self.threshold_factor,
            (numbers.current_keep / DECAY_UNITY).to(dtype) if memory else None,
            resting.to(dtype) * (1 - share if self.decay.programmable else 1.0) if memory else None,
        )
        with_noise = current.to(dtype) + (noise / unit).to(dtype)
        spikes, smooth = real_step(state, with_noise, real, kind, neuron.spike_grad)
        found = State(
            substitute(smooth.membrane, (after.membrane.double() / unit).to(dtype)),
            None
            if smooth.current is None
            else substitute(smooth.current, (after.current.double() / unit).to(dtype)),
            None if smooth.waiting is None else after.waiting.to(dtype),
        )
        return substitute(spikes, fired.to(dtype)), found

    def _in_one_pass(
        self, current: torch.Tensor, membrane: torch.Tensor, step: int, numbers: StepNumbers
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Compute the results of :meth:`plain_step` with the compiled step, on the CPU."""
        decay, generator, draws, kind = self.decay, self.generator, self.now.draws, self.kind
        keep_step = step if decay.redraw else 0
        given, before = (t.detach().flatten(1).contiguous() for t in (current, membrane))
        found = tuple(torch.empty_like(given, dtype=torch.float32) for _ in range(4))
        compiled_step()(
            given.numpy(),
            before.numpy(),
            numbers.each_bias,
            numbers.each_threshold,
            numbers.unit,
            numbers.per_sum,
            numbers.exponent,
            numbers.keep,
            (kind.programmable, kind.reset, kind.reset_delay),
            decay.drawn,
            (draws.seed, draws.trial, draws.first_sample, self.layer, step, keep_step),
            (False, 0, 7) if generator is None else (True, generator.mantissa, generator.exponent),
            self._registers(given, step),
            *(values.numpy() for values in found),
        )
        spikes, after, updated, share = (values.view(current.shape) for values in found)
        return spikes, after, updated, share

    def _registers(self, like: torch.Tensor, step: int) -> np.ndarray:
        """Return each row's shift registers at a step, by stream; empty with another source."""
        draws = self.now.draws
        if draws.source != "lfsr":
            return np.zeros(0, np.int64)
        samples = draws.samples(len(like)).numpy()
        steps = {stream: step for stream in (DECAY_STREAM, HIGH_STREAM, LOW_STREAM)}
        if not self.decay.redraw:
            steps[DECAY_STREAM] = 0
        found = [
            registers_at(samples, like[0].numel(), draws.at(self.layer, at), stream)
            for stream, at in steps.items()
        ]
        return np.stack(found, 1).ravel()

    def draw_keep(self, like: torch.Tensor, step: int) -> torch.Tensor:
        """Return a step's 12-bit decays, drawn or fixed, in a shape that broadcasts to ``like``."""
        values = torch.from_numpy(self.decay.values).to(like.device)
        if not self.decay.drawn:
            return values
        samples, neurons = self._rows_and_neurons(like)
        drawn_at = self.now.draws.at(self.layer, step)
        drawn = draw_decays(values, samples, neurons, drawn_at, self.decay.redraw)
        return drawn.view(like.shape)

    def draw_noise(self, like: torch.Tensor, step: int) -> torch.Tensor:
        """Return the stock generator's noise of a step, int64, or 0 without a generator."""
        generator = self.generator
        if generator is None:
            return torch.zeros((), dtype=torch.int64, device=like.device)
        samples, neurons = self._rows_and_neurons(like)
        drawn_at = self.now.draws.at(self.layer, step)
        drawn = draw_generator(samples, neurons, drawn_at, generator.mantissa, generator.exponent)
        return drawn.view(like.shape)

    def _rows_and_neurons(self, like: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the number of every row's sample, and of every neuron."""
        neurons = torch.arange(like[0].numel(), device=like.device)
        return self.now.draws.samples(len(like), like.device), neurons


class _WithoutGradient(NamedTuple):
    """Inputs of a step that have no gradient."""

    neurons: TwinStep
    numbers: StepNumbers
    step: int
    spike: Callable[[torch.Tensor], torch.Tensor]


class _Step(torch.autograd.Function):
    """The chip's values forward, and straight-through gradients backward.

    The gradients are those of the real-valued step with the same draws; the spike's gradient is
    that of snnTorch's surrogate.
    """

    @staticmethod
    def forward(  # type: ignore[no-untyped-def]
        ctx, current, membrane, threshold, levels, mean, others: _WithoutGradient
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        neurons = others.neurons
        spikes, after, updated, share = neurons.plain_step(
            current, membrane, others.step, others.numbers
        )
        if any(ctx.needs_input_grad):
            distance = updated - neurons.threshold_factor * threshold.detach()
            learned = () if levels is None else (current, membrane, levels, mean)
            slope = _slope(others.spike, distance)
            ctx.save_for_backward(spikes, share, slope, threshold, *learned)
            ctx.programmable, ctx.factor = neurons.decay.programmable, neurons.threshold_factor
            ctx.kind = neurons.kind
            ctx.kept = neurons.kept(membrane, others.numbers)
        ctx.set_materialize_grads(False)
        return spikes, after, updated

    @staticmethod
    def backward(ctx, of_spikes, of_membrane, of_watched):  # type: ignore[no-untyped-def]
        spikes, share, slope, threshold, *learned = ctx.saved_tensors
        through_spikes = torch.zeros_like(slope) if of_spikes is None else of_spikes * slope
        of_updated = through_spikes
        kind = ctx.kind
        if of_membrane is not None:
            of_updated = through_spikes + of_membrane
            if kind.reset == TO_ZERO and not kind.reset_delay:
                of_updated = torch.addcmul(of_updated, of_membrane, spikes, value=-1)
        if of_watched is not None:
            of_updated = of_updated + of_watched
        of_threshold = None
        if ctx.needs_input_grad[2]:
            of_threshold = (-ctx.factor * through_spikes).sum_to_size(threshold.shape)
        scaled = share * of_updated
        before = scaled if ctx.kept is None else scaled * ctx.kept
        # The weights of a stock neuron already contain its gain.
        of_current = of_updated - scaled if ctx.programmable else of_updated
        of_decays = (None, None)
        if learned:
            of_decays = _of_decays(of_updated, share, *learned)
        return of_current, before, of_threshold, *of_decays, None


def _of_decays(
    of_updated: torch.Tensor,
    share: torch.Tensor,
    current: torch.Tensor,
    membrane: torch.Tensor,
    levels: torch.Tensor,
    mean: torch.Tensor | None,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Return a step's gradients with respect to the levels of λ and, for a stock neuron, to E[λ].

    A programmable neuron computes ``λ·u + (1 − λ)·current``. A stock neuron computes
    ``λ·u + current``, and its weights give ``current = (1 − E[λ])·x``. Levels that are equal on the
    chip are equally likely, so they share the gradient of the elements that drew them.
    """
    of_each = of_updated * (membrane if mean is not None else membrane - current)
    distinct, which, count = torch.unique(levels, return_inverse=True, return_counts=True)
    drawn = torch.searchsorted(distinct, share.flatten().to(levels.dtype))
    sums = torch.zeros(len(distinct), dtype=torch.float64, device=levels.device)
    sums.index_add_(0, drawn, of_each.flatten().double())
    of_levels = (sums / count)[which].to(levels.dtype)
    if mean is None:
        return of_levels, None
    of_mean = -(of_updated * current).double().sum() / (1 - mean.double())
    return of_levels, of_mean.to(mean.dtype)


def _slope(spike: Callable[[torch.Tensor], torch.Tensor], distance: torch.Tensor) -> torch.Tensor:
    """Return the surrogate's derivative at this distance of the membrane from the threshold."""
    with torch.enable_grad():
        leaf = distance.requires_grad_(True)
        (slope,) = torch.autograd.grad(spike(leaf), leaf, torch.ones_like(distance))
    return slope
