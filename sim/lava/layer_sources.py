"""The sources of a layer that is one Lava process; Lava itself is not needed here."""

from stochi.errors import LoweringError
from stochi.program.layers import CONSTANT, Layer
from stochi.program.network import Network

MAX_SOURCES = 8
"""Number of ports of a layer's process."""


def sources_of(layer: Layer) -> list[str]:
    """Return the sources whose spikes arrive through ports; a layer remembers its own spikes."""
    names = dict.fromkeys(projection.source for projection in layer.projections)
    return [name for name in names if name not in (CONSTANT, layer.name)]


def check_sources(network: Network) -> None:
    """Raise LoweringError, naming the layer, if one has more sources than a process has ports."""
    for layer in network.layers:
        if len(sources_of(layer)) > MAX_SOURCES:
            raise LoweringError(
                f"layer {layer.name!r}: {len(sources_of(layer))} sources; on Lava a layer has"
                f" at most {MAX_SOURCES}; use backend='engine'"
            )
