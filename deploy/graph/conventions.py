"""How frameworks write NIR: which time step, impulses or currents, and which reset.

NIR's equations are in seconds. Frameworks step without units and write numbers that stand for
their steps, each in its own way. What a graph's numbers show is recognized here; the rest must be
said. The graph that comes out says everything in NIR's own terms: its time step, and how each
neuron resets. docs/graphs.md lists the frameworks, with where each fact stands.
"""

import warnings
from collections.abc import Iterable
from dataclasses import dataclass

import nir
import numpy as np

from stochi.arguments import check_arguments
from stochi.deploy.graph.arrays import as_array, map_nodes, with_arrays
from stochi.deploy.graph.fields import check_graph
from stochi.deploy.graph.neurons import RESETS
from stochi.errors import InputError, StochiWarning

CONVENTIONS = ("nir", "snntorch", "norse", "sinabs", "rockpool", "spyx", "spikingjelly")
"""Names that ``convention`` takes; "nir" takes all numbers as NIR's equations say."""
_STEPS = {"snntorch": 1e-4, "norse": 1e-3, "sinabs": 1.0, "spikingjelly": 1e-4}
"""Seconds per time step of frameworks whose graphs have one unless the user chose another."""
_UNIT_R_IS_PER_STEP = ("snntorch", "norse", "sinabs", "spyx")
_LISTED = 3


class ConventionWarning(StochiWarning):
    """Warning that a graph was read by a convention that it does not state."""


class ResetWarning(ConventionWarning):
    """Warning that a graph does not say how its neurons reset."""


@dataclass(frozen=True)
class Convention:
    """How a graph's numbers are read.

    Attributes:
        name: "stochi", or one of :data:`CONVENTIONS`.
        dt: seconds per time step that the graph itself shows; None if it shows none.
        per_step: neurons whose r = 1 means that they add their input as it is, at every time step.
        impulses: neurons that take their input as it is, although the graph's r says otherwise.
        reason: what shows it, as a clause.
        inferred: whether it was recognized, and not said by the user or the metadata.
    """

    name: str
    dt: float | None
    per_step: tuple[str, ...] = ()
    impulses: tuple[str, ...] = ()
    reason: str = ""
    inferred: bool = False


def recognize(
    graph: nir.NIRGraph, dt: float | None = None, convention: str | None = None
) -> Convention:
    """Recognize the convention of a graph by its metadata and its numbers.

    Args:
        dt: seconds per time step, if the user gave it.
        convention: one of :data:`CONVENTIONS`, if the user gave it.

    Raises:
        InputError: the convention is unknown.
    """
    check_arguments(recognize, locals())
    if convention is not None and convention not in CONVENTIONS:
        raise InputError(
            f"convention is {convention!r}; choose from {', '.join(CONVENTIONS)}, or leave it out"
        )
    noted = graph.metadata if isinstance(graph.metadata, dict) else {}
    known = noted.get("dt")
    if convention is None and {"dt", "steps", "readout"} <= set(noted):
        return Convention("stochi", float(noted["dt"]), reason="its metadata says so")
    neurons = dict(_neurons(graph, ""))
    unit = tuple(
        name
        for name, node in neurons.items()
        if isinstance(node, nir.IF | nir.I) and np.all(as_array(node.r) == 1)
    )
    shown, step, reason = _shown_by_numbers(neurons, dt is None and known is None)
    if convention is None:
        timeless = bool(unit) and len(unit) == len(neurons)
        if known is None and timeless and not _delays(graph):
            step = 1.0  # no number in the graph depends on it
        return Convention(shown or "nir", step, unit, (), reason, inferred=True)
    if convention == "nir":
        return Convention("nir", None)
    if convention != shown:
        step = _STEPS.get(convention, step)
    impulses = tuple(
        name for name, node in neurons.items() if convention == "spyx" and hasattr(node, "v_leak")
    )
    per_step = unit if convention in _UNIT_R_IS_PER_STEP else ()
    return Convention(convention, step, per_step, impulses, "as was said")


def resolve_conventions(
    graph: nir.NIRGraph,
    *,
    dt: float | None = None,
    convention: str | None = None,
    reset: str | None = None,
) -> nir.NIRGraph:
    """Return a graph that says in NIR's own terms what it left to its framework's conventions.

    Its metadata has ``"dt"``, if it is known, and ``"convention"``; its neurons that spike have
    ``"reset"``. An r of 1 that means "at every time step" becomes 1/dt. A graph that is resolved
    already comes back as it is.

    Args:
        graph: from any framework.
        dt: seconds per time step, if the graph does not hold it.
        convention: name of the framework that wrote the graph, of :data:`CONVENTIONS`, or "nir" to
            take every number as NIR's equations say; None to recognize it.
        reset: "zero" or "subtract", for neurons whose metadata does not say it; None takes "zero",
            with a warning if another framework wrote the graph.

    Raises:
        GraphError: this is not a NIR graph, or its fields do not have NIR's types.
        InputError: an argument is unknown.

    Warns:
        ConventionWarning: a convention that was recognized changes how numbers are read.
        ResetWarning: it is not known how neurons reset.
    """
    check_arguments(resolve_conventions, locals(), besides=("graph",))
    check_graph(graph)
    if reset is not None and reset not in RESETS:
        raise InputError(f"reset is {reset!r}; choose from {', '.join(RESETS)}")
    noted = graph.metadata if isinstance(graph.metadata, dict) else {}
    resolved = "convention" in noted and convention is None
    if resolved and (reset is None or not _unsaid(graph)):
        return graph
    found = (
        Convention(str(noted["convention"]), None) if resolved else recognize(graph, dt, convention)
    )
    step = _time_step(noted.get("dt"), dt, found)
    if found.inferred:
        _warn_of_convention(found, step, noted.get("dt") is None and dt is None)
    if reset is None and found.name != "stochi":
        _warn_of_reset(_unsaid(graph))
    made = map_nodes(graph, lambda name, node: _resolved(name, node, found, step, reset))
    made.metadata["convention"] = found.name
    if step is not None:
        made.metadata["dt"] = step
    return made


def _time_step(noted: object, given: object, found: Convention) -> float | None:
    """Return dt; None if none is known, or if it is no positive number, which lowering refuses."""
    step = noted if noted is not None else found.dt if given is None else given
    valid = isinstance(step, int | float | np.floating) and step > 0
    return float(step) if valid else None  # type: ignore[arg-type]


def _resolved(
    name: str, node: nir.NIRNode, found: Convention, dt: float | None, reset: str | None
) -> nir.NIRNode:
    node = with_arrays(node)
    if dt is not None and name in found.per_step:
        node.r = as_array(node.r) / dt
    if dt is not None and name in found.impulses:
        _take_impulses(node, dt)
    if _spikes(node) and found.name != "stochi":
        node.metadata = {"reset": reset or "zero"} | dict(node.metadata or {})
    elif reset is not None and _spikes(node):
        node.metadata = {"reset": reset} | dict(node.metadata or {})
    return node


def _take_impulses(node: nir.NIRNode, dt: float) -> None:
    """Set r and w_in so that the membrane, and the current, add their input as it is."""
    if isinstance(node, nir.LIF | nir.LI):
        node.r = as_array(node.tau) / dt
    else:
        node.r, node.w_in = as_array(node.tau_mem) / dt, as_array(node.tau_syn) / dt


def _neurons(graph: nir.NIRGraph, prefix: str) -> Iterable[tuple[str, nir.NIRNode]]:
    for name, node in graph.nodes.items():
        if isinstance(node, nir.NIRGraph):
            yield from _neurons(node, f"{prefix}{name}.")
        elif hasattr(node, "r"):
            yield prefix + name, node


def _spikes(node: nir.NIRNode) -> bool:
    return isinstance(node, nir.LIF | nir.IF | nir.CubaLIF)


def _unsaid(graph: nir.NIRGraph) -> list[str]:
    """Return the neurons of which nothing says how they reset.

    A v_reset that is not 0 says that spikes reset the membrane to it.
    """
    return [
        name
        for name, node in _neurons(graph, "")
        if _spikes(node)
        and "reset" not in (node.metadata or {})
        and not (node.v_reset is not None and np.any(as_array(node.v_reset) != 0))
    ]


def _delays(graph: nir.NIRGraph) -> bool:
    return any(
        _delays(node) if isinstance(node, nir.NIRGraph) else isinstance(node, nir.Delay)
        for node in graph.nodes.values()
    )


def _shown_by_numbers(
    neurons: dict[str, nir.NIRNode], alone: bool
) -> tuple[str | None, float | None, str]:
    """Find the framework, and its time step, whose formula all neurons with time constants fit.

    Args:
        alone: whether nothing else gives the time step. A single time constant, which may fit by
            chance, counts only then.
    """
    leaky = [node for node in neurons.values() if hasattr(node, "v_leak")]
    if not leaky or (not alone and _distinct(leaky) < 2):
        return None, None, ""
    for name, formula, says in _FORMULAS:
        with np.errstate(all="ignore"):
            steps = np.concatenate([np.ravel(formula(node)) for node in leaky])
        step = _round_step(steps)
        if step is not None:
            return name, step, says
    return None, None, ""


def _impulse_step(node: nir.NIRNode) -> np.ndarray:
    """Return dt by r = τ/dt, and w_in = τ_syn/dt; NaN where r is 1, which shows nothing."""
    tau = as_array(node.tau if hasattr(node, "tau") else node.tau_mem)
    r = as_array(node.r)
    found = [np.ravel(np.where(r == 1, np.nan, tau / r))]
    if hasattr(node, "tau_syn"):
        found.append(np.ravel(as_array(node.tau_syn) / as_array(node.w_in)))
    return np.concatenate(found)


def _rockpool_step(node: nir.NIRNode) -> np.ndarray:
    """Return dt by r = τ·exp(−dt/τ)/dt, by Newton's steps from dt = τ/r."""
    tau = as_array(node.tau if hasattr(node, "tau") else node.tau_mem)
    r = as_array(node.r)
    step = tau / (1 + r)
    for _ in range(50):
        step = step - (np.exp(-step / tau) * tau - r * step) / (-np.exp(-step / tau) - r)
    return np.where(r == 1, np.nan, step)


def _spyx_step(node: nir.NIRNode) -> np.ndarray:
    """Return dt by r = β = 1 − dt/τ."""
    tau = as_array(node.tau if hasattr(node, "tau") else node.tau_mem)
    r = as_array(node.r)
    return np.where((r > 0) & (r < 1), tau * (1 - r), np.nan)


_FORMULAS = (
    ("snntorch", _impulse_step, "r = τ/dt in every neuron, as snnTorch and SpikingJelly write it"),
    ("rockpool", _rockpool_step, "r = τ·exp(−dt/τ)/dt in every neuron, as Rockpool writes it"),
    ("spyx", _spyx_step, "r = 1 − dt/τ in every neuron, as spyx writes it"),
)


def _round_step(steps: np.ndarray) -> float | None:
    """Return the power of ten that all steps are, or None."""
    if not steps.size or not np.all(np.isfinite(steps)) or steps.min() <= 0:
        return None
    power = float(f"{10.0 ** np.rint(np.log10(steps.flat[0])):.1g}")
    return power if np.allclose(steps, power, rtol=1e-3, atol=0) else None


def _distinct(leaky: list[nir.NIRNode]) -> int:
    """Count distinct time constants, which a formula that fits all of them cannot do by chance."""
    taus = [
        np.ravel(as_array(getattr(node, name)))
        for node in leaky
        for name in ("tau", "tau_mem", "tau_syn")
        if hasattr(node, name)
    ]
    return len(np.unique(np.round(np.log(np.abs(np.concatenate(taus)) + 1e-300), 3)))


def _warn_of_convention(found: Convention, dt: float | None, taken: bool) -> None:
    if found.per_step and dt is not None and dt != 1:
        warnings.warn(
            f"{_listed(found.per_step)}: r is 1, which snnTorch, Norse, Sinabs and spyx write for"
            " neurons that add their input as it is at every time step; it is read so, and not as"
            f" r·dt = {dt:g} of the input; say convention='nir' (--convention nir) for the latter",
            ConventionWarning,
            stacklevel=4,
        )
    if found.reason and taken and found.dt is not None:
        warnings.warn(
            f"the graph does not hold its time step; dt = {found.dt:g} s is taken, since"
            f" {found.reason}; pass dt (--dt) to choose another",
            ConventionWarning,
            stacklevel=4,
        )
    elif found.dt is not None and dt is not None and found.reason and not np.isclose(dt, found.dt):
        warnings.warn(
            f"dt is {dt:g} s, but the graph's numbers show {found.dt:g} s: {found.reason}; with the"
            f" dt given, neurons take {dt / found.dt:g} times the input of their training",
            ConventionWarning,
            stacklevel=4,
        )
    if found.name == "spyx":
        warnings.warn(
            f"{found.reason}; spyx's neurons add their input as it is, but NIR's equations scale it"
            " by r·dt/τ, and these are taken; say convention='spyx' (--convention spyx) if spyx"
            " wrote the graph",
            ConventionWarning,
            stacklevel=4,
        )


def _warn_of_reset(names: list[str]) -> None:
    if names:
        warnings.warn(
            f"the graph does not say how a spike resets {_listed(names)}; it sets the membrane to"
            " v_reset, as in NIR's equations, but snnTorch, Sinabs, Rockpool and spyx write neurons"
            " that subtract their threshold in the same way; say reset='subtract' (--reset"
            " subtract), or reset='zero' if this is right",
            ResetWarning,
            stacklevel=4,
        )


def _listed(names: Iterable[str]) -> str:
    shown = [repr(name) for name in names]
    more = f" and {len(shown) - _LISTED} more" if len(shown) > _LISTED else ""
    return f"neuron{'s' * (len(shown) > 1)} {', '.join(shown[:_LISTED])}{more}"
