"""NIR graphs: damaged and altered files of HDF5, and graphs given in Python with hostile fields."""

import pickle
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
from tests.fuzz.kinds.graph_fields import altered_graphs, change_numbers, plain_graphs
from tests.fuzz.kinds.graph_files import alter, hostile_files
from tests.fuzz.mutation import damage

TIME_STEPS = 3


def originals(folder: Path) -> list[Path]:
    """Write graphs with each node that Stochi reads, and one as this test's own pickle."""
    paths = [folder / "in Python.pickle"]
    paths[0].write_bytes(pickle.dumps(plain_graphs()["dense"]))
    for name, graph in plain_graphs().items():
        paths.append(folder / f"{name}.nir")
        write_graph(graph, paths[-1])
    return paths


def mutate(random: Random, original: Path, path: Path) -> None:
    """Damage a file's bytes, or alter what the file holds; change a graph that is in Python."""
    if original.suffix == ".pickle":
        path.write_bytes(pickle.dumps(change_numbers(random)))
    elif random.random() < 1 / 3:
        path.write_bytes(damage(random, original.read_bytes()))
    else:
        shutil.copy(original, path)
        alter(random, path)


def crafted(folder: Path) -> dict[str, Path]:
    """Write hostile files, and graphs with hostile fields as the pickles of this test's own."""
    found = hostile_files(folder)
    for name, graph in altered_graphs().items():
        found[f"in Python: {name}"] = folder / f"{len(found)}.pickle"
        found[f"in Python: {name}"].write_bytes(pickle.dumps(graph))
    return found


def use(path: Path) -> None:
    """Lower a graph and compare the engines on it, and run it as a torch module."""
    graph = pickle.loads(path.read_bytes()) if path.suffix == ".pickle" else read_graph(path)
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
