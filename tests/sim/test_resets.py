"""Resets against other Programs that must compute the same, and against stock Lava."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from stochi.errors import LoweringError
from stochi.hardware.fixed_point import THRESHOLD_MANTISSA_MAX
from stochi.program.layers import INPUT, Decay, Dense, Layer, OneToOne, Projection
from stochi.program.program import Program
from stochi.program.target import Target
from stochi.sim import run
from stochi.sim.inputs import lava_frames
from stochi.sim.recording import PROBES

STEPS, INPUTS, NEURONS = 20, 10, 8


def program(**changed: object) -> Program:
    """Return a layer with threshold 96 << 6 that strong inputs drive far above it."""
    rng = np.random.default_rng(0)
    weight = (2 * rng.integers(-60, 100, (NEURONS, INPUTS))).astype(np.int16)
    layer = Layer(
        name="n",
        shape=(NEURONS,),
        projections=(Projection(INPUT, (Dense(weight),), 0),),
        bias_mantissa=rng.integers(-900, 900, NEURONS).astype(np.int16),
        bias_exponent=1,
        decay=Decay(np.asarray(3000), False, False, False),
        threshold_mantissa=np.asarray(96, np.int32),
        scale=10.0,
    )
    target = Target("loihi2", "none", STEPS, 1, 1e-3)
    layer = replace(layer, **changed)  # type: ignore[arg-type]
    return Program(target, (INPUTS,), (layer,), "n", "spikes")


def events() -> torch.Tensor:
    return (torch.rand(STEPS, 30, INPUTS) < 0.3).float()


def test_a_late_subtraction_is_an_inhibitory_synapse_onto_itself() -> None:
    late = program(reset="subtract", reset_delay=True)
    feed = late.layers[0].projections[0]
    own = Projection("n", (OneToOne(np.asarray(-48, np.int16)),), 1, np.asarray(1, np.int32))
    without = program(reset="none", projections=(feed, own))
    shown = events()
    ours, theirs = (run(p, shown, probes=PROBES) for p in (late, without))
    assert torch.equal(ours.membrane["n"], theirs.membrane["n"])
    assert torch.equal(ours.logits, theirs.logits) and 0.1 < float(ours.logits.mean()) < 0.9
    assert bool((ours.membrane["n"] > 3 * 96 << 6).any())


def test_a_spike_that_resets_its_current_forgets_all_input_before() -> None:
    keep = np.asarray(4000, np.int16)
    forgetting = program(current_keep=keep, reset_current=True, bias_mantissa=np.zeros(1, np.int16))
    shown = torch.zeros(STEPS, 1, INPUTS)
    shown[0, 0, 0] = 1
    weight = np.zeros((NEURONS, INPUTS), np.int16)
    weight[:, 0] = 200
    feed = Projection(INPUT, (Dense(weight),), 0)
    for reset_current in (True, False):
        layer = replace(forgetting.layers[0], projections=(feed,), reset_current=reset_current)
        spikes = run(replace(forgetting, layers=(layer,)), shown, probes=("spikes",)).spikes["n"][
            :, 0, 0
        ]
        assert bool(spikes[0]) and bool(spikes[1:].any()) != reset_current


@pytest.mark.lava
def test_without_a_reset_membranes_are_those_of_stock_neurons_below_their_threshold() -> None:
    from stochi.sim.lava.stock import StockLava

    ours = program(reset="none")
    high = np.asarray(THRESHOLD_MANTISSA_MAX, np.int32)
    shown = events()[:, :3]
    stock_program = program(threshold_mantissa=high)
    with StockLava(stock_program, lava_frames(stock_program, shown)) as stock:
        theirs = stock.membranes_at_each_step()["n"]
    record = run(ours, shown, probes=PROBES)
    assert np.array_equal(record.membrane["n"].numpy(), theirs)
    assert 0.1 < float(record.spikes["n"].double().mean()) < 0.9
    assert theirs.max() < THRESHOLD_MANTISSA_MAX << 6


@pytest.mark.lava
@pytest.mark.parametrize(
    "changed", [{"reset": "subtract"}, {"reset": "none"}, {"reset_delay": True}, {"refractory": 2}]
)
def test_stock_lava_refuses_other_resets(changed: dict) -> None:
    from stochi.sim.lava.stock import StockLava

    with pytest.raises(LoweringError, match=r"'n': stock Lava has no reset other than to 0"):
        StockLava(program(**changed), lava_frames(program(), events()))
