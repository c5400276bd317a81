"""NIR graph → Program: every number onto the chip's grid."""

from dataclasses import replace
from typing import Any

import nir
import numpy as np
import torch

from stochi.deploy.program import (
    IMAGE_LEVELS,
    Convolution,
    Decay,
    Dense,
    Layer,
    Program,
    Stage,
)
from stochi.deploy.real_layers import RealLayer, RealNeuron, cut_into_layers
from stochi.errors import GraphError, InputError, LoweringError
from stochi.hardware.chips import Chip, find_chip
from stochi.hardware.decays import MAX_TABLE_BITS, logit_normal_table, quantize_decay
from stochi.hardware.quantization import QuantizedLayer, quantize_layer

NOISES = ("decay", "none")
DEFAULT_STEPS = 8


def lower(
    graph: nir.NIRGraph,
    chip: str = "loihi2",
    noise: str = "decay",
    calibration: torch.Tensor | None = None,
    *,
    dt: float | None = None,
    steps: int | None = None,
    events: bool = False,
) -> Program:
    """Put a graph on a chip.

    Args:
        graph: a chain of Linear, Affine, Conv2d, pooling, Flatten and LIF nodes, from ``to_nir``
            or another framework. A chain that ends in weights is read by integrators (their mean
            input is the logit), one that ends in neurons by the mean of their spikes.
        chip: "loihi2" or "loihi1".
        noise: how the chip draws τ: "decay" (a programmable neuron draws from a table, exact) or
            "none" (mean τ).
        calibration: data for stand-ins that are fitted; "decay" and "none" need none.
        dt: seconds a step, where ``graph.metadata["dt"]`` is missing.
        steps: time steps a sample; else ``graph.metadata["steps"]``, else 8.
        events: the input is binary events, not images in [0, 1] (8-bit graded).

    Raises:
        LoweringError: the graph does not fit the chip; the message names the node and a way out.
        InputError: an argument is out of range.
        GraphError: the graph is not valid.
    """
    if not isinstance(graph, nir.NIRGraph):
        raise GraphError(f"a nir.NIRGraph is needed, this is a {type(graph).__name__}")
    target = find_chip(chip)
    if noise not in NOISES:
        raise InputError(f"noise is {noise!r}; choose from {', '.join(NOISES)}")
    if calibration is not None:
        raise InputError(f"noise {noise!r} is not fitted to data; leave calibration out")
    dt = _find_dt(graph, dt)
    steps = _find_steps(graph, steps)
    if not events and not target.graded_spikes:
        raise LoweringError(
            f"{chip} has no graded spikes, so images cannot be its input; encode them as events"
            " and pass events=True, or choose chip='loihi2'"
        )
    levels = 1 if events else IMAGE_LEVELS
    layers = tuple(
        _lower_layer(layer, target, noise, steps, levels if layer.source == "input" else 1)
        for layer in cut_into_layers(graph, dt)
    )
    shape = next(iter(graph.inputs.values())).output_type["output"]
    return Program(
        chip=chip,
        noise=noise,
        input_shape=tuple(int(size) for size in np.atleast_1d(shape)),
        input_levels=levels,
        steps=steps,
        dt=dt,
        layers=layers,
    )


def quantize_real_layer(
    layer: RealLayer,
    form: Decay | None,
    weight: torch.Tensor,
    bias: torch.Tensor,
    threshold: torch.Tensor,
    *,
    steps: int,
    input_levels: int,
) -> QuantizedLayer:
    """Quantize a layer with these values of its weights, bias and thresholds.

    The hardware-aware model calls this with its own, current ones. ``threshold`` is empty for
    the readout. The gain of a stock neuron is folded into weights and bias here.
    """
    gain = channel_gain(layer.neuron, form)
    if gain is not None:
        factor = torch.from_numpy(gain).to(weight.device)
        weight = weight.double() * factor.reshape((-1,) + (1,) * (weight.dim() - 1))
        bias = bias.double() * factor
    return quantize_layer(
        layer.name,
        weight,
        bias,
        threshold,
        input_scale=float(input_levels * layer.pooled),
        input_max=input_levels * layer.summed,
        headroom=float(steps) if layer.neuron is None else 1.0,
    )


def choose_decay(layer: RealLayer, chip: Chip, noise: str) -> Decay | None:
    """Which neuron the layer needs and its decays; None for an integrator.

    A drawn decay with coupled gain, or a gain that differs within a channel, takes a
    programmable neuron; all else is Loihi's stock neuron with the gain in the weights.

    Raises:
        LoweringError: the chip has no such neuron.
    """
    neuron = layer.neuron
    if neuron is None:
        return None
    random = neuron.random if noise == "decay" else None
    if random is not None:
        bits = random.bits or MAX_TABLE_BITS
        if not chip.programmable_neuron:
            raise LoweringError(
                f"neuron {layer.name!r} draws its decay, which takes a programmable neuron;"
                f" {chip.name} has none: choose chip='loihi2' or noise='none'"
            )
        return Decay(
            logit_normal_table(random.sigma, bits),
            drawn=True,
            redraw=random.sampling == "step",
            programmable=random.input_gain == "coupled",
        )
    decay = Decay(quantize_decay(neuron.decay), drawn=False, redraw=False, programmable=False)
    if _gain_by_channel(neuron) is not None:
        return decay
    if not np.allclose(neuron.gain, 1 - neuron.decay) or not chip.programmable_neuron:
        raise LoweringError(
            f"neuron {layer.name!r}: its input gain differs between neurons of one channel, which"
            f" {chip.name} can do only with a programmable neuron and a gain of 1 − decay"
        )
    return replace(decay, programmable=True)


def channel_gain(neuron: RealNeuron | None, form: Decay | None) -> np.ndarray | None:
    """The gain to fold into the weights, () or (channels,); None where there is none to fold."""
    if neuron is None or form is None or form.programmable:
        return None
    return _gain_by_channel(neuron)


def _gain_by_channel(neuron: RealNeuron) -> np.ndarray | None:
    gain = neuron.gain
    if gain.ndim <= 1:
        return gain
    per_channel = gain.reshape(len(gain), -1)
    first = per_channel[:, 0]
    return first.copy() if np.allclose(per_channel, first[:, None], rtol=1e-9, atol=0) else None


def _lower_layer(layer: RealLayer, chip: Chip, noise: str, steps: int, input_levels: int) -> Layer:
    decay = choose_decay(layer, chip, noise)
    threshold = np.zeros(0) if layer.neuron is None else layer.neuron.threshold
    quantized = quantize_real_layer(
        layer,
        decay,
        torch.from_numpy(layer.weight),
        torch.from_numpy(layer.bias),
        torch.from_numpy(np.array(threshold)),
        steps=steps,
        input_levels=input_levels,
    )
    weight = quantized.weight.numpy().astype(np.int16)
    return Layer(
        name=layer.name,
        source=layer.source,
        shape=layer.shape,
        stages=tuple(_with_weight(stage, weight) for stage in layer.stages),
        weight_exponent=quantized.weight_exponent,
        bias_mantissa=quantized.bias_mantissa.numpy().astype(np.int16),
        bias_exponent=quantized.bias_exponent,
        threshold_mantissa=None
        if layer.neuron is None
        else quantized.threshold_mantissa.numpy().astype(np.int32),
        decay=decay,
        scale=quantized.scale,
    )


def _with_weight(stage: Stage, weight: np.ndarray) -> Stage:
    return replace(stage, weight=weight) if isinstance(stage, Dense | Convolution) else stage


def _find_dt(graph: nir.NIRGraph, given: float | None) -> float:
    noted = _metadata(graph).get("dt")
    if noted is not None and given is not None and not np.isclose(float(noted), given):
        raise InputError(
            f"the graph was made with dt = {float(noted):g} s; leave out dt = {given:g} s"
        )
    dt = given if noted is None else float(noted)
    if dt is None:
        raise InputError(
            "the graph does not say how long its time step is; pass dt in seconds, as it was"
            " trained with (snnTorch, lava-dl and Norse examples use 1e-4 or 1e-3)"
        )
    if not dt > 0:
        raise InputError(f"dt is {dt}; a time step must last longer than 0 seconds")
    return dt


def _find_steps(graph: nir.NIRGraph, given: int | None) -> int:
    steps = int(given if given is not None else _metadata(graph).get("steps", DEFAULT_STEPS))
    if steps < 1:
        raise InputError(f"steps is {steps}; a sample needs at least 1 time step")
    return steps


def _metadata(graph: nir.NIRGraph) -> dict[str, Any]:
    return graph.metadata if isinstance(graph.metadata, dict) else {}
