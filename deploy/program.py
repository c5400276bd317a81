"""The Program: a network in the chip's integers, the one form between a graph and a run."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch

from stochi.hardware.fixed_point import GRADED_INPUT_MAX
from stochi.hardware.synapses import partial_sum_bound

INPUT = "input"
"""The source whose values are what is shown to the network."""
CONSTANT = "constant"
"""A source of ones at every step, of whatever shape its target has: a neuron that always spikes.
It carries the bias of neurons with synaptic memory, which the chip's own bias does not pass."""
IMAGE_LEVELS = GRADED_INPUT_MAX


@dataclass(frozen=True)
class Dense:
    """Fully connected synapses; ``weight``: (outputs, inputs) int16 mantissas."""

    weight: np.ndarray


@dataclass(frozen=True)
class Convolution:
    """2-d convolution (torch's correlation); ``weight``: (O, I/groups, kH, kW) int16."""

    weight: np.ndarray
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int


@dataclass(frozen=True)
class OneToOne:
    """Each neuron of the source feeds its own target; ``weight``: int16, broadcasts over them."""

    weight: np.ndarray


@dataclass(frozen=True)
class SumPool:
    """Sums over windows, zeros outside; a mean's divisor is in the weights' scale."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]


@dataclass(frozen=True)
class Flatten:
    """(C, H, W) → (C·H·W,) in C order."""


Weighted = Dense | Convolution | OneToOne
Stage = Weighted | SumPool | Flatten


def _no_delay() -> np.ndarray:
    return np.zeros((), np.int32)


@dataclass(frozen=True)
class Synapses:
    """One of a layer's inputs.

    Attributes:
        source: ``"input"``, ``"constant"`` or a layer's name.
        stages: linear steps in order, exactly one of them with weights.
        weight_exponent: the summed result is shifted by it, in [−8, 7].
        delay: axonal, in steps: int32, scalar or of the source's shape. 0 takes the spikes of this
            step; a source that comes later in the Program, or is the layer itself, needs 1.
    """

    source: str
    stages: tuple[Stage, ...]
    weight_exponent: int
    delay: np.ndarray = field(default_factory=_no_delay)

    @property
    def weight(self) -> np.ndarray:
        """The mantissas of the stage with weights."""
        return next(s.weight for s in self.stages if isinstance(s, Weighted))

    @property
    def longest_delay(self) -> int:
        """In steps."""
        return int(np.max(self.delay))

    @cached_property
    def partial_sum_bound(self) -> float:
        """See :func:`stochi.hardware.synapses.partial_sum_bound`."""
        return partial_sum_bound(torch.from_numpy(self.weight))

    @cached_property
    def even(self) -> bool:
        """Whether all mantissas are."""
        return not np.any(self.weight & 1)

    @cached_property
    def by_axon(self) -> np.ndarray:
        """A dense weight with a row for each input, contiguous; halved where all are even."""
        return np.ascontiguousarray((self.weight >> self.even).T)

    def largest_sum(self, largest_input: int) -> int:
        """A bound on the absolute sum that reaches a neuron, before the weight exponent."""
        bound = largest_input
        for stage in self.stages:
            if isinstance(stage, SumPool):
                bound *= math.prod(stage.kernel)
            elif isinstance(stage, OneToOne):
                bound *= int(np.abs(stage.weight.astype(np.int64)).max())
            elif isinstance(stage, Weighted):
                rows = np.abs(stage.weight.astype(np.int64)).reshape(len(stage.weight), -1)
                bound *= int(rows.sum(1).max())
        return bound


@dataclass(frozen=True)
class Decay:
    """A membrane's decay ``keep = 4096 − dv``.

    Attributes:
        values: (2^b,) table of drawn decays, or fixed ones: scalar () or of the layer's shape.
        drawn: whether ``values`` is a table to draw from.
        redraw: draw at every step, else once for each sample.
        programmable: the decay also scales the input (microcode), else the stock neuron.
    """

    values: np.ndarray
    drawn: bool
    redraw: bool
    programmable: bool


NOISE_TARGETS = ("membrane", "current")


@dataclass(frozen=True)
class Generator:
    """Loihi's stock noise generator, one setting for a layer's cores.

    Attributes:
        target: what it is added to at every step, "membrane" or "current".
        mantissa, exponent: see :func:`stochi.hardware.noise.generator_value`.
    """

    target: str
    mantissa: int
    exponent: int


@dataclass(frozen=True)
class Layer:
    """Synapses and the neurons they feed.

    Attributes:
        name: the neuron's name in the graph (a readout has its weights' name).
        shape: of the neurons.
        synapses: every input of the layer.
        bias_mantissa, bias_exponent: (outputs,) int16; added to the membrane's input.
        decay: of the membrane.
        current_keep: ``4095 − du`` of the synaptic current, int16, scalar or of ``shape``; None
            for neurons without synaptic memory (du = 4095).
        threshold_mantissa: int32, scalar or of ``shape``; None for neurons that never spike.
        subtract: a spike takes the threshold off the membrane, instead of setting it to 0.
        refractory: steps after a spike in which the membrane stands still.
        scale: synaptic integers per unit of the model's current.
        generator: of additive noise, or None.
        threshold_factor: by how much a calibration multiplied the model's thresholds.
    """

    name: str
    shape: tuple[int, ...]
    synapses: tuple[Synapses, ...]
    bias_mantissa: np.ndarray
    bias_exponent: int
    decay: Decay
    threshold_mantissa: np.ndarray | None
    scale: float
    current_keep: np.ndarray | None = None
    subtract: bool = False
    refractory: int = 0
    generator: Generator | None = None
    threshold_factor: float = 1.0

    @property
    def spikes(self) -> bool:
        """Whether its neurons have a threshold."""
        return self.threshold_mantissa is not None

    @property
    def neurons(self) -> int:
        """How many."""
        return math.prod(self.shape)

    def bias(self) -> np.ndarray:
        """The effective bias in units of the membrane, int64, broadcastable over ``shape``."""
        effective = self.bias_mantissa.astype(np.int64) << self.bias_exponent
        return effective.reshape((-1,) + (1,) * (len(self.shape) - 1))


READOUTS = ("spikes", "membrane", "input")


@dataclass(frozen=True, eq=False, repr=False)
class Program:
    """A network ready for the chip. Its limits are checked when it is made.

    Attributes:
        chip, noise: what it was lowered for.
        input_shape: of one image or frame.
        input_levels: integers per unit of the input: 255 for images in [0, 1] as 8-bit graded
            spikes, 1 for events.
        steps: how many time steps a sample lasts; an integrator's headroom is made for it.
        dt: seconds a step.
        layers: in the order in which a step computes them, which also numbers them for the noise.
        output: the name of the layer that is read.
        readout: the logits are the mean over a sample's steps of that layer's "spikes", its
            "membrane", or its "input" (the membrane of an integrator, divided by the steps).
        random_source: of the random bits, "philox" or "lfsr": see ``stochi.hardware.noise``.

    Raises:
        ProgramError: a number breaks a limit of the chip, or of exact arithmetic.
    """

    chip: str
    noise: str
    input_shape: tuple[int, ...]
    input_levels: int
    steps: int
    dt: float
    layers: tuple[Layer, ...]
    output: str
    readout: str
    random_source: str = "philox"

    def __post_init__(self) -> None:
        from stochi.deploy.program_rules import check_program

        check_program(self)

    def __repr__(self) -> str:
        layers = ", ".join(f"{layer.name} {layer.shape}" for layer in self.layers)
        return (
            f"Program({self.chip}, noise {self.noise}, input {self.input_shape},"
            f" {self.steps} steps: {layers})"
        )

    @property
    def classes(self) -> int:
        """How many outputs are read."""
        return self.layer(self.output).neurons

    @property
    def draws(self) -> bool:
        """Whether anything in it is random."""
        return any(layer.decay.drawn or layer.generator is not None for layer in self.layers)

    def layer(self, name: str) -> Layer:
        """The layer of that name."""
        return next(layer for layer in self.layers if layer.name == name)

    def source_shape(self, synapses: Synapses, target: Layer) -> tuple[int, ...]:
        """The shape of what arrives at a layer's synapses."""
        if synapses.source == INPUT:
            return self.input_shape
        return target.shape if synapses.source == CONSTANT else self.layer(synapses.source).shape

    def largest_value(self, source: str) -> int:
        """The largest integer that a source sends."""
        return self.input_levels if source == INPUT else 1

    def save(self, path: str | Path) -> None:
        """Write the Program as one versioned file without pickles; the same Program gives the
        same bytes."""
        from stochi.deploy.program_file import save_program

        save_program(self, path)

    @staticmethod
    def load(path: str | Path) -> Program:
        """Read a Program. ProgramError where the file is missing, foreign, newer or damaged."""
        from stochi.deploy.program_file import load_program

        return load_program(path)
