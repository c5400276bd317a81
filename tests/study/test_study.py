"""A whole study, as small as it can be."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from stochi.errors import InputError
from stochi.study import StudyPlan, conduct, plan_for
from stochi.study.examine import about
from stochi.study.figures import draw_curves, draw_similarities
from stochi.study.plan import FLOAT, Victim
from stochi.study.results import Results
from stochi.study.store import Store
from stochi.study.tables import accuracy_rows, difference_rows, masking_rows, similarity_rows

pytest.importorskip("art")

TINY = replace(
    plan_for("digits", True),
    training_images=64,
    images=6,
    epochs=1,
    trials=2,
    steps=2,
    draws=2,
    black_box_images=3,
    squares=2,
    auto_steps=2,
    calibration_images=4,
    similarity_images=3,
    similarity_draws=2,
    defences=("none",),
    curve_defences=("none",),
)


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return conduct(TINY, tmp_path_factory.mktemp("study"))


def test_every_cell_of_every_table_is_filled(done: Store, tmp_path: Path) -> None:
    found = Results(TINY, done).as_dict()
    places = {(cell["network"], cell["place"]) for cell in found["table"]}
    assert ("RandHet-SNN**", "membrane") in places and ("LIF", "none") in places
    for cell in found["table"] + found["curves"]:
        assert 0 <= cell["low"] <= cell["value"] <= cell["high"] <= 1
    for cell in found["against_lif"] + found["against_float"]:
        assert cell["low"] <= cell["value"] <= cell["high"]
    for rows in (
        accuracy_rows(found["table"]),
        difference_rows(found["against_lif"]),
        difference_rows(found["against_float"]),
        similarity_rows(found["similarities"]),
        masking_rows(found["masking"]),
    ):
        assert len({len(row) for row in rows}) == 1
    json.dumps(found)
    draw_curves(found["curves"], tmp_path / "curves.png")
    draw_similarities(found["similarities"], tmp_path / "similarities.png")
    assert (tmp_path / "curves.png").stat().st_size > 10_000


def test_it_goes_on_where_it_stopped(done: Store) -> None:
    kept = {path: path.stat().st_mtime_ns for path in done.folder.iterdir()}
    told: list[str] = []
    conduct(TINY, done.folder, progress=told.append)
    assert all(", 0 new answers" in line for line in told)
    assert {path: path.stat().st_mtime_ns for path in done.folder.iterdir()} == kept
    before = Results(TINY, done).as_dict()
    lost = sorted(path for path in kept if path.suffix == ".json")[0]
    lost.unlink()
    told.clear()
    conduct(TINY, done.folder, progress=told.append)
    assert sum(", 1 new answers" in line for line in told) == 1
    assert Results(TINY, done).as_dict() == before


def test_a_second_study_finds_the_same(done: Store, tmp_path: Path) -> None:
    plan = replace(TINY, baselines=())
    again = Results(plan, conduct(plan, tmp_path, processes=2)).table()
    assert again == [c for c in Results(TINY, done).table() if "input-noise" not in c["network"]]


def test_an_answer_is_what_the_model_says(done: Store) -> None:
    """The share of clean images, counted by hand."""
    from stochi.sim.float_record import run_float_model
    from stochi.study.conduct import load_images
    from stochi.study.train import trained

    training, test = load_images(TINY, None)
    victim = Victim("RandHet-SNN")
    model = trained(victim, TINY, training, done)
    with torch.no_grad():
        answers = [run_float_model(model, test.inputs, 0, t).argmax(1) for t in range(2)]
    right = torch.stack([a == test.labels for a in answers]).double().mean(0)
    shares = Results(TINY, done).shares(victim, TINY.clean(FLOAT))
    assert torch.equal(shares[0], right)


def test_more_steps_that_help_the_defender_are_told(done: Store, tmp_path: Path) -> None:
    store = Store(shutil.copytree(done.folder, tmp_path / "answers"))
    victim = Victim("LIF")
    for question, right in (
        (TINY.on_curve(FLOAT, "steps", 1), 0),
        (TINY.pgd(FLOAT), TINY.trials),
    ):
        answer = {"right": [right] * TINY.images, "trials": TINY.trials}
        store.put(about(victim, TINY, question), answer)
    signs = [(c["place"], c["sign"]) for c in Results(TINY, store).masking()]
    assert (FLOAT, "steps 2 leaves more right than steps 1") in signs


@pytest.mark.parametrize(
    ("plan", "processes", "says"),
    [
        (replace(TINY, images=10_000), 1, "images is 10000; digits has 359"),
        (replace(TINY, data="shapes"), 1, "unknown data set 'shapes'"),
        (TINY, 0, "processes is 0"),
    ],
)
def test_mistakes_are_told(plan: StudyPlan, processes: int, says: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=says):
        conduct(plan, tmp_path / "none", processes=processes)
    assert not (tmp_path / "none").exists()
