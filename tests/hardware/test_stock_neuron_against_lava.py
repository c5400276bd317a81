import numpy as np
import pytest

from stochi.hardware.fixed_point import STATE_MAX
from stochi.hardware.neuron import NeuronKind, NeuronParameters, NeuronState, fire, integrate

STATES = 1_000_000


@pytest.mark.lava
def test_the_stock_neuron_equals_lavas_bit_accurate_lif() -> None:
    """Lava's own model, driven without a runtime, on a million random and extreme states."""
    from stochi.sim.lava.compatibility import import_lava

    import_lava()
    from lava.proc.lif.models import PyLifModelBitAcc

    rng = np.random.default_rng(0)
    rounds, compared = 20, 0
    n = STATES // rounds
    for _ in range(rounds):
        keep, threshold = int(rng.integers(1, 4097)), int(rng.integers(0, 2**17))
        current_keep = int(rng.integers(0, 4096))
        bias_mantissa, bias_exponent = rng.integers(-4096, 4096, n), int(rng.integers(0, 8))
        v, u = (rng.integers(-STATE_MAX, STATE_MAX + 1, n) for _ in range(2))
        v[:4], u[:4] = [-STATE_MAX, STATE_MAX, -1, 1], [STATE_MAX, STATE_MAX + 1, -STATE_MAX, -1]
        a = rng.integers(-(2**17) + 1, 2**17, n)
        a[:4] = [-(2**17) + 1, 2**17 - 1, 2**17 - 1, -(2**17) + 1]
        model = PyLifModelBitAcc({})
        model.u, model.v = u.astype(np.int32), v.astype(np.int32)
        model.du, model.dv, model.vth = 4095 - current_keep, 4096 - keep, threshold
        model.bias_mant, model.bias_exp = bias_mantissa.astype(np.int16), bias_exponent
        model.scale_bias()
        model.scale_threshold()
        model.subthr_dynamics(a.astype(np.int32))
        theirs = model.spiking_activation()
        model.reset_voltage(theirs)
        bias = bias_mantissa << bias_exponent
        parameters = NeuronParameters(keep, current_keep, bias, threshold)
        state = integrate(NeuronState(v, u, 0), a, parameters, NeuronKind(programmable=False))
        spikes, state = fire(state, threshold, NeuronKind(programmable=False))
        assert np.array_equal(spikes, theirs)
        assert np.array_equal(state.membrane, model.v)
        assert np.array_equal(state.current, model.u)
        compared += n
    assert compared == STATES
