"""``stochi demo``, from training to a parity report."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stochi.commands.console import Output
from stochi.commands.options import JsonOption
from stochi.commands.parity import finish_report

if TYPE_CHECKING:
    from torch import nn

    from stochi.data import Images
    from stochi.train.training import Epoch

EXACT_IMAGES = 64
ATTACK_IMAGES = 128
ITERATIONS, DRAWS = 20, 5
"""Budget of the attack; by default it has 100 iterations and 10 draws."""
TRIALS = 10

OutOption = Annotated[Path, typer.Option(help="Folder to write into.")]
SeedOption = Annotated[
    int,
    typer.Option(
        help="Seed of the training and of the draws; values are compared with the next seed, too."
    ),
]
EpsilonOption = Annotated[
    float, typer.Option(help="ε of the attack, the largest change of a pixel, in [0, 1].")
]


def demo_command(
    *,
    out: OutOption = Path("runs/demo"),
    seed: SeedOption = 0,
    epsilon: EpsilonOption = 0.1,
    as_json: JsonOption = False,
) -> None:
    """Train, export, lower, run on Lava and compare, on scikit-learn's digits.

    The folder then holds the checkpoint, the NIR graph, the Program, the report and a figure.

    If Lava cannot be used, the demo reports why and continues without it.
    Exit status 1 if a single value differs.
    """
    from stochi.attacks import AutoAttack, UniformNoise
    from stochi.data import load_digits
    from stochi.deploy import lower, read_graph, write_graph
    from stochi.export import to_nir
    from stochi.hardware.draws import check_coordinates
    from stochi.hardware.fixed_point import GRADED_INPUT_MAX
    from stochi.parity import check_parity, draw_report

    output = Output(as_json)
    check_coordinates(seed=seed)
    strong = AutoAttack(
        epsilon, version="snn", iterations=ITERATIONS, draws=DRAWS, grid=GRADED_INPUT_MAX
    )
    attacks = [UniformNoise(epsilon, grid=GRADED_INPUT_MAX), strong]
    lava = _can_use_lava(output)
    training, test = load_digits()
    model = _train(output, training, seed, out / "model.pt")
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
        lava=lava,
        progress=output.progress,
    )
    report.save(out / "report.json")
    report.to_html(out / "report.html")
    draw_report(report, out / "report.png")
    output.progress("Done")
    output.line("")
    written = f"model.pt, model.nir, model.program, report.json, .html and .png in {out}/"
    finish_report(output, report, written)


def _train(output: Output, images: "Images", seed: int, checkpoint: Path) -> "nn.Module":
    """Train a network on the digits and write its checkpoint."""
    from stochi.train import NetworkConfig, TrainingConfig, save_checkpoint, train_classifier

    config, network = TrainingConfig(seed=seed), NetworkConfig()

    def show(epoch: "Epoch") -> None:
        output.progress(
            f"  epoch {epoch.number:2d}  loss {epoch.loss:.4f}"
            f"  validation {epoch.validation_accuracy:.1%}"
        )

    output.progress(f"Training a random-τ network on {len(images)} digits (snnTorch)")
    model, history = train_classifier(network.build, images, config, progress=show)
    about = {**asdict(config), "history": [asdict(epoch) for epoch in history]}
    save_checkpoint(checkpoint, model, network, about)
    return model


def _can_use_lava(output: Output) -> bool:
    from stochi.sim.lava.compatibility import LavaUnavailable, import_lava

    try:
        import_lava()
    except LavaUnavailable as error:
        output.progress(f"Runs on the engine only, not on Lava: {error}")
        return False
    return True
