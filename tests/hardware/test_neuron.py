import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stochi.hardware.fixed_point import DECAY_UNITY, STATE_MAX
from stochi.hardware.neuron import NeuronState, fire, integrate

STATES = st.integers(-STATE_MAX, STATE_MAX)
KEEPS = st.integers(0, DECAY_UNITY)
SUMS = st.integers(-(2**17) + 1, 2**17 - 1)
BIASES = st.integers(-(2**19), 2**19)


def truncated(x: int) -> int:
    return abs(x) // 4096 * (1 if x >= 0 else -1)


def wrapped(x: int) -> int:
    return x - 2**24 if x > 2**23 else x + 2**24 if x <= -(2**23) else x


@pytest.mark.parametrize("array", [np.array, torch.tensor], ids=["numpy", "torch"])
@pytest.mark.parametrize("programmable", [True, False])
@given(st.tuples(STATES, STATES, st.integers(0, 2)), SUMS, KEEPS, st.integers(0, 4095), BIASES)
def test_integration_follows_its_formulas(  # type: ignore[no-untyped-def]
    array, programmable, before, a, keep, current_keep, bias
) -> None:
    v, u, waiting = before
    current = wrapped(truncated(current_keep * u) + (a << 6))
    drive = current + bias
    if programmable:
        drive = truncated((4096 - keep) * drive)
    updated = max(-STATE_MAX, min(STATE_MAX, truncated(keep * v) + drive))
    state = NeuronState(array([v]), array([u]), array([waiting]))
    after = integrate(state, array([a]), keep, current_keep, bias, programmable)
    assert int(after.current[0]) == current
    assert int(after.membrane[0]) == (v if waiting else updated)
    alone = integrate(NeuronState(array([v]), 0, 0), array([a]), keep, 0, bias, programmable)
    assert int(alone.current[0]) == a << 6


def test_a_membrane_at_the_threshold_stays_silent() -> None:
    spikes, after = fire(NeuronState(np.array([6400, 6401]), 0, 0), 100, False, 0)
    assert spikes.tolist() == [False, True]
    assert after.membrane.tolist() == [6400, 0]


def test_subtraction_keeps_the_rest() -> None:
    spikes, after = fire(NeuronState(np.array([6400, 6407]), 0, 0), 100, True, 0)
    assert spikes.tolist() == [False, True] and after.membrane.tolist() == [6400, 7]


def test_a_refractory_period_lasts_its_steps() -> None:
    state, spikes = NeuronState(np.array([0]), 0, np.array([0])), []
    for _ in range(7):
        state = integrate(state, np.array([200]), DECAY_UNITY, 0, 0, False)
        fired, state = fire(state, 100, False, 2)
        spikes.append(bool(fired[0]))
    assert spikes == [True, False, False, True, False, False, True]
