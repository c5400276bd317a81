"""Random Programs of every kind that can be lowered, and inputs for them, for Hypothesis."""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch
from hypothesis import strategies as st

from stochi.hardware.draws import RANDOM_SOURCES, Draws
from stochi.hardware.fixed_point import ALIGN_SHIFT, STATE_MAX, WEIGHT_EXPONENT_MIN
from stochi.hardware.neuron import RESETS
from stochi.hardware.noise import largest_generator_value
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
    shape_after,
)
from stochi.program.network import OVER_TIME
from stochi.program.program import Program
from stochi.program.target import NOISE_TARGETS, Target


@dataclass(frozen=True)
class Case:
    """A Program, its inputs, and how it runs.

    Attributes:
        inputs: as for ``stochi.sim.run``.
        draws: draws of the run, from the Program's random source.
        side_by_side: number of samples side by side in Lava's processes.
    """

    program: Program
    inputs: torch.Tensor
    draws: Draws
    side_by_side: int

    @property
    def coordinates(self) -> dict[str, int]:
        """Arguments of ``stochi.sim.run`` for these draws."""
        draws = self.draws
        return {"seed": draws.seed, "trial": draws.trial, "first_sample": draws.first_sample}


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw a Program of up to four layers, with weights at the grid's edges and within them."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    levels = draw(st.sampled_from([1, 1, 255, 37]))
    input_shape = draw(
        st.one_of(
            st.tuples(st.integers(1, 12)),
            st.tuples(st.integers(1, 3), st.integers(3, 7), st.integers(3, 7)),
            # A window over all of these places counts more spikes than 8 bits hold.
            st.tuples(st.just(1), st.integers(24, 26), st.integers(24, 26)),
        )
    )
    shapes: dict[str, Shape] = {INPUT: input_shape}
    wiring: dict[str, list[tuple[str, tuple[Stage, ...]]]] = {}
    count = draw(st.integers(1, 4))
    for index in range(count):
        name = f"layer{index}"
        source = draw(st.sampled_from(list(shapes)))
        stages = draw(_stages(shapes[source], rng))
        wiring[name] = [(source, stages)]
        shapes[name] = _after(stages, shapes[source])
    for name in list(wiring):
        for _ in range(draw(st.integers(0, 2))):
            source = draw(st.sampled_from([*shapes, CONSTANT]))
            shape = shapes[name] if source == CONSTANT else shapes[source]
            further = draw(_stages_to(shape, shapes[name], rng, source == CONSTANT))
            if further is not None:
                wiring[name].append((source, further))
    read = f"layer{count - 1}"
    sources = {source for inputs in wiring.values() for source, _ in inputs}
    silent = read not in sources and draw(st.booleans())
    layers = tuple(
        draw(_layer(name, shapes, wiring, levels, rng, silent and name == read)) for name in wiring
    )
    time_steps = draw(st.integers(1, 5))
    readout = draw(st.sampled_from(["membrane", "input" if silent else "spikes"]))
    over_time = draw(st.sampled_from(OVER_TIME))
    source = draw(st.sampled_from(RANDOM_SOURCES))
    target = Target("loihi2", "decay", time_steps, levels, 1e-3, source)
    program = Program(target, input_shape, layers, read, readout, over_time)
    batch = draw(st.integers(1, 4))
    each_step = (time_steps,) if draw(st.booleans()) else ()
    shown = rng.random((*each_step, batch, *input_shape))
    if levels == 1:
        shown = shown < draw(st.sampled_from([0.1, 0.5, 1.0]))
    return Case(
        program,
        torch.from_numpy(shown.astype(np.float32)),
        Draws(
            seed=draw(st.integers(0, 2**32 - 1)),
            trial=draw(st.integers(0, 2**32 - 1)),
            first_sample=draw(st.sampled_from([0, 1, 2**31])),
            source=source,
        ),
        side_by_side=draw(st.integers(1, batch)),
    )


@st.composite
def _stages(draw: st.DrawFn, shape: Shape, rng: np.random.Generator) -> tuple[Stage, ...]:
    """Draw stages for an input of this shape; they end in any shape."""
    stages: list[Stage] = []
    if len(shape) == 3 and draw(st.booleans()):
        stages.append(draw(_pooling(shape)))
        shape = _after(stages, shape)
    kind = draw(st.sampled_from(["dense", "convolution", "one to one"]))
    if kind == "one to one":
        stages.append(OneToOne(_weights(rng, draw(st.sampled_from([(), shape])))))
    elif kind == "convolution" and len(shape) == 3:
        stages.append(draw(_convolution(shape, rng)))
        shape = _after(stages[-1:], shape)
        if draw(st.booleans()):
            stages.append(draw(_pooling(shape)))
            shape = _after(stages[-1:], shape)
    else:
        if len(shape) == 3:
            stages.append(Flatten())
        outputs = draw(st.integers(1, 20))
        stages.append(Dense(_weights(rng, (outputs, math.prod(shape)))))
        shape = (outputs,)
    if len(shape) == 3 and draw(st.booleans()):
        stages.append(Flatten())
    return tuple(stages)


@st.composite
def _stages_to(
    draw: st.DrawFn, shape: Shape, target: Shape, rng: np.random.Generator, constant: bool
) -> tuple[Stage, ...] | None:
    """Draw stages from one shape to another, or None if there are no simple ones."""
    if shape == target and (constant or draw(st.booleans())):
        return (OneToOne(_weights(rng, draw(st.sampled_from([(), shape])))),)
    if len(target) == 1:
        flat: tuple[Stage, ...] = (Flatten(),) if len(shape) == 3 else ()
        return (*flat, Dense(_weights(rng, (target[0], math.prod(shape)))))
    if len(shape) == 3 and shape[1:] == target[1:]:
        dilation = draw(st.integers(1, 2))
        weight = _weights(rng, (target[0], shape[0], 3, 3))
        return (Convolution(weight, (1, 1), (dilation,) * 2, (dilation,) * 2, 1),)
    return None


@st.composite
def _pooling(draw: st.DrawFn, shape: Shape) -> SumPool:
    kernel = tuple(draw(st.integers(1, min(3, size))) for size in shape[1:])
    if draw(st.integers(0, 3)) == 0:
        kernel = shape[1:]
    stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    padding = tuple(draw(st.integers(0, side // 2)) for side in kernel)
    return SumPool((kernel[0], kernel[1]), stride, (padding[0], padding[1]))


@st.composite
def _convolution(draw: st.DrawFn, shape: Shape, rng: np.random.Generator) -> Convolution:
    groups = draw(st.sampled_from([g for g in (1, 2, 3) if shape[0] % g == 0]))
    padding = draw(st.tuples(st.integers(0, 2), st.integers(0, 2)))
    dilation = draw(st.tuples(st.integers(1, 2), st.integers(1, 2)))
    kernel = [
        draw(st.integers(1, min(3, (size + 2 * pad - 1) // spread + 1)))
        for size, pad, spread in zip(shape[1:], padding, dilation, strict=True)
    ]
    outputs = groups * draw(st.integers(1, 4))
    weight = _weights(rng, (outputs, shape[0] // groups, *kernel))
    stride = draw(st.tuples(st.integers(1, 3), st.integers(1, 3)))
    return Convolution(weight, stride, padding, dilation, groups)


@st.composite
def _layer(
    draw: st.DrawFn,
    name: str,
    shapes: dict[str, Shape],
    wiring: dict[str, list[tuple[str, tuple[Stage, ...]]]],
    levels: int,
    rng: np.random.Generator,
    silent: bool,
) -> Layer:
    shape, order = shapes[name], list(wiring)
    generator = draw(st.one_of(st.none(), _generators()))
    noise = 0
    if generator is not None and generator.target == "current":
        noise = largest_generator_value(generator.mantissa, generator.exponent)
    projections = []
    for source, stages in wiring[name]:
        late = source in order and order.index(source) >= order.index(name)
        delay = np.asarray(draw(st.integers(late, 3)), np.int32)
        if draw(st.integers(0, 3)) == 0 and source != CONSTANT:
            delay = rng.integers(late, 4, shapes[source]).astype(np.int32)
        budget = (STATE_MAX - noise) / 2**ALIGN_SHIFT / len(wiring[name])
        largest = levels if source == INPUT else 1
        projections.append(_fitted(Projection(source, stages, 0, delay), largest, budget, draw))
    per_neuron = st.sampled_from([(), shape])
    drawn = draw(st.booleans())
    size = (2 ** draw(st.integers(1, 8)),) if drawn else draw(per_neuron)
    remembers, reset = draw(st.booleans()), draw(st.sampled_from(RESETS))
    threshold = rng.integers(0, draw(st.sampled_from([1, 40, 4000, 2**17])), draw(per_neuron))
    return Layer(
        name=name,
        shape=shape,
        projections=tuple(projections),
        bias_mantissa=_edged(
            rng, -4096, 4095, draw(st.sampled_from([(1,), shape[:1], shape])), np.int16
        ),
        bias_exponent=draw(st.integers(0, 7)),
        decay=Decay(
            _edged(rng, 0, 4096, size, np.int64), drawn, draw(st.booleans()), draw(st.booleans())
        ),
        threshold_mantissa=None if silent else np.asarray(threshold, np.int32),
        scale=float(rng.uniform(0.5, 500)),
        current_keep=_edged(rng, 0, 4095, draw(per_neuron), np.int16) if remembers else None,
        reset=reset,
        reset_delay=reset != "none" and draw(st.booleans()),
        reset_current=remembers and draw(st.booleans()),
        refractory=0 if silent else draw(st.sampled_from([0, 0, 1, 3, 63])),
        generator=generator,
    )


def _generators() -> st.SearchStrategy[Generator]:
    """Return generators whose noise takes up to a sixth of the states' range."""
    return st.builds(
        Generator, st.sampled_from(NOISE_TARGETS), st.integers(-8, 7), st.integers(0, 18)
    )


def _fitted(projection: Projection, largest: int, budget: float, draw: st.DrawFn) -> Projection:
    """Choose an exponent, and smaller weights if necessary, that keep the sums within 24 bits."""
    bound = projection.largest_sum(largest)
    while bound * 2.0**WEIGHT_EXPONENT_MIN > budget:
        stages = tuple(
            stage
            if isinstance(stage, SumPool | Flatten)
            else replace(stage, weight=np.asarray(np.trunc(stage.weight / 4) * 2, np.int16))
            for stage in projection.stages
        )
        projection = replace(projection, stages=stages)
        bound = projection.largest_sum(largest)
    top = 7 if bound == 0 else min(7, math.floor(math.log2(budget / bound)))
    return replace(projection, weight_exponent=draw(st.integers(max(top - 3, -8), top)))


def _weights(rng: np.random.Generator, shape: Shape) -> np.ndarray:
    """Draw mantissas on Loihi's grid: even ones of both signs, or any of one sign."""
    kind = rng.integers(4)
    if kind == 0:
        weight = rng.choice([-256, 254, 0, 2, -2], shape)
    elif kind == 1:
        weight = rng.integers(0, 256, shape)
    elif kind == 2:
        weight = -rng.integers(0, 256, shape)
    else:
        weight = 2 * rng.integers(-128, 128, shape)
    return np.asarray(weight, np.int16)


def _edged(rng: np.random.Generator, low: int, high: int, shape: Shape, dtype: type) -> np.ndarray:
    """Draw integers in [low, high], a third of them at the ends."""
    values = rng.integers(low, high + 1, shape)
    return np.asarray(
        np.where(rng.random(shape) < 1 / 3, rng.choice([low, high], shape), values), dtype
    )


def _after(stages: list[Stage] | tuple[Stage, ...], shape: Shape) -> Shape:
    for stage in stages:
        after = shape_after(stage, shape)
        assert after is not None
        shape = after
    return shape
