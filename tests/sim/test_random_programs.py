import pytest
import torch
from hypothesis import HealthCheck, given, settings

from stochi.sim import Record, run
from stochi.sim.mismatch import compare_records
from stochi.sim.recording import Recording
from stochi.sim.run import PROBES, _run_torch
from tests.sim.random_programs import Case, cases

relaxed = settings(deadline=None, suppress_health_check=list(HealthCheck))


def on_engine(case: Case) -> Record:
    return run(
        case.program,
        case.inputs,
        seed=case.seed,
        trial=case.trial,
        first_sample=case.first_sample,
        probes=PROBES,
    )


def mismatches(left: Record, right: Record) -> int:
    different = int((left.logits != right.logits).sum())
    return different + sum(c.mismatches for c in compare_records(left, right))


@settings(relaxed, max_examples=300)
@given(cases())
def test_the_compiled_engine_has_the_torch_engine_s_integers(case: Case) -> None:
    batch = case.inputs.shape[-1 - len(case.program.input_shape)]
    torch_record = Recording(case.program, batch, PROBES, None)
    shown = case.inputs
    if shown.dim() == len(case.program.input_shape) + 1:
        shown = shown.unsqueeze(0)
    cpu = torch.device("cpu")
    _run_torch(
        case.program, shown, torch_record, case.seed, case.trial, case.first_sample, cpu, None
    )
    assert mismatches(on_engine(case), torch_record.finish()) == 0


@pytest.mark.lava
@settings(relaxed, max_examples=60)
@given(cases())
def test_lava_has_the_engine_s_integers(case: Case) -> None:
    from stochi.sim.lava.session import LavaSession

    with LavaSession(case.program, case.side_by_side) as session:
        lava = session.run(
            case.inputs,
            seed=case.seed,
            trial=case.trial,
            first_sample=case.first_sample,
            probes=PROBES,
        )
        again = session.run(case.inputs, seed=1)
    assert mismatches(on_engine(case), lava) == 0
    assert torch.equal(again.logits, run(case.program, case.inputs, seed=1).logits)
