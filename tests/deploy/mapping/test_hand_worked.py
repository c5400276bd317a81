"""A network whose counts are worked out by hand."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from stochi.deploy import map_cores
from stochi.deploy.mapping.front import map_onto
from stochi.hardware.cores import CORES
from stochi.program import Decay, Dense, Flatten, Layer, Program, Projection, Target


def layer(name: str, weight: np.ndarray, source: str, **changes: object) -> Layer:
    """Stock LIF neurons behind fully connected weights."""
    values = {
        "bias_mantissa": np.zeros(1, np.int16),
        "bias_exponent": 0,
        "decay": Decay(np.array(2048), False, False, False),
        "threshold_mantissa": np.array(100, np.int32),
        "scale": 1.0,
        **changes,
    }
    projection = Projection(source, (Dense(weight.astype(np.int16)),), 0)
    return Layer(name, (len(weight),), (projection,), **values)  # type: ignore[arg-type]


def network(*layers: Layer, inputs: int, chip: str = "loihi1") -> Program:
    target = Target(chip, "none", 4, 1, 1e-3)
    return Program(target, (inputs,), layers, layers[-1].name, "spikes")


def test_two_layers_on_one_core() -> None:
    # hidden: 100 neurons of 3 inputs, weights of 255: one sign, 8 bits. A dense list of 100 is
    # an entry of 60, ceil((10 + 7 + 480) / 64) = 8 words (7 bits of index for 100 neurons), and one
    # of 40, ceil((17 + 320) / 64) = 6: 14 words, 3 times: 42. Sparse ones have 15 bits a synapse.
    # out: 5 neurons of 100 inputs: ceil((10 + 6 + 40) / 64) = 1 word each, 100 words.
    hidden = layer("hidden", np.full((100, 3), 255), "input")
    out = layer("out", np.full((5, 100), 255), "hidden", threshold_mantissa=np.array(7, np.int32))
    mapping = map_cores(network(hidden, out, inputs=3))
    assert mapping.fits and mapping.chips == 1
    (core,) = mapping.cores
    first, second = (part.use for part in core.parts)
    assert (first.neurons, first.words, first.synapses, first.input_axons) == (100, 42, 300, 3)
    assert (second.neurons, second.words, second.synapses, second.input_axons) == (5, 100, 500, 100)
    # Each hidden neuron reaches one block with an axon of one entry, on its own chip.
    assert (first.output_axons, first.output_entries, first.off_chip) == (100, 100, 0)
    assert (second.output_axons, second.output_entries) == (0, 0)
    assert len(core.use.thresholds) == 2 and len(core.use.configurations) == 1


def test_the_network_that_does_not_fit_is_told_the_smallest_change() -> None:
    out = layer("out", np.full((2, 4097), 1), "input")
    mapping = map_cores(network(out, inputs=4097))
    assert not mapping.fits and mapping.cores == ()
    (problem,) = mapping.problems
    assert "'out'" in problem and "4,097 input axons" in problem and "4,096" in problem
    assert "at most 4,096 inputs (it has 4,097)" in problem
    assert map_cores(network(layer("out", np.full((2, 4096), 1), "input"), inputs=4096)).fits


def deep(count: int, **changes: object) -> Program:
    """Neurons that feed others, which have too many inputs."""
    hidden = layer("hidden", np.ones((count, 3)), "input")
    return network(hidden, layer("out", np.ones((2, count)), "hidden", **changes), inputs=3)


def looped(inputs: int) -> Program:
    """A recurrent layer of 8 neurons."""
    out = layer("out", np.ones((8, inputs)), "input")
    weight = np.ones((8, 8), np.int16)
    back = Projection("out", (Dense(weight),), 0, np.array(1, np.int32))
    return network(replace(out, projections=(*out.projections, back)), inputs=inputs)


def flat(rows: int) -> Program:
    """Fully connected neurons behind an image of 80 columns."""
    stages = (Flatten(), Dense(np.ones((2, rows * 80), np.int16)))
    projections = (Projection("input", stages, 0),)
    out = replace(layer("out", np.ones((2, 1)), "input"), projections=projections)
    return Program(Target("loihi1", "none", 4, 1, 1e-3), (1, rows, 80), (out,), "out", "spikes")


def kinds(count: int) -> Program:
    """A layer with weights of different exponents."""
    out = layer("out", np.ones((2, 3)), "input")
    weight = (Dense(np.ones((2, 3), np.int16)),)
    projections = tuple(Projection("input", weight, exponent) for exponent in range(count))
    return network(replace(out, projections=projections), inputs=3)


@pytest.mark.parametrize(
    ("make", "size", "most", "says"),
    [
        (deep, 4100, 4096, "at most 4,096 inputs (it has 4,100)"),
        (partial(deep, reset="subtract", reset_delay=True), 4096, 4095, "at most 4,095 inputs"),
        (flat, 80, 51, "at most 51 rows (it has 80)"),
        (kinds, 8, 7, "at most 7 different exponents, signs and bits (they have 8)"),
    ],
)
def test_the_change_that_is_said_is_the_smallest_that_fits(
    make: Callable[[int], Program], size: int, most: int, says: str
) -> None:
    (problem,) = map_cores(make(size)).problems
    assert says in problem and "put fewer neurons" not in problem
    assert map_cores(make(most)).fits and not map_cores(make(most + 1)).fits


@pytest.mark.parametrize(
    ("limits", "most"), [({"input_axons": 10}, 2), ({"input_axons": 10, "output_entries": 1}, None)]
)
def test_a_layer_that_feeds_itself_is_told_what_it_fits_with(
    limits: dict[str, int], most: int | None
) -> None:
    core = replace(CORES["loihi1"], **limits)  # type: ignore[arg-type]
    core = core if most else replace(core, neurons=4)
    (problem,) = map_onto(looped(3), core).problems
    if most is None:
        assert "not found by trying; it feeds itself" in problem
    else:
        assert f"at most {most} inputs (it has 3)" in problem and map_onto(looped(most), core).fits


@pytest.mark.slow
def test_a_neuron_that_reaches_too_many_cores_is_told_so() -> None:
    # A core holds 7 of these thresholds, and a neuron sends 1,024 axons off its chip.
    def thresholds(count: int) -> Program:
        many = np.arange(1, count + 1, dtype=np.int32)
        hidden = layer("hidden", np.ones((1, 1)), "input")
        out = layer("out", np.ones((count, 1)), "hidden", threshold_mantissa=many)
        return network(hidden, out, inputs=1)

    (problem,) = map_cores(thresholds(7200)).problems
    assert "'hidden'" in problem and "on at most 1,024 cores (they take 1,029" in problem
    assert map_cores(thresholds(7 * 1024)).fits
