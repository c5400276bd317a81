"""Random Programs: every neuron has its place, no limit is exceeded, counts equal brute force."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from stochi.deploy import map_cores
from stochi.deploy.mapping.connections import image_of
from stochi.deploy.mapping.rules import find_problem
from stochi.errors import InputError
from stochi.program.layers import CONSTANT
from tests.sim.random_programs import Case, cases


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(cases())
def test_every_neuron_is_placed_once_and_no_core_exceeds_a_limit(case: Case) -> None:
    program = case.program
    try:
        mapping = map_cores(program)
    except InputError as error:
        assert "constant input" in str(error) or "one form" in str(error)
        return
    if mapping.problems:
        assert all("loop" in problem for problem in mapping.problems)
        return
    for core in mapping.cores:
        assert find_problem(core.use, mapping.limits) is None
    for layer in program.layers:
        placed = np.zeros(image_of(layer, program), int)
        constants = sum(p.source == CONSTANT for p in layer.projections)
        neurons = 0
        for core in mapping.cores:
            for part in core.parts:
                if part.layer == layer.name:
                    placed[part.block.slices] += 1
                    neurons += part.use.neurons - constants
        assert (placed == 1).all()
        assert neurons == layer.neurons


def test_an_unknown_chip_is_refused() -> None:
    with pytest.raises(InputError, match="loihi3"):
        map_cores(None, "loihi3")  # type: ignore[arg-type]
