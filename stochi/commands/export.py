"""``stochi export``, to a NIR graph."""

from pathlib import Path
from typing import Annotated

import typer

from stochi.commands.console import Output
from stochi.commands.data import load_network, load_test_images
from stochi.commands.options import CheckpointArgument, DataDirOption, DataOption, JsonOption
from stochi.files import check_output

OutOption = Annotated[Path, typer.Option(help="NIR graph to write.")]
DtOption = Annotated[float, typer.Option(help="Length of a time step in seconds.")]


def export_command(
    checkpoint: CheckpointArgument,
    *,
    out: OutOption = Path("runs/model.nir"),
    dt: DtOption = 1e-3,
    data: DataOption = "digits",
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a trained network as a NIR graph, checked against the network on test images."""
    from stochi.deploy import write_graph
    from stochi.export import to_nir

    output = Output(as_json)
    check_output(out, checkpoint)
    model, network = load_network(checkpoint)
    test = load_test_images(data, data_dir, checkpoint, network.input_shape, network.classes)
    graph = to_nir(model, test.inputs[:8], dt)
    write_graph(graph, out)
    kinds = {name: type(node).__name__ for name, node in graph.nodes.items()}
    for name, kind in kinds.items():
        output.line(f"  {name}: {kind}")
    output.line(f"Wrote {out}, which computes what the network computes with mean τ")
    output.finish({"graph": str(out), "nodes": kinds, "metadata": dict(graph.metadata)})
