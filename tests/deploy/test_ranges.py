"""Room for membranes below their reset, and warnings with numbers where it or anything lacks."""

import re
import warnings
from itertools import pairwise

import nir
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stochi.deploy import Program, RangeWarning, lower
from stochi.deploy.graph.layers import cut_into_layers
from stochi.deploy.lowering.reach import accumulated, accumulated_twice
from stochi.deploy.ranges import layer_ranges
from stochi.errors import LoweringError
from stochi.export import to_nir
from stochi.hardware.fixed_point import STATE_MAX
from stochi.sim import run
from tests.conftest import NETWORKS

RESET = {"reset": "zero"}


def graph(
    weight: np.ndarray, node: nir.NIRNode, bias: float | None = None, then: list | None = None
) -> nir.NIRGraph:
    linear = nir.Linear(weight) if bias is None else nir.Affine(weight, np.full(len(weight), bias))
    nodes: dict[str, nir.NIRNode] = {"input": nir.Input(np.array(weight.shape[1:])), "w": linear}
    nodes["n"] = node
    nodes |= {f"m{i}": added for i, added in enumerate(then or [])}
    nodes["output"] = nir.Output(list(nodes.values())[-1].output_type["output"])
    return nir.NIRGraph(nodes, list(pairwise(nodes)))


def integrators(n: int, threshold: float = 1.0, **noted: object) -> nir.IF:
    return nir.IF(np.ones(n), np.full(n, threshold), metadata={**RESET, **noted})


def lif(
    n: int, decay: float, threshold: float = 1.0, leak: float = 0.0, **noted: object
) -> nir.LIF:
    tau = 1 / (1 - decay)
    values = (np.full(n, v) for v in (tau, tau, leak, threshold))
    return nir.LIF(*values, metadata={**RESET, **noted})


def lowered(made: nir.NIRGraph, time_steps: int = 100, **options: object) -> Program:
    options = {"dt": 1.0, "events": True} | options
    return lower(made, time_steps=time_steps, **options)  # type: ignore[arg-type]


def range_warnings(made: nir.NIRGraph, *args: object, **options: object) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        lowered(made, *args, **options)  # type: ignore[arg-type]
    return [str(w.message) for w in caught if w.category is RangeWarning]


@pytest.mark.parametrize("weights", [(-1.0, 1.0), (-10.0, 1.0), (-1.0, 0.3)])
def test_what_was_inhibited_for_long_does_not_fire(weights: tuple[float, float]) -> None:
    """200 steps inhibited, 200 excited: the sum stays below 0. At full scale it fired 98 times."""
    made = graph(np.array([weights]), integrators(1))
    program = lowered(made, 400)
    inputs = torch.zeros(400, 1, 2)
    inputs[:200, 0, 0] = inputs[200:, 0, 1] = 1
    record = run(program, inputs, probes=("spikes", "membrane"))
    assert int(record.spikes["n"].sum()) == 0
    lowest = float(record.membrane["n"].min()) / program.layers[0].membrane_unit
    assert lowest == pytest.approx(200 * weights[0], rel=0.01)


@settings(max_examples=25, deadline=None)
@given(
    st.integers(1, 40),
    st.sampled_from([0.8, 0.9, 0.95, 0.99, 1.0]),
    st.integers(4, 60),
    st.floats(0.1, 1),
    st.integers(0, 99),
)
def test_membranes_do_not_saturate_unless_a_warning_says_so(
    fan_in: int, decay: float, time_steps: int, rate: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    weight = rng.standard_normal((12, fan_in)) - 0.5
    node = integrators(12) if decay == 1 else lif(12, decay)
    made = graph(weight, node)
    warned = range_warnings(made, time_steps)
    program = lowered(made, time_steps)
    inputs = torch.from_numpy(rng.random((time_steps, 4, fan_in)) < rate).float()
    membranes = run(program, inputs, probes=("membrane",)).membrane["n"]
    (found,) = layer_ranges(cut_into_layers(made, 1.0), program)
    if found.reach and not any("forget inhibition" in message for message in warned):
        assert int(membranes.min()) > -STATE_MAX
    layer = program.layers[0]
    assert layer.threshold_mantissa is not None and layer.threshold_mantissa.max() >= 16
    assert np.abs(layer.projections[0].weight).max() >= 127


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("gain", ["coupled", "mean"])
@pytest.mark.parametrize("noise", ["decay", "none"])
def test_networks_of_short_memory_keep_the_largest_scale(
    network: str, gain: str, noise: str
) -> None:
    build, shape = NETWORKS[network]
    made = to_nir(build(input_gain=gain), torch.rand(1, *shape))
    with warnings.catch_warnings():
        warnings.simplefilter("error", RangeWarning)
        program = lower(made, noise=noise)
    real = cut_into_layers(made, program.target.dt)
    for found in layer_ranges(real, program):
        assert found.reach == 0


def test_a_floor_that_no_precision_is_left_for_is_said_with_numbers() -> None:
    taus = [np.full(1, 1e9)] * 3
    node = nir.CubaLIF(*taus, np.zeros(1), np.ones(1), w_in=np.full(1, 1e9), metadata=RESET)
    made = graph(np.array([[-1.0, 1.0]]), node)
    (message,) = range_warnings(made, 400)
    away, held = (
        float(re.search(rf"{what} ([\d.e+]+)", message)[1])  # type: ignore[index]
        for what in ("can get", "hold")
    )
    program = lowered(made, 400)
    assert away == pytest.approx(400 * 401 / 2, rel=1e-3)
    assert held == pytest.approx(STATE_MAX / program.layers[0].membrane_unit, rel=1e-3)
    steps = int(held**0.5 * 2**0.5)  # 1 + 2 + 3 + … is nearly half a square
    assert re.search(rf"which is ({steps - 1}|{steps}) of 400 time steps", message)


def test_calibration_data_decide_where_the_worst_case_does_not_fit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    made = graph(rng.standard_normal((8, 300)) - 0.3, integrators(8))
    sparse = torch.from_numpy(rng.random((200, 4, 300)) < 0.002).float()
    dense = torch.ones(200, 4, 300)
    assert "by the worst case" in range_warnings(made, 200)[0]
    assert range_warnings(made, 200, calibration=sparse) == []
    (message,) = range_warnings(made, 200, calibration=dense)
    assert re.search(r"with the calibration data, [\d.]+% of the membranes are at the end", message)
    monkeypatch.setattr("stochi.deploy.ranges._BATCH", 3)  # of 4 samples
    assert range_warnings(made, 200, calibration=dense) == [message]


def test_neurons_that_subtract_have_room_above() -> None:
    made = graph(np.array([[3.0]]), integrators(1, reset="subtract"))
    program = lowered(made, 100)
    inputs = torch.zeros(100, 1, 1)
    inputs[:40] = 1
    spikes = run(program, inputs, probes=("spikes",)).spikes["n"]
    assert int(spikes.sum()) == 100  # 120 units came in, and every step takes 1


@pytest.mark.parametrize(
    ("made", "says"),
    [
        (graph(np.full((3, 4), 0.1), lif(3, 0.5)), "no neuron can reach.*0.8 at most.*1.25 times"),
        (graph(np.full((3, 4), -0.1), lif(3, 0.5)), "no neuron can reach.*get to 0 at most"),
        (graph(np.full((3, 4), 0.1), lif(3, 0.9, 100.0)), "no neuron can reach.*nir.LI"),
        (graph(np.full((3, 4), 0.1), lif(3, 0.5), 0.6), "every neuron spikes without input"),
        (graph(np.full((3, 4), 0.1), lif(3, 0.5, leak=1.2)), "every neuron spikes without input"),
        (graph(np.full((3, 4), 0.1), lif(3, 0.5), 1.6), "spikes at every time step, whatever"),
    ],
)
def test_layers_that_never_spike_or_never_stop_are_named(made: nir.NIRGraph, says: str) -> None:
    (message,) = range_warnings(made)
    assert re.match(f"layer 'n': .*{says}", message)


def test_a_layer_in_the_middle_is_told_of_dt() -> None:
    then = [nir.Linear(np.eye(3)), lif(3, 0.5, 0.1)]
    made = graph(np.full((3, 4), 0.1), lif(3, 0.5), then=then)
    (message,) = range_warnings(made)
    assert "layer 'n'" in message and "check dt" in message


def test_layers_that_work_are_not_mentioned() -> None:
    rng = np.random.default_rng(0)
    for decay in (0.0, 0.5, 0.9):
        assert range_warnings(graph(rng.standard_normal((5, 6)), lif(5, decay))) == []


def test_a_threshold_far_above_the_weights_is_told_to_read_membranes() -> None:
    with pytest.raises(LoweringError, match=r"'n': its threshold 1e\+10 is far above.*nir.LI"):
        lowered(graph(np.full((3, 4), 0.1), lif(3, 0.9, 1e10)))


@settings(deadline=None)
@given(st.floats(0, 1), st.floats(0, 1), st.integers(1, 200))
def test_accumulations_are_those_of_the_sums(decay: float, current: float, steps: int) -> None:
    once = twice = u = 0.0
    for _ in range(steps):
        once = decay * once + 1
        u = current * u + 1
        twice = decay * twice + u
    assert float(accumulated(decay, steps)) == pytest.approx(once, rel=1e-4)
    found = accumulated_twice(np.array(decay), np.array(current), steps)
    assert float(found) == pytest.approx(twice, rel=1e-4)
