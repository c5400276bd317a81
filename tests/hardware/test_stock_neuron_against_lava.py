import numpy as np
import pytest

from stochi.hardware.fixed_point import STATE_MAX
from stochi.hardware.neuron import stock_step


@pytest.mark.lava
def test_stock_step_is_lava_s_bit_accurate_lif() -> None:
    """Lava's own model, driven without a runtime, on a million random and extreme states."""
    from stochi.sim.lava.compatibility import import_lava

    import_lava()
    from lava.proc.lif.models import PyLifModelBitAcc

    rng = np.random.default_rng(0)
    n = 100_000
    for _ in range(10):
        keep, threshold = int(rng.integers(1, 4097)), int(rng.integers(0, 2**17))
        bias_mantissa, bias_exponent = rng.integers(-4096, 4096, n), int(rng.integers(0, 8))
        v = rng.integers(-STATE_MAX, STATE_MAX + 1, n)
        v[:4] = [-STATE_MAX, STATE_MAX, -1, 1]
        a = rng.integers(-(2**17), 2**17, n)
        a[:4] = [-(2**17), 2**17 - 1, 2**17 - 1, -(2**17)]
        model = PyLifModelBitAcc({})
        model.u, model.v = np.zeros(n, np.int32), v.astype(np.int32)
        model.du, model.dv, model.vth = 4095, 4096 - keep, threshold
        model.bias_mant, model.bias_exp = bias_mantissa.astype(np.int16), bias_exponent
        model.scale_bias()
        model.scale_threshold()
        model.subthr_dynamics(a.astype(np.int32))
        theirs = model.spiking_activation()
        model.reset_voltage(theirs)
        spikes, membrane = stock_step(v, a, keep, bias_mantissa << bias_exponent, threshold)
        assert np.array_equal(spikes, theirs)
        assert np.array_equal(membrane, model.v)
