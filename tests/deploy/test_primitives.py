"""Every primitive of NIR, and weights that follow weights, against torch in float64."""

import math

import nir
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from benchmarks.support.graphs import DT, FLAT, affine, chain, conv, lif, pool, random, scale
from stochi.deploy import lower
from stochi.deploy.graph.layers import RealLayer, cut_into_layers
from stochi.errors import LoweringError
from stochi.program.layers import Convolution, Dense, Flatten, OneToOne, SumPool, as_image
from stochi.sim import run
from stochi.sim.recording import PROBES

STEPS = 40


def apply(node: nir.NIRNode, x: torch.Tensor) -> torch.Tensor:
    """Apply a linear node to a batch in float64."""
    if isinstance(node, nir.Flatten):
        return x.flatten(1)
    if isinstance(node, nir.Scale):
        return x * torch.from_numpy(np.asarray(node.scale))
    if isinstance(node, nir.Linear | nir.Affine):
        bias = getattr(node, "bias", np.zeros(len(node.weight)))
        return x @ torch.from_numpy(node.weight).T + torch.from_numpy(bias)
    if isinstance(node, nir.Conv1d | nir.Conv2d):
        convolve = functional.conv1d if isinstance(node, nir.Conv1d) else functional.conv2d
        weight, bias = torch.from_numpy(node.weight), torch.from_numpy(node.bias)
        return convolve(x, weight, bias, node.stride, node.padding, node.dilation, node.groups)
    kernel, stride, padding = (
        tuple(map(int, v)) for v in (node.kernel_size, node.stride, node.padding)
    )
    mean = functional.avg_pool2d(x, kernel, stride, padding)
    return mean * math.prod(kernel) if isinstance(node, nir.SumPool2d) else mean


def apply_layer(layer: RealLayer, x: torch.Tensor) -> torch.Tensor:
    """Apply a layer's only projection, with its bias, in float64."""
    (path,) = layer.projections
    weight = torch.from_numpy(np.array(path.weight))
    for stage in path.stages:
        if isinstance(stage, Dense):
            x = x @ weight.T
        elif isinstance(stage, OneToOne):
            x = x * weight
        elif isinstance(stage, Flatten):
            x = x.flatten(1)
        elif isinstance(stage, SumPool):
            area = math.prod(stage.kernel)
            x = functional.avg_pool2d(x, stage.kernel, stage.stride, stage.padding) * area
        else:
            assert isinstance(stage, Convolution)
            one = x.dim() == 3
            x = x.reshape(len(x), *as_image(tuple(x.shape[1:])))
            x = functional.conv2d(
                x, weight, None, stage.stride, stage.padding, stage.dilation, stage.groups
            )
            x = x.squeeze(2) if one else x
    bias = torch.from_numpy(layer.bias)
    return x / path.pooled + bias.reshape(-1, *[1] * (x.dim() - 2))


PATHS: dict[str, tuple[tuple[int, ...], list[nir.NIRNode], type]] = {
    "scale · linear": ((6,), [scale(6), affine(4, 6)], Dense),
    "linear · scale": ((6,), [affine(4, 6), scale(4)], Dense),
    "affine · affine": ((6,), [affine(4, 6), affine(3, 4)], Dense),
    "affine · affine · affine": ((6,), [affine(4, 6), affine(5, 4), affine(3, 5)], Dense),
    "scale · scale": ((6,), [scale(6), scale(6)], OneToOne),
    "one scale · conv": ((3, 6, 6), [scale(), conv(4, 3, 3, 1)], Convolution),
    "scale by channel · conv": ((3, 6, 6), [scale(3, 1, 1), conv(4, 3, 3, 1)], Convolution),
    "scale · grouped conv": ((4, 6, 6), [scale(4, 1, 1), conv(6, 4, 3, 1, 2)], Convolution),
    "conv · scale by channel": ((3, 6, 6), [conv(4, 3, 3, 1), scale(4, 1, 1)], Convolution),
    "conv · pool · scale": (
        (3, 6, 6),
        [conv(4, 3, 3, 1), pool(nir.AvgPool2d), scale(4, 1, 1)],
        Convolution,
    ),
    "scale · pool · conv": (
        (3, 6, 6),
        [scale(3, 1, 1), pool(nir.SumPool2d), conv(4, 3, 3)],
        Convolution,
    ),
    "pool · conv · scale": (
        (3, 6, 6),
        [pool(nir.AvgPool2d), conv(4, 3, 3), scale(4, 1, 1)],
        Convolution,
    ),
    "1×1 · conv": (
        (3, 6, 6),
        [nir.Conv2d(None, random(5, 3, 1, 1), 1, 0, 1, 1, 0 * random(5)), conv(4, 5, 3, 1)],
        Convolution,
    ),
    "1×1 with bias · conv": ((3, 6, 6), [conv(5, 3, 1), conv(4, 5, 3)], Convolution),
    "conv · 1×1": ((4, 6, 6), [conv(6, 4, 3, 1, 2), conv(4, 6, 1, 0, 2)], Convolution),
    "strided conv · strided 1×1": (
        (2, 9, 9),
        [conv(3, 2, 3, 1, 1, 2), conv(4, 3, 1, 0, 1, 2)],
        Convolution,
    ),
    "conv · linear": ((3, 6, 6), [conv(4, 3, 3, 1), FLAT, affine(5, 144)], Dense),
    "conv · pool · linear": (
        (3, 6, 6),
        [conv(4, 3, 3, 1), pool(nir.AvgPool2d), FLAT, affine(5, 36)],
        Dense,
    ),
    "conv · sum · linear · scale": (
        (3, 6, 6),
        [conv(4, 3, 3), pool(nir.SumPool2d), FLAT, affine(5, 16), scale(5)],
        Dense,
    ),
    "pool · scale · linear": (
        (3, 6, 6),
        [pool(nir.AvgPool2d), FLAT, scale(27), affine(5, 27)],
        Dense,
    ),
    "scale · pool · linear": (
        (3, 6, 6),
        [scale(3, 6, 6), pool(nir.AvgPool2d), FLAT, affine(5, 27)],
        Dense,
    ),
    "padded pool · linear": ((3, 6, 6), [pool(nir.AvgPool2d, 3, 1), FLAT, affine(5, 12)], Dense),
    "conv · flatten · scale by channel": (
        (3, 4, 4),
        [conv(4, 3, 3), FLAT, nir.Scale(np.repeat(random(4), 4))],
        Convolution,
    ),
    "conv1d": ((3, 9), [nir.Conv1d(None, random(4, 3, 3), 2, 1, 1, 1, random(4))], Convolution),
    "grouped conv1d": (
        (4, 9),
        [nir.Conv1d(None, random(6, 2, 3), 1, 2, 2, 2, random(6))],
        Convolution,
    ),
    "scale · conv1d · linear": (
        (3, 9),
        [
            scale(3, 1),
            nir.Conv1d(None, random(4, 3, 3), 1, "same", 1, 1, random(4)),
            FLAT,
            affine(5, 36),
        ],
        Dense,
    ),
}


@pytest.mark.parametrize("what", PATHS)
def test_weights_after_weights_are_one_set_of_weights(what: str) -> None:
    shape, nodes, kind = PATHS[what]
    x = torch.from_numpy(random(7, *shape))
    expected = x
    for node in nodes:
        expected = apply(node, expected)
    neurons = tuple(expected.shape[1:])
    (layer,) = cut_into_layers(chain(*nodes, lif(*neurons), shape=shape, out=neurons), DT).layers
    assert layer.shape == neurons
    assert sum(isinstance(stage, kind) for stage in layer.projections[0].stages) == 1
    assert torch.allclose(apply_layer(layer, x), expected, rtol=1e-10, atol=1e-10)
    lower(chain(*nodes, lif(*neurons), shape=shape, out=neurons), dt=DT)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from(["affine", "scale", "one"]), min_size=1, max_size=5), st.data())
def test_any_chain_of_matrices_and_scales_is_one_matrix(
    kinds: list[str], data: st.DataObject
) -> None:
    size, nodes = 5, []
    for place, kind in enumerate(kinds):
        outputs = data.draw(st.integers(1, 6)) if kind == "affine" else size
        rng = np.random.default_rng(place)
        weights = rng.standard_normal((outputs, size)), rng.standard_normal(outputs)
        made = {
            "affine": nir.Affine(*weights),
            "scale": nir.Scale(weights[1]),
            "one": nir.Scale(np.array(2.0)),
        }
        nodes.append(made[kind])
        size = outputs
    x = torch.from_numpy(random(4, 5))
    expected = x
    for node in nodes:
        expected = apply(node, expected)
    (layer,) = cut_into_layers(chain(*nodes, lif(size), shape=(5,), out=(size,)), DT).layers
    assert torch.allclose(apply_layer(layer, x), expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("nodes", "says"),
    [
        ([conv(5, 3, 3, 1), conv(4, 5, 3, 1)], "n1.*follows 'n0' with no neuron between"),
        ([conv(5, 3, 1), conv(4, 5, 3, 1)], "n1.*follows 'n0'.*padding would cut off"),
        ([conv(5, 3, 1), pool(nir.AvgPool2d), conv(4, 5, 1)], "n2.*follows 'n0'"),
        ([scale(3, 6, 6), conv(4, 3, 3)], "n1.*'n0' scales the neurons of a channel"),
        ([conv(4, 3, 3, 1), scale(4, 6, 6)], "n1.*scales the neurons of a channel of 'n0'"),
        ([conv(4, 3, 3, 1), scale(3)], r"n1.*scale of shape \(3,\) does not fit .*\(4, 6, 6\)"),
        ([affine(4, 3)], r"n0.*weights take 3 inputs.*shape \(3, 6, 6\)"),
        ([affine(4, 108)], r"n0.*nir.Flatten"),
        ([conv(4, 2, 3)], r"n0.*take 2 channels of two axes.*\(3, 6, 6\)"),
        ([conv(4, 3, 7)], r"n0.*window does not fit"),
        ([nir.Flatten({"input": None}, 1, -1)], r"n0.*flattens .*start_dim=0"),
    ],
)
def test_what_is_no_single_set_of_weights_is_refused_by_name(nodes: list, says: str) -> None:
    with pytest.raises(LoweringError, match=says):
        cut_into_layers(chain(*nodes, lif(), shape=(3, 6, 6)), DT)


def test_two_paths_into_a_second_matrix_bring_its_bias_once() -> None:
    a, c, b = affine(4, 5), affine(4, 5), affine(3, 4)
    nodes = {"input": nir.Input(np.array([5])), "a": a, "c": c, "b": b, "n": lif(3)}
    nodes["output"] = nir.Output(np.array([3]))
    edges = [("input", "a"), ("input", "c"), ("a", "b"), ("c", "b"), ("b", "n"), ("n", "output")]
    (layer,) = cut_into_layers(nir.NIRGraph(nodes, edges), DT).layers
    assert np.allclose(layer.bias, b.weight @ (a.bias + c.bias) + b.bias)


def simulate(
    x: np.ndarray, node: nir.LIF | nir.IF | nir.CubaLIF, start: float, steps: int
) -> np.ndarray:
    """Step NIR's own equations by Euler; x is (steps, batch, neurons)."""
    v, i = np.full(x.shape[1:], start), np.zeros(x.shape[1:])
    found = []
    for t in range(steps):
        if isinstance(node, nir.CubaLIF):
            i = i + DT / node.tau_syn * (node.w_in * x[t] - i)
            v = v + DT / node.tau_mem * (node.v_leak - v + node.r * i)
        elif isinstance(node, nir.IF):
            v = v + DT * node.r * x[t]
        else:
            v = v + DT / node.tau * (node.v_leak - v + node.r * x[t])
        spikes = v > node.v_threshold
        v = np.where(spikes, node.v_reset, v)
        found.append(spikes)
    return np.stack(found)


def values(n: int, *numbers: float) -> list[np.ndarray]:
    return [np.full(n, number) for number in numbers]


@pytest.mark.parametrize(
    "node",
    [
        nir.LIF(*values(8, 4 * DT, 1.0, 0.2, 0.5), v_reset=np.zeros(8)),
        nir.LIF(*values(8, 4 * DT, 1.0, 0.0, 0.5), v_reset=np.full(8, -0.4)),
        nir.LIF(*values(8, 5 * DT, 2.0, -0.3, 0.5), v_reset=np.full(8, 0.2)),
        nir.LIF(4 * DT * np.ones(8), np.ones(8), np.linspace(-1, 1, 8), np.ones(8)),
        nir.IF(*values(8, 1 / DT, 0.7), v_reset=np.full(8, -0.5)),
        nir.CubaLIF(*values(8, 3 * DT, 6 * DT, 2.0, 0.3, 0.5), v_reset=np.full(8, -0.2)),
        nir.LIF(*values(8, 10 * DT, 20.0, -65.0, -50.0), v_reset=np.full(8, -65.0)),
    ],
    ids=["leak", "reset", "both", "leak by neuron", "if", "cuba", "biological"],
)
@pytest.mark.parametrize("noise", ["decay", "none"])
def test_leak_and_reset_are_shifted_into_bias_and_threshold(node: nir.NIRNode, noise: str) -> None:
    weights = affine(8, 6)
    node.metadata = {"reset": "zero"}
    graph = chain(weights, node, shape=(6,), out=(8,))
    program = lower(graph, noise=noise, dt=DT, time_steps=STEPS, events=True)
    inputs = (torch.rand(STEPS, 30, 6) > 0.5).float()
    x = inputs.double().numpy() @ weights.weight.T + weights.bias
    expected = simulate(x, node, float(node.v_reset[0]), STEPS)
    found = run(program, inputs, probes=("spikes",)).spikes["n1"].numpy()
    assert 0.01 < expected.mean() < 0.9
    assert (found == expected).mean() > 0.97
    assert abs(found.mean() - expected.mean()) < 0.02


def test_a_leak_is_a_bias_of_each_channel_or_of_each_neuron() -> None:
    leak = np.broadcast_to(np.arange(4.0)[:, None, None], (4, 4, 4))
    graph = chain(conv(4, 3, 3), lif(4, 4, 4, v_leak=leak), shape=(3, 6, 6), out=(4, 4, 4))
    layer = lower(graph, dt=DT, events=True).layers[0]
    plain = lower(
        chain(conv(4, 3, 3), lif(4, 4, 4), shape=(3, 6, 6), out=(4, 4, 4)), dt=DT, events=True
    ).layers[0]
    biases = [part.bias()[:, 0, 0] / part.membrane_unit for part in (layer, plain)]
    added = biases[0] - biases[1]
    assert np.allclose(added, np.arange(4) / 4, atol=0.01)
    graph.nodes["n1"].v_leak = leak.transpose(1, 0, 2).copy()
    layer = lower(graph, dt=DT, events=True).layers[0]
    added = layer.bias() / layer.membrane_unit - plain.bias() / plain.membrane_unit
    assert np.allclose(added, np.arange(4)[:, None] / 4, atol=0.01)


def test_a_threshold_is_a_neuron_without_memory() -> None:
    weights = affine(8, 6)
    for threshold in (0.0, 0.4):
        graph = chain(weights, nir.Threshold(np.full(8, threshold)), shape=(6,), out=(8,))
        program = lower(graph, dt=DT, time_steps=STEPS, events=True)
        inputs = (torch.rand(STEPS, 30, 6) > 0.5).float()
        expected = inputs.double().numpy() @ weights.weight.T + weights.bias > threshold
        found = run(program, inputs, probes=("spikes",)).spikes["n1"].numpy()
        assert 0.1 < expected.mean() < 0.9 and (found == expected).mean() > 0.99


@pytest.mark.parametrize("backend", ["engine", pytest.param("lava", marks=pytest.mark.lava)])
def test_a_convolution_of_one_axis_keeps_its_shape(backend: str) -> None:
    first = nir.Conv1d(9, random(4, 3, 3), 2, 1, 1, 1, random(4))
    second = nir.Conv1d(5, random(5, 4, 2), 1, 0, 1, 1, random(5))
    nodes = (first, lif(4, 5), second, lif(5, 4))
    program = lower(chain(*nodes, shape=(3, 9), out=(5, 4)), dt=DT, time_steps=STEPS, events=True)
    assert program.input_shape == (3, 9)
    assert [layer.shape for layer in program.layers] == [(4, 5), (5, 4)]
    inputs = (torch.rand(STEPS, 6, 3, 9) > 0.6).float()
    record = run(program, inputs, backend=backend, probes=PROBES)
    layer = program.layers[0]
    weight = torch.from_numpy(layer.projections[0].weight[:, :, 0]).double()
    v = torch.zeros(6, 4, 5, dtype=torch.float64)
    for t in range(STEPS):
        sums = functional.conv1d(inputs[t].double(), weight, None, 2, 1)
        sums = torch.floor(sums * 2.0 ** layer.projections[0].weight_exponent)
        keep = float(layer.decay.values) / 4096
        v = torch.trunc(v * keep) + sums * 64 + torch.from_numpy(layer.bias()).double()
        spikes = v > float(layer.threshold_mantissa) * 64
        v = v.masked_fill(spikes, 0)
        assert torch.equal(record.spikes["n1"][t].bool(), spikes)
    assert 0.02 < float(record.spikes["n3"].double().mean()) < 0.9


@pytest.mark.parametrize(
    ("shape", "given"),
    [
        ((4, 4, 4), (1,)),
        ((4, 5, 3), (4,)),
        ((4, 5, 3), (1, 4, 1, 1)),
        ((4, 5, 3), (4, 1, 1)),
        ((4, 5, 3), (1, 4, 5, 3)),
        ((6,), ()),
        ((6,), (1, 6)),
    ],
)
def test_parameters_take_the_shape_of_the_neurons(
    shape: tuple[int, ...], given: tuple[int, ...]
) -> None:
    numbers = 4 * DT * (1 + np.arange(math.prod(given)).reshape(given))
    node = lif(*shape)
    node.tau = numbers
    graph = chain(scale(*shape), node, shape=shape, out=shape)
    (layer,) = cut_into_layers(graph, DT).layers
    assert layer.neuron is not None
    full = np.broadcast_to(layer.neuron.decay, shape)
    if given == (4,):
        numbers = numbers[:, None, None]
    assert np.allclose(full, np.broadcast_to(1 - DT / numbers, (1, *shape))[0])


@pytest.mark.parametrize(("shape", "given"), [((4, 4, 4), (4,)), ((4, 5, 3), (5,)), ((6,), (5,))])
def test_parameters_that_fit_in_no_or_two_ways_are_refused(shape: tuple, given: tuple) -> None:
    node = lif(*shape)
    node.tau = np.full(given, 4 * DT) * np.arange(1, given[0] + 1)
    with pytest.raises(LoweringError, match=r"n1.*tau of shape .* does not fit neurons of shape"):
        cut_into_layers(chain(scale(*shape), node, shape=shape, out=shape), DT)


@pytest.mark.parametrize(
    "dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16], ids=str
)
def test_torch_tensors_are_arrays(dtype: torch.dtype) -> None:
    def tensor(array: np.ndarray) -> torch.nn.Parameter:
        return torch.nn.Parameter(torch.from_numpy(array).to(dtype))

    weights, plain = affine(8, 6), lif(8)
    for node in (weights, plain):
        for name in ("weight", "bias", "tau", "r", "v_leak", "v_threshold", "v_reset"):
            if hasattr(node, name):
                rounded = torch.from_numpy(getattr(node, name)).to(dtype)
                setattr(node, name, rounded.double().numpy())
    expected = lower(chain(weights, plain, shape=(6,), out=(8,)), dt=DT, events=True)
    as_tensors = (
        nir.Affine(tensor(weights.weight), tensor(weights.bias)),
        nir.LIF(
            *(tensor(getattr(plain, k)) for k in ("tau", "r", "v_leak", "v_threshold", "v_reset")),
            metadata={"reset": "zero"},
        ),
    )
    found = lower(chain(*as_tensors, shape=(6,), out=(8,)), dt=DT, events=True)
    left, right = found.layers[0], expected.layers[0]
    assert np.array_equal(left.projections[0].weight, right.projections[0].weight)
    assert np.array_equal(left.threshold_mantissa, right.threshold_mantissa)
    assert np.array_equal(left.decay.values, right.decay.values)


@pytest.mark.parametrize("extra", [(1,), (1, 1)])
def test_leading_ones_of_the_input_are_a_batch(extra: tuple[int, ...]) -> None:
    graph = chain(affine(8, 6), lif(8), shape=(*extra, 6), out=(*extra, 8))
    assert lower(graph, dt=DT, events=True).input_shape == (6,)


def test_a_loop_that_its_own_bias_drives_needs_no_input() -> None:
    nodes = {
        "input": nir.Input(np.array([6])),
        "a": affine(8, 6),
        "n": lif(8),
        "own": nir.Affine(0.1 * np.eye(8), np.full(8, 0.5)),
        "island": lif(8),
        "output": nir.Output(np.array([8])),
    }
    edges = [("input", "a"), ("a", "n"), ("own", "island"), ("island", "own"), ("island", "n")]
    made = nir.NIRGraph(nodes, [*edges, ("n", "output")], {}, type_check=False)
    program = lower(made, dt=DT, time_steps=STEPS, events=True)
    record = run(program, torch.zeros(STEPS, 1, 6), probes=("spikes",))
    assert 0 < int(record.spikes["island"].sum()) < 8 * STEPS
