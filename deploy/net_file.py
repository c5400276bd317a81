"""lava-dl's network files (``.net``, HDF5), which hold the integers of a chip.

A block of ``slayer.block`` writes its type, shape, weights and the device's neuron parameters. The
weights are Loihi's mantissas, so the Program takes all numbers as they are: a synaptic sum enters
shifted by 6, decays are ``4096 − iDecay`` and ``4096 − vDecay``, and ``vThMant`` is shifted by 6.
Sources: lava-dl ``slayer/block/base.py`` (``export_hdf5``), ``slayer/neuron/cuba.py``
(``device_params``) and ``netx/hdf5.py``.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stochi.arguments import check_arguments
from stochi.budget import check_memory
from stochi.errors import GraphError, LoweringError
from stochi.files import check_plain_file
from stochi.hardware.fixed_point import (
    CURRENT_KEEP_MAX,
    DECAY_UNITY,
    THRESHOLD_MANTISSA_MAX,
    WEIGHT_MAGNITUDE_MAX,
)
from stochi.hdf5.contents import Form, read_contents
from stochi.program.layers import (
    INPUT,
    Convolution,
    Decay,
    Dense,
    Flatten,
    Layer,
    OneToOne,
    Projection,
    Stage,
    SumPool,
)
from stochi.program.program import Program
from stochi.program.target import Target

_NEURONS = ("CUBA", "LOIHI")
_BIAS_EXPONENT = 6
_COPIES = 4
"""Times that numbers are in memory while they are read and checked."""
_FORM = Form(
    "an HDF5 file of lava-dl",
    "write it again with lava-dl's export_hdf5",
    ("layer",),
    copies=_COPIES,
    error=GraphError,
)
_STEP = 1e-3
"""Seconds per time step that the Program notes; the file has no unit of time."""


def read_net(path: str | Path, *, time_steps: int) -> Program:
    """Read a network of lava-dl as a Program with the file's own integers.

    Dense, convolutional, pooling and flatten blocks with CUBA neurons are read, with delays. Spikes
    pass through all layers within a time step; lava-dl shifts them by one step a layer.

    Args:
        path: file that ``export_hdf5`` wrote.
        time_steps: time steps of a sample, which the file does not hold.

    Raises:
        GraphError: the file is missing, is not such a file, or a field is missing or malformed.
        LoweringError: a block, a neuron or a number is not supported; the message names the block.
        ProgramError: the numbers break a limit of the chip.
    """
    check_arguments(read_net, locals())
    source = Path(path)
    check_plain_file(source, "lava-dl's export_hdf5 writes it", GraphError)
    try:
        contents = read_contents(source, _FORM)
    except OSError as error:
        raise GraphError(f"{source}: {error.strerror or error}") from error
    blocks = _read_blocks(source, contents)
    reading = _Reading(source)
    for block in blocks:
        reading.add(block)
    return reading.program(time_steps)


@dataclass(frozen=True)
class _Block:
    """A block's fields by name, with those of its neurons as ``neuron/…``."""

    where: str
    fields: dict[str, Any]

    @property
    def kind(self) -> str:
        return self.text("type")

    def text(self, name: str) -> str:
        values = np.ravel(self._field(name))
        return str(values[0]) if len(values) else ""

    def integers(self, name: str, low: int, high: int) -> np.ndarray:
        """Return whole numbers in a range, int64."""
        values = np.asarray(self._field(name))
        whole = values.dtype.kind in "iuf" and bool(
            np.all(np.isfinite(values)) and np.all(values == np.rint(values))
        )
        if not whole or not values.size or values.min() < low or values.max() > high:
            raise GraphError(f"{self.where}: {name} must be whole numbers from {low} to {high}")
        return values.astype(np.int64)

    def pair(self, name: str, low: int) -> tuple[int, int]:
        values = np.ravel(self.integers(name, low, 2**16))
        if values.size not in (1, 2):
            raise GraphError(f"{self.where}: {name} must be one or two numbers")
        return int(values[0]), int(values[-1])

    def shape(self) -> tuple[int, ...]:
        found = tuple(int(size) for size in np.ravel(self.integers("shape", 1, 2**31)))
        return found[:1] if found[1:] in ((1, 1), (1,)) and self.kind != "conv" else found

    def _field(self, name: str) -> Any:
        if name not in self.fields:
            raise GraphError(f"{self.where}: the field {name!r} is missing")
        return self.fields[name]


def _read_blocks(source: Path, contents: dict[str, Any]) -> list[_Block]:
    group = contents.get("layer")
    if not isinstance(group, dict) or not group:
        raise GraphError(f"{source}: not a network of lava-dl; it has no group 'layer'")
    names = [str(number) for number in range(len(group))]
    if sorted(names) != sorted(group):
        raise GraphError(f"{source}: its layers are not numbered from 0 to {len(group) - 1}")
    for name in names:
        if not isinstance(group[name], dict):
            raise GraphError(f"{source}: layer {name} is not a group of fields")
    return [_Block(f"{source}, layer {name}", _fields(group[name], "")) for name in names]


def _fields(group: dict[str, Any], prefix: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, item in group.items():
        if isinstance(item, dict):
            found |= _fields(item, f"{prefix}{name}/")
        else:
            found[prefix + name] = item
    return found


class _Reading:
    """A Program's layers, read block by block.

    Attributes:
        layers: the layers so far.
        input_shape: shape of a frame; None until it is known.
        source: what sends to the next block.
        stages: steps between the last layer and the next block's weights.
        delay: delay of the last layer's axons.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.layers: list[Layer] = []
        self.input_shape: tuple[int, ...] | None = None
        self.source = INPUT
        self.stages: tuple[Stage, ...] = ()
        self.delay = np.zeros((), np.int32)

    def add(self, block: _Block) -> None:
        kind = block.kind
        if kind == "input":
            self._add_input(block)
        elif kind == "flatten":
            self.stages = (*self.stages, Flatten())
        elif kind in ("dense", "conv", "pool"):
            self._add_layer(block, kind)
        else:
            raise LoweringError(
                f"{block.where}: blocks of type {kind!r} are not supported; dense, conv, pool,"
                " flatten and input are"
            )

    def program(self, time_steps: int) -> Program:
        if not self.layers or self.input_shape is None:
            raise GraphError(f"{self.path}: it has no layer with neurons")
        target = Target("loihi2", "none", time_steps, 1, _STEP)
        return Program(target, self.input_shape, tuple(self.layers), self.source, "spikes")

    def _add_input(self, block: _Block) -> None:
        if self.layers or self.input_shape is not None:
            raise LoweringError(f"{block.where}: an input block must come first")
        if any(name.startswith("neuron/") or name in ("weight", "bias") for name in block.fields):
            raise LoweringError(
                f"{block.where}: its neurons encode the input into spikes; export the network"
                " without them, and give the spikes as events"
            )
        self.input_shape = block.shape()

    def _add_layer(self, block: _Block, kind: str) -> None:
        if "weight/real" in block.fields:
            raise LoweringError(f"{block.where}: complex weights are not supported")
        weight = block.integers("weight", -WEIGHT_MAGNITUDE_MAX - 1, WEIGHT_MAGNITUDE_MAX)
        stage = _stage(block, kind, weight)
        if self.input_shape is None:
            if kind != "dense":
                raise GraphError(
                    f"{block.where}: a first block of type {kind!r} needs an input block"
                )
            self.input_shape = (int(weight.shape[1]),)
        name, shape = f"{kind}{len(self.layers)}", block.shape()
        projection = Projection(self.source, (*self.stages, *stage), 0, self.delay)
        self.layers.append(_layer(block, name, shape, projection))
        self.source, self.stages = name, ()
        self.delay = _delays(block, shape)


def _stage(block: _Block, kind: str, weight: np.ndarray) -> tuple[Stage, ...]:
    mantissas = weight.astype(np.int16)
    if kind == "dense":
        if weight.ndim != 2:
            raise GraphError(f"{block.where}: dense weights have the shape {weight.shape}")
        return (Dense(mantissas),)
    stride, padding = block.pair("stride", 1), block.pair("padding", 0)
    dilation = block.pair("dilation", 1)
    if kind == "pool":
        if weight.size == 0 or np.any(weight != weight.flat[0]) or dilation != (1, 1):
            raise LoweringError(f"{block.where}: only pooling with one weight is supported")
        pool = SumPool(block.pair("kernelSize", 1), stride, padding)
        return pool, OneToOne(np.asarray(mantissas.flat[0], np.int16))
    if weight.ndim != 4:
        raise GraphError(f"{block.where}: kernels have the shape {weight.shape}")
    groups = int(np.ravel(block.integers("groups", 1, 2**16))[0])
    return (Convolution(mantissas, stride, padding, dilation, groups),)


def _layer(block: _Block, name: str, shape: tuple[int, ...], projection: Projection) -> Layer:
    kind = block.text("neuron/type")
    if kind not in _NEURONS:
        raise LoweringError(
            f"{block.where}: neurons of type {kind!r} are not supported; {', '.join(_NEURONS)} are"
        )
    if "neuron/gradedSpike" in block.fields and np.any(block.fields["neuron/gradedSpike"]):
        raise LoweringError(f"{block.where}: graded spikes are not supported")
    if np.any(block.integers("neuron/refDelay", 1, 63) != 1):
        raise LoweringError(f"{block.where}: a refDelay other than 1 is not supported")
    current = DECAY_UNITY - _by_neuron(block, "neuron/iDecay", DECAY_UNITY, shape)
    keep = DECAY_UNITY - _by_neuron(block, "neuron/vDecay", DECAY_UNITY, shape)
    threshold = _by_neuron(block, "neuron/vThMant", THRESHOLD_MANTISSA_MAX, shape)
    bias = np.zeros(1, np.int16)
    if "bias" in block.fields:
        bias = np.ravel(block.integers("bias", -(2**12), 2**12 - 1)).astype(np.int16)
    return Layer(
        name=name,
        shape=shape,
        projections=(projection,),
        bias_mantissa=bias,
        bias_exponent=_BIAS_EXPONENT if np.any(bias) else 0,
        decay=Decay(np.asarray(keep), drawn=False, redraw=False, programmable=False),
        threshold_mantissa=threshold.astype(np.int32),
        scale=1.0,
        current_keep=np.asarray(np.minimum(current, CURRENT_KEEP_MAX), np.int16),
    )


def _by_neuron(block: _Block, name: str, high: int, shape: tuple[int, ...]) -> np.ndarray:
    """Return a parameter of shape () or of the neurons; (channels,) belongs to the channels."""
    values = np.ravel(block.integers(name, 0, high))
    if values.size == 1:
        return values.reshape(())
    if values.size != shape[0]:
        raise GraphError(f"{block.where}: {name} has {values.size} values for neurons {shape}")
    check_memory(16 * math.prod(shape), f"{block.where}: {name}", GraphError)
    return np.array(np.broadcast_to(values.reshape((-1,) + (1,) * (len(shape) - 1)), shape))


def _delays(block: _Block, shape: tuple[int, ...]) -> np.ndarray:
    if "delay" not in block.fields:
        return np.zeros((), np.int32)
    return np.asarray(_by_neuron(block, "delay", 62, shape), np.int32)
