"""Colours and marks that are told apart in print and by the colour-blind.

The colours are Okabe's and Ito's, without their yellow, which is too pale for lines.
"""

from stochi.parity.results import CHIP, FLOAT, TWIN

BLUE, RED, GREEN, PINK = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, BLACK = "#E69F00", "#56B4E9", "#000000"
SIDE_COLOURS = {FLOAT: BLUE, TWIN: ORANGE, CHIP: GREEN}
"""Side → its colour."""
COLOURS = (BLUE, RED, GREEN, PINK, ORANGE, SKY, BLACK)
MARKS = ("o", "s", "D", "^", "v", "P", "X")


def look_of(number: int) -> tuple[str, str]:
    """Return colour and mark of one of several things; no two of the first 49 have both."""
    turns, place = divmod(number, len(COLOURS))
    return COLOURS[place], MARKS[(place + turns) % len(MARKS)]
