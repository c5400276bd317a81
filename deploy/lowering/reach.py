"""How far the membranes of a layer can go, in the model's units, by worst cases.

A membrane is worst off if every inhibitory input, or every excitatory one, is at its largest in
every time step of a sample. With λ its decay, a sum of inputs then grows to 1 + λ + λ² + … times
one step's; a synaptic current before it multiplies that again.
"""

import math
from collections.abc import Sequence

import numpy as np
import torch

from stochi.deploy.graph.layers import RealLayer
from stochi.deploy.graph.neurons import RealNeuron
from stochi.hardware.quantization import ProjectionValues
from stochi.program.layers import Decay

SHORT_MEMORY = 4.0
"""Reach, in largest inputs of one step, up to which a layer's membranes keep the largest scale.

λ ≤ 0.75 accumulates at most this much, and so do neurons whose input is scaled by 1 − λ. To get
below the chip's floor, such a membrane would need nearly all of its inhibitory inputs, and no
others, for several time steps in a row.
"""
_MOST_STEPS = 100_000


def accumulated(decay: np.ndarray | float, time_steps: int) -> np.ndarray:
    """Return 1 + λ + λ² + … with ``time_steps`` terms."""
    decay = np.asarray(decay, np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = (1 - decay**time_steps) / (1 - decay)
    return np.where(decay == 1, float(time_steps), found)


def accumulated_twice(decay: np.ndarray, current_decay: np.ndarray, time_steps: int) -> np.ndarray:
    """Return what one unit of input in every step adds up to behind a current and a membrane."""
    current = membrane = np.zeros(np.broadcast_shapes(decay.shape, current_decay.shape))
    for _ in range(min(time_steps, _MOST_STEPS)):
        current = current_decay * current + 1
        updated = decay * membrane + current
        if np.allclose(updated, membrane, rtol=1e-9, atol=0):
            break
        membrane = updated
    return membrane


def input_accumulation(neuron: RealNeuron, time_steps: int) -> np.ndarray:
    """Return how many steps' inputs add up in a membrane, () or of the layer's shape."""
    if neuron.current_decay is None:
        return accumulated(neuron.decay, time_steps)
    return accumulated_twice(neuron.decay, neuron.current_decay, time_steps)


def drive_bounds(
    layer: RealLayer, projections: Sequence[ProjectionValues]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the least (≤ 0) and largest (≥ 0) input of one time step, without biases.

    Args:
        projections: the layer's, with the input gain folded in.

    Returns:
        Two float64 tensors that broadcast over the layer's shape.
    """
    low = high = torch.zeros((), dtype=torch.float64)
    for values in projections:
        largest = values.input_max / values.input_scale
        weight = values.weight.detach().double().flatten(1)
        low = low + spread_outputs(weight.clamp(max=0).sum(1) * largest, layer.shape)
        high = high + spread_outputs(weight.clamp(min=0).sum(1) * largest, layer.shape)
    return low, high


def spread_outputs(values: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """Reshape one value, one for each channel or one for each neuron to broadcast over a shape."""
    neurons = math.prod(shape)
    if values.numel() == 1:
        return values.reshape(())
    if values.numel() == neurons:
        return values.reshape(shape)
    if values.numel() == shape[0]:
        return values.reshape((-1,) + (1,) * (len(shape) - 1))
    return values.repeat_interleave(neurons // values.numel()).reshape(shape)


def membrane_reach(
    layer: RealLayer,
    form: Decay,
    projections: Sequence[ProjectionValues],
    bias: torch.Tensor,
    time_steps: int,
) -> float:
    """Return how far from the reset membranes can get where the chip's 24 bits must hold them.

    That is below the reset and, for neurons that subtract their threshold or do not reset, above
    it. Membranes that are set to 0 cannot do harm above.

    Args:
        projections: the layer's, with the input gain folded in.
        bias: what every step adds to the membranes.

    Returns:
        0 for membranes of short memory (see :data:`SHORT_MEMORY`), and for others that need no
        bound: of neurons that never spike, which have one already, and of programmable ones, which
        never get beyond one step's input.
    """
    neuron = layer.neuron
    if neuron is None or neuron.threshold is None or form.programmable:
        return 0.0
    if float(np.max(accumulated(neuron.decay, time_steps))) <= SHORT_MEMORY:
        return 0.0  # without the sums below, which would cost time in training
    low, high = drive_bounds(layer, projections)
    added = spread_outputs(bias.detach().double().reshape(-1), layer.shape).to(low.device)
    factor = torch.from_numpy(np.asarray(input_accumulation(neuron, time_steps))).to(low.device)
    least, most = (low + added).clamp(max=0), (high + added).clamp(min=0)
    found = -float((least * factor).min())
    if neuron.reset == "none":
        found = max(found, float((most * factor).max()))
    elif neuron.reset == "subtract":
        threshold = torch.from_numpy(np.array(neuron.threshold)).to(low.device)
        found = max(found, float(((most - threshold).clamp(min=0) * factor + most).max()))
    one_step = float(torch.maximum(-least, most).max())
    return found if found > SHORT_MEMORY * one_step else 0.0
