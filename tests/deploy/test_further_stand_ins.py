"""Random gates and refractory noise: Programs, runs, twins and fits."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.changed_twin import ChangedTwin
from benchmarks.further_fits import NO_WAITS, Fitting, Gated
from benchmarks.gates import (
    CODES,
    GENERATOR,
    gate_threshold,
    gated_twin,
    generator_of,
    insert_gates,
    source_of,
)
from benchmarks.refractory_noise import Waits, draw_waits, run_waiting, waiting_twin
from benchmarks.spike_curves import CURRENTS, THRESHOLD, Neurons, run_neurons
from stochi.deploy import Program, lower
from stochi.deploy.graph.layers import cut_into_layers
from stochi.errors import InputError
from stochi.export import to_nir
from stochi.hardware.draws import Draws
from stochi.hardware.fixed_point import ALIGN_SHIFT
from stochi.hardware.noise import generator_value
from stochi.parity.records.comparison import compare_records
from stochi.program.layers import CONSTANT, INPUT, Layer
from stochi.sim import run
from stochi.sim.recording import PROBES
from stochi.train.twin.model import Twin, set_draws, twin_of
from tests.conftest import dense_net
from tests.sim.random_programs import Case, cases

IMAGES = torch.rand(40, 1, 4, 4, generator=torch.Generator().manual_seed(3))
LAYER = "network.lif1"
WAITS = {LAYER: Waits(exponent=2, mantissa=-1)}


@pytest.fixture
def net() -> torch.nn.Module:
    return dense_net()


@pytest.fixture
def plain(net: torch.nn.Module) -> Program:
    return lower(to_nir(net, IMAGES[:1]), noise="none")


@pytest.mark.parametrize("codes", [1, 100, 188, 255])
def test_a_gate_s_probability_is_exact(codes: int) -> None:
    """Of all pairs of bytes, codes/256 make the generator spike."""
    high, low = np.divmod(np.arange(2**16), 2**8)
    noise = generator_value(high, low, GENERATOR.mantissa, GENERATOR.exponent)
    assert (noise > gate_threshold(codes) << ALIGN_SHIFT).mean() == codes / CODES


def can_be_gated(program: Program, layer: Layer) -> bool:
    return layer.spikes and (layer.name != program.output or program.readout == "spikes")


@settings(max_examples=25, deadline=None)
@given(cases(), st.integers(1, 255))
def test_gates_pass_spikes_on_and_change_nothing_before_them(case: Case, codes: int) -> None:
    names = [layer.name for layer in case.program.layers if can_be_gated(case.program, layer)]
    gated = insert_gates(case.program, {name: codes for name in names})
    record = run(gated, case.inputs, probes=PROBES, **case.coordinates)
    for name in names:
        opened = record.spikes[generator_of(name)]
        assert torch.equal(record.spikes[name], record.spikes[source_of(name)] & opened)
    if names and names[0] == case.program.layers[0].name:
        first = case.program.layers[0]
        if {projection.source for projection in first.projections} <= {INPUT, CONSTANT}:
            before = run(case.program, case.inputs, probes=PROBES, **case.coordinates)
            assert torch.equal(before.spikes[names[0]], record.spikes[source_of(names[0])])


def test_gates_open_independently_with_their_probability(plain: Program) -> None:
    record = run(insert_gates(plain, {LAYER: 188}), IMAGES, probes=PROBES)
    opened = record.spikes[generator_of(LAYER)].double()
    error = (188 / 256 * 68 / 256 / opened.numel()) ** 0.5
    assert abs(float(opened.mean()) - 188 / 256) < 4 * error
    assert not torch.equal(opened[0], opened[1])


@pytest.mark.parametrize(
    ("gates", "what"),
    [
        ({"nothing": 5}, "no layer 'nothing'"),
        ({"network.fc2": 5}, "never spikes"),
        ({LAYER: 0}, "0/256"),
        ({LAYER: 256}, "256/256"),
    ],
)
def test_gates_that_cannot_be_are_refused(plain: Program, gates: dict, what: str) -> None:
    with pytest.raises(InputError, match=what):
        insert_gates(plain, gates)


def test_membranes_that_are_read_cannot_be_gated(plain: Program) -> None:
    layers = plain.layers[: plain.index(LAYER) + 1]
    read = replace(plain, layers=layers, output=LAYER, readout="membrane")
    with pytest.raises(InputError, match="read by its membranes"):
        insert_gates(read, {LAYER: 100})


@pytest.mark.lava
def test_lava_has_the_same_gates(plain: Program) -> None:
    gated = insert_gates(plain, {LAYER: 188})
    engine, lava = (
        run(gated, IMAGES[:5], backend=backend, seed=3, trial=1, first_sample=2, probes=PROBES)
        for backend in ("engine", "lava")
    )
    assert sum(c.mismatches for c in compare_records(engine, lava)) == 0
    assert 0 < float(engine.spikes[LAYER].double().mean()) < 1


def logits_and_gradient(twin: Twin) -> tuple[torch.Tensor, torch.Tensor]:
    shown = IMAGES.clone().requires_grad_()
    set_draws(twin, seed=5, trial=2, first_sample=3)
    logits = twin(shown)
    logits.square().sum().backward()
    assert shown.grad is not None
    return logits.detach().double(), shown.grad


def test_the_gates_twin_has_the_program_s_answers(net: torch.nn.Module, plain: Program) -> None:
    gated = insert_gates(plain, {LAYER: 188})
    own = twin_of(plain, net, IMAGES[:1])
    logits, gradient = logits_and_gradient(gated_twin(own, gated, {LAYER: 188}))
    expected = run(gated, IMAGES, seed=5, trial=2, first_sample=3).logits
    assert torch.allclose(logits, expected, rtol=0, atol=1e-6)
    assert not torch.allclose(logits_and_gradient(own)[0], expected, rtol=0, atol=1e-3)
    assert float(gradient.abs().max()) > 0


def test_waiting_s_twin_has_the_run_s_answers(net: torch.nn.Module, plain: Program) -> None:
    twin = waiting_twin(twin_of(plain, net, IMAGES[:1]), WAITS)
    logits, gradient = logits_and_gradient(twin)
    expected = run_waiting(plain, WAITS, IMAGES, Draws(5, 2, 3)).logits
    assert isinstance(twin, ChangedTwin)
    assert torch.allclose(logits, expected, rtol=0, atol=1e-6)
    assert float(gradient.abs().max()) > 0


def test_a_run_without_waits_is_the_engine_s(plain: Program) -> None:
    ours = run_waiting(plain, {LAYER: NO_WAITS}, IMAGES, Draws(1, 2))
    engine = run(plain, IMAGES, seed=1, trial=2, probes=PROBES)
    assert sum(c.mismatches for c in compare_records(ours, engine)) == 0
    assert torch.equal(ours.logits, engine.logits)
    waiting = run_waiting(plain, WAITS, IMAGES, Draws(1, 2))
    assert int(waiting.spikes[LAYER].sum()) < int(engine.spikes[LAYER].sum())


@pytest.mark.parametrize(("exponent", "mantissa"), [(0, 0), (1, -1), (2, -1), (0, 1)])
def test_waits_are_drawn_as_their_mean_says(exponent: int, mantissa: int) -> None:
    waits = Waits(exponent, mantissa)
    drawn = draw_waits(np.arange(400), np.arange(100), Draws().at(0, 0), waits)
    assert drawn.min() == 0
    assert drawn.max() == waits.longest
    assert abs(drawn.mean() - waits.mean) < 4 * drawn.std() / drawn.size**0.5


def test_a_neuron_that_waits_loses_what_its_mean_wait_says() -> None:
    """Far above the threshold a spike comes every 1 + wait steps, and the first one in step 1."""
    curve = run_neurons(Neurons(waits=Waits(0, 0)))
    after_long = 1 / (1 + Waits(0, 0).mean)
    assert after_long <= curve.rate[-1] < after_long + 0.25 / 8 + 0.005


def test_a_gated_neuron_s_counts_are_binomial() -> None:
    curve = run_neurons(Neurons(gate=188))
    assert curve.rate[-1] == pytest.approx(188 / 256, abs=0.01)
    assert curve.fano[-1] == pytest.approx(1 - 188 / 256, abs=0.02)
    assert curve.rate[CURRENTS <= THRESHOLD].max() == 0


def test_fitted_gates_give_the_reference_s_rate(net: torch.nn.Module) -> None:
    graph = to_nir(net, IMAGES[:1])
    exact, plain = lower(graph), lower(graph, noise="none")
    network = cut_into_layers(graph, plain.target.dt)
    fitting = Fitting(network, exact, plain, IMAGES, Gated)
    fitting.fit(LAYER, (lambda best: (128, 150),))
    found = fitting.finish()
    assert isinstance(found, Gated)

    def rate(counts: torch.Tensor) -> float:
        return float(counts.double().mean())

    aim = rate(Gated(exact, {}).count(LAYER, IMAGES, 77))
    assert found.settings[LAYER] in (128, 150)
    assert abs(rate(found.count(LAYER, IMAGES, 77)) / aim - 1) < 0.03
    assert abs(rate(Gated(plain, found.settings).count(LAYER, IMAGES, 77)) / aim - 1) > 0.1
