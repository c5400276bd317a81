"""A whole study, as small as it can be."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from stochi.errors import InputError
from stochi.study import (
    AutoAttackPlan,
    PGDPlan,
    SimilarityPlan,
    SquarePlan,
    StudyPlan,
    StudyResults,
    TrainingPlan,
    conduct,
    plan_for,
)
from stochi.study.answers import Answers
from stochi.study.evaluation import evaluate
from stochi.study.figures import draw_curves, draw_similarities
from stochi.study.questions import Questions
from stochi.study.store import Store
from stochi.study.tables import make_tables
from stochi.study.victims import FLOAT, Victim

pytest.importorskip("art")

QUICK = plan_for("digits", True)
TINY = replace(
    QUICK,
    images=6,
    trials=2,
    calibration_images=4,
    defences=("none",),
    training=TrainingPlan(images=64, epochs=1),
    pgd=PGDPlan(iterations=2, draws=2),
    square=SquarePlan(images=3, iterations=2),
    auto_attack=AutoAttackPlan(iterations=2),
    curves=replace(QUICK.curves, defences=("none",)),
    similarity=SimilarityPlan(images=3, draws=2),
)


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
    assert ("RandHet-SNN**", "membrane") in places and ("LIF", "none") in places
    for accuracy in [cell.accuracy for cell in (*results.table, *results.curves)]:
        assert 0 <= accuracy.low <= accuracy.value <= accuracy.high <= 1
    for cell in results.against_lif + results.against_float:
        assert cell.difference.low <= cell.difference.value <= cell.difference.high
    tables = make_tables(results)
    assert len(tables) == 4 + bool(results.masking)
    for table in tables:
        assert len({len(row) for row in table.rows}) == 1
    draw_curves(results.curves, tmp_path / "curves.png")
    draw_similarities(results.similarities, tmp_path / "similarities.png")
    assert (tmp_path / "curves.png").stat().st_size > 10_000


def test_json_has_every_number_beside_its_cell(results: StudyResults) -> None:
    found = json.loads(json.dumps(results.to_json()))
    assert found["plan"]["training"]["epochs"] == 1 and found["plan"]["pgd"]["iterations"] == 2
    where = {"defence", "network", "place"}
    numbers = {"value", "low", "high", "images", "trials", "trial_spread"}
    for name in ("table", "against_lif", "against_float"):
        assert all(cell.keys() == where | numbers | {"column"} for cell in found[name])
    assert all(cell.keys() == where | numbers | {"axis", "at"} for cell in found["curves"])
    assert {cell["axis"] for cell in found["curves"]} == {"epsilon", "iterations", "draws", "sigma"}
    for cell in found["similarities"]:
        assert cell.keys() == {"defence", "network", "gradient", "perturbation"}
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
    assert all(", 0 new answers" in line for line in lines)
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == kept
    lost = sorted(path for path in kept if path.suffix == ".json")[0]
    lost.unlink()
    lines.clear()
    assert conduct(TINY, folder, progress=lines.append) == results
    assert sum(", 1 new answers" in line for line in lines) == 1


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
    victim = Victim("RandHet-SNN")
    model = load_or_train(victim, TINY, training, done.store)
    with torch.no_grad():
        found = [run_float_model(model, test.inputs, Draws(0, t)).argmax(1) for t in range(2)]
    right = torch.stack([a == test.labels for a in found]).double().mean(0)
    shares = done.right_shares(victim, Questions(TINY, FLOAT).clean)
    assert torch.equal(shares[0], right)


def test_more_iterations_that_help_the_defender_are_found(done: Answers, tmp_path: Path) -> None:
    copied = Answers(TINY, Store(shutil.copytree(done.store.folder, tmp_path / "answers")))
    questions = Questions(TINY, FLOAT)
    for question, right in (
        (questions.curves()["iterations"][1], 0),
        (questions.pgd, TINY.trials),
    ):
        copied.keep_right(Victim("LIF"), question, torch.full((TINY.images,), right))
    signs = [(cell.place, cell.finding.sign) for cell in evaluate(copied).masking]
    assert (FLOAT, "iterations 2 leaves more right than iterations 1") in signs


def test_an_unfinished_study_has_no_results(done: Answers) -> None:
    with pytest.raises(InputError, match=r"lacks answers about LIF \(defence none, seed 1\)"):
        evaluate(replace(done, plan=TINY.with_options(seeds=2)))


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
