import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from stochi.errors import LoweringError
from stochi.hardware.fixed_point import STATE_MAX
from stochi.hardware.quantization import ProjectionValues, quantize_layer


def quantize(weight, bias=None, threshold=0.5, input_scale=1.0, input_max=1):  # type: ignore[no-untyped-def]
    bias = torch.zeros(len(weight)) if bias is None else bias
    values = [ProjectionValues(weight, input_scale, input_max)]
    return quantize_layer("lif1", values, bias, torch.tensor(threshold))


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 8), st.integers(1, 300), st.floats(0.01, 50), st.floats(0, 3), st.integers(0, 99)
)
def test_grid_is_close_and_never_overflows(
    outputs: int, inputs: int, size: float, bias_size: float, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    weight = size * torch.randn(outputs, inputs, generator=generator)
    bias = bias_size * float(weight.abs().max()) * torch.randn(outputs, generator=generator)
    q = quantize(weight, bias, threshold=size, input_scale=255.0, input_max=255)
    mantissas, exponent = q.projections[0].weight, q.projections[0].exponent
    mixed = bool((weight > 0).any()) and bool((weight < 0).any())
    if mixed:
        assert bool((mantissas % 2 == 0).all())
    assert int(mantissas.min()) >= -256 and int(mantissas.max()) <= 255
    step = 2.0**exponent * 255 / q.scale
    spacing = 2 if mixed else 1  # if signs mix, mantissas are even
    errors = (mantissas.double() * step - weight.double()) / (step * spacing)
    assert float(errors.abs().max()) <= 1.001  # to the mantissa below or above
    assert float(errors.sum(1).abs().max()) <= 0.501  # so the sum is nearly the real one
    drive = 64 * (mantissas.abs().sum(1) * 255) * 2.0**exponent + q.bias.abs()
    assert float(drive.max()) <= STATE_MAX + 2.0**q.bias_exponent
    assert int(q.bias_mantissa.min()) >= -4096 and int(q.bias_mantissa.max()) <= 4095
    unit = 64 * q.scale
    assert float((q.bias / unit - bias).abs().max()) <= 2.0**q.bias_exponent / unit
    assert float(q.threshold_mantissa) == pytest.approx(q.scale * size, abs=0.51)


def test_a_bias_of_each_neuron_shares_one_exponent() -> None:
    bias = torch.linspace(-3, 5, 24, dtype=torch.float64).reshape(2, 3, 4)
    q = quantize(torch.tensor([[1.0, -0.5], [0.5, 2.0]]), bias)
    assert q.bias_mantissa.shape == bias.shape and 0 < q.bias_exponent < 8
    assert float((q.bias / (64 * q.scale) - bias).abs().max()) <= 2.0**q.bias_exponent / (
        64 * q.scale
    )
    assert int(q.bias_mantissa.abs().max()) > 2048  # so no smaller exponent fits


def test_single_signed_weights_use_odd_mantissas_too() -> None:
    assert quantize(torch.tensor([[1.0, 0.5, 2.0]])).projections[0].weight.tolist() == [
        [127, 64, 255]
    ]
    assert quantize(torch.tensor([[-1.0, -2.0]])).projections[0].weight.tolist() == [[-128, -255]]


def test_several_projections_share_the_scale() -> None:
    large, small = torch.tensor([[0.9, -1.0]]), torch.tensor([[0.02, -0.03]])
    values = [ProjectionValues(small, 1.0, 1), ProjectionValues(large, 255.0, 255)]
    q = quantize_layer("lif1", values, torch.zeros(1), torch.tensor(0.5))
    for real, input_scale, found in zip((small, large), (1.0, 255.0), q.projections, strict=True):
        step = 2.0**found.exponent * input_scale / q.scale
        assert float((found.weight * step - real).abs().max()) <= 2.001 * step
        assert int(found.weight.abs().max()) > 127


def test_all_zero_weights_are_allowed() -> None:
    assert quantize(torch.zeros(2, 3)).projections[0].weight.abs().sum() == 0


@pytest.mark.parametrize(
    ("weight", "bias", "threshold", "says"),
    [
        (math.nan, 0.0, 0.5, "weight is not finite"),
        (1.0, math.inf, 0.5, "bias is not finite"),
        (1.0, 0.0, -1.0, "above 0"),
        (1e9, 0.0, 1e-6, "rounds to 0"),
        (1e-9, 1e9, 0.5, "weight exponent"),
    ],
)
def test_values_that_do_not_fit_raise_with_the_layers_name(
    weight: float, bias: float, threshold: float, says: str
) -> None:
    with pytest.raises(LoweringError, match=says) as error:
        quantize(torch.full((1, 2), weight), torch.full((1,), bias), threshold)
    assert "lif1" in str(error.value)
