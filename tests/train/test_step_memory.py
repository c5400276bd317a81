"""The memory of training steps: refused before the first one, with the number that fits."""

import re

import pytest
import torch
from torch import nn

from stochi.data import Images
from stochi.deploy import lower
from stochi.errors import InputError
from stochi.export import to_nir
from stochi.train import FineTuningConfig, TrainingConfig, fine_tune, train_classifier
from tests.conftest import conv_net

SHAPE = (2, 8, 8)


@pytest.fixture(scope="module")
def images() -> Images:
    torch.manual_seed(0)
    return Images(torch.rand(48, *SHAPE), torch.arange(48) % 3)


def trained(images: Images, **options: object) -> dict[str, torch.Tensor]:
    config = TrainingConfig(0, epochs=1, batch_size=32, **options)  # type: ignore[arg-type]
    return train_classifier(conv_net, images, config)[0].state_dict()


def test_a_step_that_does_not_fit_is_refused_and_what_it_names_trains(
    images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = trained(images)
    monkeypatch.setenv("STOCHI_MEMORY", "700kB")
    with pytest.raises(InputError, match=r"^a training step of 32 samples would take") as raised:
        trained(images)
    found = re.search(
        r"give micro_batch \(--micro-batch\) (\d+), or set the env", f"{raised.value}"
    )
    assert found is not None
    assert 1 < int(found[1]) < 32
    in_parts = trained(images, micro_batch=int(found[1]))
    assert in_parts.keys() == plain.keys()


def test_measuring_changes_no_training(images: Images, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two samples are measured if the budget is near, one if it is far."""
    plain = trained(images)
    monkeypatch.setenv("STOCHI_MEMORY", "3MB")
    again = trained(images)
    assert all(torch.equal(plain[name], again[name]) for name in plain)


def test_a_batch_norm_is_measured_with_more_than_one_sample(images: Images) -> None:
    def build() -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(128, 8), nn.BatchNorm1d(8), nn.Linear(8, 3))

    config = TrainingConfig(0, epochs=1, batch_size=22)
    model, _ = train_classifier(build, images, config)
    assert int(model.get_submodule("2").num_batches_tracked) == 2


def test_tuning_is_refused_before_its_first_step(
    images: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    net = conv_net()
    program = lower(to_nir(net, torch.rand(1, *SHAPE)))
    monkeypatch.setenv("STOCHI_MEMORY", "500kB")
    with pytest.raises(InputError, match=r"a training step of 32 samples .* give batch_size \d"):
        fine_tune(net, program, images, FineTuningConfig(epochs=1, batch_size=32))
