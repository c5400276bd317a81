import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from stochi.data import Images, load_digits
from stochi.errors import InputError
from stochi.tensor_files import digest_of
from stochi.train import NetworkConfig
from stochi.train.checkpoint import (
    CheckpointError,
    UncheckedCheckpoint,
    load_checkpoint,
    save_checkpoint,
)
from stochi.train.training import TrainingConfig, measure_accuracy, train_classifier
from stochi.turns import seeded
from tests.train.trainings import TRAININGS

SMALL = NetworkConfig(time_steps=3, channels=(4, 8))


@pytest.fixture(scope="module")
def digits() -> tuple[Images, Images]:
    return load_digits()


def test_digits_are_split_once_and_for_all(digits: tuple[Images, Images]) -> None:
    training, test = digits
    assert (len(training), len(test)) == (1438, 359)
    assert training.inputs.shape[1:] == (1, 8, 8)
    assert float(training.inputs.min()) == 0 and float(training.inputs.max()) == 1
    again = load_digits()[1]
    assert torch.equal(test.inputs, again.inputs) and torch.equal(test.labels, again.labels)
    ours = {bytes(image.numpy()) for image in training.inputs}
    assert not any(bytes(image.numpy()) in ours for image in test.inputs)


def test_training_learns_and_repeats_from_its_seed(digits: tuple[Images, Images]) -> None:
    training, test = digits
    config = TrainingConfig(seed=3, epochs=3)
    state = torch.get_rng_state()
    first, history = train_classifier(SMALL.build, training, config)
    second, _ = train_classifier(SMALL.build, training, config)
    assert torch.equal(state, torch.get_rng_state())
    for ours, theirs in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert history[-1].loss < history[0].loss
    assert measure_accuracy(first, test) > 0.5


def test_it_stops_early(digits: tuple[Images, Images]) -> None:
    training = digits[0].first(64)
    config = TrainingConfig(epochs=50, patience=1, learning_rate=0.0)
    _, history = train_classifier(SMALL.build, training, config)
    assert len(history) < 50


def test_a_checkpoint_holds_the_network(tmp_path: Path) -> None:
    model = SMALL.build().eval()
    save_checkpoint(tmp_path / "new" / "m.pt", model, SMALL, {"seed": 3})
    loaded, content = load_checkpoint(tmp_path / "new" / "m.pt")
    assert content["training"] == {"seed": 3}
    for ours, theirs in zip(model.parameters(), loaded.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert [p.name for p in (tmp_path / "new").iterdir()] == ["m.pt"]


@pytest.mark.parametrize("version", [1, 2, 3, 4])
def test_a_checkpoint_of_an_older_version_is_read(tmp_path: Path, version: int) -> None:
    model = SMALL.build().eval()
    save_checkpoint(tmp_path / "m.pt", model, SMALL, {})
    content = torch.load(tmp_path / "m.pt", weights_only=True)
    content["version"] = version
    del content["sha256"]
    for new in ("kind", "neuron", "hidden") if version < 4 else ():
        del content["network"][new]
    if version < 3:
        content["network"]["steps"] = content["network"].pop("time_steps")
    if version == 1:
        del content["network"]["input_shape"], content["network"]["classes"]
    torch.save(content, tmp_path / "old.pt")
    with pytest.warns(UncheckedCheckpoint, match=r"old\.pt.*without a checksum"):
        loaded, old = load_checkpoint(tmp_path / "old.pt")
    assert NetworkConfig.from_dict(old["network"]) == SMALL
    assert all(map(torch.equal, model.parameters(), loaded.parameters()))
    wrong_networks = ({"network": {"input_shape": (1, 8)}}, {"network": {"new": 1}})
    for wrong in ({"version": 6}, {"version": 5}, {"version": 2.0}, *wrong_networks):
        torch.save({**content, **wrong}, tmp_path / "wrong.pt")
        with pytest.raises(CheckpointError, match=r"wrong\.pt"):
            load_checkpoint(tmp_path / "wrong.pt")


def save_as_checked(content: dict[str, Any], path: Path) -> None:
    """Save an altered checkpoint with the checksum that fits it."""
    content.pop("sha256")
    torch.save({**content, "sha256": digest_of(content)}, path)


def test_altered_weights_are_not_loaded(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "m.pt", SMALL.build(), SMALL, {})
    content = torch.load(tmp_path / "m.pt", weights_only=True)
    content["weights"]["network.readout.weight"][0, 0] += 0.25
    torch.save(content, tmp_path / "m.pt")
    with pytest.raises(CheckpointError, match=r"m\.pt: the checksum does not match"):
        load_checkpoint(tmp_path / "m.pt")


def test_damaged_bytes_of_weights_are_noticed_without_a_checksum_of_ours(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "m.pt", SMALL.build(), SMALL, {})
    content = torch.load(tmp_path / "m.pt", weights_only=True)
    content["version"] = 4
    del content["sha256"]
    torch.save(content, tmp_path / "m.pt")
    stored = bytearray((tmp_path / "m.pt").read_bytes())
    weights = content["weights"]["network.readout.weight"].numpy().tobytes()
    stored[bytes(stored).index(weights)] ^= 1
    (tmp_path / "m.pt").write_bytes(stored)
    with pytest.raises(CheckpointError, match=r"m\.pt: .*not a Stochi checkpoint"):
        load_checkpoint(tmp_path / "m.pt")


@pytest.mark.parametrize(
    "network",
    [
        {"input_shape": (1, 2**40, 8)},
        {"input_shape": (1, 2**20, 2**20)},
        {"channels": (2**20, 2**20)},
        {"time_steps": 2.5},
        {"time_steps": True},
        {"classes": -1},
        {"sigma": float("nan")},
        {"sigma": "wide"},
        {"bits": 2.5},
        {"batch_norm": 1},
        {"hidden": None},
        {"kind": []},
        {"neuron": {}},
        {"sampling": ["step"]},
    ],
)
def test_a_network_of_another_form_is_refused(tmp_path: Path, network: dict[str, Any]) -> None:
    save_checkpoint(tmp_path / "m.pt", SMALL.build(), SMALL, {})
    content = torch.load(tmp_path / "m.pt", weights_only=True)
    content["network"] |= network
    save_as_checked(content, tmp_path / "m.pt")
    with pytest.raises(CheckpointError, match=r"m\.pt"):
        load_checkpoint(tmp_path / "m.pt")


def test_a_checkpoint_whose_weights_do_not_fit_names_the_layer(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "m.pt", SMALL.build(), SMALL, {})
    content = torch.load(tmp_path / "m.pt", weights_only=True)
    content["weights"]["network.readout.weight"] = torch.zeros(3, 3)
    # As many weights as the network has, so that it is built, and the layer can be named.
    content["weights"]["network.more"] = torch.zeros(10_000)
    save_as_checked(content, tmp_path / "m.pt")
    with pytest.raises(CheckpointError, match=r"readout\.weight: .*\[3, 3\].*again") as caught:
        load_checkpoint(tmp_path / "m.pt")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_a_checkpoint_with_weights_that_are_not_finite_is_an_error(
    tmp_path: Path, value: float
) -> None:
    model = SMALL.build()
    with torch.no_grad():
        model.get_parameter("network.readout.weight")[0, 0] = value
    save_checkpoint(tmp_path / "m.pt", model, SMALL, {})
    with pytest.raises(CheckpointError, match=r"m\.pt: .*readout\.weight holds NaN"):
        load_checkpoint(tmp_path / "m.pt")


class Evil:
    def __reduce__(self):  # type: ignore[no-untyped-def]
        return (Path.touch, (Path("evil-ran"),))


def test_errors_name_the_bad_checkpoint_and_no_code_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match="no such file"):
        load_checkpoint("missing.pt")
    Path("text.pt").write_text("hello")
    torch.save({"other": 1}, "foreign.pt")
    torch.save({"format": "stochi-checkpoint", "x": Evil()}, "evil.pt")
    save_checkpoint("good.pt", SMALL.build(), SMALL, {})
    Path("half.pt").write_bytes(Path("good.pt").read_bytes()[:3000])
    for name in ("text.pt", "foreign.pt", "evil.pt", "half.pt"):
        with pytest.raises(CheckpointError, match=name):
            load_checkpoint(name)
    assert not Path("evil-ran").exists()


def test_bad_configurations_are_errors(digits: tuple[Images, Images]) -> None:
    for bad in ({"seed": -1}, {"epochs": 0}, {"batch_size": 0}):
        with pytest.raises(InputError, match=next(iter(bad))):
            TrainingConfig(**bad)
    with pytest.raises(InputError, match="too few"):
        train_classifier(SMALL.build, digits[0].first(3), TrainingConfig())
    with pytest.raises(InputError, match="9999"):
        digits[0].first(9999)


def test_sgd_is_the_published_recurrence() -> None:
    """Momentum and L2 decay by hand, with the learning rate on half a cosine."""
    training = replace(TRAININGS["plain"](), images=40)
    config = replace(training.config, epochs=2, batch_size=35, momentum=0.8, shift=0)
    training = replace(training, config=config)
    with seeded(config.seed):
        net = training.build()
        speed = {name: torch.zeros_like(w) for name, w in net.named_parameters()}
        for epoch in range(2):
            rows = torch.randperm(35) + 5
            batch = training.samples.select(rows)
            loss = torch.nn.functional.cross_entropy(net.train()(batch.inputs), batch.labels)
            net.zero_grad()
            loss.backward()
            rate = config.learning_rate * (1 + math.cos(math.pi * epoch / 2)) / 2
            with torch.no_grad():
                for name, w in net.named_parameters():
                    assert w.grad is not None
                    speed[name].mul_(0.8).add_(w.grad + config.weight_decay * w)
                    w.sub_(rate * speed[name])
        found, history = training.run()
    best = max(history, key=lambda one: one.validation_accuracy).number
    assert best in (1, 2)
    if best == 2:
        torch.testing.assert_close(dict(found.state_dict()), dict(net.state_dict()))
    assert history[1].loss == pytest.approx(float(loss.detach()), rel=1e-5)


def test_parts_of_a_batch_add_up_to_it_and_batch_norms_see_the_parts() -> None:
    losses = {}
    for name in ("plain", "normed"):
        training = TRAININGS[name]()
        for micro_batch in (None, 5, 99):
            config = replace(training.config, micro_batch=micro_batch)
            _, history = replace(training, config=config).run()
            losses[name, micro_batch] = [epoch.loss for epoch in history]
    assert losses["plain", 5] == pytest.approx(losses["plain", None], rel=1e-5)
    assert losses["plain", 99] == losses["plain", None]
    assert losses["normed", 99] == losses["normed", None]
    assert losses["normed", 5] != pytest.approx(losses["normed", None], rel=1e-3)


def test_options_that_came_later_are_recorded_only_if_given() -> None:
    first = {"seed", "epochs", "batch_size", "learning_rate", "patience", "validation_share"}
    assert TrainingConfig().to_json().keys() == first | {"shift"}
    given = TrainingConfig(optimizer="sgd", momentum=0.5, micro_batch=4)
    found = given.to_json()
    assert found.keys() - first == {"shift", "optimizer", "momentum", "micro_batch"}
    assert TrainingConfig(**found) == given


def test_more_bad_configurations_are_errors() -> None:
    for bad in ({"optimizer": "x"}, {"momentum": 1.0}, {"weight_decay": -1.0}, {"micro_batch": 0}):
        with pytest.raises(InputError, match=next(iter(bad))):
            TrainingConfig(**bad)  # type: ignore[arg-type]
