"""``stochi attack study``"""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated, Any

import typer

from stochi.commands.console import JsonOption, Output
from stochi.commands.data import DataDirOption, DataOption
from stochi.commands.stopping import stopped_in_order


def study(
    out: Annotated[
        Path, typer.Option(help="Folder of answers, table and figures; an old one is gone on with.")
    ] = Path("runs/study"),
    quick: Annotated[bool, typer.Option("--quick", help="A small part of it, in minutes.")] = False,
    seeds: Annotated[int, typer.Option(help="Training seeds that are averaged over.")] = 1,
    epsilon: Annotated[
        float | None, typer.Option(help="ε of attacks; 25/255, or 8/255 for CIFAR.")
    ] = None,
    training_epsilon: Annotated[
        float | None, typer.Option(help="ε of adversarial training; 25/255, or 4/255 for CIFAR.")
    ] = None,
    images: Annotated[int | None, typer.Option(help="How many test images.")] = None,
    training_images: Annotated[int | None, typer.Option(help="How many training images.")] = None,
    epochs: Annotated[int | None, typer.Option(help="At most so many passes over them.")] = None,
    processes: Annotated[int, typer.Option(help="Networks at a time; 0: one for each core.")] = 0,
    data: DataOption = "digits",
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Is random τ harder to attack, and is it still on the chip?

    Trains plain and random-τ networks with every defence, random baselines with some, attacks each
    in floats and on the chip, and compares. Every answer is kept as soon as it is found: stopped,
    the command goes on where it was. Ctrl-C and SIGTERM stop it, with all its processes.
    """
    import joblib

    from stochi.attacks.art_library import require_art
    from stochi.files import written_aside
    from stochi.study import conduct
    from stochi.study.figures import draw_curves, draw_similarities
    from stochi.study.plan import FLOAT, plan_for
    from stochi.study.results import Results
    from stochi.study.tables import accuracy_rows, difference_rows, masking_rows, similarity_rows

    output = Output(as_json)
    require_art()
    plan = replace(plan_for(data, quick), seeds=seeds)
    given: dict[str, Any] = {
        "epsilon": epsilon,
        "training_epsilon": training_epsilon,
        "images": images,
        "training_images": training_images,
        "epochs": epochs,
    }
    plan = replace(plan, **{name: value for name, value in given.items() if value is not None})
    advice = f"stopped; {out}/answers holds what was found, and the same command goes on from there"
    with stopped_in_order(advice):
        store = conduct(
            plan,
            out / "answers",
            data_dir,
            processes=processes or joblib.cpu_count(),
            progress=output.progress,
        )
    results = Results(plan, store)
    found = results.as_dict()
    with written_aside(out / "study.json") as aside:
        aside.write_text(json.dumps({"plan": asdict(plan), **found}, indent=1) + "\n")
    draw_curves(found["curves"], out / "curves.png")
    draw_similarities(found["similarities"], out / "similarities.png")
    about = (
        f"{plan.images} images of {plan.data} (AutoAttack {plan.auto(FLOAT).images}, Square"
        f" {plan.square(FLOAT).images}), ε = {plan.epsilon:.4f}, PGD-{plan.steps} (EOT"
        f" {plan.draws}), {plan.trials} trials, {plan.seeds} training seeds; 95 % intervals over"
        " images"
    )
    output.table(accuracy_rows(found["table"]), f"Accuracy, %\n{about}", text_columns=3)
    output.table(
        difference_rows(found["against_lif"]),
        "Less the plain LIF with the same defence, in points, paired; *: not 0",
        text_columns=3,
    )
    output.table(
        difference_rows(found["against_float"]),
        "The chip less the float model, in points, paired; *: not 0",
        text_columns=3,
    )
    output.table(
        similarity_rows(found["similarities"]),
        "Cosine between two draws, mean over images",
        text_columns=2,
    )
    if found["masking"]:
        output.table(masking_rows(found["masking"]), "Signs of masked gradients", text_columns=4)
    else:
        output.say(
            "No sign of masked gradients was found, which does not prove that there are none."
        )
    output.say(f"Wrote study.json, curves.png and similarities.png in {out}/")
    output.finish({"plan": asdict(plan), **found})
