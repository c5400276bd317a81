"""The random-τ neuron's step in the chip's integers, inside a torch network.

Forward values are the chip's, divided by the layer's scale into the model's units; gradients are
those of the real-valued step with the same decays (straight-through).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch

from stochi.deploy.program import Decay, Generator
from stochi.hardware.decays import draw_decays, look_up
from stochi.hardware.fixed_point import ALIGN_SHIFT, DECAY_UNITY, shift
from stochi.hardware.neuron import NeuronState, fire, integrate
from stochi.hardware.noise import (
    DECAY_STREAM,
    HIGH_STREAM,
    LOW_STREAM,
    draw_generator,
    registers_at,
)
from stochi.hardware.quantization import QuantizedLayer, to_integers
from stochi.train.compiled_step import compiled_step


@dataclass
class Draws:
    """Which draws a run uses: see ``stochi.hardware.noise``. One object for a whole model.

    Attributes:
        first_sample: the number of the batch's first row.
        source: the Program's random source.
    """

    seed: int = 0
    trial: int = 0
    first_sample: int = 0
    source: str = "philox"


class LearnedDecays(NamedTuple):
    """A layer's decays as differentiable functions of what is learned.

    Attributes:
        levels: (n,) λ of each decay in the table, or (1,) of the only one.
        mean: E[λ], scalar, of a stock neuron, whose weights hold the gain 1 − E[λ]; else None.
    """

    levels: torch.Tensor
    mean: torch.Tensor | None


@dataclass(frozen=True)
class StepNumbers:
    """A layer's numbers as its neurons need them at every step.

    Attributes:
        quantized: the layer's numbers on the chip.
        bias: as it broadcasts over the neurons, int64.
        each_bias, each_threshold, keep: for the compiled step, int32: (n,), (n,), and the decays or
            the table of 256 that they are drawn from.
    """

    quantized: QuantizedLayer
    bias: torch.Tensor
    each_bias: np.ndarray
    each_threshold: np.ndarray
    keep: np.ndarray

    @property
    def unit(self) -> float:
        """Integers of the membrane per unit of the model's."""
        return 2.0**ALIGN_SHIFT * self.quantized.scale

    @property
    def exponent(self) -> int:
        """Of the weights."""
        return self.quantized.synapses[0].exponent

    @property
    def per_sum(self) -> float:
        """Synaptic sums, before the weight exponent, per unit of the model's current."""
        return self.quantized.scale / 2.0**self.exponent

    @classmethod
    def of(cls, quantized: QuantizedLayer, decay: Decay, shape: Sequence[int]) -> "StepNumbers":
        """From a layer's numbers and decays; ``shape``: of its neurons, channels first."""

        def of_each(values: torch.Tensor) -> np.ndarray:
            return values.expand(tuple(shape)).reshape(-1).int().cpu().numpy()

        bias = quantized.bias.reshape((-1,) + (1,) * (len(shape) - 1))
        keep = look_up(decay.values, np.arange(256)) if decay.drawn else decay.values.ravel()
        return cls(
            quantized,
            bias,
            of_each(bias),
            of_each(quantized.threshold_mantissa),
            np.asarray(keep, np.int32),
        )


@dataclass
class HardwareStep:
    """How one layer's neurons step on the chip.

    Attributes:
        layer: the layer's number in the Program, a coordinate of its draws.
        decay: which neuron it is, and its decays, as in the Program.
        draws: shared by all layers of the model.
        generator, threshold_factor: of fitted additive noise, as in the Program.
        step_numbers: the layer's, set by the synapses that run before the neuron.
    """

    layer: int
    decay: Decay
    draws: Draws
    generator: Generator | None = None
    threshold_factor: float = 1.0
    step_numbers: StepNumbers | None = field(default=None, repr=False)

    def __call__(
        self,
        current: torch.Tensor,
        membrane: torch.Tensor,
        step: int,
        threshold: torch.Tensor,
        spike: Callable[[torch.Tensor], torch.Tensor],
        learned: LearnedDecays | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(batch, …) current and membrane in model units → spikes, membrane.

        Floats of 32 bits hold them: a rounding error is less than half of a 24-bit integer's unit,
        so that the integer is found again. Gradients also reach the decays that are ``learned``.
        """
        levels, mean = (None, None) if learned is None else learned
        return _Step.apply(current, membrane, threshold, levels, mean, self, step, spike)

    def advance(
        self, current: torch.Tensor, membrane: torch.Tensor, step: int
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Spikes, membrane, the membrane before any reset in real numbers, and the share of it that
        was kept; all (batch, …)."""
        numbers = self.step_numbers
        if numbers is None:
            raise RuntimeError("a hardware-aware neuron ran before the synapses that feed it")
        shape = current.shape[1:]
        if shape.numel() != len(numbers.each_bias):  # maps of another size than it was lowered for
            numbers = StepNumbers.of(numbers.quantized, self.decay, shape)
        if current.device.type == "cpu":
            return self._in_one_pass(current, membrane, step, numbers)
        bias, unit = numbers.bias, numbers.unit
        # The synapses pass currents with their bias, as in torch; the chip adds it later.
        sums = to_integers(current - bias / unit, numbers.per_sum)
        keep, noise = self._keep(current, step), self._noise(current, step)
        state = integrate(
            NeuronState(to_integers(membrane, unit), 0, 0),
            shift(sums, numbers.exponent),
            keep,
            0,
            bias + noise,
            self.decay.programmable,
        )
        fired, state = fire(
            state, numbers.quantized.threshold_mantissa, subtract=False, refractory=0
        )
        share = (keep / DECAY_UNITY).to(current.dtype)
        gain = 1 - share if self.decay.programmable else 1.0
        updated = share * membrane + gain * current + noise / unit
        after = (state.membrane.double() / unit).to(membrane.dtype)
        return fired.to(current.dtype), after, updated.to(current.dtype), share.expand_as(current)

    def _in_one_pass(
        self,
        current: torch.Tensor,
        membrane: torch.Tensor,
        step: int,
        numbers: StepNumbers,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        decay, generator = self.decay, self.generator
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
            (decay.drawn, decay.programmable),
            (
                self.draws.seed,
                self.draws.trial,
                self.draws.first_sample,
                self.layer,
                step,
                step if decay.redraw else 0,
            ),
            (False, 0, 7) if generator is None else (True, generator.mantissa, generator.exponent),
            self._registers(given, step),
            *(values.numpy() for values in found),
        )
        spikes, after, updated, share = (values.view(current.shape) for values in found)
        return spikes, after, updated, share

    def _registers(self, like: torch.Tensor, step: int) -> np.ndarray:
        """Each row's shift registers at a step, stream after stream; none with another source."""
        if self.draws.source != "lfsr":
            return np.zeros(0, np.int64)
        samples = np.arange(len(like)) + self.draws.first_sample
        steps = {stream: step for stream in (DECAY_STREAM, HIGH_STREAM, LOW_STREAM)}
        if not self.decay.redraw:
            steps[DECAY_STREAM] = 0
        found = [
            registers_at(
                samples,
                like[0].numel(),
                seed=self.draws.seed,
                trial=self.draws.trial,
                layer=self.layer,
                step=at,
                stream=stream,
            )
            for stream, at in steps.items()
        ]
        return np.stack(found, 1).ravel()

    def _keep(self, like: torch.Tensor, step: int) -> torch.Tensor:
        values = torch.from_numpy(self.decay.values).to(like.device)
        if not self.decay.drawn:
            return values
        where = self._coordinates(like, step)
        return draw_decays(values, redraw=self.decay.redraw, **where).view(like.shape)

    def _noise(self, like: torch.Tensor, step: int) -> torch.Tensor:
        generator = self.generator
        if generator is None:
            return torch.zeros((), dtype=torch.int64, device=like.device)
        return draw_generator(
            mantissa=generator.mantissa,
            exponent=generator.exponent,
            **self._coordinates(like, step),
        ).view(like.shape)

    def _coordinates(self, like: torch.Tensor, step: int) -> dict[str, Any]:
        """Of the draws of every (sample, neuron) in a step."""
        return {
            "samples": torch.arange(like.shape[0], device=like.device) + self.draws.first_sample,
            "neurons": torch.arange(like[0].numel(), device=like.device),
            "seed": self.draws.seed,
            "trial": self.draws.trial,
            "layer": self.layer,
            "step": step,
            "source": self.draws.source,
        }


class _Step(torch.autograd.Function):
    """The chip's values forward; backward the gradients of the real-valued step with the same draws
    (straight-through), the spike's being that of snnTorch's surrogate."""

    @staticmethod
    def forward(  # type: ignore[no-untyped-def]
        ctx, current, membrane, threshold, levels, mean, neurons: HardwareStep, step: int, spike
    ) -> tuple[torch.Tensor, torch.Tensor]:
        spikes, after, updated, share = neurons.advance(current, membrane, step)
        if any(ctx.needs_input_grad):
            distance = updated - neurons.threshold_factor * threshold.detach()
            learned = () if levels is None else (current, membrane, levels, mean)
            ctx.save_for_backward(spikes, share, _slope(spike, distance), threshold, *learned)
            ctx.programmable, ctx.factor = neurons.decay.programmable, neurons.threshold_factor
        ctx.set_materialize_grads(False)
        return spikes, after

    @staticmethod
    def backward(ctx, of_spikes, of_membrane):  # type: ignore[no-untyped-def]
        spikes, share, slope, threshold, *learned = ctx.saved_tensors
        through_spikes = torch.zeros_like(slope) if of_spikes is None else of_spikes * slope
        of_updated = through_spikes
        if of_membrane is not None:
            of_updated = torch.addcmul(through_spikes + of_membrane, of_membrane, spikes, value=-1)
        of_threshold = None
        if ctx.needs_input_grad[2]:
            of_threshold = (-ctx.factor * through_spikes).sum_to_size(threshold.shape)
        before = share * of_updated
        # A stock neuron's gain is in its weights already.
        of_current = of_updated - before if ctx.programmable else of_updated
        of_decays = (None, None)
        if learned:
            of_decays = _of_decays(of_updated, share, *learned)
        return of_current, before, of_threshold, *of_decays, None, None, None


def _of_decays(
    of_updated: torch.Tensor,
    share: torch.Tensor,
    current: torch.Tensor,
    membrane: torch.Tensor,
    levels: torch.Tensor,
    mean: torch.Tensor | None,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Gradients of a step with regard to the levels of λ and, for a stock neuron, E[λ].

    A programmable neuron does ``λ·u + (1 − λ)·current``; a stock one ``λ·u + current``, in which
    ``current = (1 − E[λ])·x`` comes from its weights. Levels that are equal on the chip are equally
    likely, so they share the gradient of the places that drew them.
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
    """The surrogate's derivative where the membrane is so far from the threshold."""
    with torch.enable_grad():
        leaf = distance.requires_grad_(True)
        (slope,) = torch.autograd.grad(spike(leaf), leaf, torch.ones_like(distance))
    return slope
