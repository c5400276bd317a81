"""Mapped arrays, whose space on the disk is reserved."""

import errno
import os
from pathlib import Path

import numpy as np
import pytest

from stochi.errors import WriteError
from stochi.sim.mapped import create_mapped


def test_a_mapped_array_is_of_zeros_and_has_its_space(tmp_path: Path) -> None:
    path = tmp_path / "x.npy"
    array = create_mapped(path, np.int32, (3, 2**18))
    assert array.shape == (3, 2**18) and array.dtype == np.int32 and not array.any()
    assert path.stat().st_blocks * 512 >= array.nbytes
    array[1] = 7
    array.flush()
    assert (np.load(path)[1] == 7).all()


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.EINVAL, None])
def test_where_space_cannot_be_reserved_zeros_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int | None
) -> None:
    def refuse(*_: int) -> None:
        assert number is not None
        raise OSError(number, "not here")

    if number is None:  # as on macOS
        monkeypatch.delattr(os, "posix_fallocate")
    else:
        monkeypatch.setattr(os, "posix_fallocate", refuse)
    test_a_mapped_array_is_of_zeros_and_has_its_space(tmp_path)


def test_too_little_space_is_an_error_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    with pytest.raises(WriteError, match=r"x\.npy: not written: No space left on device; free"):
        create_mapped(tmp_path / "x.npy", np.uint8, (10,))
    assert os.listdir(tmp_path) == []
