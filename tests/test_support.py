"""``docs/support.md`` says what happens, about everything that there is."""

import nir
import pytest
import snntorch as snn
import torch

from benchmarks.support.cases import all_cases
from benchmarks.support.examination import EXACT, NO, YES, Case, Row, examine, verdict
from benchmarks.support.page import committed, make_rows, to_markdown, without_lava
from stochi.sim import Record

NOT_NEURONS = {"SpikingNeuron", "LIF", "GradedSpikes"}  # base classes, and a layer


@pytest.fixture(scope="module")
def rows() -> list[Row]:
    return make_rows(lava=False)


@pytest.mark.slow
def test_the_page_says_what_happens(rows: list[Row]) -> None:
    assert to_markdown(rows) == without_lava(committed())


@pytest.mark.cuda
@pytest.mark.parametrize("case", all_cases(), ids=lambda case: case.what)
def test_a_gpu_gives_the_same_integers(case: Case) -> None:
    row, on_cpu = examine(case, lava=False, device="cuda"), examine(case, lava=False)
    assert (row.torch_engine, row.twin) == (on_cpu.torch_engine, on_cpu.twin)


@pytest.mark.slow
@pytest.mark.lava
def test_the_page_says_what_happens_on_lava() -> None:
    assert to_markdown(make_rows(lava=True)) == committed()


@pytest.mark.slow
def test_what_is_lowered_is_exact_and_what_is_not_has_a_reason(rows: list[Row]) -> None:
    for row in rows:
        if row.lowered == YES:
            assert row.torch_engine == EXACT, row.what
            assert row.twin == EXACT, row.what
        assert bool(row.note) == (NO in (row.exported, row.lowered, row.twin)), row.what
    assert sum(row.twin == EXACT for row in rows) > 100


def test_every_primitive_and_every_neuron_has_a_row() -> None:
    cases = [(case.group, case.what) for case in all_cases()]
    names = {what for _, what in cases}
    words = {word for name in names for word in name.replace(",", " ").replace(":", " ").split()}
    kinds = {name for name, kind in vars(nir).items() if isinstance(kind, type)}
    primitives = {name for name in kinds if issubclass(getattr(nir, name), nir.NIRNode)}
    neurons = {
        name
        for name, kind in vars(snn).items()
        if isinstance(kind, type) and (issubclass(kind, snn.SpikingNeuron) or "Leaky" in name)
    }
    assert len(cases) == len(set(cases)) and len(neurons) > 12 and len(primitives) > 18
    assert (primitives - {"NIRNode"}) | (neurons - NOT_NEURONS) <= words


def test_exact_means_that_every_layer_spiked_and_no_value_differs() -> None:
    def record(spikes: list[int], membrane: list[int]) -> Record:
        values = (torch.tensor(v, dtype=torch.int32).view(3, 1, 1) for v in (spikes, membrane))
        return Record(torch.zeros(1, 1), *({"lif": v} for v in values))

    ours = record([0, 1, 0], [5, 9, 2])
    assert verdict(ours, record([0, 1, 0], [5, 9, 2])) == EXACT
    assert verdict(ours, record([0, 1, 1], [5, 9, 3])) == "mismatches: 2"
    quiet = record([0, 0, 0], [5, 9, 2])
    assert verdict(quiet, quiet) == "no spikes in lif"
