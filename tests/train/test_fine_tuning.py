import copy

import pytest
import torch

from stochi.data import load_digits
from stochi.deploy import calibrate, lower
from stochi.errors import InputError
from stochi.export import to_nir
from stochi.hardware.draws import Draws
from stochi.parity.records.comparison import compare_records
from stochi.parity.records.twin import record_twin
from stochi.sim import run
from stochi.sim.recording import PROBES
from stochi.train import FineTuningConfig, fine_tune
from stochi.train.networks import small_conv_net
from stochi.train.training import TrainingConfig, train_classifier


@pytest.fixture(scope="module")
def trained():  # type: ignore[no-untyped-def]
    training, test = load_digits()
    images = training.first(512)
    config = TrainingConfig(epochs=4)
    model, _ = train_classifier(lambda: small_conv_net(channels=(4, 8)), images, config)
    graph = to_nir(model, test.inputs[:1])
    program, _ = calibrate(graph, images.inputs[:64], noise="membrane", method="moments")
    return model, graph, program, images, test.first(200)


def rates(program, inputs: torch.Tensor) -> list[float]:  # type: ignore[no-untyped-def]
    spikes = run(program, inputs, seed=9, probes=("spikes",)).spikes
    return [float(values.double().mean()) for values in spikes.values()]


def test_it_brings_the_chip_nearer_and_deploys_what_was_tuned(trained) -> None:  # type: ignore[no-untyped-def]
    model, graph, program, images, test = trained
    before = {name: values.clone() for name, values in model.state_dict().items()}
    losses: list[float] = []
    tuned = fine_tune(
        model,
        program,
        images,
        FineTuningConfig(epochs=8, learning_rate=3e-3),
        progress=lambda _, loss: losses.append(loss),
    )
    assert losses[-1] < losses[0]
    assert all(torch.equal(values, before[name]) for name, values in model.state_dict().items())
    lowered = lower(to_nir(tuned, images.inputs[:1]), noise="membrane", fitted=program)
    exact, untuned, now = (rates(p, test.inputs) for p in (lower(graph), program, lowered))
    for reference, worse, better in zip(exact, untuned, now, strict=True):
        assert abs(better - reference) < abs(worse - reference) / 2
    ours = record_twin(tuned, lowered, test.inputs[:9], Draws(3, 1))
    theirs = run(lowered, test.inputs[:9], seed=3, trial=1, probes=PROBES)
    assert sum(c.mismatches for c in compare_records(ours, theirs)) == 0


def test_it_repeats_itself(trained) -> None:  # type: ignore[no-untyped-def]
    model, _, program, images, _ = trained
    config = FineTuningConfig(epochs=1)
    first, second = (fine_tune(model, program, images.first(128), config) for _ in range(2))
    for left, right in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(left, right)


def test_it_leaves_the_teacher_in_its_mode(trained) -> None:  # type: ignore[no-untyped-def]
    model, _, program, images, _ = trained
    teacher = copy.deepcopy(model).train()
    teacher.network.get_submodule("lif1").eval()
    modes = [module.training for module in teacher.modules()]
    seen: list[bool] = []
    teacher.network.get_submodule("norm1").register_forward_hook(
        lambda module, *_: seen.append(module.training)
    )
    tuned = fine_tune(teacher, program, images.first(64), FineTuningConfig(epochs=1))
    assert [module.training for module in teacher.modules()] == modes
    assert seen and not any(seen)
    assert not any(module.training for module in tuned.modules())


def test_images_without_labels_are_an_error() -> None:
    net, images = small_conv_net().eval(), load_digits()[1].first(2)
    program = lower(to_nir(net, images.inputs))
    with pytest.raises(InputError, match="inputs with labels are needed, this is a Tensor"):
        fine_tune(net, program, images.inputs)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "options",
    [
        {"epochs": 0},
        {"batch_size": 0},
        {"teacher_draws": 0},
        {"epsilon": 1.5},
        {"perturbed_share": -0.1},
        {"epsilon": float("nan")},
    ],
)
def test_bad_configurations_are_errors(options: dict) -> None:
    with pytest.raises(InputError, match=next(iter(options))):
        FineTuningConfig(**options)
