"""The random-τ neuron's step in the chip's integers, inside a torch network.

Forward values are the chip's, divided by the layer's scale into the model's units; gradients are
those of the real-valued step with the same decays (straight-through).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from stochi.deploy.program import Decay, Generator
from stochi.hardware.decays import draw_decays
from stochi.hardware.fixed_point import ALIGN_SHIFT, DECAY_UNITY, shift
from stochi.hardware.neuron import NeuronState, fire, integrate
from stochi.hardware.noise import draw_generator
from stochi.hardware.quantization import QuantizedLayer, to_integers


@dataclass
class Draws:
    """Which draws a run uses: see ``stochi.hardware.noise``. One object for a whole model.

    ``samples`` starts at ``first_sample`` for the first row of the batch.
    """

    seed: int = 0
    trial: int = 0
    first_sample: int = 0


@dataclass
class HardwareStep:
    """How one layer's neurons step on the chip.

    Attributes:
        layer: the layer's number in the Program, a coordinate of its draws.
        decay: which neuron it is, and its decays, as in the Program.
        draws: shared by all layers of the model.
        generator, threshold_factor: of fitted additive noise, as in the Program.
        quantized: the layer's numbers, set by the synapses that run before the neuron.
    """

    layer: int
    decay: Decay
    draws: Draws
    generator: Generator | None = None
    threshold_factor: float = 1.0
    quantized: QuantizedLayer | None = field(default=None, repr=False)

    def __call__(
        self,
        current: torch.Tensor,
        membrane: torch.Tensor,
        step: int,
        threshold: torch.Tensor,
        spike: Callable[[torch.Tensor], torch.Tensor],
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """(batch, …) current and membrane in model units → spikes, membrane (float64).

        The membrane is float64 so that its 24-bit integer survives the division by the scale.
        """
        quantized = self.quantized
        if quantized is None:
            raise RuntimeError("a hardware-aware neuron ran before the synapses that feed it")
        unit = 2.0**ALIGN_SHIFT * quantized.scale
        exponent = quantized.synapses[0].exponent
        bias = quantized.bias.view((1, -1) + (1,) * (current.dim() - 2))
        # The synapses pass currents with their bias, as in torch; the chip adds it later.
        sums = to_integers(current - bias / unit, quantized.scale / 2.0**exponent)
        keep = self._keep(current, step)
        # These neurons have no synaptic memory, so noise on the current is noise on the membrane.
        noise = self._noise(current, step)
        neurons = integrate(
            NeuronState(to_integers(membrane, unit), 0, 0),
            shift(sums, exponent),
            keep,
            0,
            bias + noise,
            self.decay.programmable,
        )
        fired, neurons = fire(neurons, quantized.threshold_mantissa, subtract=False, refractory=0)
        state = neurons.membrane
        spikes = fired.to(torch.get_default_dtype())
        new_membrane = state.double() / unit
        if not torch.is_grad_enabled():
            return spikes, new_membrane
        kept_share = keep / DECAY_UNITY
        # A stock neuron's gain is in its weights already.
        gain = 1 - kept_share if self.decay.programmable else 1.0
        updated = kept_share * membrane + gain * current + noise / unit
        smooth = spike((updated - self.threshold_factor * threshold).to(spikes.dtype))
        kept = updated * ~fired
        return straight_through(spikes, smooth), straight_through(new_membrane, kept)

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
        }


class _StraightThrough(torch.autograd.Function):
    @staticmethod
    def forward(ctx, value: torch.Tensor, smooth: torch.Tensor) -> torch.Tensor:  # type: ignore[no-untyped-def]
        return value.view_as(value)

    @staticmethod
    def backward(ctx, gradient: torch.Tensor):  # type: ignore[no-untyped-def]
        return None, gradient


def straight_through(value: torch.Tensor, smooth: torch.Tensor) -> torch.Tensor:
    """Exactly the first in the forward pass, the second's gradient in the backward pass."""
    return _StraightThrough.apply(value, smooth)
