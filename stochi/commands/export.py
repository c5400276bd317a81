"""``stochi export``, to a NIR graph."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stochi.commands.compared import CHECKPOINT, CODE, kind_of
from stochi.commands.console import Output
from stochi.commands.data import Taken, load_network, load_test
from stochi.commands.options import (
    DataDirOption,
    DataOption,
    JsonOption,
    SeedOption,
    WeightsOption,
    refuse,
)
from stochi.commands.own_inputs import random_inputs, read_inputs
from stochi.commands.own_model import is_spec, load_own_model
from stochi.commands.recorded import recorded_warnings
from stochi.errors import InputError
from stochi.files import check_output

if TYPE_CHECKING:
    import torch
    from torch import nn

ModelArgument = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="FILE.py:NAME or package.module:NAME, a torch.nn.Module, or a function or class that"
        " makes one without arguments: the code of the file runs, with your rights. Or a checkpoint"
        " of 'stochi train'.",
    ),
]
OutOption = Annotated[Path, typer.Option(help="NIR graph to write.")]
DtOption = Annotated[float, typer.Option(help="Length of a time step in seconds.")]
SampleOption = Annotated[
    Path | None,
    typer.Option(
        help="A few inputs of NAME, as it takes them, (batch, *shape) or (time steps, batch,"
        " *shape): .npy, .npz or .pt."
    ),
]
ShapeOption = Annotated[
    str | None,
    typer.Option(
        help="Shape of an image, like 1,28,28, in place of --sample: random uniform images. A"
        " network that takes events needs --sample."
    ),
]


def export_command(
    context: typer.Context,
    model: ModelArgument,
    *,
    weights: WeightsOption = None,
    sample: SampleOption = None,
    shape: ShapeOption = None,
    seed: SeedOption = 0,
    out: OutOption = Path("runs/model.nir"),
    dt: DtOption = 1e-3,
    data: DataOption = "digits",
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a network as a NIR graph, checked against the network on inputs.

    Your own network is named as FILE.py:NAME; its code runs. A checkpoint is checked on test inputs
    of --data.
    """
    from stochi.deploy import write_graph
    from stochi.export import to_nir

    output = Output(as_json)
    own = is_spec(model)
    check_output(out, model.rpartition(":")[0] if own else model, weights, sample)
    with recorded_warnings() as caught:
        if kind_of(model) == CODE:
            refuse(context, ("data", "data_dir"), "it is for a checkpoint")
            shown = _read_sample(context, sample, shape, seed)
            output.leave_stdout(context)
            network = load_own_model(model, weights)
        else:
            network, shown = _load_trained(context, model, data, data_dir)
        graph = to_nir(network, shown, dt)
    write_graph(graph, out)
    kinds = {name: type(node).__name__ for name, node in graph.nodes.items()}
    for name, kind in kinds.items():
        output.line(f"  {name}: {kind}")
    for message in caught:
        output.line(f"Warning: {message}")
    output.line(f"Wrote {out}, which computes what the network computes with mean τ")
    found = {"graph": str(out), "nodes": kinds, "metadata": dict(graph.metadata)}
    output.finish(found | {"warnings": caught})


def _read_sample(
    context: typer.Context, sample: Path | None, shape: str | None, seed: int
) -> "torch.Tensor":
    """Read the sample, or make it.

    Raises:
        InputError: both or neither are given, or the sample cannot be read.
    """
    if (sample is None) == (shape is None):
        raise InputError(
            "a network is exported with inputs of its shape; give --sample FILE or --shape 1,28,28"
            + ("" if sample is None else ", not both")
        )
    if sample is not None:
        refuse(context, ("seed",), "it is for the random inputs of --shape")
        return read_inputs(sample)
    assert shape is not None
    return random_inputs(shape, seed)


def _load_trained(
    context: typer.Context, model: str, data: str, data_dir: Path | None
) -> "tuple[nn.Module, torch.Tensor]":
    """Load a checkpoint, and a few test inputs for it.

    Raises:
        InputError: the file is a graph already, or an option has no effect.
    """
    from stochi.data.batches import in_memory

    if kind_of(model) != CHECKPOINT:
        raise InputError(f"{model} is a NIR graph already; lower it with 'stochi deploy'")
    network, config = load_network(Path(model))
    refuse(context, ("weights", "sample", "shape", "seed"), "it is for FILE.py:NAME")
    test = load_test(data, data_dir, Taken.by_network(model, config))
    return network, in_memory(test.up_to(8)).inputs
