from collections.abc import Iterator

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from stochi.hardware import synapses
from stochi.hardware.sums import partial_sum_bound
from stochi.hardware.synapses import (
    exact_conv2d,
    exact_linear,
    exact_sum_pool2d,
    exact_weight,
)


def integers(low: int, high: int, *shape: int) -> torch.Tensor:
    return torch.randint(low, high + 1, shape)


def slow_conv(x, w, stride, padding, dilation, groups):  # type: ignore[no-untyped-def]
    """Convolve by definition, in integers."""
    x = functional.pad(x, (padding[1], padding[1], padding[0], padding[0]))
    kh, kw = w.shape[2:]
    height = (x.shape[2] - dilation[0] * (kh - 1) - 1) // stride[0] + 1
    width = (x.shape[3] - dilation[1] * (kw - 1) - 1) // stride[1] + 1
    out = torch.zeros(len(x), len(w), height, width, dtype=torch.int64)
    size = len(w) // groups
    for o in range(len(w)):
        first = (o // size) * w.shape[1]
        for i in range(kh):
            for j in range(kw):
                seen = x[
                    :,
                    first : first + w.shape[1],
                    i * dilation[0] : i * dilation[0] + (height - 1) * stride[0] + 1 : stride[0],
                    j * dilation[1] : j * dilation[1] + (width - 1) * stride[1] + 1 : stride[1],
                ]
                out[:, o] += (seen * w[o, :, i, j].view(1, -1, 1, 1)).sum(1)
    return out


PAIRS = st.tuples(st.integers(1, 3), st.integers(1, 3))


@settings(max_examples=60, deadline=None)
@given(PAIRS, PAIRS, st.tuples(st.integers(0, 3), st.integers(0, 3)), PAIRS, st.integers(1, 3))
def test_any_convolution_follows_its_definition(kernel, stride, padding, dilation, groups) -> None:  # type: ignore[no-untyped-def]
    x = integers(0, 255, 3, 2 * groups, 7, 8)
    w = integers(-256, 254, 3 * groups, 2, *kernel)
    options = (stride, padding, dilation, groups)
    assert torch.equal(exact_conv2d(x, exact_weight(w, 255), *options), slow_conv(x, w, *options))


@given(st.integers(1, 40), st.booleans(), st.integers(0, 99))
def test_no_partial_sum_exceeds_its_bound(inputs: int, even: bool, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    w = torch.randint(-127, 128, (5, inputs), generator=generator) * (2 if even else 1)
    x = torch.randint(0, 256, (20, inputs), generator=generator)
    order = torch.randperm(inputs, generator=generator)
    partial = (x[:, None] * w[None])[..., order].cumsum(2)
    unit = 1 if bool((w & 1).any()) else 2
    assert int(partial.abs().max()) <= 255 * partial_sum_bound(w) * unit


def test_even_weights_have_one_more_bit_in_a_float() -> None:
    w = torch.full((1, 300), 254)
    assert exact_weight(w, 255).dtype == torch.float32  # 19.4 million, but in steps of 2
    assert exact_weight(w - 1, 255).dtype == torch.float64
    assert exact_linear(torch.full((1, 300), 255), exact_weight(w, 255)).item() == 300 * 254 * 255


def test_parts_of_a_batch_are_joined(monkeypatch: pytest.MonkeyPatch) -> None:
    x, w = integers(0, 255, 7, 2, 5, 5), exact_weight(integers(-256, 254, 3, 2, 3, 3), 255)
    whole = exact_conv2d(x, w, (1, 1), (1, 1), (1, 1), 1)
    monkeypatch.setattr(synapses, "_GATHERED_ELEMENTS", 1000)
    assert torch.equal(whole, exact_conv2d(x, w, (1, 1), (1, 1), (1, 1), 1))


def test_sums_beyond_float32_are_exact() -> None:
    x, w = torch.full((1, 4000), 255), torch.full((2, 4000), 255)
    w[1, 0] = 254
    assert exact_linear(x, exact_weight(w, 255)).tolist() == [
        [255 * 255 * 4000, 255 * 255 * 4000 - 255]
    ]


@pytest.fixture(params=["old switch", "new switch"])
def low_precision(request: pytest.FixtureRequest) -> Iterator[None]:
    setting = torch.backends.mkldnn.matmul
    before = setting.fp32_precision
    if request.param == "new switch":
        setting.fp32_precision = "bf16"
        yield
    else:
        torch.set_float32_matmul_precision("medium")
        yield
        torch.set_float32_matmul_precision("highest")
    setting.fp32_precision = before


@pytest.mark.usefixtures("low_precision")
def test_a_users_low_precision_has_no_effect() -> None:
    x, w = integers(0, 255, 64, 300), integers(-256, 254, 64, 300)
    weight = exact_weight(w, 255)
    assert weight.dtype == torch.float64
    assert torch.equal(exact_linear(x, weight), (x[:, None] * w[None]).sum(2))


@given(st.integers(1, 3), st.integers(1, 3), st.integers(0, 2))
def test_pooling_sums_windows(kernel: int, stride: int, padding: int) -> None:
    x = integers(0, 255, 2, 3, 6, 7)
    ones = torch.ones(3, 1, kernel, kernel, dtype=torch.int64)
    expected = slow_conv(x, ones, (stride,) * 2, (padding,) * 2, (1, 1), 3)
    found = exact_sum_pool2d(x, (kernel,) * 2, (stride,) * 2, (padding,) * 2)
    assert torch.equal(found, expected)
