"""Random graphs: twin, engine and Lava have one result; the float module is within its bound."""

import warnings
from typing import NamedTuple

import pytest
import torch
from hypothesis import example, given, settings
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
from tests.parity.one_step_bound import Tightness, assert_within_bound
from tests.parity.random_graphs import random_graph, random_inputs, takes_events
from tests.thoroughness import examples


class Checked(NamedTuple):
    """A Program whose runs are equal, and how tight the bound on its steps is."""

    program: Program
    tightness: Tightness


def check(seed: int, *backends: str) -> Checked | None:
    """Compare everything that runs a random graph; None if the chip does not take it."""
    graph, events = random_graph(seed), takes_events(seed)
    inputs = random_inputs(graph, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model, precise = from_nir(graph), from_nir(graph, dtype=torch.float64)
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
    return Checked(program, assert_within_bound(program, precise, inputs, Draws(3, 1)))


@examples(15, 60)
@example(210639)  # decays of each neuron, behind a pooled convolution with a bias
@given(st.integers(0, 2**32 - 1))
def test_twin_and_engine_have_one_result_and_the_float_module_is_near(seed: int) -> None:
    check(seed)


@pytest.mark.lava
@settings(deadline=None, max_examples=4)
@given(st.integers(0, 2**32 - 1))
def test_so_has_lava(seed: int) -> None:
    check(seed, "lava")


@pytest.mark.slow
def test_two_thousand_graphs() -> None:
    checked = [found for found in map(check, range(2000)) if found is not None]
    assert len(checked) > 1900
    assert sum(layer.reset != "zero" for one in checked for layer in one.program.layers) > 500
    found = [one.tightness for one in checked]
    # The bound is met, and it decides nearly every spike.
    assert max(one.largest_share for one in found) > 0.99
    assert sum(one.uncertain for one in found) < 0.03 * sum(one.spikes for one in found)
    assert sum(one.left_out for one in found) < 0.01 * sum(one.membranes for one in found)
