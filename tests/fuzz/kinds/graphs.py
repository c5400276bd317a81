"""NIR graphs: damaged and altered files of HDF5, and files of graphs with hostile fields."""

import shutil
from pathlib import Path
from random import Random

import nir
import torch

from stochi.deploy import lower, read_graph, write_graph
from stochi.errors import StochiError
from stochi.export import from_nir
from tests.fuzz.kind import Kind
from tests.fuzz.kinds import programs
from tests.fuzz.kinds.graph_fields import change_numbers, plain_graphs
from tests.fuzz.kinds.graph_files import (
    alter,
    hostile_files,
    hostile_values,
    write_as_it_is,
    written_graphs,
)
from tests.fuzz.mutation import damage

TIME_STEPS = 3


def originals(folder: Path) -> list[Path]:
    """Write graphs with each node that Stochi reads."""
    paths = []
    for name, graph in plain_graphs().items():
        paths.append(folder / f"{name}.nir")
        write_graph(graph, paths[-1])
    return paths


def mutate(random: Random, original: Path, path: Path) -> None:
    """Damage a file's bytes, alter what the file holds, or write a graph with other numbers."""
    how = random.randrange(3)
    if how == 0:
        path.write_bytes(damage(random, original.read_bytes()))
    elif how == 1 or not write_as_it_is(change_numbers(random), path):
        shutil.copy(original, path)
        alter(random, path)


def crafted(folder: Path) -> dict[str, Path]:
    """Write hostile files, fields with hostile values, and graphs that are wrong as a whole."""
    return hostile_files(folder) | hostile_values(folder) | written_graphs(folder)


def use(path: Path) -> None:
    """Lower a graph and compare the engines on it, and run it as a torch module."""
    graph = read_graph(path)
    refusals = []
    for part in (_use_program, _use_model):
        try:
            part(graph, path)
        except StochiError as error:
            refusals.append(error)
    if len(refusals) == 2:
        raise refusals[0]


def _use_program(graph: nir.NIRGraph, path: Path) -> None:
    program = lower(graph, time_steps=TIME_STEPS)
    aside = path.with_suffix(".program")
    program.save(aside)
    programs.use(aside)


def _use_model(graph: nir.NIRGraph, path: Path) -> None:
    model = from_nir(graph, time_steps=2)
    generator = torch.Generator().manual_seed(0)
    inputs = torch.rand((2, *model.wiring.input_shape), generator=generator)
    with torch.no_grad():
        assert torch.isfinite(model(inputs)).all(), "logits that are not finite"


KIND = Kind("NIR graphs", originals, mutate, crafted, use)
