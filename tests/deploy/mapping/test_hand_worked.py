"""A network whose counts are worked out by hand."""

from dataclasses import replace

import numpy as np

from stochi.deploy import map_cores
from stochi.deploy.mapping.front import map_onto
from stochi.hardware.cores import CORES
from stochi.program import Decay, Dense, Layer, Program, Projection, Target


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


def test_a_recurrent_layer_that_does_not_fit_is_told_the_smallest_change() -> None:
    wide = layer("wide", np.ones((50, 1)), "input")
    back = Projection("wide", (Dense(np.ones((50, 50), np.int16)),), 0, np.array(1, np.int32))
    wide = replace(wide, projections=(*wide.projections, back))
    core = replace(CORES["loihi1"], input_axons=40)
    (problem,) = map_onto(network(wide, inputs=1), core).problems
    # One axon is the input's.
    assert "51 input axons" in problem and "at most 39 inputs in each" in problem
