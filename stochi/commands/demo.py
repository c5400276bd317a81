"""``stochi demo``, from training to a parity report."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stochi.commands.console import Output
from stochi.commands.data import check_data_dir, samples_of
from stochi.commands.dated import with_command
from stochi.commands.demo_plan import DemoPlan, plan_demo
from stochi.commands.habits import check_new_output
from stochi.commands.options import DataDirOption, JsonOption, draw_seeds, refuse
from stochi.commands.parity import finish_report
from stochi.plain_text import decimal, in_percent
from stochi.time_left import TimeLeft, in_words

if TYPE_CHECKING:
    from torch import nn

    from stochi.data.samples import Samples
    from stochi.train.training import Epoch

TRIALS = 10
WRITTEN = ("model.pt", "model.nir", "model.program", "report.json", "report.html", "report.png")
"""Files that the folder then holds, and the options beside them."""

OutOption = Annotated[Path, typer.Option(help="Folder to write into.")]
DataOption = Annotated[
    str,
    typer.Option(
        "--data",
        help="digits, images; saccades, the digits seen by a simulated event camera; or nmnist.",
    ),
]
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
    context: typer.Context,
    *,
    out: OutOption = Path("runs/demo"),
    data: DataOption = "digits",
    data_dir: DataDirOption = None,
    seed: SeedOption = 0,
    epsilon: EpsilonOption = 0.1,
    as_json: JsonOption = False,
) -> None:
    """Train, export, lower, run on Lava and compare, on digits or on events.

    The folder then holds the checkpoint, the NIR graph, the Program, the report, its page and a
    figure.

    If Lava cannot be used, the demo reports why and continues without it.
    Exit status 1 if a single value differs.
    """
    from stochi.deploy import lower, read_graph, write_graph
    from stochi.export import to_nir
    from stochi.parity import check_parity, draw_report

    output = Output(as_json)
    for name in WRITTEN:
        check_new_output(out / name)
    seeds = draw_seeds(seed, 2)
    plan = plan_demo(data, seed, epsilon)
    if plan.network.events:
        refuse(context, ("epsilon",), "it is for attacks on images, not on events")
    check_data_dir(plan.data, data_dir)
    lava = _can_use_lava(output)
    training, test = plan.read(data_dir)
    model = _train(output, plan, training, out / "model.pt")
    output.progress("Exporting to NIR, lowering to Loihi 2")
    write_graph(to_nir(model, test.up_to(8).inputs), out / "model.nir")
    program = lower(read_graph(out / "model.nir"), events=plan.network.events)
    program.save(out / "model.program")
    report = check_parity(
        model,
        program,
        test,
        trials=TRIALS,
        attacks=plan.attacks,
        seeds=seeds,
        exact_images=plan.exact_images,
        attack_images=plan.attack_images,
        lava=lava,
        progress=output.progress,
    )
    report = with_command(report, samples_of(data))
    report.save(out / "report.json")
    report.to_html(out / "report.html")
    draw_report(report, out / "report.png")
    output.progress("Done")
    output.line("")
    beside = "model.pt, model.nir, model.program, report.json and report.png"
    written = f"{out}/report.html, and beside it {beside}"
    finish_report(output, report, written)


def _train(output: Output, plan: DemoPlan, samples: "Samples", checkpoint: Path) -> "nn.Module":
    """Train the network and write its checkpoint."""
    from stochi.train import save_checkpoint, train_classifier

    left = TimeLeft()

    def show(epoch: "Epoch") -> None:
        seconds = left.after(epoch.number, plan.training.epochs)
        output.progress(
            f"  epoch {epoch.number:2d}  loss {decimal(epoch.loss, 4)}"
            f"  validation {in_percent(epoch.validation_accuracy, 1)}"
            f"  at most about {in_words(seconds)} left"
        )

    output.progress(
        f"Training a random-τ network on {len(samples)} {plan.training_samples} (snnTorch)"
    )
    model, history = train_classifier(plan.network.build, samples, plan.training, progress=show)
    about = {**asdict(plan.training), "history": [asdict(epoch) for epoch in history]}
    save_checkpoint(checkpoint, model, plan.network, about)
    return model


def _can_use_lava(output: Output) -> bool:
    from stochi.sim.lava.compatibility import LavaUnavailable, import_lava

    try:
        import_lava()
    except LavaUnavailable as error:
        output.progress(f"Runs on the engine only, not on Lava: {error}")
        return False
    return True
