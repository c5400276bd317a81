"""Small Programs that have, between them, every kind of stage, neuron, delay, noise and readout."""

import numpy as np

from stochi.hardware.fixed_point import CURRENT_KEEP_MAX
from stochi.program.layers import (
    CONSTANT,
    INPUT,
    Convolution,
    Decay,
    Dense,
    Flatten,
    Generator,
    Layer,
    OneToOne,
    Projection,
    Shape,
    Stage,
    SumPool,
)
from stochi.program.program import Program
from stochi.program.target import Target

POOL = SumPool((2, 2), (2, 2), (0, 0))
OVERLAPPING = SumPool((3, 3), (1, 1), (1, 1))


def make_programs() -> dict[str, Program]:
    """Return the Programs by name; the same on each call."""
    rng = np.random.default_rng(0)
    return {
        "images": _images(rng),
        "events": _events(rng),
        "delayed": _delayed(rng),
        "lines": _lines(rng),
        "loihi1": _loihi_1(rng),
        "currents": _currents(rng),
        "one": _one(),
    }


def _images(rng: np.random.Generator) -> Program:
    """Drawn decays, a strided, dilated and grouped convolution, pooling after and before it."""
    first = _convolution(rng, (4, 2, 3, 3), (2, 1), (1, 2), (1, 2), 1)
    second = _convolution(rng, (6, 2, 2, 2), (1, 1), (0, 0), (1, 1), 2)
    layers = (
        _layer(rng, "a", (4, 4, 8), _from(INPUT, first, exponent=-6), decay=_drawn(rng, 256)),
        _layer(
            rng,
            "b",
            (6, 1, 2),
            _from("a", OVERLAPPING, POOL, second, SumPool((1, 2), (1, 1), (0, 0)), exponent=-2),
            decay=_drawn(rng, 16, redraw=False),
        ),
        _layer(rng, "c", (3,), _from("b", Flatten(), Dense(_even(rng, (3, 12)))), spikes=False),
    )
    return Program(Target("loihi2", "decay", 4, 255, 1e-3), (2, 8, 8), layers, "c", "input")


def _events(rng: np.random.Generator) -> Program:
    """Events through a convolution and, pooled, through dense weights, from shift registers."""
    layers = (
        _layer(rng, "a", (3, 3, 3), _from(INPUT, _convolution(rng, (3, 2, 3, 3)), POOL)),
        _layer(
            rng,
            "b",
            (5,),
            _from(INPUT, POOL, Flatten(), Dense(_even(rng, (5, 18)))),
            _from("a", Flatten(), Dense(rng.integers(0, 256, (5, 27)).astype(np.int16))),
            decay=_drawn(rng, 2),
            generator=Generator("membrane", -1, 9),
        ),
    )
    target = Target("loihi2", "decay", 5, 1, 1e-3, "lfsr")
    return Program(target, (2, 6, 6), layers, "b", "spikes")


def _delayed(rng: np.random.Generator) -> Program:
    """Delays of every kind, recurrence, feedback, synaptic memory and refractory periods."""
    layers = (
        _layer(
            rng,
            "a",
            (2, 3, 3),
            _from(INPUT, OneToOne(_even(rng, (2, 3, 3))), delay=rng.integers(0, 4, (2, 3, 3))),
            _from("a", OneToOne(np.array(-6, np.int16)), delay=np.array(1)),
            _from("b", _convolution(rng, (2, 2, 1, 1)), delay=rng.integers(1, 3, (2, 3, 3))),
            _from(CONSTANT, OneToOne(_even(rng, (2, 3, 3)))),
            current_keep=rng.integers(0, CURRENT_KEEP_MAX, (2, 3, 3)).astype(np.int16),
            refractory=2,
            reset="subtract",
            reset_delay=True,
            reset_current=True,
        ),
        _layer(
            rng,
            "b",
            (2, 3, 3),
            _from("a", _convolution(rng, (2, 2, 3, 3)), delay=np.array(2)),
            reset="none",
            generator=Generator("current", 0, 8),
        ),
    )
    target = Target("loihi2", "current", 6, 1, 2e-3)
    return Program(target, (2, 3, 3), layers, "b", "membrane", "last")


def _lines(rng: np.random.Generator) -> Program:
    """Convolutions in one dimension, on a line of events."""
    first = _convolution(rng, (4, 2, 1, 3), (1, 2), (0, 1))
    second = _convolution(rng, (2, 2, 1, 2), (1, 1), (0, 0), (1, 2), 2)
    layers = (
        _layer(rng, "a", (4, 4), _from(INPUT, first), refractory=1),
        _layer(rng, "b", (2, 2), _from("a", second, delay=np.array(1)), reset_delay=True),
    )
    return Program(Target("loihi2", "none", 4, 1, 1e-3), (2, 8), layers, "b", "spikes", "last")


def _loihi_1(rng: np.random.Generator) -> Program:
    """What the first chip takes: whole weights, and thresholds subtracted by a synapse."""
    layers = (
        _layer(rng, "a", (6,), _from(INPUT, Dense(_even(rng, (6, 9)))), refractory=3),
        _layer(
            rng,
            "b",
            (4,),
            _from("a", Dense(_even(rng, (4, 6))), delay=np.array(2)),
            threshold_mantissa=np.array([8, 16, 24, 32], np.int32),
            reset="subtract",
            reset_delay=True,
            generator=Generator("membrane", 1, 7),
        ),
    )
    target = Target("loihi1", "membrane", 5, 1, 1e-3, "lfsr")
    return Program(target, (9,), layers, "b", "spikes")


def _currents(rng: np.random.Generator) -> Program:
    """Graded input with a delay, parameters of each channel, and a membrane that is read."""
    layers = (
        _layer(
            rng,
            "a",
            (2, 2, 2),
            _from(INPUT, POOL, _convolution(rng, (2, 1, 1, 1)), exponent=-5, delay=np.array(1)),
            bias_mantissa=np.array([-40, 90], np.int16),
            current_keep=np.array(2000, np.int16),
            decay=Decay(rng.integers(0, 4097, (2, 2, 2)), False, False, True),
        ),
        _layer(rng, "b", (2,), _from("a", Flatten(), Dense(_even(rng, (2, 8)))), spikes=False),
    )
    return Program(Target("loihi2", "none", 3, 37, 1e-3), (1, 4, 4), layers, "b", "membrane")


def _one() -> Program:
    """One neuron on one input, for one time step."""
    weight = Dense(np.array([[3]], np.int16))
    layer = _layer(np.random.default_rng(0), "a", (1,), _from(INPUT, weight))
    return Program(Target("loihi2", "none", 1, 1, 1.0), (1,), (layer,), "a", "spikes")


def _from(
    source: str, *stages: Stage, exponent: int = 0, delay: np.ndarray | None = None
) -> Projection:
    steps = np.zeros((), np.int32) if delay is None else delay.astype(np.int32)
    return Projection(source, stages, exponent, steps)


def _layer(
    rng: np.random.Generator,
    name: str,
    shape: Shape,
    *projections: Projection,
    spikes: bool = True,
    **changed: object,
) -> Layer:
    """Return a layer; per-neuron thresholds, unless it has its own or none."""
    threshold = rng.integers(0, 90, shape).astype(np.int32) if spikes else None
    fields: dict[str, object] = {
        "bias_mantissa": rng.integers(-90, 90, shape).astype(np.int16),
        "bias_exponent": 2,
        "decay": Decay(np.array(2048), drawn=False, redraw=False, programmable=False),
        "threshold_mantissa": threshold,
        "scale": 3.5,
    }
    return Layer(name, shape, projections, **{**fields, **changed})  # type: ignore[arg-type]


def _drawn(rng: np.random.Generator, levels: int, redraw: bool = True) -> Decay:
    return Decay(rng.integers(0, 4097, levels), drawn=True, redraw=redraw, programmable=True)


def _even(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    return (2 * rng.integers(-20, 30, shape)).astype(np.int16)


def _convolution(
    rng: np.random.Generator,
    shape: Shape,
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int] | None = None,
    dilation: tuple[int, int] = (1, 1),
    groups: int = 1,
) -> Convolution:
    """Return a convolution whose padding keeps its map's size, unless another is given."""
    kept = (shape[2] // 2, shape[3] // 2)
    return Convolution(_even(rng, shape), stride, padding or kept, dilation, groups)
