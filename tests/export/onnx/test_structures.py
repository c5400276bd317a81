"""Every structure of the support table in ONNX: floats near torch's, integers the engine's."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from benchmarks.support.cases import all_cases
from benchmarks.support.examination import Case
from stochi.deploy import lower
from stochi.errors import StochiError
from stochi.export import draws_for_onnx, from_nir, to_onnx
from stochi.program import Program
from stochi.program.layers import Generator
from stochi.sim import Record, run

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from tests.export.onnx.sessions import Outputs, run_onnx, with_draws

PROBES = ("spikes", "membrane")
NUMBERS = {"seed": 3, "trial": 2, "first_sample": 70_000}
SAMPLES = 5
QUICK = {
    *("Synaptic: subtract", "RLeaky: zero", "Conv1d", "two steps late", "LIF, v_leak and v_reset"),
    *("average pooling of spikes", "spikes added to spikes (SEW)", "Delay", "CubaLIF"),
    *("RandomTauLeaky, τ drawn at every step: zero", "Conv2d, groups, dilation, stride"),
    *("RandomTauLeaky, τ drawn in every pass: subtract", "currents, last time step"),
}
CASES = [
    pytest.param(case, id=case.what, marks=() if case.what in QUICK else pytest.mark.slow)
    for case in all_cases()
]


def _inputs(case: Case, time_steps: int) -> torch.Tensor:
    if case.events:
        return (torch.rand(time_steps, SAMPLES, *case.shape) > 0.5).float()
    return torch.rand(SAMPLES, *case.shape)


def mismatches(found: Outputs, record: Record) -> int:
    different = int((found["logits"] != record.logits.numpy()).sum())
    for probe, layers in (("spikes", record.spikes), ("membrane", record.membrane)):
        for name, values in layers.items():
            given = found[f"{probe}.{name}"]
            assert given.shape == tuple(values.shape)
            different += int((given != values.numpy()).sum())
    return different


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("case", CASES)
def test_a_structure_computes_the_same_in_onnx(case: Case) -> None:
    torch.manual_seed(0)
    try:
        graph = case.build()
    except StochiError:
        pytest.skip("to_nir does not write it")
    model = from_nir(graph).eval()
    inputs = _inputs(case, model.reading.time_steps)
    draws = draws_for_onnx(model, SAMPLES, **NUMBERS)
    with torch.no_grad():
        expected = with_draws(model, draws)(inputs).numpy()
    for unrolled in (False, True):
        written = to_onnx(model, draws="input", streams=case.events, unrolled=unrolled)
        found = run_onnx(written, inputs, **draws)["logits"]
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
    try:
        program = lower(graph, events=case.events)
    except StochiError:
        return
    record = run(program, inputs, probes=PROBES, **NUMBERS)
    assert any(bool(spikes.any()) for spikes in record.spikes.values())
    numbers = NUMBERS if program.is_random else {}
    for unrolled in (False, True):
        written = to_onnx(program, unrolled=unrolled, probes=PROBES)
        assert mismatches(run_onnx(written, inputs, **numbers), record) == 0


@pytest.mark.parametrize(("mantissa", "exponent"), [(0, 9), (-3, 2), (7, 12)])
@pytest.mark.parametrize("target", ["membrane", "current"])
def test_the_stock_generator_s_noise_is_the_engine_s(
    target: str, mantissa: int, exponent: int
) -> None:
    (case,) = (case for case in all_cases() if case.what == "CubaLIF")
    program = with_noise(lower(case.build(), events=True), Generator(target, mantissa, exponent))
    torch.manual_seed(0)
    inputs = _inputs(case, program.target.time_steps)
    record = run(program, inputs, probes=PROBES, **NUMBERS)
    inside = run_onnx(to_onnx(program, probes=PROBES), inputs, **NUMBERS)
    draws = draws_for_onnx(program, SAMPLES, **NUMBERS)
    outside = run_onnx(to_onnx(program, draws="input", probes=PROBES), inputs, **draws)
    assert mismatches(inside, record) == mismatches(outside, record) == 0
    other = run_onnx(to_onnx(program, probes=PROBES), inputs, **(NUMBERS | {"seed": 4}))
    assert mismatches(other, record) > 0


def with_noise(program: Program, generator: Generator) -> Program:
    layers = tuple(
        replace(layer, generator=generator) if layer.spikes else layer for layer in program.layers
    )
    return replace(program, layers=layers)
