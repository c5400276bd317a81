"""Graphs as frameworks write them: which time step, impulses or currents, and which reset.

The numbers are those of the frameworks' exporters; docs/graphs.md says where they stand.
"""

import warnings
from itertools import pairwise

import nir
import numpy as np
import pytest
import torch

from stochi.deploy import (
    ConventionWarning,
    Program,
    ResetWarning,
    lower,
    recognize,
    resolve_conventions,
)
from stochi.errors import GraphError, InputError, LoweringError
from stochi.export import to_nir
from stochi.sim import run
from tests.conftest import dense_net


def graph(*neurons: nir.NIRNode, **metadata: object) -> nir.NIRGraph:
    """Put an identity of four inputs before every neuron."""
    nodes: dict[str, nir.NIRNode] = {"input": nir.Input(np.array([4]))}
    for place, neuron in enumerate(neurons):
        nodes[f"w{place}"] = nir.Linear(np.eye(4))
        nodes[f"n{place}"] = neuron
    nodes["output"] = nir.Output(np.array([4]))
    return nir.NIRGraph(nodes, list(pairwise(nodes)), metadata)


def full(*values: float) -> list[np.ndarray]:
    return [np.full(4, value) for value in values]


def leaky(beta: float, dt: float, r: float) -> nir.LIF:
    return nir.LIF(*full(dt / (1 - beta), r, 0.0, 1.0))


def snntorch(beta: float = 0.9, dt: float = 1e-4) -> nir.LIF:
    return leaky(beta, dt, 1 / (1 - beta))


def synaptic(alpha: float, beta: float, dt: float = 1e-4) -> nir.CubaLIF:
    taus = full(dt / (1 - alpha), dt / (1 - beta))
    return nir.CubaLIF(*taus, *full(1 / (1 - beta), 0, 1), w_in=full(1 / (1 - alpha))[0])


def rockpool(tau: float, dt: float = 1e-3) -> nir.LIF:
    return nir.LIF(*full(tau, tau * np.exp(-dt / tau) / dt, 0, 1))


@pytest.mark.parametrize(
    ("made", "name", "dt"),
    [
        (graph(snntorch()), "snntorch", 1e-4),
        (graph(snntorch(0.5), snntorch(0.95)), "snntorch", 1e-4),
        (graph(synaptic(0.8, 0.9)), "snntorch", 1e-4),
        (graph(snntorch(0.9, 1e-3)), "snntorch", 1e-3),
        (graph(rockpool(0.02), rockpool(0.05)), "rockpool", 1e-3),
        (graph(leaky(0.9, 1.0, 0.9)), "spyx", 1.0),
        (graph(leaky(0.9, 1e-3, 1.0)), "nir", None),
        (graph(leaky(0.9, 1e-3, 3.0)), "nir", None),
        (graph(nir.IF(*full(1, 1))), "nir", 1.0),
        (graph(nir.IF(*full(1e4, 1))), "nir", None),
    ],
)
def test_numbers_show_who_wrote_them(made: nir.NIRGraph, name: str, dt: float | None) -> None:
    found = recognize(made)
    assert (found.name, found.dt) == (name, dt)


def test_one_time_constant_may_fit_by_chance_and_counts_only_if_dt_is_missing() -> None:
    assert recognize(graph(snntorch()), dt=1e-3).dt is None
    assert recognize(graph(snntorch(0.5), snntorch(0.95)), dt=1e-3).dt == 1e-4


def test_an_inferred_time_step_is_taken_and_said() -> None:
    with pytest.warns(ConventionWarning, match=r"dt = 0\.0001 s is taken, since r = τ/dt"):
        program = lower(graph(snntorch(0.5)), events=True, reset="zero")
    assert program.target.dt == 1e-4
    assert program.layers[0].decay.values == 2048
    weight = program.layers[0].projections[0]
    assert weight.weight.max() * 2.0**weight.weight_exponent == program.layers[0].scale


def test_a_time_step_that_the_numbers_contradict_warns_with_the_factor() -> None:
    with pytest.warns(ConventionWarning, match=r"show 0\.0001 s.* take 2 times the input"):
        lower(graph(snntorch(0.5), snntorch(0.75)), dt=2e-4, events=True, reset="zero")
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConventionWarning)
        lower(graph(snntorch(0.5), snntorch(0.75)), dt=1e-4, events=True, reset="zero")


def spike_times(program: Program, inputs: torch.Tensor, layer: str) -> list[int]:
    spikes = run(program, inputs, probes=("spikes",)).spikes[layer]
    return [int(step) + 1 for step in torch.nonzero(spikes[:, 0, 0]).ravel()]


@pytest.mark.parametrize("dt", [1.0, 1e-3, 1e-4, None])
def test_an_integrator_with_unit_r_adds_its_input_at_every_step(dt: float | None) -> None:
    """With input 1/16 and threshold 1 it spikes at 17 and 34, whatever dt is."""
    made = graph(nir.IF(*full(1, 1)))
    made.nodes["w0"] = nir.Linear(np.eye(4) / 16)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        program = lower(made, dt=dt, time_steps=40, events=True, reset="zero")
    said = [str(w.message) for w in caught if w.category is ConventionWarning]
    assert ["r is 1" in message for message in said] == [True] * (dt in (1e-3, 1e-4))
    assert spike_times(program, torch.ones(1, 4), "n0") == [17, 34]
    physical = lower(made, dt=1e-2, time_steps=40, events=True, reset="zero", convention="nir")
    assert spike_times(physical, torch.ones(1, 4), "n0") == []


def test_an_integrator_beside_leaky_neurons_keeps_their_time_step() -> None:
    made = graph(nir.IF(*full(1, 1)), snntorch(0.9), dt=1e-4, steps=80)
    made.nodes["w0"] = nir.Linear(np.eye(4) / 16)
    made.nodes["w1"] = nir.Linear(np.eye(4) * 0.6)
    with pytest.warns(ConventionWarning, match="'n0': r is 1"):
        program = lower(made, events=True, reset="zero")
    assert spike_times(program, torch.ones(1, 4), "n0") == [17, 34, 51, 68]
    v, expected = 0.0, []
    for step in range(1, 81):
        v = 0.9 * v + 0.6 * (step % 17 == 0)
        expected += [step] if v > 1 else []
        v = 0.0 if v > 1 else v
    assert spike_times(program, torch.ones(1, 4), "n1") == expected


def test_spyx_s_neurons_add_their_input_as_it_is_if_that_is_said() -> None:
    made = graph(leaky(0.9, 1.0, 0.9))
    with pytest.warns(ConventionWarning, match="convention='spyx'"):
        plain = resolve_conventions(made, reset="zero")
    assert np.allclose(plain.nodes["n0"].r, 0.9)
    said = resolve_conventions(made, convention="spyx", reset="subtract")
    assert np.allclose(said.nodes["n0"].r, 10) and said.metadata["dt"] == 1.0
    assert np.allclose(made.nodes["n0"].r, 0.9)


@pytest.mark.parametrize(("convention", "dt"), [("norse", 1e-3), ("sinabs", 1.0)])
def test_a_framework_s_time_step_is_its_own(convention: str, dt: float) -> None:
    made = graph(leaky(0.9, dt, 1.0))
    program = lower(made, convention=convention, events=True, reset="zero")
    assert program.target.dt == dt
    assert int(program.layers[0].decay.values) == round(0.9 * 4096)


def test_resets_are_never_assumed_in_silence() -> None:
    made = graph(leaky(0.9, 1e-3, 1.0))
    with pytest.warns(ResetWarning, match="spike resets neuron 'n0'.*reset='subtract'"):
        program = lower(made, dt=1e-3, events=True)
    assert program.layers[0].reset == "zero"
    assert lower(made, dt=1e-3, events=True, reset="subtract").layers[0].reset == "subtract"
    said = graph(leaky(0.9, 1e-3, 1.0))
    said.nodes["n0"].metadata = {"reset": "subtract"}
    shifted = graph(nir.LIF(*full(1e-2, 1, 0, 1), v_reset=np.full(4, -0.5)))
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResetWarning)
        assert lower(said, dt=1e-3, events=True).layers[0].reset == "subtract"
        assert lower(said, dt=1e-3, events=True, reset="zero").layers[0].reset == "subtract"
        lower(shifted, dt=1e-3, events=True)
        lower(graph(nir.LI(*full(1e-2, 1, 0))), dt=1e-3, events=True)
        lower(to_nir(dense_net(), torch.rand(1, 1, 4, 4)))
    with pytest.raises(LoweringError, match="v_reset must be 0"):
        lower(shifted, dt=1e-3, events=True, reset="subtract")


def test_what_is_resolved_stays_as_it_is() -> None:
    made = resolve_conventions(graph(nir.IF(*full(1, 1))), dt=1e-3, reset="zero")
    assert np.allclose(made.nodes["n0"].r, 1000)
    assert made.metadata == {"dt": 1e-3, "convention": "nir"}
    assert resolve_conventions(made) is made
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lower(made, events=True)


def test_inner_graphs_are_resolved_too() -> None:
    inner = graph(nir.IF(*full(1, 1)))
    nodes = {"input": nir.Input(np.array([4])), "in": inner, "output": nir.Output(np.array([4]))}
    made = resolve_conventions(nir.NIRGraph(nodes, list(pairwise(nodes))), dt=1e-3, reset="zero")
    found = made.nodes["in"].nodes["n0"]
    assert np.allclose(found.r, 1000) and found.metadata["reset"] == "zero"


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"convention": "brian"}, InputError, "convention is 'brian'; choose from nir, snntorch"),
        ({"reset": "later"}, InputError, "reset is 'later'; choose from zero, subtract"),
    ],
)
def test_unknown_conventions_are_refused(options: dict, error: type, says: str) -> None:
    with pytest.raises(error, match=says):
        lower(graph(leaky(0.9, 1e-3, 1.0)), dt=1e-3, events=True, **options)
    with pytest.raises(GraphError, match="NIRGraph is needed"):
        resolve_conventions("no graph", **options)  # type: ignore[arg-type]
