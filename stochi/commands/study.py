"""``stochi study``, random τ beside other networks, on both sides and under all attacks."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stochi.commands.console import Output
from stochi.commands.data import check_data_dir
from stochi.commands.habits import check_continued_output
from stochi.commands.options import (
    DataDirOption,
    DataOption,
    DeviceOption,
    JsonOption,
    refuse,
    was_given,
)
from stochi.commands.stopping import advised
from stochi.errors import InputError

if TYPE_CHECKING:
    from stochi.study import EventStudyPlan, StudyPlan
    from stochi.study.layout import Table

PLANS = ("standard", "depth")

OutOption = Annotated[
    Path,
    typer.Option(help="Folder of answers, tables and figures; a study in it is continued."),
]
QuickOption = Annotated[
    bool, typer.Option("--quick", help="Conduct a small part of the study, in minutes.")
]
PlanOption = Annotated[
    str,
    typer.Option(
        help="standard: small networks, every defence; or depth: SEW-ResNet19, the network of the"
        " RandHet paper, with draws compared at every depth; on CIFAR-10 by default."
    ),
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
    int | None,
    typer.Option(
        help="Number of test images or recordings; by default as planned for the data set."
    ),
]
TrainingImagesOption = Annotated[
    int | None,
    typer.Option(
        help="Number of training images or recordings; by default as planned for the data set."
    ),
]
EpochsOption = Annotated[
    int | None,
    typer.Option(
        help="Largest number of passes over the training data; by default as planned for the"
        " data set."
    ),
]
BatchSizeOption = Annotated[
    int | None,
    typer.Option(
        help="Largest number of images that are attacked at a time; memory grows with it. By"
        " default as planned for two cores; a GPU needs more to be busy."
    ),
]
TrainedOnOption = Annotated[
    str | None,
    typer.Option(
        help="Device on which networks are trained, if it is not --device: with cuda, the CPU"
        " finishes a study that a GPU began."
    ),
]
ProcessesOption = Annotated[
    int, typer.Option(help="Number of networks examined at a time; 0: one per core.")
]
SchedulerOption = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Give the work to the Dask cluster of this scheduler, such as tcp://HOST:8786, and"
        " only keep the results here; needs stochi[dask], see docs/cluster.md.",
    ),
]


def study_command(
    context: typer.Context,
    *,
    out: OutOption = Path("runs/study"),
    quick: QuickOption = False,
    plan: PlanOption = "standard",
    seeds: SeedsOption = None,
    epsilon: EpsilonOption = None,
    training_epsilon: TrainingEpsilonOption = None,
    images: ImagesOption = None,
    training_images: TrainingImagesOption = None,
    epochs: EpochsOption = None,
    batch_size: BatchSizeOption = None,
    processes: ProcessesOption = 0,
    scheduler: SchedulerOption = None,
    device: DeviceOption = "cpu",
    trained_on: TrainedOnOption = None,
    data: DataOption = "digits",
    data_dir: DataDirOption = None,
    as_json: JsonOption = False,
) -> None:
    """Study whether random τ is harder to attack, and whether it still is on the chip.

    Plain and random-τ networks are trained with every defence, random baselines with some of them;
    each is attacked as a float model and on the chip, and they are compared. The study judges by
    AutoAttack's version for spiking networks, and shows weaker attacks beside it.

    On events, the attacks insert, delete and move events, and patterns are trained for all
    recordings: universal perturbations and patches.

    With --plan depth, SEW-ResNet19 is trained and attacked, and draws are compared as more of its
    layers draw τ, with other σ, and with more time steps.

    Every answer is kept as soon as it is found: after a stop, the same command continues. Ctrl-C
    and SIGTERM stop it with all its processes.
    """
    import joblib

    from stochi.data.catalogue import find_data_set

    output, backend = Output(as_json), _choose_backend(context, scheduler)
    if _is_deep(plan) and not was_given(context, "data"):
        data = "cifar10"
    check_data_dir(find_data_set(data), data_dir)
    how = _How(out, data_dir, processes or joblib.cpu_count(), backend, output)
    advice = f"stopped; {out}/answers holds what was found, and the same command continues there"
    with advised(advice):
        if _has_events(context, data):
            found = _study_events(how, _event_plan(context, data))
        else:
            found = _study_images(how, _image_plan(context, data))
    _finish(how, found)


def _image_plan(context: typer.Context, data: str) -> "StudyPlan":
    """Return the plan for a set of images, with the options of the command."""
    from stochi.study import depth_plan, plan_for
    from stochi.study.options import given as option

    given = context.params
    deep, quick = _is_deep(given["plan"]), given["quick"]
    chosen = depth_plan(data, quick=quick) if deep else plan_for(data, quick)
    own = ("epsilon", "training_epsilon", "images", "training_images", "epochs", "seeds", "device")
    chosen = chosen.with_options(**{name: given[name] for name in own})
    return replace(
        chosen,
        batch_size=option(given["batch_size"], chosen.batch_size),
        training=replace(chosen.training, device=given["trained_on"] or ""),
    )


def _event_plan(context: typer.Context, data: str) -> "EventStudyPlan":
    """Return the plan for a set of events, with the options of the command."""
    from stochi.study import event_plan_for

    given = context.params
    if _is_deep(given["plan"]):
        raise InputError(f"--plan depth is for images, and {data} consists of events")
    return event_plan_for(data, given["quick"]).with_options(
        samples=given["images"],
        training_samples=given["training_images"],
        **{name: given[name] for name in ("epochs", "seeds", "device")},
    )


def _is_deep(plan: str) -> bool:
    """Return whether a plan is the study at depth; raise InputError for an unknown one."""
    if plan not in PLANS:
        raise InputError(f"--plan is {plan!r}; choose from {', '.join(PLANS)}")
    return plan == "depth"


def _has_events(context: typer.Context, data: str) -> bool:
    """Return whether a data set consists of events, which no option about images goes with."""
    from stochi.data.catalogue import find_data_set

    events = find_data_set(data).events
    if events:
        own = ("epsilon", "training_epsilon", "batch_size", "trained_on")
        refuse(context, own, f"{data} consists of events, not images")
    return events


def _choose_backend(context: typer.Context, scheduler: str | None) -> str:
    """Return where the work is done."""
    from stochi.study.work.backends import OWN, check_address

    if scheduler is None:
        return OWN
    check_address(scheduler)
    refuse(context, ("processes",), "the cluster's workers do the work")
    return scheduler


@dataclass(frozen=True)
class _How:
    """Where a study is written, what it reads, and how it is run.

    Attributes:
        out: folder of answers, tables and figures.
        data_dir: folder of the data set's files.
        processes: number of networks examined at a time.
        backend: where the work is done.
        output: the command's output.
    """

    out: Path
    data_dir: Path | None
    processes: int
    backend: str
    output: Output

    def __post_init__(self) -> None:
        check_continued_output(self.out / "study.json")


@dataclass(frozen=True)
class _Found:
    """What a study found.

    Attributes:
        tables: its tables.
        content: all of it, as plain values.
        figures: names of the figures in the folder.
        masking: whether there are signs of masked gradients.
    """

    tables: "list[Table]"
    content: dict[str, Any]
    figures: list[str]
    masking: bool


def _study_images(how: _How, plan: "StudyPlan") -> _Found:
    """Conduct a study on images and draw its figures."""
    from stochi.study import conduct
    from stochi.study.depth_figures import draw_cosines, draw_draws, own_variant
    from stochi.study.figures import draw_curves, draw_similarities
    from stochi.study.tables import make_tables

    results = conduct(
        plan,
        how.out / "answers",
        how.data_dir,
        processes=how.processes,
        backend=how.backend,
        progress=how.output.progress,
    )
    if plan.depth is None:
        figures = ["curves.png", "similarities.png"]
        draw_curves(results.curves, how.out / figures[0])
        draw_similarities(results.similarities, how.out / figures[1])
    else:
        figures = ["cosines.png", "draws.png"]
        draw_cosines(results.similarities, own_variant(plan), how.out / figures[0])
        draw_draws(results.draws_by_depth, how.out / figures[1])
    return _Found(make_tables(results), results.to_json(), figures, bool(results.masking))


def _study_events(how: _How, plan: "EventStudyPlan") -> _Found:
    """Conduct a study on events and draw its figures."""
    from stochi.study import conduct_events
    from stochi.study.events.figures import draw_patterns, draw_success
    from stochi.study.events.tables import make_tables

    folder = how.out / "answers"
    results = conduct_events(
        plan,
        folder,
        how.data_dir,
        processes=how.processes,
        backend=how.backend,
        progress=how.output.progress,
    )
    draw_success(results, how.out / "success.png")
    figures = ["success.png", *draw_patterns(plan, folder, how.out)]
    return _Found(make_tables(results), results.to_json(), figures, bool(results.masking))


def _finish(how: _How, found: _Found) -> None:
    """Write study.json and print the tables."""
    from stochi.files import write_whole

    write_whole(how.out / "study.json", json.dumps(found.content, indent=1) + "\n")
    for table in found.tables:
        how.output.table(table.rows, table.title, table.text_columns)
    if not found.masking:
        how.output.line(
            "No sign of masked gradients was found, which does not prove that there are none."
        )
    *others, last = ["study.json", *found.figures]
    how.output.line(f"Wrote {', '.join(others)} and {last} in {how.out}/")
    how.output.finish(found.content)
