"""Lines of shares against a budget in a figure, one for each network and place."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from stochi.statistics.intervals import Estimate
from stochi.study.layout import PLACES
from stochi.study.victims import FLOAT, NEURONS

if TYPE_CHECKING:  # matplotlib is slow to import
    from matplotlib.axes import Axes

STYLES = dict(zip(PLACES, ("-", (0, (5, 1, 1, 1, 1, 1)), "--", "-.", ":"), strict=True))
COLOURS = {name: f"C{number}" for number, name in enumerate(NEURONS)}


@dataclass(frozen=True)
class Point:
    """A share of one network in one place.

    Attributes:
        network: the network's title.
        place: "float", "mean", or the stand-in on the chip.
        at: where it stands on the axis.
        share: the share with its interval.
    """

    network: str
    place: str
    at: float
    share: Estimate


def draw_lines(panel: "Axes", points: Sequence[Point]) -> list[float]:
    """Draw a line for each network and place over a logarithmic axis; shade floats' intervals.

    Returns:
        Where the points stand on the axis, ascending, for its ticks.
    """
    for network, place in dict.fromkeys((point.network, point.place) for point in points):
        line = [p for p in points if (p.network, p.place) == (network, place)]
        line.sort(key=lambda point: point.at)
        at = [point.at for point in line]
        panel.plot(
            at,
            [100 * point.share.value for point in line],
            linestyle=STYLES[place],
            color=COLOURS[network],
            marker=".",
            label=f"{network}, {PLACES[place]}",
        )
        if place == FLOAT:
            low = [100 * point.share.low for point in line]
            high = [100 * point.share.high for point in line]
            panel.fill_between(at, low, high, color=COLOURS[network], alpha=0.12)
    panel.set_xscale("log")
    panel.minorticks_off()
    return sorted({point.at for point in points})
