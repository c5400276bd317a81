"""Numbers and counts as people read them: no "-0.0", no "1 trials"."""

import re

from hypothesis import given
from hypothesis import strategies as st

from stochi.parity.words import number
from stochi.plain_text import counted, decimal, in_percent, interval_in_percent, signed

FINITE = st.floats(-1e6, 1e6) | st.floats(-1e-3, 1e-3)
DIGITS = st.integers(0, 6)


@given(FINITE, DIGITS)
def test_what_rounds_to_0_has_no_minus(value: float, digits: int) -> None:
    zero = f"{0:.{digits}f}"
    for shown in (decimal(value, digits), in_percent(value, digits).removesuffix("%")):
        assert shown not in (f"-{zero}", f"−{zero}")
    assert signed(value, digits) != f"−{zero}"
    assert signed(value, digits)[0] in "+−"


@given(FINITE, DIGITS)
def test_other_numbers_are_as_python_rounds_them(value: float, digits: int) -> None:
    shown = decimal(value, digits).replace("−", "-")
    assert shown == f"{value:.{digits}f}" or float(shown) == 0
    assert abs(float(shown) - value) <= 0.5000001 * 10**-digits
    assert in_percent(value, digits) == f"{decimal(100 * value, digits)}%"


def test_what_is_no_number_is_shown_as_such() -> None:
    assert decimal(float("nan"), 1) == "nan" and signed(float("inf"), 2) == "+inf"
    assert decimal(-0.04, 1) == "0.0" and in_percent(-0.0004, 1) == "0.0%"
    assert number(-0.0) == "0" and number(-0.5) == "−0.5"
    assert interval_in_percent(0.125, -0.0001, 0.2) == "12.5% [0.0%, 20.0%]"


@given(st.integers(0, 10**9))
def test_one_is_singular_and_all_others_are_plural(count: int) -> None:
    assert (counted(count, "trial") == "1 trial") == (count == 1)
    assert re.fullmatch(r"1 batch|[\d,]+ batches", counted(count, "batch", "batches"))
    assert counted(count, "trial").split()[0].replace(",", "") == f"{count}"
