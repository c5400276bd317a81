from dataclasses import replace

import numpy as np
import pytest
import torch

from stochi.deploy import Program, lower
from stochi.errors import ProgramError
from stochi.export import to_nir
from stochi.program.layers import (
    INPUT,
    Decay,
    Dense,
    Generator,
    Layer,
    OneToOne,
    Projection,
    SumPool,
)
from stochi.program.target import Target
from tests.conftest import dense_net


@pytest.fixture(scope="module")
def program() -> Program:
    return lower(to_nir(dense_net(), torch.rand(1, 1, 4, 4)))


def aimed(program: Program, **changed: object) -> Program:
    target = replace(program.target, **changed)  # type: ignore[arg-type]
    return replace(program, target=target)


def hidden(program: Program, **changed: object) -> Program:
    layers = (replace(program.layers[0], **changed), *program.layers[1:])  # type: ignore[arg-type]
    return replace(program, layers=layers)


def on_loihi_1(program: Program, **changed: object) -> Program:
    layers = (replace(program.layers[0], **changed), *program.layers[1:])  # type: ignore[arg-type]
    return replace(program, target=replace(program.target, chip="loihi1"), layers=layers)


def projected(program: Program, **changed: object) -> Program:
    own = program.layers[0].projections[0]
    return hidden(program, projections=(replace(own, **changed),))  # type: ignore[arg-type]


def weights(program: Program, *values: int) -> Program:
    weight = np.zeros((12, 16), np.int16)
    weight[0, : len(values)] = values
    flatten = program.layers[0].projections[0].stages[0]
    return projected(program, stages=(flatten, Dense(weight)), weight_exponent=0)


def pooled(program: Program, pooling: SumPool) -> Program:
    return projected(program, stages=(pooling, *program.layers[0].projections[0].stages))


def test_a_program_at_the_limits_is_accepted(program: Program) -> None:
    assert weights(program, -256, 254) and weights(program, 255, 1)
    assert hidden(program, bias_mantissa=np.full(12, -4096, np.int16), bias_exponent=7)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: aimed(p, time_steps=0), "time_steps is 0"),
        (lambda p: replace(p, output="fc9"), "'fc9' is not a layer"),
        (lambda p: replace(p, readout="spikes"), "readout 'spikes' does not suit"),
        (lambda p: replace(p, readout="loudest"), "choose from"),
        (lambda p: replace(p, over_time="sum"), "over_time is 'sum'; choose from mean, last"),
        (lambda p: aimed(p, input_levels=256), "input_levels is 256"),
        (lambda p: aimed(p, random_source="dice"), "random_source is 'dice'"),
        (lambda p: replace(p, layers=(p.layers[0], p.layers[0]), output="network.lif1"), "differ"),
        (lambda p: projected(p, source="nothing"), "source 'nothing' is not a layer"),
        (lambda p: projected(p, source="network.fc2"), "never spikes"),
        (lambda p: projected(p, source="network.lif1"), "needs a delay of 1"),
        (lambda p: projected(p, delay=np.array(-1)), "delay of -1"),
        (lambda p: projected(p, delay=np.zeros(3, np.int32)), "delays of shape"),
        (lambda p: projected(p, stages=()), "exactly one stage with weights"),
        (lambda p: projected(p, stages=(OneToOne(np.ones(3, np.int16)),)), "does not fit"),
        (lambda p: hidden(p, projections=()), "no projections"),
        (lambda p: pooled(p, SumPool((2, 2), (1, 1), (2, 2))), "over half"),
        (lambda p: hidden(p, generator=Generator("soma", 0, 7)), "noise on 'soma'"),
        (lambda p: hidden(p, generator=Generator("membrane", 8, 7)), "noise mantissa 8"),
        (lambda p: hidden(p, generator=Generator("membrane", 0, 24)), "noise exponent 24"),
        (lambda p: hidden(p, generator=Generator("membrane", 7, 23)), "its noise reaches"),
        (lambda p: hidden(p, generator=Generator("current", 2, 22)), "and its noise"),
        (lambda p: hidden(p, shape=(11,)), "its neurons have"),
        (lambda p: weights(p, -3, 5), "weights from -3 to 5"),
        (lambda p: weights(p, -258, 2), "weights from -258"),
        (lambda p: weights(p, 257), "weights from 0 to 257"),
        (lambda p: projected(p, weight_exponent=8), "weight exponent 8"),
        (lambda p: projected(p, weight_exponent=7), "24-bit current"),
        (lambda p: hidden(p, bias_mantissa=np.full(12, 4096, np.int16)), "bias mantissa"),
        (lambda p: hidden(p, bias_exponent=8), "bias exponent"),
        (lambda p: hidden(p, bias_mantissa=np.zeros(5, np.int16)), "bias of shape"),
        (lambda p: hidden(p, bias_mantissa=np.zeros((12, 1), np.int16)), "bias of shape"),
        (lambda p: hidden(p, reset="soft"), "reset is 'soft'; choose from zero, subtract, none"),
        (lambda p: hidden(p, reset="none", reset_delay=True), "leave out reset_delay"),
        (lambda p: hidden(p, reset_current=True), "no synaptic memory"),
        (lambda p: on_loihi_1(p, reset="subtract"), "which loihi1 does not have"),
        (lambda p: on_loihi_1(p, reset_delay=True), "which loihi1 does not have"),
        (lambda p: replace(p, output="network.lif1", readout="input"), "'input' does not suit"),
        (lambda p: hidden(p, threshold_mantissa=np.array(2**17)), "threshold mantissa"),
        (lambda p: hidden(p, threshold_mantissa=np.ones(3, np.int32)), "threshold of shape"),
        (lambda p: hidden(p, current_keep=np.array(4096)), "current_keep"),
        (lambda p: hidden(p, refractory=64), "refractory period"),
        (lambda p: hidden(p, decay=Decay(np.array([5, 4097]), True, True, True)), "decay"),
        (lambda p: hidden(p, decay=Decay(np.array([1, 2, 3]), True, True, True)), "decay table"),
    ],
)
def test_a_broken_rule_is_named(program: Program, change, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ProgramError, match=message):
        change(program)


def test_sums_that_a_float_would_round_cannot_be_built() -> None:
    """2¹⁸ odd weights of 255 on an 8-bit input would need 34 bits."""
    wide = Dense(np.full((1, 2**18), 255, np.int16))
    layer = Layer(
        name="lif",
        shape=(1,),
        projections=(Projection(INPUT, (wide,), -8),),
        bias_mantissa=np.zeros(1, np.int16),
        bias_exponent=0,
        decay=Decay(np.array(2048), False, False, False),
        threshold_mantissa=np.array(1),
        scale=1.0,
    )
    with pytest.raises(ProgramError, match=r"lif.*24-bit current"):
        Program(Target("loihi2", "none", 1, 255, 1e-3), (2**18,), (layer,), "lif", "spikes")
