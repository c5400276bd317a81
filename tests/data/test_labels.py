"""Labels that do not fit, found where samples are made and where they are used."""

import pytest
import torch
from torch import nn
from torch.nn.functional import one_hot

from stochi.data import Images, Streams
from stochi.data.labels import check_not_one_hot
from stochi.errors import InputError
from stochi.train import TrainingConfig, train_classifier


@pytest.mark.parametrize("count", [9, 11])
@pytest.mark.parametrize("samples", [Images, Streams])
def test_samples_have_as_many_labels_as_inputs(
    samples: type[Images] | type[Streams], count: int
) -> None:
    inputs = torch.zeros(*(4, 10)[1 - samples.batch_dim :], 2, 2)
    for labels in (torch.zeros(count), torch.zeros(count, 3), torch.zeros(3, count, 3)):
        with pytest.raises(InputError, match=f"10 inputs of shape .* and {count} labels of shape"):
            samples(inputs, labels)
    for labels in (torch.zeros(10), torch.zeros(10, 3), torch.zeros(4, 10, 3)):
        assert len(samples(inputs, labels)) == 10


def test_arrays_of_numpy_have_a_way_out() -> None:
    with pytest.raises(InputError, match=r"must be a Tensor: pass torch.from_numpy\(inputs\)"):
        Streams(torch.zeros(4, 10, 2).numpy(), torch.zeros(10))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [torch.float32, torch.float64, torch.int64])
def test_one_hot_labels_are_told_from_answers(kind: torch.dtype) -> None:
    labels = one_hot(torch.arange(6) % 4, 4).to(kind)
    with pytest.raises(InputError, match=r"one-hot.* take the argmax"):
        check_not_one_hot(labels)
    for other in (labels[:1], labels[:, :1], labels * 2, labels[:, 0], labels.roll(1, 0) + labels):
        check_not_one_hot(other)


@pytest.mark.parametrize("labels", [one_hot(torch.arange(8) % 2).float(), torch.rand(8)])
def test_a_classifier_is_trained_on_classes(labels: torch.Tensor) -> None:
    samples, config = Images(torch.rand(8, 1, 2, 2), labels), TrainingConfig(epochs=1)
    with pytest.raises(InputError, match="argmax" if labels.dim() == 2 else "trains on classes"):
        train_classifier(lambda: nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), samples, config)
