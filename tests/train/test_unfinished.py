"""A training that was interrupted goes on, and ends as if it had not been."""

import os
import pickle
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from stochi.errors import InputError
from stochi.tensor_files import digest_of
from stochi.train.training_run import Epoch
from stochi.train.unfinished import (
    DamagedTraining,
    StaleTraining,
    UnfinishedTraining,
    UnkeptTraining,
)
from tests.commands.test_full_disk import files_of_at_most
from tests.thoroughness import with_slow
from tests.train.trainings import TRAININGS, Training, outcome


class Interrupted(Exception):
    """What stands for a kill."""


def run_until(
    name: str, place: UnfinishedTraining, epoch: int | None = None, batch: int | None = None
) -> None:
    """Run a training until an epoch has ended, or a batch of the second one."""
    seen = []

    def after_epoch(done: Epoch) -> None:
        seen.append(done)
        if done.number == epoch:
            raise Interrupted

    def after_batch(done: int, total: int) -> None:
        # A batch is counted before it is kept.
        if len(seen) == 1 and done == batch:
            raise Interrupted

    with pytest.raises(Interrupted):
        outcome(name, keep=place, progress=after_epoch, batch_progress=after_batch)


def is_same(ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
    return digest_of(ours) == digest_of(theirs)


@pytest.mark.parametrize(
    "name",
    with_slow(
        ["plain", "normed", "twin", "drawn once", "orthogonal", "parts"], ("normed", "orthogonal")
    ),
)
@pytest.mark.parametrize("where", ["between epochs", "within an epoch"])
def test_it_ends_with_the_bits_of_an_uninterrupted_one(
    tmp_path: Path, name: str, where: str
) -> None:
    lines: list[str] = []
    within = where == "within an epoch"
    place = UnfinishedTraining(tmp_path / "u", seconds=0 if within else 600, report=lines.append)
    run_until(name, place, *((None, 3) if within else (1, None)))
    assert lines == []
    torch.rand(3)
    state, seen = torch.get_rng_state(), []
    found = outcome(name, keep=place, progress=seen.append)
    assert torch.equal(state, torch.get_rng_state())
    assert is_same(found, outcome(name))
    assert lines == ["Going on after 1 epoch" + " and 2 batches" * within + f", from {place.path}"]
    assert [epoch.number for epoch in seen] == list(range(2, 1 + len(found["losses"])))
    # Training has ended, and its weights are not safe yet.
    assert is_same(outcome(name, keep=place, progress=seen.remove), found)
    place.remove()
    assert os.listdir(tmp_path) == []


def test_it_may_be_interrupted_many_times(tmp_path: Path) -> None:
    place = UnfinishedTraining(tmp_path / "u")
    for epoch in (1, 2):
        run_until("drawn once", place, epoch)
    assert is_same(outcome("drawn once", keep=place), outcome("drawn once"))


def test_it_stops_early_as_it_would_have(tmp_path: Path) -> None:
    training = TRAININGS["plain"]()
    config = replace(training.config, epochs=9, patience=2, learning_rate=0.0)
    training = replace(training, config=config)
    place = UnfinishedTraining(tmp_path / "u")

    def stop(done: Epoch) -> None:
        if done.number == 2:
            raise Interrupted

    with pytest.raises(Interrupted):
        training.run(keep=place, progress=stop)
    whole, again = training.run()[1], training.run(keep=place)[1]
    assert len(whole) == 3 and again == whole


def _with_config(**changes: Any) -> Callable[[Training], Training]:
    return lambda t: replace(t, config=replace(t.config, **changes))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (_with_config(epochs=4), "training.epochs was 3, now 4"),
        (_with_config(learning_rate=0.2), "training.learning_rate was 0.1, now 0.2"),
        (_with_config(optimizer="adam"), "training.optimizer was 'sgd', now None"),
        (lambda t: replace(t, images=120), "samples.number was 150, now 120"),
        (lambda t: replace(t, defence={"name": "sr"}), "defence.name was 'none', now 'sr'"),
        (lambda t: replace(t, network=replace(t.network, time_steps=3)), "modules.sha256 was"),
    ],
)
def test_another_training_does_not_go_on_with_it(
    tmp_path: Path, change: Callable[[Training], Training], told: str
) -> None:
    place = UnfinishedTraining(tmp_path / "u", way_out="choose another")
    run_until("plain", place, 1)
    before = (tmp_path / "u").read_bytes()
    with pytest.raises(InputError) as error:
        change(TRAININGS["plain"]()).run(keep=place)
    message = str(error.value)
    assert message.startswith(f"{tmp_path / 'u'}: an interrupted training with other options (")
    assert told in message and message.endswith("; choose another")
    assert (tmp_path / "u").read_bytes() == before


def test_other_images_and_other_words_are_another_training(tmp_path: Path) -> None:
    place = UnfinishedTraining(tmp_path / "u", {"data": "mine"})
    run_until("plain", place, 1)
    training = TRAININGS["plain"]()
    other = training.samples.with_inputs(1 - training.samples.inputs)

    class Other(Training):
        samples = property(lambda self: other)  # type: ignore[assignment]

    with pytest.raises(InputError, match=r"samples\.sha256 was '\w{12}', now '\w{12}'"):
        Other(**vars(training)).run(keep=place)
    with pytest.raises(InputError, match="data was 'mine', now 'yours'"):
        training.run(keep=replace(place, about={"data": "yours"}))


class Evil:
    def __reduce__(self):  # type: ignore[no-untyped-def]
        return (Path.touch, (Path("evil-ran"),))


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def _flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def _alter(**changes: Any) -> Callable[[Path], None]:
    """Return a function that changes what is kept, and puts the checksum right."""

    def alter(path: Path) -> None:
        content = torch.load(path, weights_only=True)
        del content["sha256"]
        for name, value in changes.items():
            inner = content if name in content else content["state"]
            inner[name] = value
        torch.save({**content, "sha256": digest_of(content)}, path)

    return alter


def _without_state(path: Path) -> None:
    content = torch.load(path, weights_only=True)
    del content["sha256"], content["state"]
    torch.save({**content, "sha256": digest_of(content)}, path)


def _alter_in(part: str, change: Callable[[Any], Any]) -> Callable[[Path], None]:
    """Return a function that changes a part of the state, and puts the checksum right."""

    def alter(path: Path) -> None:
        _alter(**{part: change(torch.load(path, weights_only=True)["state"][part])})(path)

    return alter


def _with_option(**options: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda kept: {**kept, "param_groups": [{**kept["param_groups"][0], **options}]}


def _with_momentum(value: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda kept: {**kept, "state": {**kept["state"], 0: {"momentum_buffer": value}}}


DAMAGES: dict[str, Callable[[Path], Any]] = {
    "empty": lambda path: path.write_bytes(b""),
    "cut": _cut,
    "a flipped bit": _flip,
    "text": lambda path: path.write_text("hello"),
    "another file of torch": lambda path: torch.save({"x": torch.zeros(3)}, path),
    "no dictionary": lambda path: torch.save([1, 2], path),
    "code": lambda path: path.write_bytes(pickle.dumps(Evil())),
    "code in a file of torch": lambda path: torch.save({"format": Evil()}, path),
    "a newer version": _alter(version=2),
    "no state": _alter(state={}),
    "another state": _alter(state=[1]),
    "words": _alter(about="{"),
    "other weights": _alter(weights={"network.conv1.weight": torch.zeros(3)}),
    "no best weights": _alter(best_weights={}),
    "history": _alter(history=[{"number": 1}]),
    "an optimizer": _alter(optimizer={"state": {}, "param_groups": []}),
    "rows": _alter(epoch={"rows": torch.zeros(132, dtype=torch.int64), "batches": 1, "loss": 0.0}),
    "batches": _alter(epoch={"rows": torch.arange(18, 150), "batches": 99, "loss": 0.0}),
    "not even a state": _without_state,
    "words of a list": _alter(about="[]"),
    "weights in double": _alter_in("weights", lambda w: {n: v.double() for n, v in w.items()}),
    "best weights in double": _alter_in(
        "best_weights", lambda w: {n: v.double() for n, v in w.items()}
    ),
    "best weights of nothing": _alter_in("history", lambda history: []),
    "more epochs than there are": _alter_in(
        "history", lambda history: [history[0] | {"number": n} for n in range(1, 5)]
    ),
    "an impossible accuracy": _alter_in("history", lambda h: [h[0] | {"validation_accuracy": 1.5}]),
    "momentum of another shape": _alter_in("optimizer", _with_momentum(torch.zeros(3))),
    "momentum of whole numbers": _alter_in(
        "optimizer", _with_momentum(torch.zeros(4, 1, 3, 3, dtype=torch.int64))
    ),
    "no momentum": _alter_in("optimizer", _with_momentum(None)),
    "a rate below 0": _alter_in("optimizer", _with_option(lr=-0.1)),
    "a rate of words": _alter_in("optimizer", _with_option(lr="0.1")),
    "another weight decay": _alter_in("optimizer", _with_option(weight_decay=5.0)),
    "a schedule of no epochs": _alter_in("schedule", lambda s: {**s, "T_max": 0}),
    "a schedule's method": _alter_in("schedule", lambda s: {**s, "step": 1}),
    "a schedule of other epochs": _alter_in("schedule", lambda s: {**s, "last_epoch": 2}),
    "draws of nothing": _alter(draws={"": 1}),
    "whole epochs": _alter(epoch={"rows": torch.arange(18, 150), "batches": 1.0, "loss": 0.0}),
    "no epoch": _alter(epoch=0),
    "generator": _alter(generator=torch.zeros(3, dtype=torch.uint8)),
}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, dict[str, Any]]:
    """What an epoch of the training leaves, and what comes out at its end."""
    path = tmp_path_factory.mktemp("plain") / "u"
    run_until("plain", UnfinishedTraining(path), 1)
    return path.read_bytes(), outcome("plain")


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_told_and_training_starts_anew(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    plain: tuple[bytes, dict[str, Any]],
    damage: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "u").write_bytes(plain[0])
    DAMAGES[damage](tmp_path / "u")
    with pytest.warns(DamagedTraining, match=r"^u: an interrupted training, but damaged \(.+\); "):
        found = outcome("plain", keep=UnfinishedTraining("u"))
    assert is_same(found, plain[1])
    assert os.listdir(tmp_path) == ["u"]


@pytest.mark.parametrize("step", [-1.0, float("nan"), 1e38])
def test_a_count_of_adam_that_would_end_in_an_error_is_damage(tmp_path: Path, step: float) -> None:
    place = UnfinishedTraining(tmp_path / "u")
    run_until("normed", place, 1)

    def count(kept: dict[str, Any]) -> dict[str, Any]:
        first = {**kept["state"][0], "step": torch.tensor(step)}
        return {**kept, "state": {**kept["state"], 0: first}}

    _alter_in("optimizer", count)(tmp_path / "u")
    with pytest.warns(DamagedTraining, match="its optimizer has counted other steps"):
        found = outcome("normed", keep=place)
    assert is_same(found, outcome("normed"))


@pytest.mark.parametrize("calls", [-1, 2**70, 1.0, "1"])
def test_a_twin_s_draws_are_a_trial(tmp_path: Path, calls: Any) -> None:
    place = UnfinishedTraining(tmp_path / "u")
    run_until("twin", place, 1)
    _alter(draws={"": calls})(tmp_path / "u")
    with pytest.warns(DamagedTraining, match="trial is "):
        outcome("twin", keep=place)


def test_what_is_drawn_once_has_the_shape_of_the_samples(tmp_path: Path) -> None:
    place = UnfinishedTraining(tmp_path / "u")
    run_until("drawn once", place, 1)

    def longer(weights: dict[str, Any]) -> dict[str, Any]:
        names = [name for name in weights if name.endswith("fixed_decay")]
        assert names
        return {**weights, names[0]: torch.full((7, 1, 1, 1), 0.5)}

    _alter_in("weights", longer)(tmp_path / "u")
    with pytest.warns(DamagedTraining, match="its weights have another shape"):
        found = outcome("drawn once", keep=place)
    assert is_same(found, outcome("drawn once"))


def test_a_name_that_is_too_long_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        outcome("plain", keep=UnfinishedTraining(tmp_path / ("n" * 300)))


def test_another_training_is_replaced_if_that_is_asked_for(tmp_path: Path) -> None:
    run_until("plain", UnfinishedTraining(tmp_path / "u", {"data": "mine"}), 1)
    place = UnfinishedTraining(tmp_path / "u", {"data": "yours"}, replaces=True)
    told = "with other options .data was 'mine', now 'yours'.; training starts anew"
    with pytest.warns(StaleTraining, match=told):
        found = outcome("plain", keep=place)
    assert is_same(found, outcome("plain"))


def test_a_folder_or_a_pipe_in_its_place_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("folder", "pipe"):
        with pytest.raises(InputError, match=f"{name}: a {name}, not a file"):
            outcome("plain", keep=UnfinishedTraining(tmp_path / name))


def test_a_full_disk_does_not_end_a_training(tmp_path: Path) -> None:
    place = UnfinishedTraining(tmp_path / "u")
    with files_of_at_most(2048), pytest.warns(UnkeptTraining, match="u: .*cannot be kept.*large"):
        found = outcome("plain", keep=place)
    assert is_same(found, outcome("plain")) and os.listdir(tmp_path) == []


def test_nothing_is_kept_unless_it_is_asked_for(tmp_path: Path) -> None:
    place = UnfinishedTraining(tmp_path / "new" / "u", seconds=1e9)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run_until("plain", place, batch=1)
    assert os.listdir(tmp_path / "new") == ["u"]
    place.remove()
    place.remove()  # which need not be there


class Speechless:
    def __repr__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    "about",
    [{"x": {1, 2}}, {"x": torch.zeros(1)}, {"x": [b"bytes"]}, {"x": {Speechless(): 1, 2: 3}}],
)
def test_what_a_training_depends_on_is_plain(about: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"^about is "):
        UnfinishedTraining("u", about)
