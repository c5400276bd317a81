"""NIRData of records, read by NIR's own reader."""

from dataclasses import replace
from pathlib import Path

import nir
import numpy as np
import pytest
import torch

from stochi.deploy import lower
from stochi.errors import InputError
from stochi.export import to_nir
from stochi.program.program import Program
from stochi.sim import Record, run, to_nir_data, write_nir_data
from stochi.sim.recording import PROBES
from tests.conftest import conv_net, dense_net


@pytest.fixture
def program() -> Program:
    return lower(to_nir(conv_net(), torch.rand(1, 2, 8, 8)))


def test_spikes_and_membranes_come_back_from_nir_s_reader(tmp_path: Path, program: Program) -> None:
    graph = to_nir(conv_net(), torch.rand(1, 2, 8, 8))
    record = run(program, torch.rand(3, 2, 8, 8), probes=PROBES)
    write_nir_data(record, program, tmp_path / "r.nir")
    read = nir.read_data(str(tmp_path / "r.nir"))
    assert read.nodes.keys() == record.membrane.keys() <= graph.nodes.keys()
    for name, membranes in record.membrane.items():
        held = read.nodes[name].observables
        steps, batch = membranes.shape[:2]
        voltages = held["voltages"]
        assert voltages.shape == (batch, steps, program.layer(name).neurons)
        assert voltages.dt == program.target.dt
        units = np.rint(voltages.data * program.layer(name).membrane_unit).astype(np.int64)
        back = units.reshape(batch, steps, *membranes.shape[2:]).swapaxes(0, 1)
        assert np.array_equal(back, membranes.numpy())
        assert ("spikes" in held) == (name in record.spikes)
    for name, spikes in record.spikes.items():
        grid = read.nodes[name].observables["spikes"]
        assert grid.data.dtype == bool and grid.data.any()
        back = grid.data.reshape(3, 4, *spikes.shape[2:]).swapaxes(0, 1)
        assert np.array_equal(back, spikes.numpy())
        events = grid.to_event(int(grid.data.sum((1, 2)).max()), time_shift=grid.dt / 2)
        assert np.array_equal(events.to_time_gridded(grid.dt).data[:, :4], grid.data)


def test_a_name_with_a_slash_can_be_read(tmp_path: Path) -> None:
    program = lower(to_nir(dense_net(), torch.rand(1, 1, 4, 4)))
    last = replace(program.layers[-1], name="a/b")
    renamed = replace(program, layers=(*program.layers[:-1], last), output="a/b")
    write_nir_data(run(renamed, torch.rand(1, 1, 4, 4), probes=PROBES), renamed, tmp_path / "r.nir")
    assert "a%2Fb" in nir.read_data(str(tmp_path / "r.nir")).nodes


def test_nothing_recorded_and_another_program_are_refused(tmp_path: Path, program: Program) -> None:
    images = torch.rand(1, 2, 8, 8)
    with pytest.raises(InputError, match="neither spikes nor membranes"):
        to_nir_data(run(program, images), program)
    record = run(program, images, probes=PROBES)
    other = lower(to_nir(dense_net(), torch.rand(1, 1, 4, 4)))
    with pytest.raises(InputError, match=r"'network\.lif1' has shape .* pass the Program"):
        write_nir_data(record, other, tmp_path / "r.nir")
    unknown = Record(record.logits, {"x": record.spikes["network.lif1"]})
    with pytest.raises(InputError, match="no such layer"):
        to_nir_data(unknown, program)
    assert list(tmp_path.iterdir()) == []
