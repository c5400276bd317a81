"""Inputs that are unlike a sample, on which its graph must agree with its model all the same."""

from collections.abc import Iterator

import torch

_DIM = 0.3
_ROWS = 4


def inputs_unlike(
    sample: torch.Tensor, batch_axis: int, thorough: bool
) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield inputs within the sample's range, with words that describe them.

    Args:
        sample: a batch of inputs.
        batch_axis: its axis that counts them.
        thorough: whether to try many, because forward reads values.
    """
    times = f"{_DIM:g} times the sample"
    yield f"a single input, {times}", _dimmed(sample.narrow(batch_axis, 0, 1))
    if not thorough:
        return
    yield times, _dimmed(sample)
    yield "zeros", torch.zeros_like(sample)
    yield "ones", torch.ones_like(sample)
    yield "the largest value everywhere", torch.full_like(sample, sample.max().item())
    for row in range(min(_ROWS, sample.shape[batch_axis])):
        yield "a single input", sample.narrow(batch_axis, row, 1)


def _dimmed(sample: torch.Tensor) -> torch.Tensor:
    dimmed = sample.double() * _DIM
    return (dimmed if sample.is_floating_point() else dimmed.round()).to(sample.dtype)
