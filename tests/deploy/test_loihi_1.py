"""Graphs lowered for Loihi 1: nothing wraps there, and engine, Lava and chip agree."""

import warnings
from dataclasses import replace
from itertools import pairwise

import nir
import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st

from stochi.deploy import CoarseWeights, MergedThresholds, Program, lower
from stochi.errors import LoweringError, ProgramError
from stochi.hardware.chips import CHIPS
from stochi.program.layers import INPUT
from stochi.sim import run
from tests.deploy.loihi_1 import Loihi1, actual_weight
from tests.thoroughness import examples

DT = 1e-3
SUM_MAX, WEIGHT_MAX = 2**21 - 1, 2**21 - 2**6


def neurons(n: int, kind: str, decay: float, threshold: np.ndarray, **noted: object) -> nir.NIRNode:
    ones = np.ones(n)
    tau = ones * DT / (1 - decay) if decay < 1 else ones
    metadata = {"reset": "zero", **noted}
    if kind == "IF":
        return nir.IF(ones / DT, threshold * ones, metadata=metadata)
    if kind == "CubaLIF":
        syn = ones * DT / (1 - 0.75)
        return nir.CubaLIF(
            syn, tau, tau / DT, 0 * ones, threshold * ones, w_in=syn / DT, metadata=metadata
        )
    return nir.LIF(tau, tau / DT, 0 * ones, threshold * ones, metadata=metadata)


def chained(*nodes: nir.NIRNode, inputs: int, steps: int) -> nir.NIRGraph:
    named = {"input": nir.Input(np.array([inputs]))}
    named |= {f"n{i}": node for i, node in enumerate(nodes)}
    named["output"] = nir.Output(nodes[-1].output_type["output"])
    names = list(named)
    return nir.NIRGraph(named, list(pairwise(names)), metadata={"dt": DT, "steps": steps})


@st.composite
def graphs(draw: st.DrawFn) -> nir.NIRGraph:
    """Draw one or two layers, of few large or many small weights, with every reset of Loihi 1."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    inputs = draw(st.sampled_from([1, 3, 40, 700, 3000]))
    steps = draw(st.sampled_from([1, 6, 30]))
    sizes = [inputs, *draw(st.lists(st.integers(1, 5), min_size=1, max_size=2))]
    nodes: list[nir.NIRNode] = []
    for before, n in pairwise(sizes):
        shift = draw(st.sampled_from([-1.0, 0.0, 1.0]))
        weight = rng.standard_normal((n, before)) + shift
        bias = rng.standard_normal(n) * draw(st.sampled_from([0.0, 1.0, 30.0]))
        nodes.append(nir.Affine(weight * 10 ** draw(st.floats(-3, 3)), bias * np.abs(weight).max()))
        kind, decay = draw(st.sampled_from(["LIF", "CubaLIF", "IF"])), 0.0
        if kind != "IF":
            decay = draw(st.sampled_from([0.0, 0.5, 0.9, 0.999]))
        noted: dict[str, object] = {}
        if kind != "CubaLIF" and draw(st.booleans()):
            noted = {"reset": "subtract", "reset_delay": 1}
        elif draw(st.booleans()):
            noted = {"refractory": 2 * DT}
        each = rng.uniform(0.2, 2, n if draw(st.booleans()) else 1)
        threshold = each * np.abs(nodes[-1].weight).max() * draw(st.sampled_from([0.3, 3.0, 60.0]))
        nodes.append(neurons(n, kind, decay, threshold, **noted))
    return chained(*nodes, inputs=inputs, steps=steps)


def lowered(graph: nir.NIRGraph, chip: str = "loihi1") -> Program:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return lower(graph, chip, "none", events=True)


def worst_sums(program: Program) -> list[int]:
    """Return the largest sums that any spikes can make, exactly, with the weights of the chip."""
    found = []
    for layer in program.layers:
        for n in range(layer.neurons):
            high = low = 0
            for projection in layer.projections:
                weight = projection.weight
                row = weight.reshape(-1)[[n % weight.size]] if weight.ndim < 2 else weight[n]
                actual = [actual_weight(w, projection.weight_exponent) for w in row.tolist()]
                always = projection.source == "constant"
                high += sum(actual) if always else sum(w for w in actual if w > 0)
                low += sum(actual) if always else sum(w for w in actual if w < 0)
            if layer.reset == "subtract":
                assert layer.threshold_mantissa is not None
                low -= int(np.broadcast_to(layer.threshold_mantissa, layer.shape)[n]) << 6
            found += [high, -low]
    return found


def extreme_frames(program: Program, steps: int) -> np.ndarray:
    """Return samples (steps, samples, inputs) that drive the first neuron as far as it goes."""
    first = program.layers[0].projections[0]
    assert first.source == INPUT
    row = first.weight[0]
    rng = np.random.default_rng(0)
    samples = [
        np.tile(shown, (steps, 1))
        for shown in (np.ones(len(row)), row > 0, row < 0, np.zeros(len(row)))
    ]
    switched = np.concatenate([samples[1][: steps // 2], samples[2][steps // 2 :]])
    some = rng.random((steps, len(row))) < 0.5
    return np.stack([*samples, switched, some], 1).astype(np.float32)


@examples(15, 60)
@given(graphs())
def test_nothing_wraps_and_the_engine_computes_what_the_chip_computes(graph: nir.NIRGraph) -> None:
    try:
        program = lowered(graph)
    except LoweringError:
        assume(False)
    assert max(worst_sums(program)) <= SUM_MAX
    for layer in program.layers:
        for projection in layer.projections:
            scaled = projection.weight.astype(np.float64) * 2.0 ** (projection.weight_exponent + 6)
            assert np.abs(scaled).max() <= WEIGHT_MAX and not np.any(scaled % 64)
    steps = program.target.time_steps
    frames = extreme_frames(program, steps)
    # As many samples as time steps would not tell which come first.
    frames = frames[:, : frames.shape[1] - (frames.shape[1] == steps)]
    record = run(program, torch.from_numpy(frames), probes=("spikes", "membrane"))
    for sample in range(frames.shape[1]):
        chip = Loihi1(program)
        for step, seen in enumerate(chip.run(frames[:, sample])):
            for name, (spikes, membranes) in seen.items():
                assert all(abs(total) <= SUM_MAX for total in chip.sums[name])
                assert record.spikes[name][step, sample].int().tolist() == spikes
                assert record.membrane[name][step, sample].tolist() == membranes


def test_the_same_sums_wrap_if_they_are_made_for_24_bits() -> None:
    """So the tests above would see it."""
    weight = np.ones((1, 40))
    graph = chained(nir.Linear(weight), neurons(1, "IF", 1, np.full(1, 50.0)), inputs=40, steps=9)
    on_2 = lowered(graph, "loihi2")
    assert max(worst_sums(on_2)) > SUM_MAX >= max(worst_sums(lowered(graph)))
    frames = np.ones((9, 1, 40), np.float32)
    record = run(on_2, torch.from_numpy(frames), probes=("spikes",))
    there = [seen["n1"][0] for seen in Loihi1(on_2).run(frames[:, 0])]
    assert record.spikes["n1"][:, 0].int().tolist() != there
    with pytest.raises(ProgramError, match=r"n1.*loihi1 holds 32767.*wraps beyond"):
        replace(on_2, target=replace(on_2.target, chip="loihi1"))


def test_large_exponents_are_kept_where_21_bits_hold_them() -> None:
    graph = chained(
        nir.Linear(np.array([[1.0, -0.5]])), neurons(1, "LIF", 0.5, np.ones(1)), inputs=2, steps=4
    )
    ours, theirs = (lowered(graph, chip).layers[0].projections[0] for chip in CHIPS)
    assert (ours.weight_exponent, theirs.weight_exponent) == (6, 7)
    assert np.array_equal(ours.weight, theirs.weight)


def test_many_inputs_cost_bits_of_the_weights_and_a_warning_says_so() -> None:
    rng = np.random.default_rng(0)
    weight = np.abs(rng.standard_normal((4, 40_000)))
    node = neurons(4, "LIF", 0.5, np.full(4, 2e4))
    graph = chained(nir.Linear(weight), node, inputs=40_000, steps=4)
    with pytest.warns(CoarseWeights, match=r"'n1'.*21 bits and a sign on loihi1"):
        program = lower(graph, "loihi1", "none", events=True)
    projection = program.layers[0].projections[0]
    assert projection.weight_exponent == 0 and 1 < projection.weight.max() < 16
    on_2 = lowered(graph, "loihi2").layers[0].projections[0]
    assert on_2.weight_exponent < 0 and on_2.weight.max() > 127


@pytest.mark.parametrize("beta", [0.9, 1.0])
def test_subtraction_takes_two_neurons_and_a_threshold_that_a_synapse_has(beta: float) -> None:
    rng = np.random.default_rng(1)
    weight, threshold = rng.standard_normal((5, 8)), rng.uniform(0.5, 2, 5)
    late = {"reset": "subtract", "reset_delay": 1}
    graph = chained(
        nir.Linear(weight),
        neurons(5, "IF" if beta == 1 else "LIF", beta, threshold, **late),
        inputs=8,
        steps=20,
    )
    ours, theirs = (lowered(graph, chip).layers[0] for chip in CHIPS)
    assert (ours.reset, ours.reset_delay) == ("subtract", True)
    assert (ours.compartments(CHIPS["loihi1"]), theirs.compartments(CHIPS["loihi2"])) == (10, 5)
    real = ours.threshold_mantissa / ours.scale
    assert np.abs(real / threshold - 1).max() < 0.02 * threshold.max() / threshold.min()
    assert np.abs(real - threshold).max() <= threshold.max() / 255


def test_neurons_without_leak_subtract_in_the_next_time_step() -> None:
    """Their spikes are those of a subtraction at the spike."""
    weight = np.random.default_rng(2).standard_normal((5, 8))
    node = neurons(5, "IF", 1, np.full(5, 1.0), reset="subtract")
    graph = chained(nir.Linear(weight), node, inputs=8, steps=20)
    program = lowered(graph)
    assert program.layers[0].reset_delay
    at_once = replace(program.layers[0], reset_delay=False)
    target = replace(program.target, chip="loihi2")
    same = replace(program, layers=(at_once,), target=target)
    events = (torch.rand(20, 6, 8) < 0.5).float()
    found, expected = (run(p, events, probes=("spikes",)).spikes["n1"] for p in (program, same))
    assert torch.equal(found, expected) and 0 < float(found.double().mean()) < 1


def test_thresholds_that_differ_are_merged_and_then_rounded_to_a_synapse() -> None:
    rng = np.random.default_rng(3)
    node = neurons(50, "IF", 1, rng.uniform(0.5, 2, 50), reset="subtract", reset_delay=1)
    graph = chained(nir.Linear(rng.standard_normal((50, 4))), node, inputs=4, steps=4)
    with pytest.warns(MergedThresholds, match="merged into [67]"):
        program = lower(graph, "loihi1", "none", events=True)
    assert len(np.unique(program.layers[0].threshold_mantissa)) <= 7


@pytest.mark.parametrize(
    ("node", "reads", "says"),
    [
        (
            neurons(2, "CubaLIF", 0.5, np.ones(2), reset="subtract", reset_delay=1),
            "spikes",
            "synaptic memory would spread that.*loihi1 has none.*no synaptic memory",
        ),
        (
            neurons(2, "LIF", 0.5, np.ones(2), reset="subtract"),
            "spikes",
            r"in the next time step, when the membrane has leaked.*reset_delay=True",
        ),
        (
            neurons(2, "IF", 1, np.ones(2), reset="subtract", refractory=DT),
            "spikes",
            "no refractory period.*leave the refractory period out",
        ),
        (
            neurons(2, "IF", 1, np.ones(2), reset="subtract"),
            "membrane",
            "membrane is read before.*or read the spikes",
        ),
        (neurons(2, "LIF", 0.5, np.ones(2), refractory=63 * DT), "spikes", "loihi1 has 62"),
        (
            neurons(2, "IF", 1, np.array([1.0, 1e-3]), reset="subtract", reset_delay=1),
            "spikes",
            "threshold 0.001 rounds to 0 beside the layer's largest of 1.*bring neurons to like",
        ),
    ],
)
def test_what_loihi_1_cannot_do_is_refused_with_the_way_out(
    node: nir.NIRNode, reads: str, says: str
) -> None:
    graph = chained(nir.Linear(np.eye(2)), node, inputs=2, steps=4)
    graph.metadata["reads"] = reads
    with pytest.raises((LoweringError, ProgramError), match=rf"'n1'.*{says}"):
        lowered(graph)


def test_all_that_keeps_a_graph_off_the_chip_is_listed() -> None:
    layer = neurons(3, "CubaLIF", 0.5, np.ones(3), reset="subtract", reset_delay=1)
    weights = nir.Linear(np.eye(3))
    graph = chained(weights, layer, weights, layer, inputs=3, steps=2)
    with pytest.raises(LoweringError, match=r"^2 problems: \(1\) neuron 'n1'.*\(2\) neuron 'n3'"):
        lower(graph, "loihi1", events=True)
    with pytest.raises(LoweringError, match=r"^3 problems: \(1\) loihi1 has no graded.*'n1'.*'n3'"):
        lower(graph, "loihi1")
    assert lower(graph, "loihi2").classes == 3


@pytest.mark.lava
def test_lava_has_the_same_membranes() -> None:
    rng = np.random.default_rng(4)
    node = neurons(5, "LIF", 0.875, np.ones(5), reset="subtract", reset_delay=1)
    graph = chained(nir.Affine(rng.standard_normal((5, 8)), np.ones(5)), node, inputs=8, steps=9)
    program = lowered(graph)
    events = (torch.rand(9, 4, 8) < 0.5).float()
    ours, theirs = (
        run(program, events, backend=backend, probes=("membrane",))
        for backend in ("engine", "lava")
    )
    assert torch.equal(ours.membrane["n1"], theirs.membrane["n1"])
