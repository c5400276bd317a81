"""A bias that differs between the neurons of a channel, from real numbers to membranes."""

from dataclasses import replace

import nir
import numpy as np
import pytest
import torch

from stochi.deploy.graph.layers import RealNetwork, cut_into_layers
from stochi.deploy.lowering.network import lower_network
from stochi.program.layers import CONSTANT
from stochi.program.target import Target
from stochi.sim import run

DT = 1e-3
SHAPE = (2, 3, 4)


def network(node: nir.NIRNode, bias: np.ndarray) -> RealNetwork:
    """Return neurons behind a convolution that keeps the image's size, with this bias."""
    weight = np.random.default_rng(0).standard_normal((2, 1, 3, 3))
    nodes = {
        "input": nir.Input(np.array([1, 3, 4])),
        "a": nir.Conv2d((3, 4), weight, 1, 1, 1, 1, np.zeros(2)),
        "n": node,
        "output": nir.Output(np.array(SHAPE)),
    }
    found = cut_into_layers(nir.NIRGraph(nodes, [("input", "a"), ("a", "n"), ("n", "output")]), DT)
    return replace(found, layers=(replace(found.layers[0], bias=bias),))


def lif(tau: float | np.ndarray) -> nir.LIF:
    ones = np.ones(SHAPE)
    return nir.LIF(tau * ones, 3 * ones, 0 * ones, 50 * ones)


def cuba() -> nir.CubaLIF:
    ones = np.ones(SHAPE)
    return nir.CubaLIF(2 * DT * ones, 4 * DT * ones, ones, 0 * ones, 50 * ones)


BY_CHANNEL = DT * np.array([2.0, 4.0]).reshape(2, 1, 1)


@pytest.mark.parametrize("shape", [(1,), (2,), SHAPE])
@pytest.mark.parametrize(
    ("node", "gain"),
    [
        (lif(2 * DT), 1.5),
        (lif(BY_CHANNEL), 3 * DT / BY_CHANNEL),
        (cuba(), 0.5 * 0.25),
    ],
    ids=["lif", "lif by channel", "cuba"],
)
def test_silence_leaves_the_bias(
    node: nir.NIRNode, gain: float | np.ndarray, shape: tuple[int, ...]
) -> None:
    rng = np.random.default_rng(1)
    bias = rng.choice([-1, 1], shape) * rng.uniform(0.5, 1, shape)
    target = Target("loihi2", "none", 1, 1, DT)
    program = lower_network(network(node, bias), target)
    layer = program.layers[0]
    silence = torch.zeros(1, 1, 1, 3, 4)
    spread = bias if bias.ndim == 3 else bias.reshape(-1, 1, 1)
    expected = torch.from_numpy(np.broadcast_to(gain * spread, SHAPE).copy())
    record = run(program, silence, probes=("membrane",))
    found = record.membrane["n"][0, 0].double() / layer.membrane_unit
    # Weights that carry a bias have 7 bits and a sign; the chip's own bias has 12.
    assert float((found - expected).abs().max()) < 0.01 * float(expected.abs().max())
    if isinstance(node, nir.CubaLIF):
        assert layer.projections[-1].source == CONSTANT and not layer.bias_mantissa.any()
    elif shape == SHAPE:
        assert layer.bias_mantissa.shape == SHAPE and len(np.unique(layer.bias_mantissa)) > 12


def test_equal_biases_of_all_neurons_give_the_integers_of_one_for_each_channel() -> None:
    each = np.array([0.7, -0.2])
    spread = np.broadcast_to(each.reshape(2, 1, 1), SHAPE).copy()
    target = Target("loihi2", "none", 3, 255, DT)
    ours, theirs = (lower_network(network(lif(2 * DT), bias), target) for bias in (each, spread))
    assert np.array_equal(np.broadcast_to(ours.layers[0].bias(), SHAPE), theirs.layers[0].bias())
    images = torch.rand(2, 1, 3, 4)
    left, right = (run(p, images, probes=("membrane",)).membrane["n"] for p in (ours, theirs))
    assert torch.equal(left, right)
