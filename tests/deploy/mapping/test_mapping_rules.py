"""Each rule on both sides of its limit, and delays of a pipeline."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from stochi.deploy import map_cores
from stochi.deploy.mapping import rules
from stochi.deploy.mapping.connections import weight_bits
from stochi.deploy.mapping.incoming import FORGETS, NEVER
from stochi.deploy.mapping.lists import Format
from stochi.deploy.mapping.pipeline import find_pipeline
from stochi.deploy.mapping.use import Use
from stochi.hardware.cores import CORES, CoreLimits
from stochi.program import Decay, OneToOne, Program, Projection
from stochi.program.network import Network
from tests.deploy.mapping.test_hand_worked import layer, network

LOIHI1 = CORES["loihi1"]
FORMATS = [Format("sparse", 8, 6, 0, 0, "mixed", exponent) for exponent in range(8)]
NOISES = [("membrane", 0, exponent) for exponent in range(2)]


@pytest.mark.parametrize(
    ("rule", "fits", "breaks", "says"),
    [
        (rules.neurons_fit, Use(1024), Use(1025), "1,025 neurons"),
        (rules.synaptic_memory_fits, Use(words=16384), Use(words=16385), "16,385 words"),
        (rules.lists_fit, Use(longest_list=256), Use(longest_list=257), "257 words"),
        (rules.input_axons_fit, Use(input_axons=4096), Use(input_axons=4097), "4,097 input axons"),
        (rules.output_axons_fit, Use(output_entries=4096), Use(output_entries=4097), "4,097"),
        (rules.axons_off_chip_fit, Use(off_chip=1024), Use(off_chip=1025), "leave the chip"),
        (
            rules.formats_fit,
            Use(formats=frozenset(FORMATS[:7])),
            Use(formats=frozenset(FORMATS)),
            "8 formats",
        ),
        (
            rules.configurations_fit,
            Use(configurations=frozenset((i, 0, 0, 0) for i in range(32))),
            Use(configurations=frozenset((i, 0, 0, 0) for i in range(33))),
            "33 distinct decays",
        ),
        (
            rules.thresholds_fit,
            Use(thresholds=frozenset(range(LOIHI1.thresholds or 0))),
            Use(thresholds=frozenset(range((LOIHI1.thresholds or 0) + 1))),
            "distinct thresholds",
        ),
        (
            rules.one_noise_setting_is_enough,
            Use(noise_settings=frozenset(NOISES[:1])),
            Use(noise_settings=frozenset(NOISES)),
            "2 settings of the noise generator",
        ),
        (
            rules.delays_leave_room_for_neurons,
            Use(512, delay_bits=4),
            Use(513, delay_bits=4),
            "delays of 4 bits, which leave 512",
        ),
    ],
)
def test_a_rule_holds_up_to_its_limit(
    rule: Callable[[Use, CoreLimits], str | None], fits: Use, breaks: Use, says: str
) -> None:
    assert rule(fits, LOIHI1) is None and rules.find_problem(fits, LOIHI1) is None
    message = rule(breaks, LOIHI1)
    assert message is not None and says in message and "; " in message
    assert rules.find_problem(breaks, LOIHI1) == message
    assert rule(replace(breaks, neurons=0), CORES["loihi2"]) is None  # unknown there


def test_every_rule_is_tested() -> None:
    assert len(rules.CORE_RULES) == 11


def test_neurons_and_input_that_a_chip_lacks() -> None:
    drawn = Decay(np.array([1, 2]), True, True, True)
    random = layer("out", np.ones((2, 3)), "input", decay=drawn)
    mapping = map_cores(network(random, inputs=3, chip="loihi2"), "loihi1")
    assert "programmable neurons" in mapping.problems[0] and "--noise" in mapping.problems[0]
    assert map_cores(network(random, inputs=3, chip="loihi2")).fits
    plain = network(layer("out", np.ones((2, 3)), "input"), inputs=3, chip="loihi2")
    graded = replace(plain, target=replace(plain.target, input_levels=255))
    assert "--events" in map_cores(graded, "loihi1").problems[0]
    assert map_cores(graded).fits and map_cores(plain, "loihi1").fits


def test_subtraction_takes_two_neurons_and_what_joins_them_on_loihi_1() -> None:
    out = layer("out", np.ones((2, 3)), "input", reset="subtract", reset_delay=True)
    program = network(out, inputs=3)
    (pairs,), (single,) = (map_cores(program, chip).cores for chip in ("loihi1", "loihi2"))
    assert (pairs.use.neurons, single.use.neurons) == (4, 2)
    # Beside 3 lists of 2 synapses from the input: for each pair an axon, a word and a synapse.
    assert (single.use.input_axons, single.use.words, single.use.synapses) == (3, 3, 6)
    assert (pairs.use.input_axons, pairs.use.words, pairs.use.synapses) == (3 + 2, 3 + 2, 6 + 2)
    assert (pairs.use.output_axons, pairs.use.output_entries, pairs.use.off_chip) == (2, 2, 0)
    # The integrators' threshold, the spiking neurons' configuration, the inhibition's format.
    assert pairs.use.thresholds == single.use.thresholds | {NEVER}
    assert pairs.use.configurations == single.use.configurations | {FORGETS}
    assert len(pairs.use.formats) == 2


def test_a_core_holds_half_as_many_neurons_that_subtract() -> None:
    for count, cores in ((512, 1), (513, 2)):
        out = layer("out", np.ones((count, 3)), "input", reset="subtract", reset_delay=True)
        mapping = map_cores(network(out, inputs=3))
        assert len(mapping.cores) == cores and mapping.use_of("out").neurons == 2 * count


@pytest.mark.parametrize(
    "changes",
    [
        {"reset": "subtract"},
        {"reset": "zero", "reset_delay": True},
        {"reset": "none"},
        {"reset": "subtract", "reset_delay": True, "refractory": 2},
        {"reset": "subtract", "reset_delay": True, "threshold_mantissa": np.array(513, np.int32)},
    ],
)
def test_resets_that_the_chip_s_neurons_do_not_have_are_refused(changes: dict[str, Any]) -> None:
    program = network(layer("out", np.ones((2, 3)), "input", **changes), inputs=3, chip="loihi2")
    assert map_cores(program).fits
    (problem,) = map_cores(program, "loihi1").problems
    assert "'out'" in problem and "lower the graph for loihi1" in problem


def test_long_delays_bind_only_where_their_limit_is_known() -> None:
    def delayed(steps: int, chip: str) -> Program:
        out = layer("out", np.ones((200, 3)), "input")
        late = replace(out.projections[0], delay=np.array(steps, np.int32))
        return network(replace(out, projections=(late,)), inputs=3, chip=chip)

    longest = map_cores(delayed(62, "loihi1"))
    # 6 bits leave 8192 / 64 neurons of a core.
    assert [core.use.neurons for core in longest.cores] == [100, 100]
    assert longest.cores[0].limited_by(longest.limits) == "delay_slots"
    assert longest.cores[0].fullness(longest.limits) == 100 / 128
    (problem,) = map_cores(delayed(63, "loihi2"), "loihi1").problems
    assert "wait 63 steps" in problem and "at most 62" in problem and "1 fewer step," in problem
    unknown = map_cores(delayed(63, "loihi2"))
    assert unknown.fits and "delays" in unknown.unknown


def test_skipped_layers_are_waited_for_and_short_loops_are_refused() -> None:
    first = layer("a", np.ones((2, 3)), "input")
    second, third = layer("b", np.ones((2, 2)), "a"), layer("c", np.ones((2, 2)), "b")
    skip = Projection("a", (OneToOne(np.ones((), np.int16)),), 0)
    third = replace(third, projections=(*third.projections, skip))
    program = network(first, second, third, inputs=3)
    pipeline = find_pipeline(program)
    assert pipeline.depths == {"a": 1, "b": 2, "c": 3}
    assert pipeline.delay(skip, "c") == 1 and pipeline.delay(third.projections[0], "c") == 0

    def looped(delay: int) -> Network:
        back = Projection("b", (OneToOne(np.ones((), np.int16)),), 0, np.array(delay, np.int32))
        return network(replace(first, projections=(*first.projections, back)), second, inputs=3)

    assert find_pipeline(looped(2)).problem == ""
    problem = find_pipeline(looped(1)).problem
    assert "a → b → a" in problem or "b → a → b" in problem
    assert "2 steps" in problem and "add up to 1" in problem and "1 more time step of" in problem


@pytest.mark.parametrize(
    ("weights", "bits"),
    [([255, 1], 8), ([254, -256], 8), ([128, -128], 2), ([64], 2), ([2], 8), ([0], 1), ([8], 5)],
)
def test_bits_of_a_weight(weights: list[int], bits: int) -> None:
    assert weight_bits(np.array(weights, np.int16)) == bits
