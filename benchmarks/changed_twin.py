"""A twin some of whose layers advance in another way, for stand-ins that the twin does not know."""

from collections.abc import Callable

import torch

from stochi.export.model.model import GraphModel
from stochi.export.model.running import RunningLayer
from stochi.train.twin.layer import RunningTwinLayer
from stochi.train.twin.model import Twin


class ChangedLayer(RunningLayer):
    """A layer that advances in another way; its input is the same."""

    def __init__(self, layer: RunningTwinLayer) -> None:
        self.inner = layer
        self.groups, self.neuron = layer.groups, layer.neuron

    def through(self, number: int, values: torch.Tensor) -> torch.Tensor:
        """See :class:`RunningLayer`."""
        return self.inner.through(number, values)

    def join(self, currents: list[torch.Tensor]) -> torch.Tensor:
        """See :class:`RunningLayer`."""
        return self.inner.join(currents)


class ChangedTwin(Twin):
    """A twin with changed layers; parameters and draws are shared with the twin it is made of.

    Args:
        twin: the twin.
        change: a layer's name, and the layer in a run → the layer in its place.
    """

    def __init__(self, twin: Twin, change: Callable[[str, RunningTwinLayer], RunningLayer]) -> None:
        GraphModel.__init__(self, twin.graph, twin.wiring, twin.nodes, twin.reading)
        self.target, self.now, self.layers = twin.target, twin.now, twin.layers
        self.change = change
        self.train(twin.training)

    def begin(self) -> dict[str, RunningLayer]:
        """See :meth:`GraphModel.begin`."""
        found: dict[str, RunningLayer] = {}
        for name, layer in super().begin().items():
            assert isinstance(layer, RunningTwinLayer)
            found[name] = self.change(name, layer)
        return found
