"""Graphs other than chains, and every kind of neuron, against real-valued equations."""

from pathlib import Path

import nir
import numpy as np
import pytest
import torch

from stochi.deploy import Program, lower
from stochi.deploy.graph.file import read_graph
from stochi.deploy.graph.order import order_layers
from stochi.errors import GraphError, LoweringError
from stochi.sim import run

DT = 1e-3
STEPS = 30


def graph(edges: str, shape: tuple[int, ...] = (6,), **nodes: nir.NIRNode) -> nir.NIRGraph:
    """Make a graph from edges ``"input a, a n1, n1 output"`` and nodes by name."""
    pairs = [tuple(edge.split()) for edge in edges.split(", ")]
    outputs = next(nodes[a].output_type["output"] for a, b in pairs if b == "output")
    ends = {"input": nir.Input(np.array(shape)), "output": nir.Output(outputs)}
    return nir.NIRGraph({**nodes, **ends}, pairs)


def linear(outputs: int, inputs: int, size: float = 1.0) -> nir.Linear:
    return nir.Linear(size * np.random.default_rng(outputs).standard_normal((outputs, inputs)))


def affine(outputs: int, inputs: int) -> nir.Affine:
    rng = np.random.default_rng(outputs + 1)
    return nir.Affine(rng.standard_normal((outputs, inputs)), 0.3 * rng.standard_normal(outputs))


def lif(n: int, tau: float = 4 * DT, threshold: float = 0.4, **metadata: object) -> nir.LIF:
    ones = np.ones(n)
    return nir.LIF(tau * ones, ones, 0 * ones, threshold * ones, metadata=metadata)


def cuba(n: int, **metadata: object) -> nir.CubaLIF:
    ones = np.ones(n)
    return nir.CubaLIF(
        3 * DT * ones, 6 * DT * ones, 2 * ones, 0 * ones, 0.15 * ones, metadata=metadata
    )


def lowered(*args: object, **kwargs: object) -> Program:
    return lower(graph(*args, **kwargs), dt=DT, time_steps=STEPS, events=True)  # type: ignore[arg-type]


def events(*shape: int) -> torch.Tensor:
    return (torch.rand(STEPS, 20, *shape) > 0.6).float()


def agreement(program: Program, layer: str, inputs: torch.Tensor, expected: np.ndarray) -> float:
    spikes = run(program, inputs, probes=("spikes",)).spikes[layer].numpy()
    assert 0.02 < expected.mean() < 0.9
    return float((spikes == (expected > 0)).mean())


class Neurons:
    """Real-valued neurons of a layer, stepped by Euler."""

    def __init__(self, node: nir.NIRNode) -> None:
        self.node, noted = node, node.metadata
        self.reset = noted.get("reset", "zero")
        self.late, self.with_current = noted.get("reset_delay"), noted.get("reset_current")
        self.refractory = round(noted.get("refractory", 0) / DT)
        self.v = self.i = self.wait = self.fired = 0.0

    def step(self, x: np.ndarray) -> np.ndarray:
        node = self.node
        taken = self.fired * node.v_threshold * (self.reset == "subtract") if self.late else 0.0
        if self.late and self.reset == "zero":
            self.v = self.v * (1 - self.fired)
        if isinstance(node, nir.CubaLIF):
            self.i = self.i * (1 - self.fired) if self.with_current else self.i
            self.i = self.i + DT / node.tau_syn * (node.w_in * x - self.i)
            v = self.v + DT / node.tau_mem * (node.r * self.i - self.v)
        elif isinstance(node, nir.IF):
            v = self.v + DT * node.r * x
        else:
            v = self.v + DT / node.tau * (node.r * x - self.v)
        ready = np.asarray(self.wait) == 0
        self.v = np.where(ready, v, self.v) - taken
        spikes = ready & (self.v > node.v_threshold)
        self.wait = np.maximum(self.wait - 1.0, 0) + self.refractory * spikes
        self.fired = spikes.astype(float)
        left = {"zero": 0.0, "subtract": self.v - node.v_threshold, "none": self.v}[self.reset]
        if not self.late:
            self.v = np.where(spikes, left, self.v)
        return self.fired


def simulate(inputs: torch.Tensor, neurons: Neurons, current) -> np.ndarray:  # type: ignore[no-untyped-def]
    """Drive neurons with ``current(x[t], last spikes)``; return their spikes at every time step."""
    found, last = [], np.zeros(neurons.node.v_threshold.shape)
    for x in inputs.double().numpy():
        last = neurons.step(current(x, last))
        found.append(last)
    return np.stack(found)


@pytest.mark.parametrize(
    "node",
    [
        lif(9),
        lif(9, reset="subtract"),
        lif(9, reset="subtract", reset_delay=1),
        lif(9, reset="none"),
        lif(9, refractory=3 * DT),
        lif(9, refractory=2 * DT, reset="subtract", reset_delay=1),
        cuba(9),
        cuba(9, reset="subtract", reset_delay=1),
        cuba(9, reset_current=1),
        nir.IF(np.full(9, 1 / DT), np.full(9, 0.8)),
    ],
    ids=[
        *("lif", "subtract", "late subtract", "none", "refractory", "late refractory"),
        *("cuba", "late cuba", "current reset", "if"),
    ],
)
def test_each_neuron_does_what_its_equations_say(node: nir.NIRNode) -> None:
    weights = affine(9, 6)
    program = lowered("input a, a n, n output", a=weights, n=node)
    layer = program.layers[0]
    assert layer.reset == node.metadata.get("reset", "zero")
    assert layer.reset_delay == node.metadata.get("reset_delay", 0)
    assert layer.reset_current == node.metadata.get("reset_current", 0)
    assert layer.refractory == round(node.metadata.get("refractory", 0) / DT)
    inputs = events(6)
    expected = simulate(inputs, Neurons(node), lambda x, _: x @ weights.weight.T + weights.bias)
    assert agreement(program, "n", inputs, expected) > 0.97


def test_a_current_based_neuron_gets_its_bias_through_a_synapse() -> None:
    program = lowered("input a, a n, n output", a=affine(9, 6), n=cuba(9))
    assert [s.source for s in program.layers[0].projections] == ["input", "constant"]
    assert not np.any(program.layers[0].bias_mantissa)


def test_recurrent_spikes_arrive_a_step_later() -> None:
    a, w = linear(9, 6), linear(9, 9, 0.5)
    program = lowered("input a, a n, n w, w n, n output", a=a, w=w, n=lif(9))
    inputs = events(6)
    expected = simulate(inputs, Neurons(lif(9)), lambda x, last: x @ a.weight.T + last @ w.weight.T)
    assert agreement(program, "n", inputs, expected) > 0.97


@pytest.mark.parametrize(("steps", "lasts"), [(0, 1), (1, 1), (3, 3)])
def test_a_delay_in_a_loop_counts_as_its_one_step(steps: int, lasts: int) -> None:
    nodes = {"a": linear(9, 6), "w": linear(9, 9), "d": nir.Delay(np.full(9, steps * DT))}
    program = lowered("input a, a n, n d, d w, w n, n output", **nodes, n=lif(9))
    assert [int(s.delay) for s in program.layers[0].projections] == [0, lasts]


def test_residual_paths_add_up() -> None:
    """n2 gets n1's spikes through weights and directly, and the input through others."""
    a, b, c = linear(9, 6), linear(9, 9), affine(9, 6)
    program = lowered(
        "input a, a n1, n1 b, b n2, n1 n2, input c, c n2, n2 output",
        **{"a": a, "b": b, "c": c, "n1": lif(9), "n2": lif(9)},
    )
    assert [layer.name for layer in program.layers] == ["n1", "n2"]
    assert sorted(s.source for s in program.layers[1].projections) == ["input", "n1", "n1"]
    inputs = events(6)
    first, second = Neurons(lif(9)), Neurons(lif(9))

    def current(x: np.ndarray, _: object) -> np.ndarray:
        spikes = first.step(x @ a.weight.T)
        return spikes @ b.weight.T + spikes + x @ c.weight.T + c.bias

    assert agreement(program, "n2", inputs, simulate(inputs, second, current)) > 0.96


def test_two_sources_of_the_same_weights_count_their_bias_once() -> None:
    shared = affine(5, 9)
    nodes = {"a": linear(9, 6), "n1": lif(9), "c": linear(9, 9), "n2": lif(9), "s": shared}
    program = lowered(
        "input a, a n1, n1 c, c n2, n1 s, n2 s, s m, m output", **nodes, m=lif(5, 8 * DT)
    )
    layer = program.layer("m")
    assert [s.source for s in layer.projections] == ["n1", "n2"]
    assert np.array_equal(layer.projections[0].weight, layer.projections[1].weight)
    real = layer.bias() / (64 * layer.scale) * 8  # the gain of dt/τ is folded in
    assert np.abs(real - shared.bias).max() < 0.02


def test_weights_that_arrive_twice_bring_their_bias_twice() -> None:
    """Once directly, and once through an inner graph that only passes values on."""
    inner = nir.NIRGraph(
        {"input": nir.Input(np.array([1])), "output": nir.Output(np.array([1]))},
        [("input", "output")],
    )
    zero = np.zeros(1)
    program = lower(
        graph(
            "input a, a n, a inner, inner n, n output",
            (1,),
            a=nir.Affine(np.array([[0.5]]), np.array([0.25])),
            inner=inner,
            n=nir.LI(zero + DT, zero + 1, zero),
        ),
        dt=DT,
        time_steps=1,
    )
    scale = 64 * program.layers[0].scale
    for value, expected in ((0.0, 0.5), (1.0, 1.5)):
        record = run(program, torch.full((1, 1), value), probes=("membrane",))
        assert record.membrane["n"].item() / scale == pytest.approx(expected, abs=0.01)


def test_delays_are_axonal_and_in_steps() -> None:
    delay = nir.Delay(np.array([0, 1, 2, 3, 0, 1]) * DT)
    a = linear(9, 6)
    program = lowered("input d, d a, a n, n output", d=delay, a=a, n=lif(9))
    assert program.layers[0].projections[0].delay.tolist() == [0, 1, 2, 3, 0, 1]
    inputs = events(6)
    shifted = torch.zeros_like(inputs)
    for place, steps in enumerate((0, 1, 2, 3, 0, 1)):
        shifted[steps:, :, place] = inputs[: STEPS - steps, :, place]
    plain = lowered("input a, a n, n output", a=a, n=lif(9))
    for backend_inputs, other in ((inputs, program), (shifted, plain)):
        found = run(other, backend_inputs, probes=("membrane",)).membrane["n"]
        if other is program:
            expected = found
    assert torch.equal(found, expected)


def test_a_leaky_readout_s_logit_is_its_mean_membrane() -> None:
    ones = np.ones(4)
    li = nir.LI(10 * DT * ones, 2 * ones, 0 * ones)
    a = linear(4, 6)
    program = lowered("input a, a n, n output", a=a, n=li)
    assert program.readout == "membrane" and not program.layers[0].spikes
    inputs = events(6)
    v, total = 0.0, 0.0
    for x in inputs.double().numpy():
        v = v + 0.1 * (2 * (x @ a.weight.T) - v)
        total = total + v
    assert np.abs(run(program, inputs).logits.numpy() - total / STEPS).max() < 0.02


def test_a_graph_inside_a_graph_is_taken_apart() -> None:
    w = linear(9, 9, 0.5)
    inner = nir.NIRGraph(
        {
            "input": nir.Input(np.array([9])),
            "lif": lif(9),
            "w": w,
            "output": nir.Output(np.array([9])),
        },
        [("input", "lif"), ("lif", "w"), ("w", "lif"), ("lif", "output")],
    )
    nested = nir.NIRGraph(
        {
            "input": nir.Input(np.array([6])),
            "a": linear(9, 6),
            "r": inner,
            "output": nir.Output(np.array([9])),
        },
        [("input", "a"), ("a", "r"), ("r", "output")],
    )
    program = lower(nested, dt=DT, time_steps=STEPS, events=True)
    flat = lowered("input a, a r, r w, w r, r output", a=linear(9, 6), r=lif(9), w=w)
    assert [layer.name for layer in program.layers] == ["r.lif"]
    inputs = events(6)
    assert torch.equal(run(program, inputs).logits, run(flat, inputs).logits)


def test_a_recurrent_graph_of_snntorch_keeps_its_spikes(shared: Path) -> None:
    """The public network whose accuracy fell from 95 to 49 % on its way to Lava."""
    braille = read_graph(shared / "nir" / "braille_noDelay_bias_zero.nir")
    program = lower(braille, dt=1e-4, time_steps=256, events=True)
    torch.manual_seed(0)
    inputs = (torch.rand(256, 10, 12) > 0.85).float()
    nodes = braille.nodes

    def cubas(name: str):  # type: ignore[no-untyped-def]
        node, state = nodes[name], {"i": 0.0, "v": 0.0}

        def step(x: np.ndarray) -> np.ndarray:
            state["i"] = state["i"] + 1e-4 / node.tau_syn * (node.w_in * x - state["i"])
            state["v"] = state["v"] + 1e-4 / node.tau_mem * (node.r * state["i"] - state["v"])
            spikes = state["v"] > node.v_threshold
            state["v"] = np.where(spikes, 0.0, state["v"])
            return spikes.astype(float)

        return step

    hidden, output, last = cubas("lif1.lif"), cubas("lif2"), np.zeros((10, 38))
    rates = {"lif1.lif": 0.0, "lif2": 0.0}
    for x in inputs.double().numpy():
        current = x @ nodes["fc1"].weight.T + nodes["fc1"].bias + nodes["lif1.w_rec"].bias
        last = hidden(current + last @ nodes["lif1.w_rec"].weight.T)
        out = output(last @ nodes["fc2"].weight.T + nodes["fc2"].bias)
        rates["lif1.lif"] += last / 256
        rates["lif2"] += out / 256
    record = run(program, inputs, probes=("spikes",))
    for name, rate in rates.items():
        ours = record.spikes[name].double().mean(0).numpy()
        assert np.corrcoef(ours.ravel(), np.asarray(rate).ravel())[0, 1] > 0.98
        assert abs(ours.mean() - np.mean(rate)) < 0.02 * np.mean(rate) + 1e-3


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        ({"a": ["in"], "b": ["a"], "c": ["b"]}, "abc"),
        ({"c": ["a", "b"], "b": ["a"], "a": ["in"]}, "abc"),
        # A loop of a and b feeds c, which is as near to the input as a, without false feedback.
        ({"c": ["in", "b"], "a": ["in", "b"], "b": ["a"]}, "abc"),
        ({"a": ["in", "a"], "b": ["a", "c"], "c": ["b"]}, "abc"),
    ],
)
def test_layers_come_after_their_sources(sources: dict, expected: str) -> None:
    assert "".join(order_layers(list(sources), sources.__getitem__)) == expected


@pytest.mark.parametrize(
    ("build", "error", "says"),
    [
        (
            lambda: graph(
                "input a, a n, n output",
                **{
                    "a": linear(6, 6),
                    "n": nir.LIF(*np.ones((5, 6)), metadata={"reset": "subtract"}),
                },
            ),
            LoweringError,
            "n.*resets by subtraction, so v_reset must be 0",
        ),
        (
            lambda: graph("input a, a n, n output", a=linear(6, 6), n=lif(6, reset="later")),
            GraphError,
            "n.*'reset' is 'later'",
        ),
        (
            lambda: graph("input a, a n, n output", a=linear(6, 6), n=lif(6, refractory=0.5 * DT)),
            LoweringError,
            "n.*refractory period.*not a whole number",
        ),
        (
            lambda: graph("input a, a n, n output", a=linear(6, 6), n=lif(6, refractory=1.0)),
            LoweringError,
            "n.*longest is 63",
        ),
        (
            lambda: graph(
                "input a, a d, d n, n output",
                **{"a": affine(6, 6), "d": nir.Delay(np.full(6, DT)), "n": lif(6)},
            ),
            LoweringError,
            "d.*put the delay before",
        ),
    ],
)
def test_what_cannot_be_lowered_is_refused_by_name(build, error, says: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(error, match=says):
        lower(build(), dt=DT, events=True)


def test_loihi_1_does_not_subtract_from_leaky_neurons_at_the_spike() -> None:
    subtracting = graph("input a, a n, n output", a=linear(6, 6), n=lif(6, reset="subtract"))
    with pytest.raises(LoweringError, match=r"n.*loihi1 has none"):
        lower(subtracting, chip="loihi1", dt=DT, events=True)
