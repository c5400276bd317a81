"""Layers in one run of a graph's network: the walk is the model's, the arithmetic is theirs."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn

from stochi.deploy.graph.wiring import Path
from stochi.export.model.neuron import GraphNeuron, State
from stochi.program.layers import INPUT


class Output(NamedTuple):
    """What a layer gives in one time step, (batch, *shape).

    Attributes:
        sent: spikes; membranes of neurons that never spike; the input of a layer without neurons.
        membrane: membranes, before a reset that comes with the next time step; None without
            neurons.
    """

    sent: torch.Tensor
    membrane: torch.Tensor | None


@dataclass(frozen=True)
class Group:
    """Paths over the same nodes, whose sources are added before the first of them.

    Attributes:
        nodes: names of the nodes, in order.
        biases: how often each node's bias is added.
        sources: names of the sources, with the delays of their values in time steps.
    """

    nodes: tuple[str, ...]
    biases: tuple[int, ...]
    sources: tuple[tuple[str, torch.Tensor], ...]

    @property
    def follows_input(self) -> bool:
        """Whether it takes the input of the same time step only."""
        return all(source == INPUT and not delay.any() for source, delay in self.sources)


def group_paths(paths: tuple[Path, ...]) -> tuple[Group, ...]:
    """Group a layer's paths by the nodes that they run over."""
    found: dict[tuple[str, ...], list[Path]] = {}
    for path in paths:
        found.setdefault(path.nodes, []).append(path)
    return tuple(
        Group(
            nodes,
            tuple(map(sum, zip(*(path.biases for path in same), strict=True))),
            tuple((path.source, torch.from_numpy(path.delay)) for path in same),
        )
        for nodes, same in found.items()
    )


def separate_paths(paths: tuple[Path, ...]) -> tuple[Group, ...]:
    """Return each of a layer's paths as a group of its own."""
    return tuple(group for path in paths for group in group_paths((path,)))


class RunningLayer(ABC):
    """A layer in one run of the network; its arithmetic is the subclass's.

    Attributes:
        groups: the paths that feed the layer, in groups whose sources are added.
        neuron: the layer's neurons; None for a layer that only reads its input.
    """

    groups: tuple[Group, ...]
    neuron: GraphNeuron | None

    @abstractmethod
    def through(self, number: int, values: torch.Tensor) -> torch.Tensor:
        """Return what reaches the layer over a group of paths, (batch, *shape).

        Args:
            number: the group's number.
            values: the sum of what its sources sent, (batch, *source shape).
        """

    @abstractmethod
    def join(self, currents: list[torch.Tensor]) -> torch.Tensor:
        """Return the layer's input from what each of its groups gave, (batch, *shape)."""

    @abstractmethod
    def advance(self, current: torch.Tensor, state: State, step: int) -> tuple[torch.Tensor, State]:
        """Advance the neurons by a time step; return spikes and their state.

        Args:
            current: input of the neurons, (batch, *shape).
            step: number of the time step.
        """


class RealRunningLayer(RunningLayer):
    """A layer in real numbers."""

    def __init__(
        self, groups: tuple[Group, ...], nodes: dict[str, nn.Module], neuron: GraphNeuron | None
    ) -> None:
        self.groups, self.nodes, self.neuron = groups, nodes, neuron

    def through(self, number: int, values: torch.Tensor) -> torch.Tensor:
        """See :class:`RunningLayer`."""
        group = self.groups[number]
        for name, biases in zip(group.nodes, group.biases, strict=True):
            values = self.nodes[name](values, biases)
        return values

    def join(self, currents: list[torch.Tensor]) -> torch.Tensor:
        """See :class:`RunningLayer`."""
        return sum(currents[1:], currents[0])

    def advance(self, current: torch.Tensor, state: State, step: int) -> tuple[torch.Tensor, State]:
        """See :class:`RunningLayer`."""
        assert self.neuron is not None
        found: tuple[torch.Tensor, State] = self.neuron(current, state)
        return found
