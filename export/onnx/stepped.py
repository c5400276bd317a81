"""What a network is to the loop over time: states, and a step that writes itself into a graph."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import torch

from stochi.errors import ExportError
from stochi.export.onnx.body import Body
from stochi.export.onnx.symbol import Symbol
from stochi.hardware.draws import Draws

FRAME, STEP = "frame", "step"
SAMPLES = "samples"
SEED, TRIAL, FIRST_SAMPLE = "seed", "trial", "first_sample"
Given = dict[str, Symbol]
LONGEST_DELAY = 1000
"""Most time steps that a value is kept: each is a state of its own in the ONNX model."""


def ages_kept(source: str, delays: Iterable[int]) -> int:
    """Return how many time steps back a source's values are needed.

    Args:
        delays: of all connections from it, in time steps.

    Raises:
        ExportError: a delay is too long.
    """
    longest = max(delays, default=0)
    if longest > LONGEST_DELAY:
        raise ExportError(
            f"a delay of {longest} time steps from {source!r}; an ONNX model keeps a value for at"
            f" most {LONGEST_DELAY}: shorten the delay, or run the Program (stochi.sim.run)"
        )
    return longest


@dataclass(frozen=True)
class Kind:
    """Type of a value, and its shape without samples."""

    dtype: torch.dtype
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Drawn:
    """Random numbers of a layer.

    Attributes:
        kind: what one draw for every neuron is.
        each_step: whether they are drawn anew at every time step.
    """

    kind: Kind
    each_step: bool


@dataclass(frozen=True)
class Advanced:
    """What a time step gives.

    Attributes:
        states: the states after it.
        read: what is read of the output layer.
        probes: layer → values.
    """

    states: Given
    read: Symbol
    probes: Given = field(default_factory=dict)


class SteppedNetwork(ABC):
    """A network whose time step writes itself into a graph.

    Attributes:
        time_steps: of a sample.
        input_shape: shape of an image or frame.
        streams: whether the input changes from time step to time step.
        inside: whether the graph draws its random numbers itself.
        draws: name of an input of draws → what it holds.
        states: name → kind of the states, all zero at the beginning.
        factors: (time steps,) factors with which what is read is added up; None for each step
            by itself.
    """

    time_steps: int
    input_shape: tuple[int, ...]
    streams: bool
    inside: bool
    draws: dict[str, Drawn]
    states: dict[str, Kind]
    factors: np.ndarray | None

    @abstractmethod
    def frames(self, shown: Symbol) -> Symbol:
        """Write the inputs as the layers take them."""

    @abstractmethod
    def once(self, body: Body, given: Given) -> Given:
        """Write what is the same at all time steps.

        Args:
            given: the frame, if it is the same at all time steps; the samples' numbers, seed and
                trial, if draws are made inside; the draws that last.
        """

    @abstractmethod
    def step(self, body: Body, given: Given) -> Advanced:
        """Write a time step.

        Args:
            given: the frame, the states, what :meth:`once` gave, and the draws of this step or
                what they are made of.
        """

    @abstractmethod
    def finish(self, read: Symbol) -> Given:
        """Write the outputs, by name, from the sum of what was read."""

    @abstractmethod
    def draw(self, name: str, batch: int, draws: Draws, step: int) -> np.ndarray:
        """Return what an input of draws holds for one time step, (batch, *shape)."""
