"""``stochi deploy``"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stochi.commands.console import JsonOption, Output

if TYPE_CHECKING:
    from stochi.deploy.program import Layer


def deploy(
    graph: Annotated[Path, typer.Argument(help="NIR graph file, of any framework.")],
    out: Annotated[Path, typer.Option(help="Program to write.")] = Path("runs/model.program"),
    chip: Annotated[str, typer.Option(help="loihi2 or loihi1.")] = "loihi2",
    noise: Annotated[str, typer.Option(help="How τ is drawn: decay, or none (mean τ).")] = "decay",
    dt: Annotated[float | None, typer.Option(help="Seconds a step, if the graph lacks it.")] = None,
    steps: Annotated[int | None, typer.Option(help="Time steps a sample lasts.")] = None,
    events: Annotated[bool, typer.Option(help="The input is binary events, not images.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Lower a NIR graph to a Program: every number on the chip's grid."""
    from stochi.deploy import lower
    from stochi.graph_file import read_graph

    output = Output(as_json)
    program = lower(read_graph(graph), chip, noise, dt=dt, steps=steps, events=events)
    program.save(out)
    rows = [["layer", "neurons", "kind", "from", "weight exponent", "threshold", "scale"]]
    for layer in program.layers:
        threshold = layer.threshold_mantissa
        rows.append(
            [
                layer.name,
                "×".join(map(str, layer.shape)),
                _kind(layer),
                ", ".join(synapses.source for synapses in layer.synapses),
                ", ".join(str(synapses.weight_exponent) for synapses in layer.synapses),
                "–" if threshold is None else f"{int(threshold.min())} … {int(threshold.max())}",
                f"{layer.scale:.1f}",
            ]
        )
    output.table(rows, f"Program for {chip}, noise {noise}, {program.steps} steps")
    output.say(f"Wrote {out}")
    output.finish(
        {"program": str(out), "layers": [dict(zip(rows[0], r, strict=True)) for r in rows[1:]]}
    )


def _kind(layer: "Layer") -> str:
    from stochi.hardware.fixed_point import DECAY_UNITY

    decay = layer.decay
    if not layer.spikes:
        return "integrator" if int(decay.values.min()) == DECAY_UNITY else "leaky integrator"
    kind = "random τ" if decay.drawn else "LIF"
    if layer.current_keep is not None:
        kind += ", current-based"
    return kind + (", programmable" if decay.programmable or layer.subtract else ", stock")
