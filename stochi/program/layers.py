"""Layers and the projections between them, in the chip's integers."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from stochi.caching import cached_property
from stochi.hardware.broadcasting import over_neurons
from stochi.hardware.chips import Chip
from stochi.hardware.fixed_point import ALIGN_SHIFT
from stochi.hardware.neuron import RESETS, NeuronKind
from stochi.hardware.sums import partial_sum_bound, windows

INPUT = "input"
"""Source that sends what is shown to the network."""
CONSTANT = "constant"
"""Source of ones at every time step, of its target's shape: neurons that always spike.

It carries the bias of neurons with synaptic memory, which the chip's own bias does not pass."""


@dataclass(frozen=True)
class Dense:
    """Fully connected weights; ``weight``: (outputs, inputs) int16 mantissas."""

    weight: np.ndarray


@dataclass(frozen=True)
class Convolution:
    """2-d convolution (torch's correlation); ``weight``: (O, I/groups, kH, kW) int16.

    On an input of shape (C, L) it is a 1-d convolution, with kH = 1 and an output of shape (O, L').
    """

    weight: np.ndarray
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]
    groups: int


@dataclass(frozen=True)
class OneToOne:
    """A weight for each neuron of the source, which feeds one target; int16, may broadcast."""

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
Shape = tuple[int, ...]


def shape_after(stage: Stage, shape: Shape) -> Shape | None:
    """Shape of a stage's output, without the batch; None if the input's shape does not fit."""
    if isinstance(stage, Dense):
        outputs, inputs = stage.weight.shape
        return (outputs,) if shape == (inputs,) else None
    if isinstance(stage, OneToOne):
        sizes = (1,) * (len(shape) - stage.weight.ndim) + stage.weight.shape
        fits = len(sizes) == len(shape) and all(
            w in (1, n) for w, n in zip(sizes, shape, strict=True)
        )
        return shape if fits else None
    if isinstance(stage, Convolution):
        image = as_image(shape)
        outputs, inputs = stage.weight.shape[:2]
        if len(image) != 3 or image[0] != inputs * stage.groups or outputs % stage.groups:
            return None
        sizes = windows(
            image[1:], stage.weight.shape[2:], stage.stride, stage.padding, stage.dilation
        )
        if min(sizes) < 1 or (len(shape) == 2 and sizes[0] != 1):
            return None
        return (outputs, *sizes[3 - len(shape) :])
    if isinstance(stage, SumPool):
        if len(shape) != 3:
            return None
        sizes = windows(shape[1:], stage.kernel, stage.stride, stage.padding, (1, 1))
        return (shape[0], *sizes) if min(sizes) > 0 else None
    return (math.prod(shape),)


def as_image(shape: Shape) -> Shape:
    """Return (C, 1, L) for (C, L), and other shapes as they are."""
    return (shape[0], 1, shape[1]) if len(shape) == 2 else shape


def _no_delay() -> np.ndarray:
    return np.zeros((), np.int32)


@dataclass(frozen=True)
class Projection:
    """A connection from a source to a layer.

    Attributes:
        source: ``"input"``, ``"constant"`` or a layer's name.
        stages: linear operations in order, exactly one of them with weights.
        weight_exponent: shift of the summed result, in [−8, 7].
        delay: axonal delay in time steps, int32, scalar or of the source's shape. 0 takes the
            spikes of this step; a source that comes later in the Program, or is the layer itself,
            needs 1.
    """

    source: str
    stages: tuple[Stage, ...]
    weight_exponent: int
    delay: np.ndarray = field(default_factory=_no_delay)

    @property
    def weight(self) -> np.ndarray:
        """Mantissas of the stage with weights."""
        return next(s.weight for s in self.stages if isinstance(s, Weighted))

    @property
    def longest_delay(self) -> int:
        """Longest delay, in time steps."""
        return int(np.max(self.delay))

    @cached_property
    def partial_sum_bound(self) -> float:
        """Bound of :func:`stochi.hardware.sums.partial_sum_bound`."""
        return partial_sum_bound(self.weight)

    @cached_property
    def even(self) -> bool:
        """Whether all mantissas are even."""
        return not np.any(self.weight & 1)

    @cached_property
    def by_axon(self) -> np.ndarray:
        """Dense weight with a row for each input, contiguous; halved if all mantissas are even."""
        return np.ascontiguousarray((self.weight >> self.even).T)

    def largest_sum(self, largest_input: int) -> int:
        """Bound on the absolute sum that reaches a neuron, before the weight exponent."""
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
    """Decay of a layer's membranes, ``keep = 4096 − dv``.

    Attributes:
        values: (2^b,) table of drawn decays, or fixed ones: scalar () or of the layer's shape.
        drawn: whether ``values`` is a table to draw from.
        redraw: whether to draw at every time step, else once for each sample.
        programmable: whether the decay also scales the input (microcode), unlike the stock neuron.
    """

    values: np.ndarray
    drawn: bool
    redraw: bool
    programmable: bool


@dataclass(frozen=True)
class Generator:
    """Setting of Loihi's stock noise generator, the same on all of a layer's cores.

    Attributes:
        target: state that the noise is added to at every time step, "membrane" or "current".
        mantissa, exponent: see :func:`stochi.hardware.noise.generator_value`.
    """

    target: str
    mantissa: int
    exponent: int


@dataclass(frozen=True)
class Layer:
    """Neurons, and the projections that feed them.

    Attributes:
        name: the neuron's name in the graph (a readout has its weights' name).
        shape: shape of the neurons.
        projections: all inputs of the layer.
        bias_mantissa, bias_exponent: int16 of shape (1,), (channels,) or ``shape``, and a whole
            number; the bias is added to the membrane's input.
        decay: decay of the membranes.
        current_keep: ``4095 − du`` of the synaptic current, int16, scalar or of ``shape``; None
            for neurons without synaptic memory (du = 4095).
        threshold_mantissa: int32, scalar or of ``shape``; None for neurons that never spike.
        scale: S, synaptic integers per unit of the model's current.
        reset: what a spike does to its neuron's membrane: "zero" sets it to 0, "subtract" subtracts
            the threshold, "none" leaves it. Of no effect on neurons that never spike, like the next
            two.
        reset_delay: whether the reset acts at the beginning of the next time step; membranes are
            then recorded before it.
        reset_current: whether a spike also sets the synaptic current to 0.
        refractory: number of time steps after a spike in which the membrane stays as it is.
        generator: setting of additive noise, or None.
        threshold_factor: factor by which a calibration multiplied the model's thresholds.
    """

    name: str
    shape: tuple[int, ...]
    projections: tuple[Projection, ...]
    bias_mantissa: np.ndarray
    bias_exponent: int
    decay: Decay
    threshold_mantissa: np.ndarray | None
    scale: float
    current_keep: np.ndarray | None = None
    reset: str = "zero"
    reset_delay: bool = False
    reset_current: bool = False
    refractory: int = 0
    generator: Generator | None = None
    threshold_factor: float = 1.0

    @property
    def spikes(self) -> bool:
        """Whether its neurons have a threshold."""
        return self.threshold_mantissa is not None

    @property
    def neurons(self) -> int:
        """Number of neurons."""
        return math.prod(self.shape)

    @property
    def membrane_unit(self) -> float:
        """Integers of the membrane per unit of the model's membrane, 64·S."""
        return 2.0**ALIGN_SHIFT * self.scale

    @property
    def kind(self) -> NeuronKind:
        """What its neurons do, in the form that their step takes."""
        programmable = self.decay.programmable
        if not self.spikes:
            return NeuronKind(programmable)
        reset = RESETS.index(self.reset)
        return NeuronKind(
            programmable, reset, self.reset_delay, self.reset_current, self.refractory
        )

    @property
    def resets_in_microcode(self) -> bool:
        """Whether its reset takes a programmable neuron; a stock neuron resets to zero at once.

        Or two stock neurons for one, if it only subtracts; see :meth:`compartments`.
        """
        return self.spikes and (self.reset != "zero" or self.reset_delay or self.reset_current)

    def compartments(self, chip: Chip) -> int:
        """Return the number of the chip's own neurons that the layer takes."""
        return self.neurons * (chip.compartments(self.reset) if self.spikes else 1)

    def bias(self) -> np.ndarray:
        """Effective bias in units of the membrane, int64, broadcastable over ``shape``."""
        return over_neurons(self.bias_mantissa.astype(np.int64) << self.bias_exponent, self.shape)
