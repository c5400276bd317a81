"""Networks for events: their shapes, their way to the chip, their checkpoints and training."""

import warnings
from pathlib import Path

import pytest
import torch
from torch import nn

from benchmarks.support.networks import strong
from stochi.data import Binning, EventSet, Images, Streams, open_events
from stochi.deploy import lower
from stochi.errors import InputError
from stochi.export import to_nir
from stochi.parity import check_parity
from stochi.sim import run
from stochi.train import NetworkConfig, load_checkpoint, make_defence, save_checkpoint
from stochi.train.augmentation import shift_at_random
from stochi.train.event_networks import event_conv_net, event_mlp
from stochi.train.network_config import KINDS
from stochi.train.neurons.choice import NEURONS, NeuronChoice
from stochi.train.training import (
    TrainingConfig,
    _with_mixed_front,
    are_right,
    measure_accuracy,
    train_classifier,
)
from tests.data.events.recordings import write_nmnist
from tests.thoroughness import with_slow

CHOICES = (
    NeuronChoice("plain"),
    NeuronChoice("cuba"),
    NeuronChoice(sampling="step"),
    NeuronChoice(sampling="forward", bits=4),
    NeuronChoice(sampling="fixed"),
    NeuronChoice(input_gain="mean"),
)
SMALL = NetworkConfig(
    input_shape=(2, 34, 34), time_steps=4, channels=(3, 4), hidden=(8, 8), kind="event-mlp"
)


def some_events(*shape: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return (torch.rand(*shape, generator=generator) < 0.2).float()


@pytest.fixture
def sets(tmp_path: Path) -> tuple[EventSet, EventSet]:
    write_nmnist(tmp_path, training=24)
    return open_events("nmnist", tmp_path, binning=Binning(4))


@pytest.mark.parametrize("choice", CHOICES, ids=repr)
@pytest.mark.parametrize("kind", ["event-mlp", "event-conv"])
def test_the_chip_computes_them(kind: str, choice: NeuronChoice) -> None:
    torch.manual_seed(0)
    sizes = {"time_steps": 5, "neuron": choice}
    net: nn.Module
    if kind == "event-mlp":
        net = event_mlp((2, 9, 8), 3, hidden=(12, 9), **sizes)  # type: ignore[arg-type]
    else:
        net = event_conv_net((2, 9, 8), 3, channels=(3, 4), **sizes)  # type: ignore[arg-type]
    events = some_events(5, 6, 2, 9, 8)
    strong(net, 6)
    net(events)  # fixed decays are drawn now
    program = lower(to_nir(net, events), events=True)
    assert program.is_random == (choice.kind == "random" and choice.sampling != "fixed")
    data = Streams(events, torch.zeros(6, dtype=torch.int64))
    report = check_parity(net, program, data, trials=2, lava=False, margins=None)
    assert report.mismatches == 0 < report.compared
    assert 0.02 < float(torch.cat([s.flatten() for s in _spikes(net, events)]).mean()) < 0.9


def _spikes(net: nn.Module, events: torch.Tensor) -> list[torch.Tensor]:
    found: list[torch.Tensor] = []
    neurons = [m for name, m in net.named_modules() if "lif" in name]
    hooks = [m.register_forward_hook(lambda _, __, spikes: found.append(spikes)) for m in neurons]
    with torch.no_grad():
        net(events)
    for hook in hooks:
        hook.remove()
    return found


@pytest.mark.lava
@pytest.mark.parametrize(
    "neuron",
    with_slow(NEURONS, ("gated", "cuba")),
)
def test_lava_computes_them(neuron: str) -> None:
    torch.manual_seed(0)
    net = event_conv_net((2, 8, 8), 3, time_steps=4, channels=(2, 3), neuron=NeuronChoice(neuron))
    strong(net)
    events = Streams(some_events(4, 3, 2, 8, 8), torch.zeros(3, dtype=torch.int64))
    program = lower(to_nir(net, events.inputs), events=True)
    report = check_parity(net, program, events, trials=1, margins=None)
    assert report.mismatches == 0
    assert {(pair.left, pair.right) for pair in report.exact} >= {("engine", "lava")}


def test_a_plain_neuron_is_a_random_one_with_its_mean_decay() -> None:
    current = torch.rand(20, 6, generator=torch.Generator().manual_seed(2))
    plain = NeuronChoice("plain").build()
    mean = NeuronChoice(sampling="mean", input_gain="mean").build()
    for now in current:
        assert torch.equal(plain(now), mean(now))


def test_sizes_that_they_take() -> None:
    for shape in ((2, 7, 7), (2, 16, 16), (3, 15, 22)):
        assert event_conv_net(shape, 4, time_steps=2)(torch.zeros(2, 3, *shape)).shape == (3, 4)
    for shape in ((1, 1, 700), (2, 1, 1), (2, 5, 34)):
        assert event_mlp(shape, 4, time_steps=2)(torch.zeros(2, 3, *shape)).shape == (3, 4)
    with pytest.raises(InputError, match=r"\(2, 6, 40\).*7×7 pixels; take the MLP"):
        event_conv_net((2, 6, 40))


def test_bad_choices_are_errors() -> None:
    with pytest.raises(InputError, match="neuron is 'lif'; choose from random, plain, cuba"):
        NeuronChoice("lif")
    with pytest.raises(InputError, match="sampling"):
        NeuronChoice(sampling="often")
    with pytest.raises(InputError, match="kind is 'rnn'; choose from conv, event-conv"):
        NetworkConfig(kind="rnn")
    with pytest.raises(InputError, match="shift is -1"):
        TrainingConfig(shift=-1)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("neuron", NEURONS)
def test_a_checkpoint_holds_every_network(tmp_path: Path, kind: str, neuron: str) -> None:
    network = NetworkConfig(
        input_shape=(2, 8, 8),
        time_steps=3,
        channels=(3, 4),
        hidden=(5, 6),
        kind=kind,
        neuron=neuron,
    )
    model = network.build().eval()
    save_checkpoint(tmp_path / "m.pt", model, network, {})
    loaded, content = load_checkpoint(tmp_path / "m.pt")
    assert content["version"] == 6 and NetworkConfig.from_dict(content["network"]) == network
    shown = some_events(3, 2, 2, 8, 8) if network.events else torch.rand(2, 2, 8, 8)
    torch.manual_seed(5)
    expected = model(shown)
    torch.manual_seed(5)
    assert torch.equal(loaded(shown), expected)


def test_recordings_on_disk_train_as_those_in_memory(sets: tuple[EventSet, EventSet]) -> None:
    training, test = sets
    config = TrainingConfig(epochs=2, batch_size=8, shift=2)
    on_disk, history = train_classifier(SMALL.build, training, config)
    held, again = train_classifier(SMALL.build, training.load(), config)
    assert history == again
    for ours, theirs in zip(on_disk.parameters(), held.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    torch.manual_seed(0)
    right = are_right(on_disk, test, 2)
    torch.manual_seed(0)
    assert torch.equal(are_right(on_disk, test.load(), 2), right) and len(right) == 5
    torch.manual_seed(0)
    assert measure_accuracy(on_disk, test, 2) == int(right.sum()) / 5


def test_the_front_of_a_set_ordered_by_class_holds_every_class(
    sets: tuple[EventSet, EventSet],
) -> None:
    training = sets[0]
    by_class = training.rearranged(training.labels.argsort(stable=True))
    assert by_class.labels.tolist() == sorted(training.labels.tolist())
    assert torch.equal(by_class.load().inputs[:, 0], by_class.select([0]).inputs[:, 0])
    config = TrainingConfig(epochs=1, batch_size=8, validation_share=2)
    trained = [
        train_classifier(SMALL.build, samples, config) for samples in (by_class, by_class.load())
    ]
    assert trained[0][1] == trained[1][1]
    for ours, theirs in zip(*(model.parameters() for model, _ in trained), strict=True):
        assert torch.equal(ours, theirs)


@pytest.mark.parametrize("labels", [[0] * 8 + [1] * 8, [2] * 4 + [0] * 8 + [1] * 4])
def test_what_is_held_out_of_a_set_ordered_by_class(labels: list[int]) -> None:
    images = Images(torch.arange(16.0).view(16, 1), torch.tensor(labels))
    held_out = _with_mixed_front(images, 4, 4)
    assert held_out.inputs[:4, 0].tolist() == [0, 4, 8, 12]
    assert sorted(held_out.inputs[:, 0].tolist()) == images.inputs[:, 0].tolist()
    assert torch.equal(held_out.labels, images.labels[held_out.inputs[:, 0].long()])


@pytest.mark.parametrize("labels", [[0, 1] * 8, [3] * 16, [0, 0, 1, 0] * 4])
def test_other_sets_keep_their_front(labels: list[int]) -> None:
    images = Images(torch.arange(16.0).view(16, 1), torch.tensor(labels))
    assert _with_mixed_front(images, 4, 4) is images


def test_parity_of_recordings_on_disk_is_that_of_streams(sets: tuple[EventSet, EventSet]) -> None:
    net, test = strong(SMALL.build()), sets[0]
    program = lower(to_nir(net, test.first(2).load().inputs), events=True)
    on_disk, held = (
        check_parity(net, program, data, trials=2, lava=False, batch_size=7)
        for data in (test, test.load())
    )
    assert on_disk.to_json() == held.to_json() and on_disk.mismatches == 0
    few = test.first(3)  # as many as time steps
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert torch.equal(run(program, few).logits, run(program, few.load()).logits)


def test_training_on_events_learns() -> None:
    training = open_events("saccades", binning=Binning(4))[0].first(320).load()
    network = NetworkConfig(
        input_shape=(2, 16, 16), time_steps=4, hidden=(64, 64), kind="event-mlp", neuron="plain"
    )
    config = TrainingConfig(epochs=4, batch_size=16, learning_rate=1e-2)
    model, history = train_classifier(network.build, training, config)
    assert history[-1].loss < 0.7 * history[0].loss
    assert measure_accuracy(model, training) > 0.5


def test_a_defence_of_images_refuses_events(sets: tuple[EventSet, EventSet]) -> None:
    for name in ("fgsm", "pgd", "rat", "sr", "hire"):
        with pytest.raises(InputError, match=f"defence '{name}' trains on images"):
            train_classifier(SMALL.build, sets[0], TrainingConfig(), defence=make_defence(name))


def test_shifts_move_every_step_alike_and_lose_nothing_inside() -> None:
    events = torch.zeros(3, 40, 2, 9, 9)
    events[:, :, :, 4, 4] = 1
    labels = torch.arange(40)
    torch.manual_seed(0)
    moved = shift_at_random(Streams(events, labels), 2)
    assert moved.inputs.shape == events.shape and torch.equal(moved.labels, labels)
    assert torch.equal(moved.inputs.sum((3, 4)), torch.ones(3, 40, 2))
    assert torch.equal(moved.inputs[0], moved.inputs[1])
    seen = moved.inputs[0, :, 0].sum(0).nonzero()
    assert seen.min() == 2 and seen.max() == 6
    images = Images(events[0], labels)
    state = torch.get_rng_state()
    assert shift_at_random(images, 0) is images
    assert torch.equal(state, torch.get_rng_state())
    torch.manual_seed(0)
    assert torch.equal(shift_at_random(images, 2).inputs, moved.inputs[0])
