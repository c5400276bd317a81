"""Random graphs: the float module runs; twin, engine, torch engine and Lava have one result."""

import warnings

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stochi.deploy import Program, lower
from stochi.errors import LoweringError
from stochi.export import from_nir
from stochi.hardware.draws import Draws
from stochi.parity.records.comparison import compare_records
from stochi.parity.records.twin import record_twin
from stochi.sim import run
from stochi.sim.recording import PROBES
from stochi.train.twin.model import twin_of
from tests.parity.random_graphs import random_graph

IMAGES = 5


def check(seed: int, *backends: str) -> Program | None:
    """Compare everything that runs a random graph; None if the chip does not take it."""
    graph = random_graph(seed)
    events = seed % 3 == 0
    shape = tuple(int(n) for n in graph.nodes["input"].output_type["output"])
    generator = torch.Generator().manual_seed(seed)
    steps = graph.metadata["steps"]
    inputs = torch.rand(IMAGES, *shape, generator=generator)
    if events:
        inputs = (torch.rand(steps, IMAGES, *shape, generator=generator) > 0.5).float()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = from_nir(graph)
        assert bool(torch.isfinite(model(inputs)).all())
        try:
            program = lower(graph, events=events)
        except LoweringError:
            return None
        twin = twin_of(program, model, inputs[:1] if not events else inputs[:, :1])
    expected = run(program, inputs, seed=3, trial=1, probes=PROBES)
    others = [record_twin(twin, program, inputs, Draws(3, 1))]
    others += [
        run(program, inputs, backend, seed=3, trial=1, probes=PROBES) for backend in backends
    ]
    for found in others:
        wrong = [c for c in compare_records(found, expected) if c.mismatches]
        assert not wrong, (seed, wrong)
        assert torch.allclose(found.logits, expected.logits, rtol=1e-5, atol=1e-5)
    twin(inputs).sum().backward()
    return program


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1))
def test_twin_and_engine_have_one_result(seed: int) -> None:
    check(seed)


@pytest.mark.lava
@settings(deadline=None, max_examples=4)
@given(st.integers(0, 2**32 - 1))
def test_so_has_lava(seed: int) -> None:
    check(seed, "lava")


@pytest.mark.slow
def test_two_thousand_graphs() -> None:
    programs = [check(seed) for seed in range(2000)]
    lowered = [program for program in programs if program is not None]
    assert len(lowered) > 1900
    assert sum(layer.reset != "zero" for p in lowered for layer in p.layers) > 500
