"""A network in the chip's integers: what a Program's rules, engines and file speak of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stochi.program.layers import CONSTANT, INPUT, Layer, Projection
from stochi.program.target import Target

READOUTS = ("spikes", "membrane", "input")
OVER_TIME = ("mean", "last")


@dataclass(frozen=True, eq=False, repr=False)
class Network:
    """Layers and what is read of them; nothing is checked here.

    Attributes:
        target: what the network was lowered for.
        input_shape: shape of one image or frame.
        layers: in the order in which a time step computes them, which also numbers them for the
            noise.
        output: name of the layer that is read.
        readout: what of that layer gives the logits: its "spikes", its "membrane", or its "input",
            which integrators sum up in their membranes. Neurons that spike are read in one of the
            first two ways, others in one of the last two.
        over_time: the logits are that of a time step: its "mean" over a sample, or the "last" one.
    """

    target: Target
    input_shape: tuple[int, ...]
    layers: tuple[Layer, ...]
    output: str
    readout: str
    over_time: str = "mean"

    @property
    def classes(self) -> int:
        """Number of outputs that are read."""
        return self.layer(self.output).neurons

    @property
    def is_random(self) -> bool:
        """Whether anything in it is random."""
        return any(layer.decay.drawn or layer.generator is not None for layer in self.layers)

    @property
    def step_factors(self) -> np.ndarray:
        """Factors of the time steps in what is read, (time steps,) int64.

        Back ends multiply the output's spikes or membranes by these and add them up. An integrator
        holds the sum of its inputs, so the last input is its last membrane minus the one before.
        """
        if self.readout != "input" and self.over_time == "mean":
            return np.ones(self.target.time_steps, np.int64)
        factors = np.zeros(self.target.time_steps, np.int64)
        factors[-1] = 1
        if self.readout == "input" and self.over_time == "last":
            factors[-2:-1] = -1
        return factors

    def index(self, name: str) -> int:
        """Number of the layer of that name."""
        return next(i for i, layer in enumerate(self.layers) if layer.name == name)

    def layer(self, name: str) -> Layer:
        """Find the layer of that name."""
        return self.layers[self.index(name)]

    def source_shape(self, projection: Projection, layer: Layer) -> tuple[int, ...]:
        """Shape of what arrives at one of a layer's projections."""
        if projection.source == INPUT:
            return self.input_shape
        if projection.source == CONSTANT:
            return layer.shape
        return self.layer(projection.source).shape

    def largest_value(self, source: str) -> int:
        """Largest integer that a source sends."""
        return self.target.input_levels if source == INPUT else 1
