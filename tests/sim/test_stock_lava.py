"""Stochi's Lava processes against Lava's own Dense, Conv and LIF, if those can do the same."""

from collections import OrderedDict
from dataclasses import replace

import nir
import numpy as np
import pytest
import torch
from torch import nn

from stochi.deploy import lower
from stochi.errors import LoweringError
from stochi.export import to_nir
from stochi.hardware.draws import Draws
from stochi.program.layers import Generator
from stochi.program.program import Program
from stochi.sim import run
from stochi.sim.inputs import lava_frames
from stochi.train import RandomTauLeaky
from stochi.train.networks import RepeatSteps
from tests.conftest import conv_net, dense_net

pytestmark = pytest.mark.lava

DT = 1e-3


def graph(*edges: tuple[str, str], **nodes: nir.NIRNode) -> nir.NIRGraph:
    outputs = next(nodes[a].output_type["output"] for a, b in edges if b == "output")
    ends = {"input": nir.Input(np.array([6])), "output": nir.Output(outputs)}
    return nir.NIRGraph({**nodes, **ends}, list(edges))


def affine(outputs: int, inputs: int, bias: float = 0.1) -> nir.Affine:
    rng = np.random.default_rng(outputs)
    return nir.Affine(rng.standard_normal((outputs, inputs)), bias * rng.standard_normal(outputs))


def cuba(n: int) -> nir.CubaLIF:
    ones = np.ones(n)
    return nir.CubaLIF(2 * DT * ones, 5 * DT * ones, 3 * ones, 0 * ones, 0.1 * ones)


def assert_stock_membranes(program: Program, inputs: torch.Tensor) -> None:
    from stochi.sim.lava.stock import StockLava

    with StockLava(program, lava_frames(program, inputs)) as stock:
        theirs = stock.membranes_at_each_step()
    for backend in ("engine", "lava"):
        ours = run(program, inputs, backend=backend, probes=("membrane", "spikes"))
        for name, membranes in theirs.items():
            assert np.array_equal(ours.membrane[name].numpy(), membranes), (backend, name)
    assert all(0 < float(s.double().mean()) < 1 for s in ours.spikes.values())


def test_images_through_linear_layers() -> None:
    program = lower(to_nir(dense_net(), torch.rand(1, 1, 4, 4)), noise="none")
    assert_stock_membranes(program, torch.rand(4, 1, 4, 4))


def test_images_through_convolutions_and_pooling() -> None:
    program = lower(to_nir(conv_net(strong=4.0), torch.rand(1, 2, 8, 8)), noise="none")
    assert_stock_membranes(program, torch.rand(2, 2, 8, 8))


def test_stride_padding_dilation_and_groups() -> None:
    layers = OrderedDict(
        conv=nn.Conv2d(2, 4, (3, 1), stride=(2, 1), padding=(1, 0), dilation=(1, 2), groups=2),
        lif=RandomTauLeaky(threshold=0.1, init_hidden=True),
        flatten=nn.Flatten(),
        fc=nn.Linear(4 * 4 * 9, 3),
        out=RandomTauLeaky(threshold=0.05, init_hidden=True),
    )
    net = RepeatSteps(nn.Sequential(layers), 4).eval()
    program = lower(to_nir(net, torch.rand(1, 2, 7, 9)), noise="none")
    assert_stock_membranes(program, torch.rand(2, 2, 7, 9))


def test_more_channels_than_an_int8_counts() -> None:
    layers = OrderedDict(
        conv=nn.Conv2d(65, 130, 1, groups=65),
        lif=RandomTauLeaky(threshold=0.1, init_hidden=True),
        flatten=nn.Flatten(),
        fc=nn.Linear(130, 3),
        out=RandomTauLeaky(threshold=0.05, init_hidden=True),
    )
    net = RepeatSteps(nn.Sequential(layers), 4).eval()
    program = lower(to_nir(net, torch.rand(1, 65, 1, 1)), noise="none")
    assert_stock_membranes(program, torch.rand(2, 65, 1, 1))


def test_currents_of_events() -> None:
    chain = graph(
        *[("input", "a"), ("a", "n1"), ("n1", "b"), ("b", "n2"), ("n2", "output")],
        a=affine(8, 6, 0.0),
        n1=cuba(8),
        b=affine(4, 8, 0.0),
        n2=cuba(4),
    )
    program = lower(chain, dt=DT, time_steps=12, events=True)
    assert program.layers[0].current_keep is not None
    assert_stock_membranes(program, (torch.rand(12, 3, 6) > 0.5).float())


def test_recurrence() -> None:
    # Stock synapses keep a spike from one sample to the next, so there is only one sample.
    loop = graph(
        *[("input", "a"), ("a", "n"), ("n", "w"), ("w", "n"), ("n", "b"), ("b", "m")],
        ("m", "output"),
        a=affine(8, 6, 0.0),
        n=cuba(8),
        w=affine(8, 8, 0.0),
        b=affine(3, 8, 0.0),
        m=cuba(3),
    )
    program = lower(loop, dt=DT, time_steps=20, events=True)
    assert [s.source for s in program.layers[0].projections] == ["input", "n"]
    assert_stock_membranes(program, (torch.rand(20, 1, 6) > 0.5).float())


def test_what_stock_lava_lacks_is_refused_by_name() -> None:
    from stochi.sim.lava.stock import StockLava

    program = lower(to_nir(dense_net(), torch.rand(1, 1, 4, 4)))
    with pytest.raises(LoweringError, match=r"network\.lif1.*drawn decays"):
        StockLava(program, lava_frames(program, torch.rand(1, 1, 4, 4)))


def assert_own_neurons(program: Program, inputs: torch.Tensor, own: set[str]) -> None:
    from stochi.sim.lava.stock import StockLava

    draws = Draws(seed=5, trial=2, first_sample=3, source=program.target.random_source)
    with StockLava(program, lava_frames(program, inputs), draws) as stock:
        assert stock.own == own
        spikes, membranes = stock.record()
    options = {"seed": 5, "trial": 2, "first_sample": 3}
    engine = run(program, inputs, probes=("membrane", "spikes"), **options)
    assert spikes.keys() == engine.spikes.keys()
    for name, ours in engine.spikes.items():
        assert np.array_equal(ours.numpy(), spikes[name]), name
        assert ours.any()
    assert np.array_equal(engine.membrane[program.output].numpy(), membranes)


def test_drawn_decays_run_between_stock_synapses() -> None:
    program = lower(to_nir(conv_net(), torch.rand(1, 2, 8, 8)), random_source="lfsr")
    assert_own_neurons(program, torch.rand(3, 2, 8, 8), {"network.lif1", "network.lif2"})


def test_noise_resets_and_biased_currents_run_between_stock_synapses() -> None:
    chain = graph(
        *[("input", "a"), ("a", "n1"), ("n1", "b"), ("b", "n2"), ("n2", "output")],
        a=affine(8, 6),
        n1=cuba(8),
        b=affine(4, 8),
        n2=nir.LIF(4 * DT * np.ones(4), np.ones(4), np.zeros(4), 0.2 * np.ones(4)),
    )
    program = lower(chain, dt=DT, time_steps=6, events=True, reset="subtract")
    assert any(p.source == "constant" for p in program.layers[0].projections)
    assert program.layers[1].reset == "subtract"
    noisy = replace(program.layers[1], generator=Generator("membrane", 1, 13))
    noisy_program = replace(program, layers=(program.layers[0], noisy))
    assert_own_neurons(noisy_program, (torch.rand(6, 3, 6) > 0.5).float(), {"n1", "n2"})


def test_stock_lava_refuses_noise() -> None:
    from stochi.sim.lava.stock import StockLava

    program = lower(to_nir(dense_net(), torch.rand(1, 1, 4, 4)), noise="none")
    noisy = replace(program.layers[0], generator=Generator("current", 0, 9))
    changed = replace(program, layers=(noisy, *program.layers[1:]))
    with pytest.raises(LoweringError, match=r"network\.lif1.*noise"):
        StockLava(changed, lava_frames(changed, torch.rand(1, 1, 4, 4)))
