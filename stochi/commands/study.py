"""``stochi study``, random τ beside other networks, on both sides and under all attacks."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stochi.commands.console import Output
from stochi.commands.options import DataDirOption, DataOption, DeviceOption, JsonOption
from stochi.commands.stopping import stopped_in_order

if TYPE_CHECKING:
    from stochi.study import StudyResults

OutOption = Annotated[
    Path,
    typer.Option(help="Folder of answers, tables and figures; a study in it is continued."),
]
QuickOption = Annotated[
    bool, typer.Option("--quick", help="Conduct a small part of the study, in minutes.")
]
SeedsOption = Annotated[
    int | None,
    typer.Option(
        help="Number of trainings of each network, whose results are averaged; by default as"
        " planned for the data set."
    ),
]
EpsilonOption = Annotated[
    float | None, typer.Option(help="ε of the attacks; by default 25/255, for CIFAR 8/255.")
]
TrainingEpsilonOption = Annotated[
    float | None,
    typer.Option(help="ε of adversarial training; by default 25/255, for CIFAR 4/255."),
]
ImagesOption = Annotated[
    int | None, typer.Option(help="Number of test images; by default as planned for the data set.")
]
TrainingImagesOption = Annotated[
    int | None,
    typer.Option(help="Number of training images; by default as planned for the data set."),
]
EpochsOption = Annotated[
    int | None,
    typer.Option(
        help="Largest number of passes over the training images; by default as planned for the"
        " data set."
    ),
]
ProcessesOption = Annotated[
    int, typer.Option(help="Number of networks examined at a time; 0: one per core.")
]


def study_command(
    *,
    out: OutOption = Path("runs/study"),
    quick: QuickOption = False,
    seeds: SeedsOption = None,
    epsilon: EpsilonOption = None,
    training_epsilon: TrainingEpsilonOption = None,
    images: ImagesOption = None,
    training_images: TrainingImagesOption = None,
    epochs: EpochsOption = None,
    processes: ProcessesOption = 0,
    device: DeviceOption = "cpu",
    data: DataOption = "digits",
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Study whether random τ is harder to attack, and whether it still is on the chip.

    Plain and random-τ networks are trained with every defence, random baselines with some of them;
    each is attacked as a float model and on the chip, and they are compared. The study judges by
    AutoAttack's version for spiking networks, and shows weaker attacks beside it.

    Every answer is kept as soon as it is found: after a stop, the same command continues. Ctrl-C
    and SIGTERM stop it with all its processes.
    """
    import joblib

    from stochi.study import conduct, plan_for

    output = Output(as_json)
    plan = plan_for(data, quick).with_options(
        epsilon=epsilon,
        training_epsilon=training_epsilon,
        images=images,
        training_images=training_images,
        epochs=epochs,
        seeds=seeds,
        device=device,
    )
    advice = f"stopped; {out}/answers holds what was found, and the same command continues there"
    with stopped_in_order(advice):
        results = conduct(
            plan,
            out / "answers",
            data_dir,
            processes=processes or joblib.cpu_count(),
            progress=output.progress,
        )
    _write(results, out)
    _print(output, results)
    output.line(f"Wrote study.json, curves.png and similarities.png in {out}/")
    output.finish(results.to_json())


def _write(results: "StudyResults", out: Path) -> None:
    """Write results and figures into the folder."""
    from stochi.files import written_aside
    from stochi.study.figures import draw_curves, draw_similarities

    with written_aside(out / "study.json") as aside:
        aside.write_text(json.dumps(results.to_json(), indent=1) + "\n")
    draw_curves(results.curves, out / "curves.png")
    draw_similarities(results.similarities, out / "similarities.png")


def _print(output: Output, results: "StudyResults") -> None:
    """Print the tables."""
    from stochi.study.tables import make_tables

    for table in make_tables(results):
        output.table(table.rows, table.title, table.text_columns)
    if not results.masking:
        output.line(
            "No sign of masked gradients was found, which does not prove that there are none."
        )
