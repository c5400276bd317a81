"""The sentence with which ``stochi attack`` ends."""

from stochi.commands.attack import found_words
from tests.parity.small_reports import accuracy_row, plain_report


def test_the_lowest_row_is_named() -> None:
    rows = (accuracy_row(), accuracy_row("noise", 0.85), accuracy_row("PGD", 0.4, -0.1))
    assert found_words(plain_report(accuracy=rows)) == (
        "At the lowest, under PGD, the chip is right on 40.0% of 100 images and the float model on"
        " 50.0%; clean, on 90.0% and 90.0%. Chip − float: −10.0 [−12.0, −8.0] points."
    )


def test_attacks_that_found_nothing() -> None:
    rows = (accuracy_row(), accuracy_row("noise", 0.9))
    assert found_words(plain_report(accuracy=rows)).startswith("No attack lowered the chip's")
    assert found_words(plain_report()) == "Nothing was attacked."
