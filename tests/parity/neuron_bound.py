"""One time step of a layer's neurons in real numbers, and how far the chip's may be from it."""

from dataclasses import dataclass
from functools import cached_property
from unittest.mock import patch

import torch

from stochi.export.model.neuron import Dynamics, GraphNeuron, State, spiked, step
from stochi.hardware.decays import draw_decays
from stochi.hardware.draws import LayerDraws
from stochi.hardware.fixed_point import DECAY_UNITY, STATE_MAX
from stochi.hardware.neuron import NO_RESET, SUBTRACT, TO_ZERO, NeuronKind
from stochi.program.layers import Layer
from stochi.sim.engine.layer_step import LayerState
from tests.parity.roundings import Roundings


@dataclass(frozen=True)
class Decays:
    """λ of a time step, in real numbers and on the chip, each in a shape that broadcasts."""

    real: torch.Tensor
    chip: torch.Tensor


def drawn_decays(
    layer: Layer, roundings: Roundings, samples: torch.Tensor, draws: LayerDraws
) -> Decays:
    """Return λ of a time step: the chip's, and the real number that it stands for.

    Args:
        samples: (batch,) the samples' numbers.
        draws: draws of this step.
    """
    values = torch.from_numpy(layer.decay.values)
    if not layer.decay.drawn:
        return Decays(roundings.decays, values / DECAY_UNITY)
    drawn = [
        draw_decays(table, samples, torch.arange(layer.neurons), draws, layer.decay.redraw)
        for table in (roundings.decays, values)
    ]
    shape = (len(samples), *layer.shape)
    return Decays(drawn[0].view(shape), drawn[1].view(shape) / DECAY_UNITY)


@dataclass(frozen=True)
class NeuronStep:
    """A layer's neurons that take a step in real numbers, from the chip's state.

    Membranes and currents are in units of the chip's membrane, (batch, *shape) each, as is every
    bound: how far the chip may be from the real number after the step.

    Attributes:
        layer, roundings: the Program's layer, and the roundings of its numbers.
        neuron: the neurons in real numbers.
        before: the chip's state before the step.
        given: input of the neurons, in the model's units.
        input_bound: bound of the synaptic input.
        decays: λ of this step.
    """

    layer: Layer
    roundings: Roundings
    neuron: GraphNeuron
    before: LayerState
    given: torch.Tensor
    input_bound: torch.Tensor
    decays: Decays

    @cached_property
    def kind(self) -> NeuronKind:
        """What a spike does. A delayed reset to zero may be one at the spike on the chip."""
        kind = self.neuron.kind
        at_once = kind.reset == TO_ZERO and not self.layer.reset_delay
        return kind._replace(reset_delay=False) if at_once else kind

    @cached_property
    def subtracts_at_once(self) -> bool:
        """Whether a spike subtracts the threshold in its own time step."""
        return bool(self.kind.reset == SUBTRACT and not self.kind.reset_delay)

    @cached_property
    def level(self) -> torch.Tensor | None:
        """Thresholds in real numbers, or None."""
        threshold = self.neuron.threshold
        return None if threshold is None else threshold.detach() * self.layer.membrane_unit

    @cached_property
    def waiting(self) -> torch.Tensor:
        """Which neurons are in their refractory period."""
        return torch.as_tensor(self.before.neurons.waiting) > 0

    @cached_property
    def doubtful(self) -> torch.Tensor:
        """Which neurons spiked in the step before on the chip only, or in real numbers only.

        A delayed reset is decided again from the membrane, which may lie between both thresholds.
        """
        threshold = self.neuron.threshold
        if threshold is None or not self.kind.reset_delay:
            return torch.zeros_like(self.before.spikes)
        fired = spiked(self._state, threshold, self.kind) > 0
        return fired != self.before.spikes

    @cached_property
    def reached(self) -> torch.Tensor:
        """Membranes before a reset of this step; the chip's saturates at 24 bits."""
        kind = self.kind._replace(reset_current=False)
        kind = kind if kind.reset_delay else kind._replace(reset=NO_RESET)
        return self._step(kind)[1].membrane * self.layer.membrane_unit

    @cached_property
    def spikes(self) -> torch.Tensor:
        """Spikes, bool."""
        return self._after[0] > 0

    @cached_property
    def membrane(self) -> torch.Tensor:
        """Membranes after the step, clipped to 24 bits."""
        return (self._after[1].membrane * self.layer.membrane_unit).clamp(-STATE_MAX, STATE_MAX)

    @cached_property
    def current(self) -> torch.Tensor | None:
        """Synaptic currents after the step; None without synaptic memory."""
        current = self._after[1].current
        return None if current is None else current * self._current_unit

    @cached_property
    def waits(self) -> torch.Tensor | None:
        """Time steps left of the refractory period after the step; None without one."""
        return self._after[1].waiting

    @cached_property
    def current_bound(self) -> torch.Tensor:
        """Bound of the currents."""
        if self.roundings.current_decay is None:
            return self.input_bound
        kept = self.roundings.current_decay_error * self.before.neurons.current.abs()
        return self.input_bound + kept + 1

    @cached_property
    def reached_bound(self) -> torch.Tensor:
        """Bound of the membranes before a reset of this step."""
        roundings, dynamics, before = self.roundings, self._dynamics, self.before
        bound = self.current_bound + roundings.bias
        if self.layer.decay.programmable:
            current = self._step(self.kind._replace(reset_current=False))[1].current
            drive = self.given if current is None else current
            if self.neuron.rest is not None:
                drive = drive + self.neuron.rest
            chip_gain = 1 - self.decays.chip
            missing = (chip_gain - dynamics.gain).abs() * drive.abs() * self.layer.membrane_unit
            bound = chip_gain * bound + missing + 1
        start = before.membrane.abs()
        late = self.kind.reset_delay
        if late and self.kind.reset == TO_ZERO:
            start = start * ~before.spikes
        bound = bound + (self.decays.chip - self.decays.real).abs() * start + 1
        bound = bound * ~self.waiting
        if late and self.kind.reset == SUBTRACT:
            bound = bound + before.spikes * roundings.threshold
        return bound

    @cached_property
    def membrane_bound(self) -> torch.Tensor:
        """Bound of the membranes after the step, if both spike or neither does."""
        if self.kind.reset_delay or self.kind.reset == NO_RESET:
            return self.reached_bound
        if self.kind.reset == TO_ZERO:
            return self.reached_bound * ~self.spikes
        return self.reached_bound + self.spikes * self.roundings.threshold

    @cached_property
    def _current_unit(self) -> torch.Tensor:
        """Units of the chip's current, which contains the gain, per unit of the model's."""
        return self.roundings.gain * self.layer.membrane_unit

    @cached_property
    def _state(self) -> State:
        """The chip's state before the step in the model's units."""
        chip, resting = self.before.neurons, self.neuron.begin(self.given)
        return State(
            chip.membrane.double() / self.layer.membrane_unit,
            None if resting.current is None else chip.current.double() / self._current_unit,
            None if resting.waiting is None else chip.waiting.double(),
        )

    @cached_property
    def _dynamics(self) -> Dynamics:
        """The neurons' numbers, with the chip's draws in place of torch's."""
        with patch.object(self.neuron, "draw_decay", return_value=self.decays.real):
            return self.neuron.dynamics(self.given)

    @cached_property
    def _after(self) -> tuple[torch.Tensor, State]:
        return self._step(self.kind)

    def _step(self, kind: NeuronKind) -> tuple[torch.Tensor, State]:
        return step(self._state, self.given, self._dynamics, kind, self.neuron.spike_grad)
