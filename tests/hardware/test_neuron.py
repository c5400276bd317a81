"""The neurons' step against Python's integers, with every reset, over whole sequences."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stochi.hardware.fixed_point import DECAY_UNITY, STATE_MAX
from stochi.hardware.neuron import (
    NO_RESET,
    RESETS,
    SUBTRACT,
    TO_ZERO,
    NeuronKind,
    NeuronParameters,
    NeuronState,
    fire,
    integrate,
)
from tests.thoroughness import examples

KINDS = [
    NeuronKind(programmable, reset, delay, current, refractory)
    for programmable in (False, True)
    for reset in range(len(RESETS))
    for delay in (False, True)
    for current in (False, True)
    for refractory in (0, 1, 3)
    if not (delay and reset == NO_RESET)
]
SUMS = st.one_of(st.sampled_from([-(2**17) + 1, 2**17 - 1]), st.integers(-(2**17) + 1, 2**17 - 1))
BIASES = st.integers(-4096 * 128, 4095 * 128)
NOISES = st.integers(-(2**20), 2**20)
PARAMETERS = st.builds(
    NeuronParameters,
    st.one_of(st.sampled_from([0, 2048, DECAY_UNITY]), st.integers(0, DECAY_UNITY)),
    st.integers(0, DECAY_UNITY - 1),
    st.one_of(st.just(0), BIASES),
    st.one_of(st.sampled_from([0, 2**17 - 1]), st.integers(0, 4000)),
)


def truncated(x: int) -> int:
    return abs(x) // 4096 * (1 if x >= 0 else -1)


def wrapped(x: int) -> int:
    return x - 2**24 if x > 2**23 else x + 2**24 if x <= -(2**23) else x


@dataclass
class Reference:
    """A neuron as the documents describe it, which remembers its last spike.

    Attributes:
        rest: time steps of its refractory period that are left.
    """

    kind: NeuronKind
    numbers: NeuronParameters
    v: int = 0
    u: int = 0
    rest: int = 0
    spiked: bool = False

    def step(self, a: int, noise: int) -> bool:
        kind, numbers, theta = self.kind, self.numbers, 64 * self.numbers.threshold
        if self.spiked and kind.reset_current:
            self.u = 0
        self.u = wrapped(truncated(numbers.current_keep * self.u) + 64 * a + noise)
        drive = self.u + numbers.bias
        if kind.programmable:
            drive = truncated((4096 - numbers.keep) * drive)
        late = kind.reset_delay and self.spiked
        if late and RESETS[kind.reset] == "zero":
            self.v = 0
        taken = theta if late and RESETS[kind.reset] == "subtract" else 0
        if self.rest:
            self.rest -= 1
            self.v -= taken
            self.spiked = False
            return False
        whole = truncated(numbers.keep * self.v) + drive - taken
        self.v = max(-STATE_MAX, min(STATE_MAX, whole))
        self.spiked = self.v > theta
        if self.spiked:
            self.rest = kind.refractory
            if not kind.reset_delay:
                self.v = {"zero": 0, "subtract": self.v - theta, "none": self.v}[RESETS[kind.reset]]
        return self.spiked


@pytest.mark.parametrize(
    "array",
    [lambda x: np.array([x], np.int32), lambda x: torch.tensor([x], dtype=torch.int32)],
    ids=["numpy", "torch"],
)
@examples(80, 300)
@given(st.sampled_from(KINDS), PARAMETERS, st.lists(st.tuples(SUMS, NOISES), min_size=10))
def test_neurons_follow_their_formulae_in_32_bits(  # type: ignore[no-untyped-def]
    array, kind, numbers, inputs
) -> None:
    reference, state = Reference(kind, numbers), NeuronState(array(0), array(0), array(0))
    parameters = NeuronParameters(*map(array, numbers))
    for a, noise in inputs:
        expected = reference.step(a, noise)
        state = integrate(state, array(a), parameters, kind, array(noise))
        spikes, state = fire(state, parameters.threshold, kind)
        assert (bool(spikes[0]), int(state.membrane[0])) == (expected, reference.v)
        dropped = expected and kind.reset_current
        assert int(state.current[0]) == (0 if dropped else reference.u)


def stepped(kind: NeuronKind, inputs: list[int], keep: int = DECAY_UNITY) -> tuple[list, list]:
    """Run a neuron with threshold 6,400; return its spikes and its membranes."""
    state, spikes, membranes = NeuronState(np.array([0]), 0, np.array([0])), [], []
    for given_now in inputs:
        parameters = NeuronParameters(keep, 0, 0, 100)
        state = integrate(state, np.array([given_now]), parameters, kind)._replace(current=0)
        fired, state = fire(state, np.array([100]), kind)
        spikes.append(int(fired[0]))
        membranes.append(int(state.membrane[0]))
    return spikes, membranes


@pytest.mark.parametrize(
    ("reset", "delay", "membranes"),
    [
        (TO_ZERO, False, [6400, 0, 64]),
        (TO_ZERO, True, [6400, 6464, 64]),
        (SUBTRACT, False, [6400, 64, 128]),
        (SUBTRACT, True, [6400, 6464, 128]),
    ],
)
def test_a_membrane_at_the_threshold_stays_silent(
    reset: int, delay: bool, membranes: list[int]
) -> None:
    assert stepped(NeuronKind(False, reset, delay), [100, 1, 1]) == ([0, 1, 0], membranes)


def test_a_delayed_subtraction_repeats_while_the_membrane_is_above() -> None:
    spikes, membranes = stepped(NeuronKind(False, SUBTRACT, True), [350, 0, 0, 0, 0])
    assert spikes == [1, 1, 1, 0, 0] and membranes == [22400, 16000, 9600, 3200, 3200]


def test_a_subtraction_at_once_leaves_less_to_decay_than_one_after_the_decay() -> None:
    at_once = stepped(NeuronKind(False, SUBTRACT, False), [150, 0], keep=2048)[1]
    late = stepped(NeuronKind(False, SUBTRACT, True), [150, 0], keep=2048)[1]
    assert at_once == [3200, 1600] and late == [9600, -1600]


def test_without_a_reset_a_neuron_fires_until_it_has_decayed() -> None:
    spikes, membranes = stepped(NeuronKind(False, NO_RESET), [400, 0, 0, 0], keep=2048)
    assert spikes == [1, 1, 0, 0] and membranes == [25600, 12800, 6400, 3200]


def test_a_subtraction_saturates_after_the_whole_sum() -> None:
    """The decayed membrane and the input are above 24 bits together, less θ they are not."""
    state = NeuronState(np.array([STATE_MAX]), 0, 0)
    parameters = NeuronParameters(DECAY_UNITY, 0, 4095 << 7, 2**14)
    after = integrate(state, np.array([0]), parameters, NeuronKind(False, SUBTRACT, True))
    assert int(after.membrane[0]) == STATE_MAX + (4095 << 7) - (2**14 << 6)


@pytest.mark.parametrize(("reset", "delay"), [(TO_ZERO, False), (TO_ZERO, True), (SUBTRACT, True)])
def test_a_refractory_period_lasts_its_steps(reset: int, delay: bool) -> None:
    kind = NeuronKind(False, reset, delay, refractory=2)
    spikes, membranes = stepped(kind, [200] * 7)
    assert spikes == [1, 0, 0, 1, 0, 0, 1]
    held, top = (0, 12800) if reset == TO_ZERO else (6400, 19200)
    assert membranes[:4] == [12800 if delay else 0, held, held, top if delay else 0]


@examples(80, 300)
@given(PARAMETERS, st.lists(SUMS, min_size=10), st.booleans(), st.sampled_from([0, 1, 3]))
def test_a_delay_of_a_reset_to_zero_changes_no_spike(
    numbers: NeuronParameters, sums: list[int], current: bool, refractory: int
) -> None:
    found: list[list[bool]] = []
    for delay in (False, True):
        kind = NeuronKind(False, TO_ZERO, delay, current, refractory)
        state, spikes = NeuronState(*np.zeros((3, 1), np.int64)), []
        for a in sums:
            fired, state = fire(
                integrate(state, np.array([a]), numbers, kind), np.array([numbers.threshold]), kind
            )
            spikes.append(bool(fired[0]))
        found.append(spikes)
    assert found[0] == found[1]
