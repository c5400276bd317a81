"""A whole study, as small as it can be."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from stochi.errors import InputError
from stochi.statistics.intervals import Estimate
from stochi.study import (
    AutoAttackPlan,
    EnsemblePlan,
    PGDPlan,
    SimilarityPlan,
    SquarePlan,
    StudyPlan,
    StudyResults,
    TrainingPlan,
    conduct,
    conduct_events,
    event_plan_for,
    plan_for,
)
from stochi.study.answers import Answers
from stochi.study.evaluation import evaluate
from stochi.study.figures import draw_curves, draw_similarities, make_curves
from stochi.study.keys import answer_key
from stochi.study.questions import Questions
from stochi.study.results import CurvePoint
from stochi.study.store import Store
from stochi.study.tables import make_tables
from stochi.study.victims import FLOAT, Victim

QUICK = plan_for("digits", True)
TINY = replace(
    QUICK,
    images=6,
    trials=2,
    calibration_images=4,
    defences=("none",),
    training=TrainingPlan(images=64, epochs=1, seeds=2),
    pgd=PGDPlan(iterations=2, draws=2),
    square=SquarePlan(images=3, iterations=2),
    auto_attack=AutoAttackPlan(iterations=2),
    ensemble=EnsemblePlan(iterations=2, draws=2, epsilons=(0.02,)),
    curves=replace(QUICK.curves, defences=("none",)),
    similarity=SimilarityPlan(images=3, draws=2),
)

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("study")


@pytest.fixture(scope="module")
def results(folder: Path) -> StudyResults:
    return conduct(TINY, folder)


@pytest.fixture
def done(results: StudyResults, folder: Path) -> Answers:
    return Answers(TINY, Store(folder))


def test_every_cell_of_every_table_is_filled(results: StudyResults, tmp_path: Path) -> None:
    places = {(cell.network, cell.place) for cell in results.table}
    assert {("RandHet-SNN**", "membrane"), ("RandHet-SNN", "mean"), ("LIF", "none")} <= places
    accuracies = *results.table, *results.weaker, *results.surrogates, *results.showings
    for cell in (*accuracies, *results.curves):
        accuracy = cell.accuracy
        assert 0 <= accuracy.low <= accuracy.value <= accuracy.high <= 1
    for cell in (*results.against_lif, *results.against_float, *results.converged):
        assert cell.difference.low <= cell.difference.value <= cell.difference.high
    trained_twice = {cell.network for cell in results.table if cell.over_trainings is not None}
    assert trained_twice == {"LIF", "RandHet-SNN", "RandHet-SNN**"}
    for winner in results.winners:
        assert sum(winner.shares.values()) == pytest.approx(1)
    tables = make_tables(results)
    assert len(tables) == 10 + bool(results.masking)
    for table in tables:
        assert len(table.rows) > 1 and len({len(row) for row in table.rows}) == 1
    draw_curves(results.curves, tmp_path / "curves.png")
    draw_similarities(results.similarities, tmp_path / "similarities.png")
    assert (tmp_path / "curves.png").stat().st_size > 10_000


def test_several_showings_are_the_last_trials(done: Answers, results: StudyResults) -> None:
    victim = Victim(neuron="RandHet-SNN")
    question = Questions(TINY, FLOAT).ensemble
    key = answer_key(victim, TINY, question)
    rows = done.store.get(key)["right"]  # type: ignore[index]
    expected = [float(all(row[n] == "1" for row in rows[-5:])) for n in range(len(rows[0]))]
    assert len(rows) == TINY.all_trials > 5
    assert done.in_a_row(victim, question, 5)[0].tolist() == expected
    columns = {cell.column for cell in results.showings}
    assert columns == {cell.column for cell in results.showings_against_lif} and columns
    assert all(name.endswith(", 5 showings") for name in columns)


def test_curves_fill_their_panels_and_ticks_are_plain_numbers() -> None:
    accuracy = Estimate(0.05, 0.01, 0.13, 50, 1, 0.0)
    values = {"epsilon": (8 / 255, 1), "iterations": (10, 250), "draws": (1, 2), "sigma": (0.5, 2)}
    panels = make_curves(
        [
            CurvePoint("fgsm", "LIF", FLOAT, axis, at, accuracy)
            for axis, points in values.items()
            for at in points
        ]
    ).axes
    assert [panel.get_ylim() for panel in panels] == [(0, 20)] * 4
    names = [[tick.get_text() for tick in panel.get_xticklabels()] for panel in panels]
    assert names == [["0.031", "1"], ["10", "250"], ["1", "2"], ["0.5", "2"]]


def test_json_has_every_number_beside_its_cell(results: StudyResults) -> None:
    found = json.loads(json.dumps(results.to_json()))
    assert found["plan"]["training"]["epochs"] == 1 and found["plan"]["pgd"]["iterations"] == 2
    where = {"defence", "network", "place"}
    numbers = {"value", "low", "high", "images", "trials", "trial_spread"}
    columns = where | numbers | {"column", "over_trainings"}
    for name in (
        *("table", "weaker", "surrogates", "against_lif", "against_float", "converged"),
        *("showings", "showings_against_lif"),
    ):
        assert found[name] and all(cell.keys() == columns for cell in found[name])
    assert all(cell.keys() == where | {"shares"} for cell in found["winners"])
    assert all(cell.keys() == where | numbers | {"axis", "at"} for cell in found["curves"])
    assert {cell["axis"] for cell in found["curves"]} == {"epsilon", "iterations", "draws", "sigma"}
    for cell in found["similarities"]:
        assert cell.keys() == {"defence", "network", "variant", "gradient", "perturbation"}
        assert len(cell["gradient"]) == len(cell["perturbation"]) == 3
    first, plain = results.table[0], found["table"][0]
    assert plain["network"] == first.network and plain["low"] == first.accuracy.low
    assert [len(found[name]) for name in ("table", "masking", "curves")] == [
        len(results.table),
        len(results.masking),
        len(results.curves),
    ]


def test_it_continues_where_it_stopped(results: StudyResults, folder: Path) -> None:
    kept = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    lines: list[str] = []
    conduct(TINY, folder, progress=lines.append)
    assert all(", 0 new answers" in line for line in lines[1:])
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == kept
    lost = sorted(path for path in kept if path.suffix == ".json")[0]
    lost.unlink()
    lines.clear()
    assert conduct(TINY, folder, progress=lines.append) == results
    assert sum(", 1 new answer;" in line for line in lines) == 1


def test_a_second_study_finds_the_same(results: StudyResults, tmp_path: Path) -> None:
    plan = replace(TINY, baselines=())
    again = conduct(plan, tmp_path, processes=2).table
    assert again == tuple(c for c in results.table if "input-noise" not in c.network)


def test_an_answer_is_the_models_own(done: Answers) -> None:
    """The share of right answers on clean images, counted by hand."""
    from stochi.hardware.draws import Draws
    from stochi.parity.records.float_model import run_float_model
    from stochi.study.execution import load_images
    from stochi.study.networks import load_or_train

    training, test = load_images(TINY, None)
    victim, counted = Victim("RandHet-SNN"), []
    for seed in range(2):
        model = load_or_train(replace(victim, seed=seed), TINY, training, done.store)
        with torch.no_grad():
            # The first trials choose the worst attack, the others are reported.
            found = [
                run_float_model(model, test.inputs, Draws(seed, trial)).argmax(1)
                for trial in (6, 7)
            ]
        counted.append(torch.stack([a == test.labels for a in found]).double())
    clean = Questions(TINY, FLOAT).clean
    mean, every = (
        torch.stack([statistic(c) for c in counted])
        for statistic in (lambda right: right.mean(0), lambda right: right.amin(0))
    )
    assert torch.equal(done.shares(victim, [clean]), mean)
    assert torch.equal(done.shares(victim, [clean], every_draw=True), every)


def rows(*digits: str) -> torch.Tensor:
    """Return trials (rows) of whether each image (digit) is right."""
    return torch.tensor([[digit == "1" for digit in row] for row in digits])


def test_the_worst_is_chosen_on_other_draws_than_it_is_reported(
    done: Answers, tmp_path: Path
) -> None:
    copied = Answers(TINY, Store(shutil.copytree(done.store.folder, tmp_path / "answers")))
    victim, questions = Victim("LIF"), Questions(TINY, FLOAT)
    # Six trials to choose by, here three times two, and two to report. On the first image the
    # ensemble is the worse choice and better in the report; on the second it is the reverse; on
    # the others neither is wrong.
    chosen = rows(*["011111", "001111"] * 3, "101111", "111111")
    copied.keep(victim, questions.ensemble, chosen, ["a"] * 6)
    chosen = rows(*["101111", "111111"] * 3, "001111", "001111")
    copied.keep(victim, questions.pgd, chosen, ["b"] * 6)
    both = [questions.ensemble, questions.pgd]
    assert copied.shares(victim, both)[0].tolist() == [1.0, 0.5, 1.0, 1.0, 1.0, 1.0]
    assert copied.shares(victim, both, every_draw=True)[0].tolist() == [1.0, 0.0, 1, 1, 1, 1]
    assert copied.winners(victim, questions.ensemble)["a"] >= 0.5


def test_more_iterations_that_help_the_defender_are_found(done: Answers, tmp_path: Path) -> None:
    copied = Answers(TINY, Store(shutil.copytree(done.store.folder, tmp_path / "answers")))
    questions = Questions(TINY, FLOAT)
    images = questions.climb.images
    for question, right in ((questions.curves()["iterations"][5], "1"), (questions.climb, "0")):
        copied.keep(Victim("LIF"), question, rows(*[right * images] * 8), [""] * images)
    signs = [(cell.place, cell.finding.sign) for cell in evaluate(copied).masking]
    assert (FLOAT, "iterations 5 leaves more right than iterations 2") in signs


def test_masking_by_the_surrogate_is_called_by_its_name(done: Answers, tmp_path: Path) -> None:
    copied = Answers(TINY, Store(shutil.copytree(done.store.folder, tmp_path / "answers")))
    climbs = Questions(TINY, "decay").by_surrogate()
    victim = Victim("RandHet-SNN")
    for name, question in climbs.items():
        right = rows(*["000000" if name == "adaptive" else "111111"] * 8)
        copied.keep(victim, question, right, [""] * 6)
    signs = [(cell.place, cell.finding.sign) for cell in evaluate(copied).masking]
    sign = "masked by the surrogate: adaptive leaves less right than the network's own"
    assert ("decay", sign) in signs
    assert not any("atan-25" in sign for place, sign in signs if place == "decay")


def test_an_unfinished_study_has_no_results(done: Answers) -> None:
    with pytest.raises(InputError, match=r"lacks answers about LIF \(defence none, seed 2\)"):
        evaluate(replace(done, plan=TINY.with_options(seeds=3)))


@pytest.mark.parametrize(
    ("plan", "processes", "message"),
    [
        (TINY.with_options(images=10_000), 1, "images is 10000; digits has 359"),
        (TINY.with_options(training_images=1_439), 1, "training_images is 1439; digits has 1438"),
        (replace(TINY, data="shapes"), 1, "unknown data set 'shapes'"),
        (TINY, 0, "processes is 0"),
    ],
)
def test_mistakes_raise(plan: StudyPlan, processes: int, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        conduct(plan, tmp_path / "none", processes=processes)
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("events", [False, True], ids=["images", "events"])
def test_a_folder_that_takes_no_files_is_refused_before_the_work(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, events: bool
) -> None:
    where = "stochi.study.events.execution.load_recordings"
    monkeypatch.setattr(where if events else "stochi.study.execution.load_images", None)
    (tmp_path / "answers").touch()
    with pytest.raises(InputError, match="answers: a file, not a folder"):
        if events:
            conduct_events(event_plan_for("saccades", True), tmp_path / "answers")
        else:
            conduct(TINY, tmp_path / "answers")


def test_a_device_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(InputError, match="device cuda: this torch sees no GPU"):
        TINY.with_options(device="cuda")


@pytest.mark.cuda
def test_a_study_runs_on_a_gpu(tmp_path: Path) -> None:
    training = replace(TINY.training, seeds=1)
    few = replace(TINY, baselines=(), images=2, trials=1, training=training)
    on_gpu = conduct(few.with_options(device="cuda"), tmp_path)
    assert {cell.network for cell in on_gpu.table} == {victim.title for victim in few.victims()}
    assert conduct(few.with_options(device="cuda"), tmp_path).table == on_gpu.table
