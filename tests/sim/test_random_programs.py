import pytest
import torch
from hypothesis import given

from stochi.hardware.draws import Draws
from stochi.parity.records.comparison import compare_records
from stochi.sim import Record, run
from stochi.sim.engine.backend import _run_torch
from stochi.sim.inputs import check_inputs
from stochi.sim.lava.session import LavaSession
from stochi.sim.recording import PROBES, Probes, Recording
from tests.sim.random_programs import Case, cases
from tests.thoroughness import examples


def on_engine(case: Case) -> Record:
    return run(case.program, case.inputs, probes=PROBES, **case.coordinates)


def mismatches(left: Record, right: Record) -> int:
    different = int((left.logits != right.logits).sum())
    return different + sum(c.mismatches for c in compare_records(left, right))


@examples(80, 300)
@given(cases())
def test_the_compiled_engine_has_the_torch_engine_s_integers(case: Case) -> None:
    shown = check_inputs(case.program, case.inputs)
    recording = Recording(case.program, shown.shape[1], Probes(PROBES))
    cpu = torch.device("cpu")
    _run_torch(case.program, shown, case.draws, recording, cpu, lambda done, total: None)
    assert mismatches(on_engine(case), recording.finish()) == 0


@examples(25, 100)
@given(cases())
def test_logits_are_what_the_output_s_spikes_and_membranes_say(case: Case) -> None:
    program, record = case.program, on_engine(case)
    layer = program.layer(program.output)
    if program.readout == "spikes":
        values = record.spikes[layer.name].double()
    else:
        values = record.membrane[layer.name].double() / layer.membrane_unit
    if program.readout == "input":
        values = values.diff(dim=0, prepend=torch.zeros_like(values[:1]))
    expected = values[-1] if program.over_time == "last" else values.mean(0)
    assert torch.allclose(record.logits, expected.flatten(1), rtol=1e-9, atol=1e-6)


@pytest.mark.lava
@examples(8, 60)
@given(cases())
def test_lava_has_the_engine_s_integers(case: Case) -> None:
    shown = check_inputs(case.program, case.inputs)
    with LavaSession(case.program, case.side_by_side) as session:
        lava = session.run(shown, case.draws, Probes(PROBES))
        again = session.run(shown, Draws(seed=1, source=case.draws.source))
    assert mismatches(on_engine(case), lava) == 0
    assert torch.equal(again.logits, run(case.program, case.inputs, seed=1).logits)
