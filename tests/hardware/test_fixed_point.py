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
    values = np.array([-(2**30), -STATE_MAX - 1, 5, STATE_MAX + 1])
    assert saturate(values).tolist() == [-STATE_MAX, -STATE_MAX, 5, STATE_MAX]


def test_negative_exponents_round_down() -> None:
    assert shift(np.array([-3, 3]), -1).tolist() == [-2, 1]
    assert shift(np.array([-3, 3]), 2).tolist() == [-12, 12]
