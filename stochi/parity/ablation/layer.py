"""A layer in float64 with some of its Program's properties."""

import numpy as np
import torch

from stochi.deploy.graph.layers import RealLayer
from stochi.deploy.graph.wiring import WiredLayer
from stochi.deploy.lowering.layer import channel_gain, leak_of, noise_enters_memory
from stochi.deploy.lowering.stand_in import StandIn
from stochi.export.model.model import GraphModel
from stochi.export.model.neuron import State, spiked
from stochi.export.model.running import RunningLayer, separate_paths
from stochi.hardware.broadcasting import over_neurons
from stochi.hardware.fixed_point import ALIGN_SHIFT, DECAY_UNITY, STATE_MAX
from stochi.hardware.neuron import SUBTRACT, TO_ZERO
from stochi.program.layers import CONSTANT
from stochi.program.program import Program
from stochi.train.twin.layer import make_step
from stochi.train.twin.neuron import DrawsNow
from stochi.train.twin.path import TwinPath

_WHOLE = 1e-6
"""Float64 holds a whole number of 30 bits to better than this, and no chip has finer fractions."""


class AblatedLayer(RunningLayer):
    """A layer in float64 with the switches that are on."""

    def __init__(
        self,
        index: int,
        wired: WiredLayer,
        real: RealLayer,
        model: GraphModel,
        program: Program,
        switches: frozenset[str],
        now: DrawsNow,
    ) -> None:
        self.real, self.numbers, self.switches = real, program.layer(real.name), switches
        self.neuron = model.neurons().get(wired.name)
        self.groups = separate_paths(wired.paths)
        self.paths = [
            TwinPath(projection, path, model, program.target.input_levels)
            for projection, path in zip(real.projections, wired.paths, strict=True)
        ]
        self.drawn = make_step(index, real, program.target, None, now)
        self.drawn.decay, self.drawn.generator = self.numbers.decay, self.numbers.generator
        self.mean_noise = StandIn.of(self.numbers).mean_noise  # which the Program's bias takes away
        self.weights = [torch.from_numpy(np.array(path.weight)) for path in real.projections]
        self.bias = torch.from_numpy(real.bias)
        if "weights" in switches:
            self.weights = [self._chip_weight(program, n) for n in range(len(self.paths))]
            self.bias = self._chip_bias()

    def through(self, number: int, values: torch.Tensor) -> torch.Tensor:
        """See :class:`RunningLayer`."""
        return self.paths[number].in_real_numbers(values.double(), self.weights[number])

    def join(self, currents: list[torch.Tensor]) -> torch.Tensor:
        """See :class:`RunningLayer`; the currents of each path, if there are neurons."""
        if self.neuron is not None:
            return torch.stack(currents)
        drive = self._sums(currents, 1.0) + self._over(self.bias) * self._unit
        return (_truncate(drive) if "states" in self.switches else drive) / self._unit

    def advance(self, current: torch.Tensor, state: State, step: int) -> tuple[torch.Tensor, State]:
        """See :class:`RunningLayer`; ``current`` has the paths first."""
        numbers, unit, neuron = self.numbers, self._unit, self.neuron
        assert neuron is not None
        like = current[0]
        decay, gain = self._dynamics(like, step)
        scaled = numbers.decay.programmable
        folded = 1.0 if scaled else gain
        drive = self._sums(list(current), folded) + self._over(self.bias) * folded * unit
        noise, on_membrane = self._noise(like, step)
        memory = state.current
        if memory is not None:
            kept = self._whole(self._current_decay() * self._exact(memory.double() * unit))
            drive = memory = kept + drive + noise * (not on_membrane)
        drive = drive + noise * (on_membrane or memory is None) + self._leak() * unit
        drive = self._whole((gain if scaled else 1.0) * self._exact(drive))
        membrane = self._exact(state.membrane.double() * unit)
        level, kind = self._threshold() * unit, self.drawn.kind
        start, lost = membrane, torch.zeros(())
        if kind.reset_delay:
            before = state._replace(membrane=membrane)
            fired = spiked(before, self._exact(level), kind)
            if kind.reset == TO_ZERO:
                start = membrane * (1 - fired)
            elif kind.reset == SUBTRACT:
                lost = fired * level
        updated = self._whole(decay * start) + drive - lost
        if "states" in self.switches:
            updated = updated.clamp(-STATE_MAX, STATE_MAX)
        return self._fire(updated, memory, state, start - lost)

    def _fire(
        self,
        updated: torch.Tensor,
        memory: torch.Tensor | None,
        state: State,
        resting: torch.Tensor,
    ) -> tuple[torch.Tensor, State]:
        """Return spikes and the state in the model's units, from membranes in the chip's."""
        kind, unit, waiting = self.drawn.kind, self._unit, state.waiting
        if waiting is not None:
            updated = torch.where(waiting > 0, resting, updated)
        fired = torch.zeros_like(updated)
        level = self._exact(self._threshold() * unit)
        if self.numbers.spikes:
            fired = (updated > level).to(updated.dtype)
            if waiting is not None:
                fired = fired * (waiting <= 0)
                waiting = (waiting - 1).clamp(min=0) + kind.refractory * fired
            if not kind.reset_delay and kind.reset == TO_ZERO:
                updated = updated * (1 - fired)
            elif not kind.reset_delay and kind.reset == SUBTRACT:
                updated = updated - fired * level
            if kind.reset_current and memory is not None:
                memory = memory * (1 - fired)
        return fired, State(updated / unit, None if memory is None else memory / unit, waiting)

    @property
    def _unit(self) -> float:
        return self.numbers.membrane_unit

    def _sums(self, currents: list[torch.Tensor], gain: torch.Tensor | float) -> torch.Tensor:
        """Return the synaptic sums of all paths in units of the membrane."""
        total: torch.Tensor | None = None
        for current, projection in zip(currents, self.numbers.projections, strict=False):
            added = gain * current * self._unit
            if "states" in self.switches and projection.weight_exponent < 0:
                aligned = 2.0**ALIGN_SHIFT
                added = torch.floor(_whole(added / aligned)) * aligned
            total = added if total is None else total + added
        assert total is not None
        return total

    def _dynamics(self, like: torch.Tensor, step: int) -> tuple[torch.Tensor, torch.Tensor | float]:
        """Return λ and the input gain for this step."""
        real, numbers, rounded = self.real.neuron, self.numbers, "decays" in self.switches
        neuron = self.neuron
        assert real is not None and neuron is not None
        folded = channel_gain(real, numbers.decay)
        gain = 1.0 if folded is None else self._over(torch.from_numpy(np.array(folded)))
        if real.random is None or ("noise" in self.switches and not numbers.decay.drawn):
            decay = self._over(torch.from_numpy(np.array(real.decay)))
            if rounded:
                decay = torch.from_numpy(numbers.decay.values).double() / DECAY_UNITY
            return decay, 1 - decay if numbers.decay.programmable else gain
        if rounded and numbers.decay.drawn:
            decay = self.drawn.draw_keep(like, step).double() / DECAY_UNITY
        else:
            drawn = neuron.draw_decay(like.to(neuron.decay.dtype))
            decay = torch.as_tensor(drawn).double()
            decay = torch.round(decay * DECAY_UNITY) / DECAY_UNITY if rounded else decay
        return decay, 1 - decay if real.random.input_gain == "coupled" else gain

    def _current_decay(self) -> torch.Tensor:
        """Return α."""
        real, numbers = self.real.neuron, self.numbers
        assert real is not None and real.current_decay is not None
        if "decays" in self.switches and numbers.current_keep is not None:
            return torch.from_numpy(numbers.current_keep).double() / DECAY_UNITY
        return self._over(torch.from_numpy(np.array(real.current_decay)))

    def _noise(self, like: torch.Tensor, step: int) -> tuple[torch.Tensor, bool]:
        """Return a generator's noise less its mean, and whether it goes to the membrane."""
        generator, real, neuron = self.numbers.generator, self.real.neuron, self.neuron
        own = real is not None and real.noise is not None
        if own and "noise" not in self.switches and neuron is not None and neuron.noise is not None:
            return neuron.noise.draw(like, None).double() * self._unit, True
        random = real is not None and real.random is not None
        stands_in = own or (random and not self.numbers.decay.drawn)
        if generator is None or "noise" not in self.switches or not stands_in:
            return torch.zeros((), dtype=torch.float64), True
        noise = self.drawn.draw_noise(like, step).double() - self.mean_noise * self._unit
        return noise, generator.target == "membrane"

    def _threshold(self) -> torch.Tensor:
        """Return the threshold in the model's units."""
        numbers, factor = self.numbers, self.numbers.threshold_factor
        neuron, mantissa = self.neuron, self.numbers.threshold_mantissa
        if neuron is None or neuron.threshold is None:
            return torch.zeros((), dtype=torch.float64)
        found = neuron.threshold.detach().double()
        if "weights" in self.switches and mantissa is not None:
            found = torch.from_numpy(mantissa).double() / (numbers.scale * factor)
        return found * factor if "noise" in self.switches else found

    def _leak(self) -> torch.Tensor:
        """Return what leaking to another value than 0 adds to the drive, before a drawn gain."""
        if "weights" in self.switches and self._remembers:
            return self._over(self._chip_offset())
        leak = leak_of(self.real, self.numbers.decay)
        if leak is None:
            return torch.zeros((), dtype=torch.float64)
        return self._over(torch.from_numpy(leak))

    @property
    def _noise_enters_memory(self) -> bool:
        return noise_enters_memory(self.real.neuron, self.numbers.generator)

    def _chip_offset(self) -> torch.Tensor:
        """Return the bias of the Program's membranes in the model's units, float64.

        What takes away the mean of the noise is left out.
        """
        numbers = self.numbers
        bias = torch.from_numpy(numbers.bias_mantissa).double() * 2.0**numbers.bias_exponent
        mean_noise = 0.0 if self._noise_enters_memory else self.mean_noise
        return bias / numbers.membrane_unit + mean_noise

    def _chip_weight(self, program: Program, number: int) -> torch.Tensor:
        """Return the weights of one of the Program's projections in the model's units, float64."""
        projection = self.numbers.projections[number]
        inputs = program.largest_value(projection.source) * self.real.projections[number].pooled
        weight = torch.from_numpy(projection.weight).double() * inputs
        weight = weight * 2.0**projection.weight_exponent / self.numbers.scale
        gain = self._folded_gain()
        if weight.dim() < 2:
            return weight / (self._over(gain) if gain.numel() > 1 else gain.reshape(()))
        return weight / gain.reshape((-1,) + (1,) * (weight.dim() - 1))

    def _chip_bias(self) -> torch.Tensor:
        """Return the Program's bias in the model's units, float64."""
        numbers, gain = self.numbers, self._folded_gain()
        if self._remembers:
            return self._chip_constant() / self._over(gain)
        leak = leak_of(self.real, numbers.decay)
        bias = self._chip_offset()
        if leak is not None:
            bias = self._over(bias) - self._over(torch.from_numpy(leak))
        return bias / (gain if bias.dim() < 2 else self._over(gain))

    def _chip_constant(self) -> torch.Tensor:
        """Return the bias that reaches the Program's currents, with the input gain folded in.

        What takes away the mean of the noise is left out.
        """
        found = torch.zeros((), dtype=torch.float64)
        for projection in self.numbers.projections:
            if projection.source == CONSTANT:
                weight = torch.from_numpy(projection.weight).double()
                found = weight * 2.0**projection.weight_exponent / self.numbers.scale
        return found + (self.mean_noise if self._noise_enters_memory else 0.0)

    @property
    def _remembers(self) -> bool:
        """Whether its neurons have synaptic memory."""
        return self.real.neuron is not None and self.real.neuron.current_decay is not None

    def _folded_gain(self) -> torch.Tensor:
        """Return the input gain that the Program's weights contain, (1,) or (outputs,)."""
        gain = channel_gain(self.real.neuron, self.numbers.decay)
        return torch.ones(1).double() if gain is None else torch.from_numpy(np.atleast_1d(gain))

    def _over(self, values: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = over_neurons(values, self.numbers.shape)
        return found

    def _exact(self, values: torch.Tensor) -> torch.Tensor:
        return _whole(values) if "states" in self.switches else values

    def _whole(self, values: torch.Tensor) -> torch.Tensor:
        return _truncate(values) if "states" in self.switches else values


def _whole(values: torch.Tensor) -> torch.Tensor:
    """Round values that differ from whole numbers by float64's rounding only."""
    nearest = torch.round(values)
    return torch.where((values - nearest).abs() < _WHOLE, nearest, values)


def _truncate(values: torch.Tensor) -> torch.Tensor:
    """Truncate toward zero, as the chip does."""
    return torch.trunc(_whole(values))
