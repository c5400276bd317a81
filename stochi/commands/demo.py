"""``stochi demo``"""

from pathlib import Path
from typing import Annotated

import typer

from stochi.commands.console import JsonOption, Output, SeedOption
from stochi.commands.parity import show_report

EXACT_IMAGES = 64
ATTACK_IMAGES = 128
TRIALS = 10


def demo(
    out: Annotated[Path, typer.Option(help="Folder to write into.")] = Path("runs/demo"),
    seed: SeedOption = 0,
    epsilon: Annotated[float, typer.Option(help="ε of PGD, in [0, 1].")] = 0.1,
    as_json: JsonOption = False,
) -> None:
    """Train, export, lower, run on Lava and compare, on scikit-learn's digits.

    Leaves the checkpoint, the NIR graph, the Program, the report and a figure in the folder.
    """
    from stochi.attacks import PGD, UniformNoise
    from stochi.data import load_digits
    from stochi.deploy import lower
    from stochi.export import to_nir
    from stochi.graph_file import read_graph, write_graph
    from stochi.hardware.fixed_point import GRADED_INPUT_MAX
    from stochi.hardware.noise import check_coordinates
    from stochi.sim import check_parity
    from stochi.sim.figure import draw_report
    from stochi.sim.lava.compatibility import import_lava
    from stochi.train.checkpoint import NetworkConfig, save_checkpoint
    from stochi.train.training import Epoch, TrainingConfig, train_classifier

    output = Output(as_json)
    check_coordinates(seed=seed)
    attacks = [UniformNoise(epsilon, grid=GRADED_INPUT_MAX), PGD(epsilon, grid=GRADED_INPUT_MAX)]
    import_lava()
    training, test = load_digits()
    config, network = TrainingConfig(seed=seed), NetworkConfig()

    def show(epoch: Epoch) -> None:
        output.progress(
            f"  epoch {epoch.number:2d}  loss {epoch.loss:.4f}"
            f"  validation {epoch.validation_accuracy:.1%}"
        )

    output.progress(f"Training a random-τ network on {len(training)} digits (snnTorch)")
    model, history = train_classifier(network.build, training, config, progress=show)
    save_checkpoint(
        out / "model.pt",
        model,
        network,
        {**config.as_dict(), "history": [e.as_dict() for e in history]},
    )
    output.progress("Exporting to NIR, lowering to Loihi 2")
    write_graph(to_nir(model, test.inputs[:8]), out / "model.nir")
    program = lower(read_graph(out / "model.nir"))
    program.save(out / "model.program")
    report = check_parity(
        model,
        program,
        test,
        trials=TRIALS,
        attacks=attacks,
        seeds=(seed, seed + 1),
        exact_images=EXACT_IMAGES,
        attack_images=ATTACK_IMAGES,
        progress=output.progress,
    )
    report.save(out / "report.json")
    report.to_html(out / "report.html")
    draw_report(report, out / "report.png")
    output.progress("Done")
    output.say("")
    show_report(output, report)
    output.say(f"Wrote model.pt, model.nir, model.program, report.json, .html and .png in {out}/")
    output.finish(report.as_dict())
    if report.mismatches:
        raise typer.Exit(1)
