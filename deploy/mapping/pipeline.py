"""Delays of a network whose layers follow each other in a pipeline.

A Program's connection of delay 0 takes the spikes of the same time step. Between a chip's cores a
spike arrives in the next step (Davies et al., IEEE Micro 2018), so the layer of depth n runs n
steps behind the input. A connection that skips layers waits for the others: its synapses have a
delay of what its layers' depths differ by, less 1, plus the Program's own.

Assumed: the host sends the input to each layer at the right step.
"""

from dataclasses import dataclass

import numpy as np

from stochi.program.layers import CONSTANT, INPUT, Projection
from stochi.program.network import Network


@dataclass(frozen=True)
class Pipeline:
    """Depths of a network's layers.

    Attributes:
        depths: by layer's name, from 1; empty if a loop is too short.
        problem: why there are none, and what to change; "" if there are.
    """

    depths: dict[str, int]
    problem: str

    def delay(self, projection: Projection, target: str) -> int:
        """Return the longest delay that a projection's synapses have, in steps of the chip."""
        if projection.source in (INPUT, CONSTANT):
            return projection.longest_delay if projection.source == INPUT else 0
        behind = self.depths[target] - self.depths[projection.source] - 1
        return behind + projection.longest_delay


def find_pipeline(network: Network) -> Pipeline:
    """Find the smallest depths at which every spike can arrive in time."""
    depths = {layer.name: 1 for layer in network.layers}
    came_from: dict[str, str] = {}
    edges = [
        (projection.source, layer.name, 1 - int(np.min(projection.delay)))
        for layer in network.layers
        for projection in layer.projections
        if projection.source not in (INPUT, CONSTANT)
    ]
    for _ in range(len(depths) + 1):
        moved = ""
        for source, target, steps in edges:
            if depths[target] < depths[source] + steps:
                depths[target], came_from[target], moved = depths[source] + steps, source, target
        if not moved:
            return Pipeline(depths, "")
    return Pipeline({}, _short_loop(moved, came_from, edges))


def _short_loop(start: str, came_from: dict[str, str], edges: list[tuple[str, str, int]]) -> str:
    for _ in came_from:
        start = came_from[start]
    loop = [start]
    while came_from[loop[-1]] != start:
        loop.append(came_from[loop[-1]])
    loop.reverse()
    pairs = list(zip(loop, [*loop[1:], loop[0]], strict=True))
    missing = sum(max(s for a, b, s in edges if (a, b) == pair) for pair in pairs)
    around = " → ".join([*loop, loop[0]])
    return (
        f"loop {around}: a spike takes {len(loop)} steps around it on the chip, one for each layer,"
        f" and the Program's delays add up to {len(loop) - missing}; smallest change that fits:"
        f" {missing} more time step{'s' * (missing > 1)} of delay on one of its connections"
    )
