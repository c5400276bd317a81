"""``stochi export``, to a NIR graph or an ONNX model."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stochi.commands.compared import CHECKPOINT, CODE, GRAPH, kind_of
from stochi.commands.configuration import Several
from stochi.commands.console import Output
from stochi.commands.data import Taken, load_network, load_test
from stochi.commands.habits import check_new_output
from stochi.commands.options import (
    DataDirOption,
    DataOption,
    JsonOption,
    SeedOption,
    WeightsOption,
    check_there,
    refuse,
    was_given,
)
from stochi.commands.output_names import named_after
from stochi.commands.own_inputs import random_inputs, read_inputs
from stochi.commands.own_model import is_spec, load_own_model
from stochi.commands.recorded import recorded_warnings
from stochi.errors import ExportError, InputError
from stochi.files import PROGRAM, kind_of_file

if TYPE_CHECKING:
    import nir
    import torch
    from torch import nn

ModelArgument = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="FILE.py:NAME or package.module:NAME, a torch.nn.Module, or a function or class that"
        " makes one without arguments: the code of the file runs, with your rights. Or a checkpoint"
        " of 'stochi train'. For --format onnx also a NIR graph or a Program of 'stochi deploy'.",
    ),
]
FormatOption = Annotated[
    str,
    typer.Option(
        "--format", help="nir, or onnx: a network in floats, or a Program in the chip's integers."
    ),
]
OutOption = Annotated[
    Path | None, typer.Option(help="File to write.", show_default="runs/NAME.FORMAT")
]
DtOption = Annotated[float, typer.Option(help="Length of a time step in seconds.")]
SampleOption = Annotated[
    Path | None,
    typer.Option(
        help="A few inputs of NAME, as it takes them, (batch, *shape), (time steps, batch, *shape)"
        " or (batch, time steps, *shape): .npy, .npz or .pt."
    ),
]
ShapeOption = Annotated[
    str | None,
    typer.Option(
        help="Shape of an image, like 1,28,28, in place of --sample: random uniform images. A"
        " network that takes events needs --sample."
    ),
    Several,
]
DrawsOption = Annotated[
    str, typer.Option(help="Where an ONNX model's random numbers come from: inside or input.")
]
StreamsOption = Annotated[
    bool,
    typer.Option(
        "--streams",
        help="The ONNX model takes (time steps, batch, *shape), as networks and Programs on events"
        " do anyway; else (batch, *shape), shown at every time step.",
    ),
]
UnrolledOption = Annotated[
    bool, typer.Option("--unrolled", help="The ONNX model calls the time step T times, no loop.")
]
FORMATS = ("nir", "onnx")
OF_A_NETWORK = ("weights", "sample", "shape", "seed", "data", "data_dir")


def export_command(
    context: typer.Context,
    model: ModelArgument,
    *,
    weights: WeightsOption = None,
    sample: SampleOption = None,
    shape: ShapeOption = None,
    seed: SeedOption = 0,
    out: OutOption = None,
    format_: FormatOption = "nir",
    draws: DrawsOption = "inside",
    streams: StreamsOption = False,
    unrolled: UnrolledOption = False,
    dt: DtOption = 1e-3,
    data: DataOption = "digits",
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a network as a NIR graph, checked against the network on inputs, or as ONNX.

    Your own network is named as FILE.py:NAME; its code runs. A checkpoint is checked on test inputs
    of --data.
    """
    if format_ not in FORMATS:
        raise InputError(f"--format is {format_!r}; choose from {', '.join(FORMATS)}")
    if format_ == "nir":
        refuse(context, ("draws", "streams", "unrolled"), "it is for --format onnx")
    output = Output(as_json)
    path = named_after(model, f".{format_}") if out is None else out
    file = model.rpartition(":")[0] if is_spec(model) else model
    check_new_output(path, file, weights, sample)
    check_there(weights, sample)
    with recorded_warnings() as caught:
        ready = _read_ready(context, model) if format_ == "onnx" else None
        events = False
        if ready is None:
            if kind_of(model) == CODE:
                refuse(context, ("data", "data_dir"), "it is for a checkpoint")
                shown = _read_sample(context, sample, shape, seed)
                output.leave_stdout(context)
                network = load_own_model(model, weights)
            else:
                network, shown, events = _load_trained(context, model, data, data_dir)
            ready = _to_nir(network, shown, dt, output, is_guessed=shape is not None)
        if format_ == "onnx":
            source = None if kind_of(model) == CODE else model
            found = _write_onnx(ready, path, draws, streams or events, unrolled, source)
        else:
            found = _write_nir(ready, path, output)
    for message in caught:
        output.line(f"Warning: {message}")
    if weights is None and kind_of(model) == CODE:
        output.line(f"Weights as {model} makes them; --weights FILE loads others")
    output.line(str(found.pop("line")))
    output.finish(found | {"warnings": caught})


def _read_ready(context: typer.Context, model: str) -> Any:
    """Read a NIR graph as a torch module, or a Program; None if a network is named.

    Raises:
        StochiError: the file is damaged, or an option has no effect.
    """
    from stochi.deploy import read_graph
    from stochi.export import from_nir
    from stochi.program import Program

    kind = kind_of(model)
    if kind == GRAPH:
        refuse(context, OF_A_NETWORK, "it is for a network, and the graph is given")
        given = context.params["dt"] if was_given(context, "dt") else None
        return from_nir(read_graph(model), dt=given)
    if kind == CHECKPOINT and Path(model).is_file() and kind_of_file(Path(model)) == PROGRAM:
        refuse(context, (*OF_A_NETWORK, "dt"), "it is for a network, and the Program is given")
        return Program.load(model)
    return None


def _to_nir(
    network: "nn.Module", shown: "torch.Tensor", dt: float, output: Output, is_guessed: bool
) -> "nir.NIRGraph":
    """Export a network; say what --shape shows it if it fails on that."""
    from stochi.export import to_nir

    try:
        return to_nir(network, shown, dt, output.counter("parts of the export"))
    except ExportError as error:
        if not is_guessed or "fails on a sample" not in f"{error}":
            raise
        raise ExportError(
            f"{error}; --shape shows it {len(shown)} images at once, (batch, *shape): for a network"
            " of streams give --sample, (time steps, batch, *shape)"
        ) from error


def _write_nir(graph: "nir.NIRGraph", path: Path, output: Output) -> dict[str, Any]:
    """Write a graph; return what to report."""
    from stochi.commands.graph_tables import draws_words, summarize
    from stochi.deploy import write_graph

    write_graph(graph, path)
    kinds = {name: type(node).__name__ for name, node in graph.nodes.items()}
    for name, kind in kinds.items():
        output.line(f"  {name}: {kind}")
    found = summarize(graph, None)
    for understood in found.lines[: 0 if found.problem else 2]:
        output.line(understood)
    line = f"Wrote {path}, which computes what the network computes{draws_words(graph)}"
    return {"line": line, "graph": str(path), "nodes": kinds, "metadata": dict(graph.metadata)}


def _write_onnx(
    ready: Any, path: Path, draws: str, streams: bool, unrolled: bool, source: str | None
) -> dict[str, Any]:
    """Write a model, which notes the file that it comes from; return what to report."""
    from stochi.export import to_onnx

    written = to_onnx(
        ready, path, draws=draws, streams=streams or None, unrolled=unrolled, source=source
    )
    inputs = [value.name for value in written.graph.input]
    outputs = [value.name for value in written.graph.output]
    noted = {entry.key: entry.value for entry in written.metadata_props}
    line = f"Wrote {path}, in {noted['form']}: {', '.join(inputs)} → {', '.join(outputs)}"
    files = {"line": line, "onnx": str(path)}
    return files | {"inputs": inputs, "outputs": outputs, "metadata": noted}


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
) -> "tuple[nn.Module, torch.Tensor, bool]":
    """Load a checkpoint, a few test inputs for it, and whether it takes events.

    Raises:
        InputError: the file is a graph already, or an option has no effect.
    """
    from stochi.data.batches import in_memory

    if kind_of(model) != CHECKPOINT:
        raise InputError(f"{model} is a NIR graph already; lower it with 'stochi deploy'")
    if Path(model).is_file() and kind_of_file(Path(model)) == PROGRAM:
        raise InputError(
            f"{model}: {PROGRAM}; --format onnx writes a Program, NIR cannot hold its integers"
        )
    network, config = load_network(Path(model))
    refuse(context, ("weights", "sample", "shape", "seed"), "it is for FILE.py:NAME")
    test = load_test(data, data_dir, Taken.by_network(model, config))
    return network, in_memory(test.up_to(8)).inputs, config.events
