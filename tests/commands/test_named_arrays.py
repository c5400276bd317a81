"""Which array of a file holds inputs, and which one labels."""

from pathlib import Path

import numpy as np
import pytest
import torch

from stochi.commands.named_arrays import TakenByName
from stochi.commands.own_inputs import read_inputs, read_labels
from stochi.errors import InputError

IMAGES, CLASSES = np.random.default_rng(0).random((5, 1, 4, 4)).astype(np.float32), np.arange(5)
PAIRS = [
    *(("X", "y"), ("x", "y"), ("data", "target"), ("data", "labels"), ("images", "labels")),
    *(("inputs", "labels"), ("streams", "y"), ("samples", "targets"), ("other", "labels")),
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "some.npz"


@pytest.mark.parametrize(("inputs", "labels"), PAIRS)
@pytest.mark.parametrize("ending", [".npz", ".pt"])
@pytest.mark.filterwarnings("ignore::stochi.commands.named_arrays.TakenByName")
def test_usual_pairs_are_read(tmp_path: Path, inputs: str, labels: str, ending: str) -> None:
    file = tmp_path / f"some{ending}"
    arrays = {inputs: IMAGES, labels: CLASSES}
    if ending == ".npz":
        np.savez(file, **arrays)
    else:
        torch.save({name: torch.from_numpy(values) for name, values in arrays.items()}, file)
    assert np.array_equal(read_inputs(file).numpy(), IMAGES)
    found = read_labels(file, None)
    assert found is not None and np.array_equal(found.numpy(), CLASSES)


def test_what_was_taken_is_told(file: Path) -> None:
    np.savez(file, X=IMAGES, y=CLASSES)
    with pytest.warns(TakenByName, match=r"some\.npz: 'X' is taken as its inputs"):
        read_inputs(file)
    with pytest.warns(TakenByName, match="'y' is taken as its labels"):
        read_labels(file, None)


@pytest.mark.filterwarnings("error")
def test_own_names_come_first_and_one_array_needs_none(file: Path) -> None:
    np.savez(file, inputs=IMAGES, x=IMAGES + 1, labels=CLASSES, y=CLASSES + 1)
    found = read_labels(file, None)
    assert np.array_equal(read_inputs(file).numpy(), IMAGES)
    assert found is not None and np.array_equal(found.numpy(), CLASSES)
    np.savez(file, y=IMAGES)
    assert np.array_equal(read_inputs(file).numpy(), IMAGES)
    assert read_labels(file, None) is None


def test_several_that_can_be_meant_are_listed(file: Path) -> None:
    np.savez(file, x=IMAGES, data=IMAGES, y=CLASSES)
    with pytest.raises(InputError, match=r"holds data \(5, 1, 4, 4\), x .*name the array 'inputs'"):
        read_inputs(file)
    np.savez(file, x=IMAGES, target=CLASSES, y=CLASSES)
    with pytest.raises(InputError, match="name the array 'labels'"):
        read_labels(file, None)
    np.savez(file, x_train=IMAGES, x_test=IMAGES, y_train=CLASSES, y_test=CLASSES)
    with pytest.raises(InputError, match=r"holds x_test .*name the array 'inputs'"):
        read_inputs(file)


@pytest.mark.parametrize("names", ["x y t p", "X Y TS pol", "xs ys timestamps polarity"])
def test_a_recording_has_all_four_columns(file: Path, names: str) -> None:
    np.savez(file, **dict.fromkeys(names.split(), CLASSES))
    with pytest.raises(InputError, match="as a recording of events does"):
        read_inputs(file)
