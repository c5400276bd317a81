"""The float model with some of the chip's properties, each of which can be switched on alone.

The switches, each of which works alone (``"input"`` is :func:`shown_inputs`):

- ``"weights"``: weights, biases and thresholds from the Program, over its scale; an input gain that
  it folded into them is taken out again, and so is a calibration's threshold factor.
- ``"decays"``: if the Program draws decays, they come from its table, by its random source; a λ
  that the model draws and the Program does not is rounded to 12 bits; others are the Program's.
- ``"states"``: membranes in the chip's unit, of 24 bits; both products of a step are truncated
  toward zero, the sum saturates, and a sum of a projection is rounded down if the chip shifts it
  right. With real weights these sums are not whole numbers; they are left so elsewhere.
- ``"noise"``: if the model draws λ and the Program does not, λ is its mean, and the stock
  generator, if the Program has one, adds its noise there; thresholds have the calibration's factor.

All numbers are the Program's own. What is not switched on stays as in the float model: the same
torch draws, the same real numbers, but in float64. With everything switched on, the spikes are the
Program's.
"""

from collections.abc import Collection
from copy import deepcopy
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import nn

from stochi.deploy.graph.layers import RealLayer, cut_into_layers
from stochi.deploy.lowering.layer import channel_gain
from stochi.deploy.origin import check_same_layers
from stochi.export.batch_norm import fold_batch_norms
from stochi.export.copying import copy_model
from stochi.export.nir_graph import to_nir
from stochi.export.tracing import trace
from stochi.hardware.draws import Draws
from stochi.hardware.fixed_point import ALIGN_SHIFT, DECAY_UNITY, STATE_MAX
from stochi.program.layers import Layer
from stochi.program.program import Program
from stochi.train.neurons.random_tau_leaky import RandomTauLeaky
from stochi.train.twin.model import only_path, random_tau_neuron
from stochi.train.twin.neuron import DrawsNow, TwinStep

SWITCHES = ("input", "weights", "decays", "states", "noise")
_WHOLE = 1e-6
"""Float64 holds a whole number of 30 bits to better than this, and no chip has finer fractions."""


def ablated_model(
    model: nn.Module, program: Program, sample: torch.Tensor, switches: Collection[str]
) -> nn.Module:
    """Copy a float model and give it some of its Program's properties.

    Draws of the Program's kind go by ``stochi.train.set_draws``, all others come from torch's
    generator in the order in which the float model draws.

    Args:
        model: its layers have the Program's names; its neurons are RandomTauLeaky.
        sample: a batch of inputs.
        switches: of ``SWITCHES``.

    Returns:
        A model in eval mode; ``stochi.export.copying.release_copy`` lets it be freed.

    Raises:
        ExportError, LoweringError: as for ``stochi.train.make_twin``.
        InputError: the model's layers are not the Program's.
    """
    dt = program.target.dt
    network = cut_into_layers(to_nir(model, sample, dt), dt)
    check_same_layers(program, network)
    copied = copy_model(model).eval()
    fold_batch_norms(copied, trace(copied, sample))
    now = DrawsNow(Draws(source=program.target.random_source))
    chosen = frozenset(switches)
    for index, (real, layer) in enumerate(zip(network.layers, program.layers, strict=True)):
        path = only_path(real)
        parent, _, child = path.weight_node.rpartition(".")
        weights = copied.get_submodule(path.weight_node)
        assert isinstance(weights, nn.Linear | nn.Conv2d)
        dtype = weights.weight.dtype
        ablated = AblatedWeights(weights, program, real, chosen)
        setattr(copied.get_submodule(parent), child, ablated)
        if real.neuron is None:
            continue
        neuron = random_tau_neuron(copied, real.name)
        neuron.twin = AblatedStep(
            index,
            layer.decay,
            now,
            layer.generator if "noise" in chosen and _stands_in(real, layer) else None,
            layer.threshold_factor,
            real=real,
            numbers=layer,
            switches=chosen,
            neuron=neuron,
            dtype=dtype,
        )
    return copied


def shown_inputs(program: Program, inputs: torch.Tensor, switches: Collection[str]) -> torch.Tensor:
    """Round inputs to the Program's 8 bits, in float64, if ``"input"`` is switched on."""
    if "input" not in switches:
        return inputs
    return torch.round(inputs.double() * program.target.input_levels) / program.target.input_levels


def switches_of(model: nn.Module, program: Program) -> tuple[str, ...]:
    """The switches that a Program has.

    Events are not rounded, and there is only noise if something stands in for drawn decays.
    """
    drawn = {
        name
        for name, module in model.named_modules()
        if isinstance(module, RandomTauLeaky) and module.sampling in ("step", "forward")
    }
    missing = set()
    if program.target.events:
        missing.add("input")
    if all(layer.decay.drawn for layer in program.layers if layer.name in drawn):
        missing.add("noise")
    return tuple(switch for switch in SWITCHES if switch not in missing)


class AblatedWeights(nn.Module):
    """A weight layer in float64, on the chip's grid or not; that of a readout also integrates."""

    def __init__(
        self,
        layer: nn.Linear | nn.Conv2d,
        program: Program,
        real: RealLayer,
        switches: Collection[str],
    ) -> None:
        super().__init__()
        self.layer = deepcopy(layer).double().requires_grad_(False)
        self.numbers = program.layer(real.name)
        self.bias = torch.from_numpy(real.bias)
        if "weights" in switches:
            weight, bias = _chip_weights(program, real, self.numbers)
            self.layer.weight.copy_(weight)
            self.layer.bias = nn.Parameter(bias, requires_grad=False)
            self.bias = bias
        self.whole = real.neuron is None and "states" in switches

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """(batch, …) inputs → currents in the model's units."""
        current: torch.Tensor = self.layer(inputs.double())
        if not self.whole:
            return current
        taken_in = _drive(self.numbers, current, _to_shape(self.bias, self.numbers), 1.0)
        return _truncate(taken_in) / self.numbers.membrane_unit


@dataclass
class AblatedStep(TwinStep):
    """One layer's neurons, stepped with the switches that are on.

    Attributes:
        real, numbers: the layer in the model and in the Program.
        neuron: draws λ as the float model does, in ``dtype``.
    """

    real: RealLayer = field(kw_only=True)
    numbers: Layer = field(kw_only=True)
    switches: frozenset[str] = field(kw_only=True)
    neuron: RandomTauLeaky = field(kw_only=True, repr=False)
    dtype: torch.dtype = field(kw_only=True)

    def __call__(self, current, membrane, step, threshold, spike, learned=None):  # type: ignore[no-untyped-def]
        """(batch, …) current and membrane in model units → spikes, membrane, float64."""
        numbers, unit = self.numbers, self.numbers.membrane_unit
        current, state = current.double(), membrane.double() * unit
        decay, gain = self._dynamics(current, step)
        level = self._threshold(threshold) * unit
        noise = self.draw_noise(current, step)
        if "states" not in self.switches:
            updated = decay * state + gain * current * unit + noise
        else:
            scaled = numbers.decay.programmable
            drive = _drive(numbers, current, self._bias(), 1.0 if scaled else gain) + noise
            drive = gain * _whole(drive) if scaled else drive
            updated = _truncate(decay * _whole(state)) + _truncate(drive)
            updated, level = updated.clamp(-STATE_MAX, STATE_MAX), _whole(level)
        spikes = updated > level
        return spikes.to(current.dtype), updated.masked_fill(spikes, 0.0) / unit

    def _dynamics(
        self, current: torch.Tensor, step: int
    ) -> tuple[torch.Tensor, torch.Tensor | float]:
        """λ and the input gain for this step."""
        real, numbers, rounded = self.real.neuron, self.numbers, "decays" in self.switches
        assert real is not None
        folded = channel_gain(real, numbers.decay)
        gain = 1.0 if folded is None else _to_shape(torch.from_numpy(np.array(folded)), numbers)
        if real.random is None or ("noise" in self.switches and not numbers.decay.drawn):
            decay = torch.from_numpy(np.array(real.decay))
            if rounded:
                decay = torch.from_numpy(numbers.decay.values).double() / DECAY_UNITY
            return decay, 1 - decay if numbers.decay.programmable else gain
        if rounded and numbers.decay.drawn:
            decay = self.draw_keep(current, step).double() / DECAY_UNITY
        else:
            decay = torch.as_tensor(self.neuron.draw_decay(current.to(self.dtype))).double()
            decay = torch.round(decay * DECAY_UNITY) / DECAY_UNITY if rounded else decay
        return decay, 1 - decay if real.random.input_gain == "coupled" else gain

    def _threshold(self, threshold: torch.Tensor) -> torch.Tensor:
        """Threshold in the model's units."""
        mantissa, found = self.numbers.threshold_mantissa, threshold.detach().double()
        if "weights" in self.switches and mantissa is not None:
            scale = self.numbers.scale * self.threshold_factor
            found = torch.from_numpy(mantissa).double() / scale
        return found * self.threshold_factor if "noise" in self.switches else found

    def _bias(self) -> torch.Tensor:
        bias = torch.from_numpy(self.real.bias)
        if "weights" in self.switches:
            bias = _real_bias(self.real, self.numbers)
        return _to_shape(bias, self.numbers)


def _drive(
    layer: Layer, current: torch.Tensor, bias: torch.Tensor, gain: torch.Tensor | float
) -> torch.Tensor:
    """A membrane's input, in its integers, before it is truncated."""
    drive, offset = (gain * value * layer.membrane_unit for value in (current, bias))
    if layer.projections[0].weight_exponent >= 0:
        return drive
    aligned = 2.0**ALIGN_SHIFT
    return torch.floor(_whole((drive - offset) / aligned)) * aligned + offset


def _chip_weights(
    program: Program, real: RealLayer, layer: Layer
) -> tuple[torch.Tensor, torch.Tensor]:
    """The Program's weights (outputs, …) and biases (outputs,) in the model's units, float64."""
    projection = layer.projections[0]
    inputs = program.largest_value(projection.source) * real.projections[0].pooled
    weight = torch.from_numpy(projection.weight).double() * inputs
    weight = weight * 2.0**projection.weight_exponent / layer.scale
    gain = _folded_gain(real, layer)
    weight = weight / gain.reshape((-1,) + (1,) * (weight.dim() - 1))
    bias = _real_bias(real, layer)
    outputs = len(weight)
    # If neurons are flattened, each has the bias of its channel.
    return weight, bias.expand(outputs) if len(bias) == 1 else bias.view(outputs, -1)[:, 0]


def _real_bias(real: RealLayer, layer: Layer) -> torch.Tensor:
    bias = torch.from_numpy(layer.bias_mantissa).double() * 2.0**layer.bias_exponent
    return bias / layer.membrane_unit / _folded_gain(real, layer)


def _folded_gain(real: RealLayer, layer: Layer) -> torch.Tensor:
    """The input gain that the Program's weights hold, (1,) or (outputs,)."""
    gain = channel_gain(real.neuron, layer.decay)
    return torch.ones(1).double() if gain is None else torch.from_numpy(np.atleast_1d(gain))


def _stands_in(real: RealLayer, layer: Layer) -> bool:
    return real.neuron is not None and real.neuron.random is not None and not layer.decay.drawn


def _to_shape(values: torch.Tensor, layer: Layer) -> torch.Tensor:
    """Reshape () or (outputs,) values to broadcast over the layer's neurons."""
    return values.reshape((-1,) + (1,) * (len(layer.shape) - 1)) if values.dim() == 1 else values


def _whole(values: torch.Tensor) -> torch.Tensor:
    """Round values that differ from whole numbers by float64's rounding only."""
    nearest = torch.round(values)
    return torch.where((values - nearest).abs() < _WHOLE, nearest, values)


def _truncate(values: torch.Tensor) -> torch.Tensor:
    """Truncate toward zero, as the chip does."""
    return torch.trunc(_whole(values))
