"""Trainings of a study that were interrupted go on, with the same bytes."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from stochi.data import load, load_digits
from stochi.study.events.networks import load_or_train as load_or_train_on_events
from stochi.study.events.plan import EventStudyPlan
from stochi.study.events.presets import event_plan_for
from stochi.study.keys import weights_key
from stochi.study.networks import load_or_train
from stochi.study.plan import StudyPlan
from stochi.study.presets import plan_for
from stochi.study.store import DamagedAnswer, Store
from stochi.study.victims import Victim
from stochi.tensor_files import digest_of
from stochi.train.training_run import TrainingRun
from stochi.train.unfinished import DamagedTraining, StaleTraining

QUICK = plan_for("digits", True)
PLAN: StudyPlan = replace(QUICK, training=replace(QUICK.training, images=64, epochs=3))
IMAGES = load_digits()[0].first(64)
VICTIM = Victim(neuron="RandHet-SNN")


class Interrupted(Exception):
    """What stands for a kill."""


@pytest.fixture
def interrupt(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """End the next training after its second epoch has been kept."""
    finish = TrainingRun.finish_epoch

    def finish_or_end(run: TrainingRun, loss: float, accuracy: float) -> None:
        if len(run.history) == 2:
            raise Interrupted
        finish(run, loss, accuracy)

    monkeypatch.setattr(TrainingRun, "finish_epoch", finish_or_end)
    return monkeypatch


def test_a_victim_s_training_goes_on_with_the_same_bytes(
    tmp_path: Path, interrupt: pytest.MonkeyPatch
) -> None:
    stores = [Store(tmp_path / name) for name in ("interrupted", "whole")]
    path = stores[0].path(weights_key(VICTIM, PLAN), "unfinished")
    with pytest.raises(Interrupted):
        load_or_train(VICTIM, PLAN, IMAGES, stores[0])
    assert [Path(name) for name in os.listdir(stores[0].folder)] == [Path(path.name)]
    interrupt.undo()
    epochs = []
    monkeypatch = pytest.MonkeyPatch()
    finish = TrainingRun.finish_epoch
    with monkeypatch.context() as patch:
        patch.setattr(TrainingRun, "finish_epoch", lambda *a: (epochs.append(1), finish(*a))[1])
        load_or_train(VICTIM, PLAN, IMAGES, stores[0])
    assert len(epochs) == 1  # the third
    load_or_train(VICTIM, PLAN, IMAGES, stores[1])
    files = [{f.name: f.read_bytes() for f in store.folder.iterdir()} for store in stores]
    assert files[0] == files[1] and len(files[0]) == 1


def test_a_damaged_training_is_begun_anew(tmp_path: Path, interrupt: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    with pytest.raises(Interrupted):
        load_or_train(VICTIM, PLAN, IMAGES, store)
    interrupt.undo()
    path = store.path(weights_key(VICTIM, PLAN), "unfinished")
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.warns(DamagedTraining, match=path.name):
        load_or_train(VICTIM, PLAN, IMAGES, store)
    assert [one.suffix for one in tmp_path.iterdir()] == [".pt"]


def _keep_of_another_version(path: Path) -> None:
    """Change the names of the modules in a kept training, as a new version of the code does."""
    content = torch.load(path, weights_only=True)
    content["about"] = json.dumps({**json.loads(content["about"]), "modules": {"sha256": "old"}})
    del content["sha256"]
    torch.save({**content, "sha256": digest_of(content)}, path)


def _keep_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    ("change", "warning", "told"),
    [
        (_keep_of_another_version, StaleTraining, "modules.sha256 was 'old', now '.*starts anew"),
        (_keep_a_folder, DamagedAnswer, "a folder, not a file"),
    ],
)
def test_a_training_of_another_version_does_not_end_a_study(
    tmp_path: Path,
    interrupt: pytest.MonkeyPatch,
    change: Callable[[Path], None],
    warning: type[Warning],
    told: str,
) -> None:
    store, whole = Store(tmp_path / "old"), Store(tmp_path / "whole")
    with pytest.raises(Interrupted):
        load_or_train(VICTIM, PLAN, IMAGES, store)
    interrupt.undo()
    change(store.path(weights_key(VICTIM, PLAN), "unfinished"))
    with pytest.warns(warning, match=told):
        load_or_train(VICTIM, PLAN, IMAGES, store)
    load_or_train(VICTIM, PLAN, IMAGES, whole)
    weights = f"{store.path(weights_key(VICTIM, PLAN), 'pt').name}"
    assert (store.folder / weights).read_bytes() == (whole.folder / weights).read_bytes()
    assert [one for one in os.listdir(store.folder) if one.endswith(".unfinished")] == []


def test_a_training_on_events_is_kept_too(tmp_path: Path, interrupt: pytest.MonkeyPatch) -> None:
    plan: EventStudyPlan = event_plan_for("saccades", True)
    plan = replace(plan, training=replace(plan.training, epochs=3))
    with pytest.raises(Interrupted):
        load_or_train_on_events(VICTIM, plan, load("saccades")[0].first(32), Store(tmp_path))
    assert [one.suffix for one in tmp_path.iterdir()] == [".unfinished"]
