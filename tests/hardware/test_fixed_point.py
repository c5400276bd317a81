import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from stochi.hardware.fixed_point import (
    DECAY_UNITY,
    STATE_MAX,
    saturate,
    scale_by_decay,
    shift,
    wrap,
)
from stochi.hardware.neuron import coupled_step, integrator_step, stock_step

STATES = st.integers(-STATE_MAX, STATE_MAX)
KEEPS = st.integers(0, DECAY_UNITY)


@given(STATES, KEEPS)
def test_decay_truncates_toward_zero(state: int, keep: int) -> None:
    exact = abs(state) * keep // DECAY_UNITY * (1 if state >= 0 else -1)
    assert scale_by_decay(np.array([state]), keep)[0] == exact
    assert int(scale_by_decay(torch.tensor([state]), keep)[0]) == exact


@given(st.integers(-(2**24) + 1, 2**24 - 1))
def test_wrap_keeps_what_fits_and_moves_the_rest_by_one_turn(value: int) -> None:
    wrapped = int(wrap(np.array([value]))[0])
    assert -(2**23) < wrapped <= 2**23
    assert (wrapped - value) % 2**24 == 0
    assert int(wrap(torch.tensor([value]))[0]) == wrapped


def test_saturate_clips_both_ends() -> None:
    values = np.array([-(2**40), -STATE_MAX - 1, 5, STATE_MAX + 1])
    assert saturate(values).tolist() == [-STATE_MAX, -STATE_MAX, 5, STATE_MAX]


def test_negative_exponents_round_down() -> None:
    assert shift(np.array([-3, 3]), -1).tolist() == [-2, 1]
    assert shift(np.array([-3, 3]), 2).tolist() == [-12, 12]


@given(STATES, st.integers(-(2**16), 2**16), KEEPS, st.integers(-(2**18), 2**18))
def test_coupled_neuron_follows_its_formula(v: int, a: int, k: int, bias: int) -> None:
    def trunc(x: int) -> int:
        return abs(x) // 4096 * (1 if x >= 0 else -1)

    threshold = 100
    expected = trunc(k * v) + trunc((4096 - k) * ((a << 6) + bias))
    expected = max(-STATE_MAX, min(STATE_MAX, expected))
    for array in (np.array, torch.tensor):
        spikes, membrane = coupled_step(array([v]), array([a]), k, bias, threshold)
        assert bool(spikes[0]) == (expected > threshold << 6)
        assert int(membrane[0]) == (0 if spikes[0] else expected)


def test_a_membrane_at_the_threshold_stays_silent() -> None:
    spikes, membrane = stock_step(np.array([6400, 6401]), np.array([0, 0]), DECAY_UNITY, 0, 100)
    assert spikes.tolist() == [False, True]
    assert membrane.tolist() == [6400, 0]


def test_integrator_sums_and_saturates() -> None:
    assert integrator_step(np.array([5]), np.array([2]), 3)[0] == 5 + 128 + 3
    assert integrator_step(np.array([STATE_MAX]), np.array([2]), 0)[0] == STATE_MAX
