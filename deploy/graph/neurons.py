"""NIR's neurons as difference equations, in real numbers.

``I := α·I + x``, ``v := λ·v + gain·I`` with ``α = 1 − dt/τ_syn``, ``λ = 1 − dt/τ_mem``: the forward
Euler steps of NIR's equations (Pedersen et al., "Neuromorphic intermediate representation",
Nature Communications 2024), which snnTorch, Norse and lava-dl also take.
"""

from dataclasses import dataclass

import nir
import numpy as np

from stochi.deploy.graph.random_tau import RandomTau, read_random_tau
from stochi.errors import GraphError, LoweringError
from stochi.hardware.fixed_point import REFRACTORY_MAX

NEURONS = (nir.LIF, nir.IF, nir.CubaLIF, nir.LI, nir.CubaLI, nir.I)
RESETS = ("zero", "subtract")
_PARAMETERS = ("tau", "tau_mem", "tau_syn", "r", "w_in", "v_threshold", "v_leak", "v_reset")


@dataclass(frozen=True)
class RealNeuron:
    """A layer's neurons; arrays are float64, of shape () if all neurons share the value.

    Attributes:
        decay: λ; its mean if ``random`` is set.
        gain: factor of the input, the product of all factors.
        threshold: the threshold; None for neurons that never spike.
        random: distribution of λ; None for fixed decays.
        current_decay: α; None without synaptic memory.
        subtract: whether a spike subtracts the threshold, instead of setting the membrane to 0.
        refractory: refractory period in time steps.
    """

    decay: np.ndarray
    gain: np.ndarray
    threshold: np.ndarray | None
    random: RandomTau | None
    current_decay: np.ndarray | None = None
    subtract: bool = False
    refractory: int = 0


def read_neuron(name: str, node: nir.NIRNode, dt: float) -> RealNeuron:
    """Read the neurons of a node, with what its metadata adds.

    The metadata may hold ``"reset"`` ("zero" or "subtract"), ``"refractory"`` (seconds after a
    spike) and ``"random_tau"`` (see :mod:`stochi.deploy.graph.random_tau`).

    Args:
        name: the node's name, for errors.
        node: one of :data:`NEURONS`.
        dt: seconds per time step.

    Raises:
        LoweringError: the neurons leak or reset to a value other than 0, a parameter is not finite,
            or a time constant or the refractory period does not fit the time step.
        GraphError: the metadata is not valid.
    """
    for what in ("v_leak", "v_reset"):
        values = np.asarray(getattr(node, what, 0.0))
        if np.any(values != 0):
            raise LoweringError(
                f"neuron {name!r}: {what} is {values.flat[0]:g}; Loihi leaks and resets to 0, so"
                " shift threshold and bias by it"
            )
    for what in _PARAMETERS:
        if not np.all(np.isfinite(np.asarray(getattr(node, what, 0.0), np.float64))):
            raise LoweringError(
                f"neuron {name!r}: {what} is not finite (NaN or infinite); train again or repair it"
            )
    gain = np.asarray(node.r, dtype=np.float64)
    decay, current_decay = np.ones(()), None
    if isinstance(node, nir.LIF | nir.LI):
        decay = _decay(name, "tau", node.tau, dt)
        gain = gain * dt / node.tau
    elif isinstance(node, nir.CubaLIF | nir.CubaLI):
        decay = _decay(name, "tau_mem", node.tau_mem, dt)
        current_decay = _decay(name, "tau_syn", node.tau_syn, dt)
        gain = gain * dt / node.tau_mem * node.w_in * dt / node.tau_syn
    else:
        gain = gain * dt
    threshold = getattr(node, "v_threshold", None)
    subtract, refractory = _read_metadata(name, node, dt)
    return RealNeuron(
        decay=one_if_equal(decay),
        gain=one_if_equal(gain),
        threshold=None if threshold is None else one_if_equal(np.asarray(threshold, np.float64)),
        random=read_random_tau(name, node),
        current_decay=None if current_decay is None else one_if_equal(current_decay),
        subtract=subtract,
        refractory=refractory,
    )


def to_steps(name: str, what: str, seconds: np.ndarray, dt: float) -> np.ndarray:
    """Convert seconds to whole time steps, int32.

    Raises:
        LoweringError: a value is negative or is not a multiple of dt.
    """
    steps = np.asarray(seconds, np.float64) / dt
    whole = np.rint(steps)
    if np.any(steps < 0):
        raise LoweringError(f"node {name!r}: a {what} of {np.min(steps) * dt:g} s is negative")
    if not np.all(np.isfinite(steps)) or np.any(whole < 0) or np.any(np.abs(steps - whole) > 1e-3):
        raise LoweringError(
            f"node {name!r}: a {what} of {np.asarray(seconds).flat[0]:g} s is not a whole number of"
            f" time steps of {dt:g} s; pass the dt that the graph was made for"
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


def _read_metadata(name: str, node: nir.NIRNode, dt: float) -> tuple[bool, int]:
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
    return reset == "subtract", refractory
