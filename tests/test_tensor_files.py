"""Digests of plain values and tensors."""

import pytest
import torch

from stochi.tensor_files import digest_of


def test_what_counts_in_a_digest() -> None:
    values = torch.arange(6.0).reshape(2, 3)
    digest = digest_of({"a": values, "b": [1, "x", None]})
    assert digest == digest_of({"b": [1, "x", None], "a": values.clone()})
    for other in (values.double(), values.reshape(3, 2), values + 1):
        assert digest != digest_of({"a": other, "b": [1, "x", None]})


@pytest.mark.parametrize("strange", [torch.zeros(2, device="meta"), torch.eye(2).to_sparse(), {1j}])
def test_what_has_no_digest(strange: object) -> None:
    with pytest.raises(ValueError, match=r"a tensor of|a value of type"):
        digest_of([strange])


@pytest.mark.cuda
def test_a_gpu_changes_no_digest() -> None:
    values = torch.rand(5, 7)
    assert digest_of([values]) == digest_of([values.cuda()])
