"""snnTorch's neurons as difference equations, and these as NIR nodes.

The equations are read from snnTorch 1.0's source: ``syn := α·syn + x``, ``mem := β·mem + g·x`` (or
``+ g·syn``), a spike where ``mem > θ``. The reset acts at the beginning of the next time step, or,
with ``reset_delay=False``, at the end of the spike's own. A reset to zero in Synaptic, Lapicque,
RLeaky and RSynaptic discards the whole update of the step after a spike.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import nir
import numpy as np
import snntorch as snn
import torch
from torch import nn

from stochi.deploy.graph.membrane_noise import MembraneNoise, describe_noise
from stochi.deploy.graph.random_tau import RandomTau, describe
from stochi.export.operations import Scale, Shape, Weights
from stochi.export.problems import RETRAIN, Problems
from stochi.export.signals import SPIKES, Signal, Source, Term
from stochi.export.surrogates import DEFAULT, describe_surrogate

_CLASSES = (snn.Leaky, snn.Synaptic, snn.Lapicque, snn.RLeaky, snn.RSynaptic)
_STATE_FUNCTIONS = {"_base_sub": "subtract", "_base_zero": "zero", "_base_int": "none"}
_LEAKY_LOOP = f"use snn.Leaky in a loop over time{RETRAIN}"
_REFUSED = {
    "Alpha": f"its current is a difference of two exponentials; use snn.Synaptic{RETRAIN}",
    "SLSTM": f"a chip has no LSTM gates; use snn.RLeaky or snn.RSynaptic{RETRAIN}",
    "SConv2dLSTM": f"a chip has no LSTM gates; use snn.RLeaky with conv2d_channels{RETRAIN}",
    "DeltaLeaky": f"it fires when its membrane changes, which NIR has no neuron for; use snn.Leaky"
    f"{RETRAIN}",
    "LeakyParallel": f"it computes all time steps at once, without a reset; {_LEAKY_LOOP}",
    "LeakyKernel": f"it computes all time steps at once; {_LEAKY_LOOP}",
    "StateLeaky": f"it computes all time steps at once, without a reset; {_LEAKY_LOOP}",
    "LinearLeaky": f"it computes all time steps at once, without a reset; {_LEAKY_LOOP}",
    "AssociativeLeaky": f"its memory is a matrix of products; {_LEAKY_LOOP}",
}
_LEARNED = {
    "decay": "beta",
    "threshold": "threshold",
    "distribution": "distribution_parameters",
}
"""What a graph calls a number of a neuron that is learned → its attribute in snnTorch or here."""
# 1 − λ of a neuron that never leaks, where others in its layer do: λ is 1 in float64.
_NEVER = 2.0**-60


Reading = Literal["spikes", "membrane", "only membrane"]
"""What a network takes from a layer: "membrane" is the output, and spikes go on to neurons."""


@dataclass(frozen=True, eq=False)
class SpikingLayer:
    """The dynamics of a layer of neurons, arrays in float64 that broadcast to the layer's shape.

    Attributes:
        name: the module's name.
        module: the module.
        decay: λ; its mean if it is random.
        gain: factor of the input.
        threshold: θ, maybe infinite.
        current_decay: α; None without synaptic current.
        reset: "zero", "subtract" or "none".
        delayed: whether the reset acts at the beginning of the next time step.
        refractory: whether the time step after a spike leaves the membrane at 0.
        random: metadata of a random time constant, or of noise.
        spike_size: the value of a spike, if it is not 1.
        gates: the probability with which a spike passes on, if gates are behind the neurons.
    """

    name: str
    module: nn.Module
    decay: np.ndarray
    gain: np.ndarray
    threshold: np.ndarray
    current_decay: np.ndarray | None = None
    reset: str = "zero"
    delayed: bool = True
    refractory: bool = False
    random: Mapping[str, Any] = field(default_factory=dict)
    spike_size: np.ndarray | None = None
    gates: np.ndarray | None = None

    @property
    def silent(self) -> bool:
        """Whether no neuron can ever spike."""
        return bool(np.all(np.isposinf(self.threshold)))


def read_module(
    name: str, module: nn.Module, sampling: str, problems: Problems
) -> SpikingLayer | None:
    """Read the dynamics of a module; None, with a problem, if NIR cannot describe them.

    Args:
        name: the module's name in the model.
        module: one of snnTorch's neurons, or a subclass, whose own ``forward`` a check must watch.
        sampling: how a RandomTauLeaky draws in the model; "" for other neurons.
        problems: receives the problem.
    """
    for kind in type(module).__mro__:
        if kind.__name__ in _REFUSED and kind.__module__.startswith("snntorch"):
            problems.add(f"neuron {name!r} ({type(module).__name__}): {_REFUSED[kind.__name__]}")
            return None
    if not isinstance(module, _CLASSES):
        problems.add(
            f"neuron {name!r} ({type(module).__name__}) has no equal in NIR; use snn.Leaky,"
            f" Synaptic, Lapicque, RLeaky, RSynaptic or RandomTauLeaky{RETRAIN}"
        )
        return None
    found = len(problems.found)
    _check_options(name, module, problems)
    if len(problems.found) > found:
        return None
    if hasattr(module, "sampling"):
        return _random_tau(name, module, sampling)
    return _stock(name, module)


def _check_options(name: str, module: Any, problems: Problems) -> None:
    if module.inhibition:
        problems.add(
            f"neuron {name!r}: inhibition=True lets one neuron of a layer fire, by comparing them;"
            f" a chip compares nothing. Use inhibition=False{RETRAIN}"
        )
    if module.state_quant:
        problems.add(
            f"neuron {name!r}: state_quant rounds its states by a function of its own; use"
            f" state_quant=False, since lowering rounds to the chip's integers{RETRAIN}"
        )
    if hasattr(module, "sampling"):
        return
    reset = _STATE_FUNCTIONS.get(module.state_function.__name__)
    if not getattr(module, "reset_delay", True) and reset not in (None, module.reset_mechanism):
        problems.add(
            f"neuron {name!r}: reset_mechanism was set to {module.reset_mechanism!r} after"
            f" construction, but snnTorch still resets by {reset!r} at the next step; pass"
            " reset_mechanism to the constructor"
        )
    reset = reset or module.reset_mechanism
    if reset == "subtract" and bool(module.threshold.isinf().any()):
        problems.add(
            f"neuron {name!r}: its threshold is infinite, and resetting by subtraction then gives"
            " NaN (0 · ∞); use reset_mechanism='none' for neurons that only integrate"
        )
    if reset == "zero" and not isinstance(module, snn.Leaky) and bool((module.threshold < 0).any()):
        problems.add(
            f"neuron {name!r}: with a threshold below 0 and reset to zero it never integrates; use"
            f" a threshold of at least 0{RETRAIN}"
        )


def _random_tau(name: str, neuron: Any, sampling: str) -> SpikingLayer:
    """Read a RandomTauLeaky, which its attributes show, so that export needs no training code."""
    decay = np.array(neuron.distribution.mean)
    gain = 1 - decay
    random: Mapping[str, Any] = {}
    if sampling == "fixed":
        decay = _array(neuron.fixed_decay)
        gain = 1 - decay if neuron.input_gain == "coupled" else gain
    elif sampling != "mean" or _learns(neuron, "distribution_parameters"):
        random = describe(
            RandomTau(neuron.distribution, sampling, neuron.input_gain, neuron.bits or 0)
        )
    reset = neuron.reset_mechanism
    return SpikingLayer(
        *(name, neuron, decay, gain, _array(neuron.threshold)),
        reset=reset,
        delayed=False,
        random=random,
    )


def _stock(name: str, neuron: Any) -> SpikingLayer:
    reset = _STATE_FUNCTIONS.get(neuron.state_function.__name__, neuron.reset_mechanism)
    # RSynaptic ignores reset_delay, and Lapicque has none.
    delays = isinstance(neuron, snn.RSynaptic | snn.Lapicque) or neuron.reset_delay
    decay, gain, alpha = np.ones(()), np.ones(()), None
    if isinstance(neuron, snn.Lapicque):
        rc = neuron.R * neuron.C
        decay = _array(1 - neuron.time_step / rc)
        gain = _array(neuron.R * (1 / rc) * neuron.time_step)
    else:
        decay = _array(neuron.beta.clamp(0, 1))
    if isinstance(neuron, snn.Synaptic | snn.RSynaptic):
        alpha = _array(neuron.alpha.clamp(0, 1))
    size = _array(neuron.graded_spikes_factor)
    noise = getattr(neuron, "noise", None)
    return SpikingLayer(
        *(name, neuron, decay, gain, _array(neuron.threshold), alpha, reset),
        delayed=bool(delays),
        refractory=bool(delays) and reset == "zero" and not isinstance(neuron, snn.Leaky),
        random=describe_noise(noise) if isinstance(noise, MembraneNoise) else {},
        spike_size=None if np.all(size == 1) else size,
        gates=_array(neuron.gate_shares()) if hasattr(neuron, "gate_shares") else None,
    )


def recurrent_signal(layer: SpikingLayer, shape: Shape, time: int) -> Signal | None:
    """Return what a recurrent neuron's own spikes of a time step feed back; None if it has none."""
    if not isinstance(layer.module, snn.RLeaky | snn.RSynaptic):
        return None
    inner: Any = layer.module.recurrent
    spikes = Signal(shape, (Term(Source(SPIKES, layer.name, time, shape)),))
    label = f"{layer.name}.recurrent"
    if not layer.module.all_to_all:
        factor = np.broadcast_to(_without_batch(_array(inner.V), shape), shape)
        return spikes.applied(Scale(label, shape, shape, factor))
    weights = Weights(label, shape, shape, inner.weight.detach().cpu().numpy(), biased=True)
    bias = _array(inner.bias) if inner.bias is not None else np.zeros(shape[0])
    bias = bias.reshape(-1, *(1,) * (len(shape) - 1))
    if isinstance(inner, nn.Conv2d):
        padding = tuple(int(p) for p in inner.padding)
        weights = replace(weights, stride=inner.stride, before=padding, after=padding)
        weights = replace(weights, dilation=inner.dilation, groups=inner.groups)
    return spikes.applied(weights).plus(bias)


def to_node(
    layer: SpikingLayer, shape: Shape, bias: np.ndarray, dt: float, reading: Reading
) -> nir.NIRNode:
    """Return a layer as a NIR node.

    Args:
        layer: the layer.
        shape: its shape in the graph.
        bias: a constant input for each neuron, of a shape that broadcasts to ``shape``.
        dt: length of a time step in seconds.
        reading: whether the layer's membrane is the model's output.

    Raises:
        ValueError: a parameter's shape does not fit; the message says which.
    """

    def full(what: str, values: np.ndarray | float) -> np.ndarray:
        array = _without_batch(np.asarray(values, np.float64), shape)
        try:
            return np.broadcast_to(array, shape).copy()
        except ValueError:
            raise ValueError(
                f"a {what} of shape {array.shape} does not fit neurons of shape {shape}"
            ) from None

    leaves, gain = 1 - np.asarray(layer.decay, np.float64), np.asarray(layer.gain)
    never = bool(np.all(leaves == 0)) and layer.current_decay is None
    leaves = np.where(leaves == 0, _NEVER, leaves)
    options: dict[str, Any] = {"r": full("decay", gain / (dt if never else leaves))}
    if not never:
        options["v_leak"] = options["r"] * full("bias", bias)
    if layer.current_decay is not None:
        arrives = 1 - np.asarray(layer.current_decay, np.float64)
        arrives = np.where(arrives == 0, _NEVER, arrives)
        options["tau_syn"] = full("decay", dt / arrives)
        options["w_in"] = full("decay", 1 / arrives)
        options["tau_mem"] = full("decay", dt / leaves)
    elif not never:
        options["tau"] = full("decay", dt / leaves)
    if reading == "only membrane" and (layer.reset == "none" or layer.silent):
        kind = nir.I if never else nir.LI if layer.current_decay is None else nir.CubaLI
        return kind(**options, metadata=dict(layer.random)) if layer.random else kind(**options)
    options["v_threshold"] = full("threshold", layer.threshold)
    options["v_reset"] = full("reset", 0.0)
    kind = nir.IF if never else nir.LIF if layer.current_decay is None else nir.CubaLIF
    return kind(**options, metadata=_metadata(layer, dt, reading != "spikes"))


def _metadata(layer: SpikingLayer, dt: float, reads_membrane: bool) -> dict[str, Any]:
    metadata: dict[str, Any] = dict(layer.random)
    surrogate = describe_surrogate(getattr(layer.module, "spike_grad", None))
    if surrogate not in ("", DEFAULT):
        metadata["surrogate"] = surrogate
    learned = [what for what, own in _LEARNED.items() if _learns(layer.module, own)]
    if learned:
        metadata["learns"] = " ".join(learned)
    # NIR's own reset is to zero, at once; a delayed one gives the same spikes.
    if layer.reset != "zero" or layer.refractory or (layer.delayed and reads_membrane):
        metadata["reset"] = layer.reset
        if layer.delayed and layer.reset != "none":
            metadata["reset_delay"] = 1
    if layer.refractory:
        metadata["refractory"] = float(dt)
    return metadata


def _learns(neuron: nn.Module, attribute: str) -> bool:
    value = getattr(neuron, attribute, None)
    return isinstance(value, nn.Parameter) and value.requires_grad


def or_node(shape: Shape, dt: float) -> nir.LIF:
    """Return neurons that fire at once if they receive a spike, and forget all: an OR."""
    return nir.LIF(
        tau=np.full(shape, float(dt)),
        r=np.ones(shape),
        v_leak=np.zeros(shape),
        v_threshold=np.full(shape, 0.5),
        v_reset=np.zeros(shape),
    )


def _array(tensor: torch.Tensor) -> np.ndarray:
    values: np.ndarray = tensor.detach().cpu().double().numpy()
    return values


def _without_batch(values: np.ndarray, shape: Shape) -> np.ndarray:
    """Return a parameter without an axis of size 1 for the batch."""
    if values.ndim == len(shape) + 1 and values.shape[0] == 1:
        return values[0]
    return values
