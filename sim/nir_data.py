"""Records as NIRData, the form in which tools around NIR exchange spikes and membranes.

NIRData is part of NIR 1.0.8 (``nir/data_ir``): for each node of a graph its observables, on a grid
of (samples, time steps, neurons). Arrays of a layer's shape are flattened in C order.
"""

import io
from pathlib import Path

import nir
import numpy as np
import torch

from stochi.arguments import check_arguments
from stochi.errors import InputError
from stochi.files import write_whole
from stochi.program.program import Program
from stochi.sim.record import Record

SPIKES, VOLTAGES = "spikes", "voltages"
"""Names of observables, in the words of NIR's own documentation."""


def to_nir_data(record: Record, program: Program) -> nir.NIRGraphData:
    """Return a record's spikes and membranes as NIRData.

    Nodes are named like the Program's layers, which is like the graph's neurons (a readout has its
    weights' name); what no NIR file can have in a name is written as in addresses of the web: a
    ``/`` becomes ``%2F``.

    Args:
        record: of ``stochi.sim.run(program, …, probes=("spikes", "membrane"))``.
        program: the Program that ran.

    Returns:
        For each layer ``spikes``, bool, and ``voltages``, float64 in the model's units, the graph's
        own, as far as they were recorded; dt in seconds.

    Raises:
        InputError: nothing was recorded, or the record is one of another Program.
    """
    check_arguments(to_nir_data, locals())
    nodes: dict[str, dict[str, nir.TimeGriddedData]] = {}
    units = {layer.name: layer.membrane_unit for layer in program.layers}
    for observable, values in ((SPIKES, record.spikes), (VOLTAGES, record.membrane)):
        for name, recorded in values.items():
            _check_shape(program, name, recorded)
            grid = recorded.flatten(2).transpose(0, 1).numpy()
            if observable == VOLTAGES:
                grid = grid / units[name]
            data = nir.TimeGriddedData(np.ascontiguousarray(grid), program.target.dt)
            nodes.setdefault(_name_in_file(name), {})[observable] = data
    if not nodes:
        raise InputError(
            "the record holds neither spikes nor membranes; pass probes=('spikes', 'membrane') to"
            " stochi.sim.run"
        )
    return nir.NIRGraphData({name: nir.NIRNodeData(held) for name, held in nodes.items()})


def write_nir_data(record: Record, program: Program, path: str | Path) -> None:
    """Write a record as a file of NIRData (HDF5), which ``nir.read_data`` reads.

    Args:
        record, program: as for :func:`to_nir_data`.
        path: file to write.

    Raises:
        InputError: as for :func:`to_nir_data`, or ``path`` is a folder.
    """
    check_arguments(write_nir_data, locals())
    data = to_nir_data(record, program)
    content = io.BytesIO()  # HDF5 ends the process if it cannot write to a disk
    nir.write_data(content, data)
    write_whole(path, content.getvalue())


def _name_in_file(name: str) -> str:
    """Return a name that HDF5 can have, another one for each name."""
    for character, code in (("%", "%25"), ("/", "%2F"), ("\0", "%00")):
        name = name.replace(character, code)
    return name.replace(".", "%2E") if not name.strip(".") else name


def _check_shape(program: Program, name: str, recorded: torch.Tensor) -> None:
    steps = program.target.time_steps
    shapes = {layer.name: layer.shape for layer in program.layers}
    if shapes.get(name) != tuple(recorded.shape[2:]) or len(recorded) != steps:
        has = f"({steps}, batch, *{shapes[name]})" if name in shapes else "no such layer"
        raise InputError(
            f"the record's {name!r} has shape {tuple(recorded.shape)}, the Program has {has}; pass"
            " the Program that was run"
        )
