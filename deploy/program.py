"""The Program: a network in the chip's integers, the one form between a graph and a run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stochi.hardware.fixed_point import GRADED_INPUT_MAX

INPUT = "input"


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
class SumPool:
    """Sums over windows, zeros outside; a mean's divisor is in the weights' scale."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]


@dataclass(frozen=True)
class Flatten:
    """(C, H, W) → (C·H·W,) in C order."""


Stage = Dense | Convolution | SumPool | Flatten


@dataclass(frozen=True)
class Decay:
    """A neuron's decay ``keep = 4096 − d``.

    Attributes:
        values: (2^b,) table of drawn decays, or fixed ones: scalar () or of the layer's shape.
        drawn: whether ``values`` is a table to draw from.
        redraw: draw at every step, else once for each sample.
        programmable: the drawn decay also scales the input (microcode), else the stock neuron.
    """

    values: np.ndarray
    drawn: bool
    redraw: bool
    programmable: bool


@dataclass(frozen=True)
class Layer:
    """Synapses and the neurons they feed.

    Attributes:
        name: the neuron's name in the graph (a readout has its weights' name).
        source: ``"input"`` or the name of the layer whose spikes it takes.
        shape: of the neurons.
        stages: linear steps in order, exactly one of them with weights.
        weight_exponent: the summed result is shifted by it.
        bias_mantissa, bias_exponent: (outputs,) int16; added to the membrane's input.
        threshold_mantissa: int32, scalar or of ``shape``; None for an integrator.
        decay: None for an integrator.
        scale: synaptic integers per unit of the model's current.
    """

    name: str
    source: str
    shape: tuple[int, ...]
    stages: tuple[Stage, ...]
    weight_exponent: int
    bias_mantissa: np.ndarray
    bias_exponent: int
    threshold_mantissa: np.ndarray | None
    decay: Decay | None
    scale: float

    @property
    def is_integrator(self) -> bool:
        """Whether its neurons only sum (the readout)."""
        return self.decay is None

    def bias(self) -> np.ndarray:
        """The effective bias in units of the membrane, int64, broadcastable over ``shape``."""
        effective = self.bias_mantissa.astype(np.int64) << self.bias_exponent
        return effective.reshape((-1,) + (1,) * (len(self.shape) - 1))


@dataclass(frozen=True)
class Program:
    """A network ready for the chip.

    Attributes:
        chip, noise: what it was lowered for.
        input_shape: of one image or frame.
        input_levels: integers per unit of the input: 255 for images in [0, 1] as 8-bit graded
            spikes, 1 for events.
        steps: how many time steps a sample lasts; an integrator's headroom is made for it.
        dt: seconds a step.
        layers: each after its source; their order numbers them for the noise.
    """

    chip: str
    noise: str
    input_shape: tuple[int, ...]
    input_levels: int
    steps: int
    dt: float
    layers: tuple[Layer, ...]

    @property
    def classes(self) -> int:
        """How many outputs are read."""
        return int(np.prod(self.layers[-1].shape))

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


IMAGE_LEVELS = GRADED_INPUT_MAX
