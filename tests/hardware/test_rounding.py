import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stochi.hardware.rounding import round_keeping_row_sums


@given(st.integers(1, 6), st.integers(1, 80), st.floats(0.01, 100), st.integers(0, 999))
def test_sums_are_kept_by_the_fewest_changes(
    rows: int, columns: int, size: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    values = size * torch.randn(rows, columns, generator=generator, dtype=torch.float64)
    rounded, nearest = round_keeping_row_sums(values), torch.round(values)
    assert bool(((rounded == values.floor()) | (rounded == values.ceil())).all())
    assert float((rounded - values).sum(1).abs().max()) <= 0.5 + 1e-9
    missing = (values - nearest).sum(1).round().abs()
    assert torch.equal((rounded != nearest).sum(1).double(), missing)
    # The changed values were nearer to the other side than any unchanged one.
    distance = (values - nearest).abs()
    changed = rounded != nearest
    for row in range(rows):
        towards = changed[row].any() and (rounded - nearest)[row][changed[row]][0]
        same_way = ~changed[row] & ((values - nearest)[row].sign() == towards)
        if changed[row].any() and same_way.any():
            assert distance[row][changed[row]].min() >= distance[row][same_way].max() - 1e-12


def test_errors_that_add_up_are_compensated() -> None:
    alike = round_keeping_row_sums(torch.full((2, 10), 0.4).double())
    assert alike.tolist() == [[1.0] * 4 + [0.0] * 6] * 2  # the first ones of equal errors
    kernels = torch.full((3, 2, 3, 3), -1.7).double()
    assert round_keeping_row_sums(kernels).flatten(1).sum(1).tolist() == [-31, -31, -31]


@pytest.mark.parametrize("shape", [(4, 7), (3, 2, 3, 3), (2, 0)])
def test_whole_numbers_stay_as_they_are(shape: tuple[int, ...]) -> None:
    whole = torch.arange(-20, 100, dtype=torch.float64)[: torch.Size(shape).numel()].view(shape)
    assert torch.equal(round_keeping_row_sums(whole), whole)
    assert torch.equal(round_keeping_row_sums(torch.zeros(shape).double()), torch.zeros(shape))
