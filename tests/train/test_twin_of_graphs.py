"""Twins of graphs of any form give the engine's integers, and gradients."""

from itertools import pairwise

import nir
import numpy as np
import pytest
import torch

from stochi.deploy import lower
from stochi.export import from_nir
from stochi.hardware.draws import Draws
from stochi.parity.records.comparison import compare_records
from stochi.parity.records.twin import record_twin
from stochi.sim import run
from stochi.sim.recording import PROBES
from stochi.train.twin.model import Twin, twin_of
from tests.export.test_graph_model import DT, chain, lif

RANDOM = np.random.default_rng(7)
LAMBDA = {"distribution": "logit-normal", "parameters": "1.0", "input_gain": "coupled", "bits": 0}


def affine(outputs: int, inputs: int) -> nir.Affine:
    return nir.Affine(RANDOM.normal(size=(outputs, inputs)), 0.5 + RANDOM.normal(size=outputs) / 3)


def cuba(size: int, **metadata: object) -> nir.CubaLIF:
    ones = np.ones(size)
    return nir.CubaLIF(
        tau_mem=ones * 2 * DT,
        tau_syn=ones * 4 * DT,
        r=ones * 2,
        v_leak=ones * 0,
        v_threshold=ones,
        v_reset=ones * 0,
        w_in=ones * 3,
        metadata={"reset": "zero", **metadata},
    )


def coupled(node: nir.NIRNode) -> nir.NIRNode:
    """Give a node the gain 1 − λ, that of a drawn and coupled one."""
    node.r = np.ones_like(node.r)
    if isinstance(node, nir.CubaLIF):
        node.w_in = node.tau_syn / DT
    return node


def residual() -> nir.NIRGraph:
    """Spikes and currents skip a layer, and spikes go back."""
    graph = chain(affine(6, 6), lif(6, 0.5, "zero", False), affine(6, 6), size=6)
    graph.nodes["n3"] = lif(6, 0.75, "subtract", True)
    graph.nodes["skip"] = nir.Scale(RANDOM.normal(size=6))
    graph.nodes["back"] = affine(6, 6)
    graph.edges = [
        *[("input", "n0"), ("n0", "n1"), ("n1", "n2"), ("n2", "n3"), ("n1", "skip")],
        *[("skip", "n3"), ("n3", "back"), ("back", "n1"), ("n1", "n3"), ("n3", "output")],
    ]
    return graph


def convolutions() -> nir.NIRGraph:
    kernel = RANDOM.normal(size=(4, 2, 3, 3))
    ones = np.ones((4, 6, 6))
    nodes = {
        "input": nir.Input(np.array([2, 6, 6])),
        "conv": nir.Conv2d((6, 6), kernel, 1, 1, 1, 1, RANDOM.normal(size=4) / 2),
        "lif": nir.LIF(
            ones * 2 * DT, ones * 2, ones * 0, ones, ones * 0, metadata={"reset": "zero"}
        ),
        "pool": nir.AvgPool2d(np.array([2, 2]), np.array([2, 2]), np.array([0, 0])),
        "sum": nir.SumPool2d(np.array([3, 3]), np.array([3, 3]), np.array([0, 0])),
        "flat": nir.Flatten({"input": np.array([4, 1, 1])}, start_dim=0),
        "fc": affine(3, 4),
        "output": nir.Output(np.array([3])),
    }
    names = list(nodes)
    return nir.NIRGraph(nodes, list(pairwise(names)), metadata={"dt": DT}, type_check=False)


def leaking(pooled: bool) -> nir.NIRGraph:
    graph = convolutions()
    size = 3 if pooled else 6
    ones = np.ones((4, size, size))
    leak = RANDOM.normal(size=ones.shape) / 3
    graph.nodes["lif"] = nir.LIF(
        ones * 2 * DT, ones * 2, leak, ones, ones * 0, metadata={"reset": "zero"}
    )
    if pooled:
        graph.nodes["early"] = graph.nodes.pop("pool")
        ends = {("conv", "lif"), ("lif", "pool"), ("pool", "sum")}
        graph.edges = [edge for edge in graph.edges if edge not in ends]
        graph.edges += [("conv", "early"), ("early", "lif"), ("lif", "sum")]
    return graph


def pooled_input(kind: type[nir.NIRNode]) -> nir.NIRGraph:
    graph = convolutions()
    graph.nodes["early"] = kind(np.array([2, 2]), np.array([2, 2]), np.array([0, 0]))
    graph.nodes["input"] = nir.Input(np.array([2, 12, 12]))
    graph.edges.remove(("input", "conv"))
    graph.edges += [("input", "early"), ("early", "conv")]
    return graph


GRAPHS = {
    **{
        f"{kind}, delay {delay}": lambda kind=kind, delay=delay: chain(
            affine(5, 5), lif(5, 0.75, kind, delay)
        )
        for kind in ("zero", "subtract", "none")
        for delay in (False, True)
    },
    "synaptic memory": lambda: chain(affine(5, 5), cuba(5)),
    "refractory": lambda: chain(affine(5, 5), lif(5, 0.5, "zero", False, refractory=2 * DT)),
    "refractory, subtract": lambda: chain(affine(5, 5), cuba(5, reset="subtract", refractory=DT)),
    "current reset": lambda: chain(affine(5, 5), cuba(5, reset_current=1, reset_delay=1)),
    "two sets of weights": lambda: chain(affine(5, 5), affine(5, 5), lif(5, 0.5, "zero", False)),
    "scaled": lambda: chain(
        nir.Scale(RANDOM.normal(size=5)),
        affine(5, 5),
        nir.Scale(RANDOM.normal(size=5)),
        lif(5, 0.5, "zero", False),
    ),
    "direct": lambda: chain(lif(5, 0.5, "zero", False), lif(5, 0.75, "subtract", True)),
    "delays": lambda: chain(
        affine(5, 5),
        lif(5, 0.5, "zero", False),
        nir.Delay(np.array([0, 1, 2, 3, 0]) * DT),
        affine(5, 5),
        lif(5, 0.5, "zero", False),
    ),
    "random": lambda: chain(
        affine(5, 5),
        coupled(lif(5, 0.5, "subtract", True, random_tau={**LAMBDA, "sampling": "step"})),
    ),
    "random, with memory": lambda: chain(
        affine(5, 5), coupled(cuba(5, random_tau={**LAMBDA, "sampling": "forward"}))
    ),
    "leak": lambda: chain(
        affine(5, 5),
        nir.LIF(*(np.ones(5) * v for v in (2 * DT, 2, 0.4, 1, 0.25)), metadata={"reset": "zero"}),
    ),
    "leak of each neuron": lambda: leaking(pooled=False),
    "leak of each neuron behind pooling": lambda: leaking(pooled=True),
    "residual": residual,
    "convolutions": convolutions,
    "input that is averaged": lambda: pooled_input(nir.AvgPool2d),
    "input that is summed": lambda: pooled_input(nir.SumPool2d),
}


def made(name: str) -> tuple[nir.NIRGraph, Twin, torch.Tensor]:
    torch.manual_seed(1)
    graph = GRAPHS[name]()
    graph.metadata |= {"steps": 12, "readout": "mean"}
    shape = tuple(int(n) for n in graph.nodes["input"].output_type["output"])
    return graph, from_nir(graph), torch.rand(7, *shape)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", GRAPHS)
def test_it_gives_the_engine_s_integers(name: str) -> None:
    graph, model, images = made(name)
    program = lower(graph)
    twin = twin_of(program, model, images[:1])
    ours = record_twin(twin, program, images, Draws(3, 2))
    theirs = run(program, images, seed=3, trial=2, probes=PROBES)
    assert sum(c.mismatches for c in compare_records(ours, theirs)) == 0
    assert all(float(s.double().mean()) > 0.003 for s in theirs.spikes.values())
    assert torch.allclose(ours.logits, theirs.logits, atol=1e-6)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", GRAPHS)
def test_events_that_change_give_the_engine_s_integers(name: str) -> None:
    graph, model, images = made(name)
    program = lower(graph, events=True)
    frames = (torch.rand(12, *images.shape) > 0.5).float()
    twin = twin_of(program, model, images[:1])
    ours = record_twin(twin, program, frames, Draws(1, 0))
    theirs = run(program, frames, seed=1, probes=PROBES)
    assert sum(c.mismatches for c in compare_records(ours, theirs)) == 0


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", GRAPHS)
def test_gradients_are_near_those_of_the_float_model(name: str) -> None:
    graph, model, images = made(name)
    gradients = []
    for module in (model, twin_of(lower(graph), model, images[:1]).train()):
        for parameter in module.parameters():
            parameter.grad = None
        torch.manual_seed(0)
        leaf = images.clone().requires_grad_(True)
        (module(leaf) * torch.linspace(-1, 2, module(leaf).shape[1])).sum().backward()
        weights = [p.grad.flatten() for p in module.parameters() if p.grad is not None]
        assert len(weights) == len(list(module.parameters())), name
        gradients.append(torch.cat([leaf.grad.flatten(), *weights]))
    assert all(bool(torch.isfinite(g).all()) and bool(g.any()) for g in gradients)
    if "random" not in name:
        assert float(torch.nn.functional.cosine_similarity(*gradients, dim=0)) > 0.8


def test_on_loihi_1_it_subtracts_what_a_synapse_subtracts() -> None:
    """With thresholds rounded to one weight's 8 bits, and sums kept within 21 bits."""
    node = lif(6, 0.75, "subtract", True)
    node.v_threshold = np.linspace(0.7, 1.9, 6)
    layers = (affine(6, 300), node, affine(300, 6), lif(300, 0.5, "zero", False))
    graph = chain(*layers, size=300)
    program = lower(graph, "loihi1", noise="none", events=True, time_steps=9)
    assert [layer.reset for layer in program.layers] == ["subtract", "zero"]
    events = (torch.rand(9, 5, 300) < 0.3).float()
    twin = twin_of(program, from_nir(graph, time_steps=9), events[:, :1])
    record = record_twin(twin, program, events, Draws())
    expected = run(program, events, probes=PROBES)
    assert sum(c.mismatches for c in compare_records(record, expected)) == 0
    assert 0.02 < float(expected.spikes["n1"].double().mean()) < 0.98
