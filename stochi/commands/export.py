"""``stochi export``"""

from pathlib import Path
from typing import Annotated

import typer

from stochi.commands.console import JsonOption, Output
from stochi.commands.data import DataDirOption, DataOption, load_test_images
from stochi.files import check_output


def export(
    checkpoint: Annotated[Path, typer.Argument(help="Checkpoint of 'stochi train'.")],
    out: Annotated[Path, typer.Option(help="NIR graph to write.")] = Path("runs/model.nir"),
    dt: Annotated[float, typer.Option(help="Seconds a time step lasts.")] = 1e-3,
    data: DataOption = "digits",
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a trained network as a NIR graph, checked against the network on test images."""
    from stochi.export import to_nir
    from stochi.graph_file import write_graph
    from stochi.train.checkpoint import NetworkConfig, load_checkpoint

    output = Output(as_json)
    check_output(out)
    model, content = load_checkpoint(checkpoint)
    network = NetworkConfig.from_dict(content["network"])
    test = load_test_images(data, data_dir, checkpoint, network.input_shape, network.classes)
    graph = to_nir(model, test.inputs[:8], dt)
    write_graph(graph, out)
    kinds = {name: type(node).__name__ for name, node in graph.nodes.items()}
    for name, kind in kinds.items():
        output.say(f"  {name}: {kind}")
    output.say(f"Wrote {out}, which computes what the network computes with mean τ")
    output.finish({"graph": str(out), "nodes": kinds, "metadata": dict(graph.metadata)})
