"""Spikes of a layer that runs alone are those of the whole Program."""

from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given

from stochi.deploy import lower, spike_counts
from stochi.deploy.spike_counts import TRIALS, observe, observer
from stochi.errors import ProgramError
from stochi.export import to_nir
from stochi.program.program import Program
from tests.conftest import conv_net
from tests.sim.random_programs import Case, cases
from tests.thoroughness import examples

IMAGES = torch.rand(6, 2, 8, 8, generator=torch.Generator().manual_seed(5))


def changed(program: Program, name: str) -> list[Program]:
    """Return Programs that differ in a layer: its thresholds, and the weights' exponents."""
    index, layer = program.index(name), program.layer(name)
    assert layer.threshold_mantissa is not None
    found = []
    for shift in (0, 1):
        # Not every such Program keeps to the chip's limits.
        with suppress(ProgramError):
            other = replace(
                layer,
                threshold_mantissa=np.asarray(layer.threshold_mantissa // 2 + 1),
                projections=tuple(
                    replace(p, weight_exponent=p.weight_exponent - shift) for p in layer.projections
                ),
            )
            layers = (*program.layers[:index], other, *program.layers[index + 1 :])
            found.append(replace(program, layers=layers))
    return found


@examples(15, 60)
@given(cases())
def test_any_layer_of_any_program(case: Case) -> None:
    program, data, seed = case.program, case.inputs, case.draws.seed
    for layer in program.layers:
        if layer.spikes:
            look = observer(program, layer.name, data, seed)
            for one in [program, *changed(program, layer.name), program]:
                assert torch.equal(look(one), observe(one, layer.name, data, seed))


@pytest.mark.parametrize("most", [0, spike_counts.MOST_SUMS])
def test_memory_decides_only_how(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(spike_counts, "MOST_SUMS", most)
    net = conv_net()
    program = lower(to_nir(net, IMAGES[:1]))
    runs: list[str] = []
    whole = spike_counts.run
    monkeypatch.setattr(
        spike_counts, "run", lambda *args, **options: runs.append("") or whole(*args, **options)
    )
    look = observer(program, "network.lif2", IMAGES, 3)
    found = [look(one) for one in [program, *changed(program, "network.lif2")]]
    assert len(runs) == (TRIALS if most else 3 * TRIALS)
    for one, counts in zip([program, *changed(program, "network.lif2")], found, strict=True):
        assert torch.equal(counts, observe(one, "network.lif2", IMAGES, 3))
        assert counts.shape == (TRIALS, 6, *program.layer("network.lif2").shape)
    assert not torch.equal(found[0], found[1])
