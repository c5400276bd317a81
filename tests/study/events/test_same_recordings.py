"""A study's answers are held to the recordings that they were found on."""

from pathlib import Path

import pytest
import torch

from stochi.data.streams import Streams
from stochi.errors import InputError
from stochi.study.events.same_recordings import check_recordings


def some(count: int) -> Streams:
    frames = torch.rand(3, 6, 2, 4, 4, generator=torch.Generator().manual_seed(0)) > 0.5
    return Streams(frames[:, :count].float(), torch.arange(count) % 2)


def test_more_or_fewer_of_the_same_recordings_are_the_same(tmp_path: Path) -> None:
    for count in (4, 2, 6, 3):
        check_recordings(tmp_path, "nmnist", some(count), some(count))


@pytest.mark.parametrize("part", [0, 1])
def test_other_recordings_or_labels_are_refused(part: int, tmp_path: Path) -> None:
    check_recordings(tmp_path, "nmnist", some(4), some(4))
    check_recordings(tmp_path, "saccades", some(2), some(2))  # a set of its own
    moved, relabelled = some(4), some(4)
    moved.inputs[1, 2, 0, 0, 0] = 1 - moved.inputs[1, 2, 0, 0, 0]
    relabelled.labels[2] = 5
    for other in (moved, relabelled):
        parts = [some(4), some(4)]
        parts[part] = other
        with pytest.raises(InputError, match=r"other recordings of nmnist .* from number 2 on"):
            check_recordings(tmp_path, "nmnist", *parts)


def test_a_damaged_note_is_named(tmp_path: Path) -> None:
    (tmp_path / "recordings-nmnist.json").write_text("{")
    with pytest.raises(InputError, match=r"recordings-nmnist\.json: damaged note"):
        check_recordings(tmp_path, "nmnist", some(1), some(1))
