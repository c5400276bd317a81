"""NIR's neurons as difference equations, in real numbers.

``I := α·I + x``, ``v := λ·v + gain·I`` with ``α = 1 − dt/τ_syn``, ``λ = 1 − dt/τ_mem``: the forward
Euler steps of NIR's equations (Pedersen et al., "Neuromorphic intermediate representation",
Nature Communications 2024), which snnTorch, Norse and lava-dl also take.
"""

from dataclasses import dataclass, field
from typing import Any

import nir
import numpy as np

from stochi.deploy.graph.arrays import as_array, spread
from stochi.deploy.graph.membrane_noise import MembraneNoise, read_membrane_noise
from stochi.deploy.graph.random_tau import RandomTau, read_random_tau
from stochi.errors import GraphError, LoweringError
from stochi.hardware.fixed_point import REFRACTORY_MAX
from stochi.hardware.neuron import RESETS

NEURONS = (nir.LIF, nir.IF, nir.CubaLIF, nir.LI, nir.CubaLI, nir.I, nir.Threshold)
PARAMETERS = (
    *("tau", "tau_mem", "tau_syn", "r", "w_in"),
    *("v_threshold", "v_leak", "v_reset", "threshold"),
)
FLAGS = ("reset_delay", "reset_current", "gate")
_MOST_STEPS = 2**24
"""Most time steps that a delay or a refractory period may last."""
COUPLED_TOLERANCE = 1e-4
"""Relative difference from 1 − λ that 32-bit floats in a file may give a coupled gain."""


@dataclass(frozen=True)
class RealNeuron:
    """A layer's neurons; arrays are float64, of shape () if all neurons share the value.

    The membrane is counted from where a spike resets it: it is NIR's v less ``v_reset``.

    Attributes:
        decay: λ; its mean if ``random`` is set.
        gain: factor of the input, the product of all factors.
        threshold: the threshold; None for neurons that never spike.
        random: distribution of λ; None for fixed decays.
        current_decay: α; None without synaptic memory.
        reset: what a spike does to the membrane, one of ``stochi.hardware.neuron.RESETS``.
        reset_delay: whether the reset acts at the beginning of the next time step.
        reset_current: whether a spike also sets the synaptic current to 0.
        refractory: refractory period in time steps.
        membrane_is_read: whether the network's output is the membranes of these neurons, though
            they spike.
        learns: which of "decay", "threshold" and "distribution" are learned.
        mean_of: the distribution whose mean is the decay, if that is learned.
        rest: where the membrane leaks to, ``v_leak − v_reset``; every step adds (1 − λ) of it, or
            E[1 − λ] if λ is drawn with a mean gain.
        noise: what is added to the membranes at every time step, or None.
        gate: whether they are gates, which fire at random if they receive a spike.
        surrogate: the gradient of training, as the graph describes it, or "".
    """

    decay: np.ndarray
    gain: np.ndarray
    threshold: np.ndarray | None
    random: RandomTau | None
    current_decay: np.ndarray | None = None
    reset: str = "zero"
    reset_delay: bool = False
    reset_current: bool = False
    refractory: int = 0
    membrane_is_read: bool = False
    learns: frozenset[str] = frozenset()
    mean_of: RandomTau | None = None
    rest: np.ndarray = field(default_factory=lambda: np.zeros(()))
    noise: MembraneNoise | None = None
    gate: bool = False
    surrogate: str = ""


def read_neuron(
    name: str, node: nir.NIRNode, dt: float, shape: tuple[int, ...] | None = None
) -> RealNeuron:
    """Read the neurons of a node, with what its metadata adds.

    The metadata may hold ``"reset"`` ("zero", "subtract" or "none"), ``"reset_delay"``,
    ``"reset_current"`` and ``"gate"`` (1 or 0, see :class:`RealNeuron`), ``"refractory"`` (seconds
    after a spike), ``"random_tau"`` and ``"membrane_noise"`` (see the modules of these names).

    Args:
        name: the node's name, for errors.
        node: one of :data:`NEURONS`.
        dt: seconds per time step.
        shape: shape of the neurons, to which parameters are spread; by default the node's own.

    Raises:
        LoweringError: a parameter is not finite or fits the shape in no or in two ways, a time
            constant or the refractory period does not fit the time step, a gain that is coupled to
            a drawn λ has another factor, or the neurons fire without input after every reset.
        GraphError: the metadata is not valid.
    """
    values = _parameters(name, node, shape)
    random, noted = read_random_tau(name, node), _read_metadata(name, node, dt)
    if isinstance(node, nir.Threshold):
        threshold = _threshold(name, values["threshold"], np.zeros(()))
        zero, one = np.zeros(()), np.ones(())
        return RealNeuron(zero, one, threshold, None, **noted)
    gain = values["r"]
    decay, current_decay, rest = np.ones(()), None, np.zeros(())
    if isinstance(node, nir.LIF | nir.LI):
        decay = _decay(name, "tau", values["tau"], dt)
        gain = gain * dt / values["tau"]
    elif isinstance(node, nir.CubaLIF | nir.CubaLI):
        decay = _decay(name, "tau_mem", values["tau_mem"], dt)
        current_decay = _decay(name, "tau_syn", values["tau_syn"], dt)
        gain = gain * dt / values["tau_mem"] * values["w_in"] * dt / values["tau_syn"]
    else:
        gain = gain * dt
    if random is not None and random.input_gain == "coupled":
        _check_coupled(name, gain, decay)
    reset = values.get("v_reset", np.zeros(()))
    if "v_leak" in values:
        rest = values["v_leak"] - reset
    if noted["reset"] == "subtract" and np.any(reset != 0):
        raise LoweringError(
            f"neuron {name!r}: it resets by subtraction, so v_reset must be 0, but it is"
            f" {reset[reset != 0].flat[0]:g}; set v_reset to 0, or metadata 'reset' to 'zero'"
        )
    above = values.get("v_threshold")
    return RealNeuron(
        decay=one_if_equal(decay),
        gain=one_if_equal(gain),
        threshold=None if above is None else _threshold(name, above, reset),
        random=random if random is None or random.sampling != "mean" else None,
        current_decay=None if current_decay is None else one_if_equal(current_decay),
        mean_of=random if random is not None and random.sampling == "mean" else None,
        **noted,
        rest=one_if_equal(rest),
    )


def _parameters(
    name: str, node: nir.NIRNode, shape: tuple[int, ...] | None
) -> dict[str, np.ndarray]:
    """Return a node's parameters by name, float64, of the neurons' shape."""
    found = {}
    for what in PARAMETERS:
        value = getattr(node, what, None)
        if value is None:
            continue
        values = as_array(value)
        if what in ("v_threshold", "threshold") and np.any(values == np.inf):
            raise LoweringError(
                f"neuron {name!r}: its {what} is infinite, so it never spikes; to read its"
                " membrane, write it as nir.LI, nir.CubaLI or nir.I, which have no threshold"
            )
        if not np.all(np.isfinite(values)):
            raise LoweringError(
                f"neuron {name!r}: {what} is not finite (NaN or infinite); train again or repair it"
            )
        found[what] = values if shape is None else np.asarray(spread(name, what, values, shape))
    return found


def _check_coupled(name: str, gain: np.ndarray, decay: np.ndarray) -> None:
    """Raise LoweringError unless the node's own gain is 1 − λ, as a drawn, coupled gain is."""
    with np.errstate(divide="ignore", invalid="ignore"):  # a λ of 1 has no gain that is coupled
        factor = np.asarray(gain / (1 - decay))
    wrong = ~(np.abs(factor - 1) <= COUPLED_TOLERANCE)
    if np.any(wrong):
        raise LoweringError(
            f"neuron {name!r}: its metadata 'random_tau' couples the input gain to λ, so that the"
            f" gain is 1 − λ, but its own parameters multiply that by {factor[wrong].flat[0]:g};"
            " set r (and w_in·dt/tau_syn) to 1 and multiply the weights in front of it instead"
        )


def _threshold(name: str, threshold: np.ndarray, reset: np.ndarray) -> np.ndarray:
    """Return the threshold above the reset.

    Raises:
        LoweringError: it is below the reset, so that the neuron fires without input.
    """
    above = threshold - reset
    if np.any(above < 0):
        place = int(np.argmin(above))
        reset = np.broadcast_to(reset, above.shape)
        raise LoweringError(
            f"neuron {name!r}: its threshold {threshold.flat[place]:g} is below"
            f" {reset.flat[place]:g}, where it starts and is reset to, so"
            f" {np.mean(above < 0):.0%} of its neurons fire at every time step without input; raise"
            " the threshold above v_reset, or add its difference to the bias"
        )
    return one_if_equal(above)


def to_steps(name: str, what: str, seconds: np.ndarray, dt: float) -> np.ndarray:
    """Convert seconds to whole time steps, int32.

    Raises:
        LoweringError: a value is negative or is not a multiple of dt.
    """
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        steps = np.asarray(seconds, np.float64) / dt
    whole = np.rint(steps)
    if np.any(steps < 0):
        raise LoweringError(f"node {name!r}: a {what} of {np.min(steps) * dt:g} s is negative")
    if not np.all(np.isfinite(steps)) or np.any(whole < 0) or np.any(np.abs(steps - whole) > 1e-3):
        raise LoweringError(
            f"node {name!r}: a {what} of {np.asarray(seconds).flat[0]:g} s is not a whole number of"
            f" time steps of {dt:g} s; pass the dt that the graph was made for"
        )
    if np.max(whole, initial=0) > _MOST_STEPS:
        raise LoweringError(
            f"node {name!r}: a {what} of {np.max(seconds):g} s is {np.max(whole):g} time steps of"
            f" {dt:g} s, more than {_MOST_STEPS:,}; pass the dt that the graph was made for"
        )
    return np.asarray(whole, np.int32)


def one_if_equal(values: np.ndarray) -> np.ndarray:
    """Return a single value, of shape (), if all values are equal up to rounding.

    A value that was exported as τ and r comes back only up to rounding.
    """
    first = np.array(values.flat[0])
    return first if np.allclose(values, first, rtol=1e-9, atol=0) else values


def _decay(name: str, what: str, tau: np.ndarray, dt: float) -> np.ndarray:
    with np.errstate(divide="ignore"):
        decay = 1 - dt / np.asarray(tau, dtype=np.float64)
    if not np.all((decay >= 0) & (decay <= 1)):
        raise LoweringError(
            f"neuron {name!r}: {what} {float(np.min(tau)):g} s with time steps of {dt:g} s gives a"
            f" decay of {float(np.min(decay)):g}, outside [0, 1]; pass the dt it was trained with"
        )
    return decay


def _read_metadata(name: str, node: nir.NIRNode, dt: float) -> dict[str, Any]:
    """Return the fields of :class:`RealNeuron` that a node's metadata holds."""
    noted = node.metadata if isinstance(node.metadata, dict) else {}
    reset = noted.get("reset", "zero")
    if reset not in RESETS:
        raise GraphError(
            f"node {name!r}: metadata 'reset' is {reset!r}; choose from {', '.join(RESETS)}"
        )
    try:
        refractory = int(to_steps(name, "refractory period", noted.get("refractory", 0.0), dt))
    except (TypeError, ValueError):
        raise GraphError(
            f"node {name!r}: metadata 'refractory' is not a number of seconds"
        ) from None
    if refractory > REFRACTORY_MAX:
        raise LoweringError(
            f"neuron {name!r}: its refractory period is {refractory} time steps; the chip's longest"
            f" is {REFRACTORY_MAX}"
        )
    learns = frozenset(str(noted.get("learns", "")).split())
    flags = {what: _read_flag(name, noted, what) for what in FLAGS}
    found = {"reset": reset, **flags, "refractory": refractory, "learns": learns}
    surrogate = str(noted.get("surrogate", ""))
    return {**found, "surrogate": surrogate, "noise": read_membrane_noise(name, node)}


def _read_flag(name: str, noted: dict[str, Any], what: str) -> bool:
    value = noted.get(what, 0)
    if not isinstance(value, int | float | np.integer | np.floating) or value not in (0, 1):
        raise GraphError(f"node {name!r}: metadata {what!r} is {value!r}; it must be 1 or 0")
    return bool(value)
