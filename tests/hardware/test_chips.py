"""Limits of the chips: published numbers, and the arithmetic that keeps them."""

import numpy as np
import pytest

from stochi.errors import InputError
from stochi.hardware.chips import (
    CEILING_EXPONENT,
    CEILING_EXPONENT_MAX,
    CHIPS,
    FLOOR_EXPONENT,
    FLOOR_EXPONENT_MAX,
    delay_bits,
    find_chip,
    membrane_ceiling,
    membrane_floor,
)
from stochi.hardware.cores import CORES
from stochi.hardware.fixed_point import saturate

LOIHI_1, LOIHI_2 = CHIPS["loihi1"], CHIPS["loihi2"]


def test_loihi_1_has_the_published_limits() -> None:
    assert (LOIHI_1.thresholds, LOIHI_1.configurations) == (7, 32)
    assert LOIHI_1.synaptic_sum_max == 2_097_151 and LOIHI_1.weight_max == 2_097_088
    assert LOIHI_1.refractory_max == 62 and LOIHI_1.delay_max == 62


def test_what_is_not_known_of_loihi_2_is_none() -> None:
    unknown = (LOIHI_2.thresholds, LOIHI_2.configurations, LOIHI_2.drive_max, LOIHI_2.weight_max)
    assert (*unknown, LOIHI_2.delay_max, CORES["loihi2"].delay_slots) == (None,) * 6
    assert CORES["loihi2"].neurons_with_delays(5) == 8192


def test_a_core_saturates_membranes_as_the_arithmetic_does() -> None:
    """With the exponents of a Program's cores, which are among those that a core has."""
    assert FLOOR_EXPONENT <= FLOOR_EXPONENT_MAX and CEILING_EXPONENT <= CEILING_EXPONENT_MAX
    ends = saturate(np.array([-(2**30), 2**30]))
    assert ends.tolist() == [membrane_floor(FLOOR_EXPONENT), membrane_ceiling(CEILING_EXPONENT)]
    assert (membrane_floor(0), membrane_ceiling(0)) == (0, 511)


@pytest.mark.parametrize(
    ("longest", "bits", "neurons"),
    [
        *((0, 0, 1024), (1, 3, 1024), (6, 3, 1024), (7, 4, 512), (14, 4, 512)),
        *((15, 5, 256), (30, 5, 256), (31, 6, 128), (62, 6, 128)),
    ],
)
def test_delay_bits_cost_neurons(longest: int, bits: int, neurons: int) -> None:
    assert delay_bits(longest) == bits
    assert CORES["loihi1"].neurons_with_delays(bits) == neurons


def test_subtraction_takes_two_neurons_without_microcode() -> None:
    found = {
        name: [chip.compartments(reset) for reset in ("zero", "subtract", "none")]
        for name, chip in CHIPS.items()
    }
    assert found == {"loihi1": [1, 2, 1], "loihi2": [1, 1, 1]}


def test_an_unknown_chip_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(InputError, match="unknown chip 'loihi3'; known chips: loihi1, loihi2"):
        find_chip("loihi3")
