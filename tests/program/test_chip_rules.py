"""Rules of Loihi 1, each on both sides of its limit."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stochi.deploy import Program
from stochi.errors import ProgramError
from stochi.hardware.chips import CHIPS
from stochi.hardware.noise import largest_generator_value
from stochi.program.layers import (
    CONSTANT,
    INPUT,
    Decay,
    Dense,
    Generator,
    Layer,
    OneToOne,
    Projection,
)
from stochi.program.target import Target


def projection(*weights: int, exponent: int = 0, delay: int = 0, source: str = INPUT) -> Projection:
    """Return a projection onto one neuron."""
    stage = Dense(np.array([weights], np.int16))
    return Projection(source, (stage,), exponent, np.array(delay, np.int32))


def layer(*projections: Projection, **changed: object) -> Layer:
    plain = Layer(
        name="lif",
        shape=(1,),
        projections=projections,
        bias_mantissa=np.zeros(1, np.int16),
        bias_exponent=0,
        decay=Decay(np.array(2048), drawn=False, redraw=False, programmable=False),
        threshold_mantissa=np.array(100, np.int32),
        scale=1.0,
    )
    return replace(plain, **changed)  # type: ignore[arg-type]


def made(chip: str, *layers: Layer, time_steps: int = 4) -> Program:
    inputs = next(p.weight.shape[1] for each in layers for p in each.projections)
    target = Target(chip, "none", time_steps, 1, 1e-3)
    return Program(target, (inputs,), layers, layers[-1].name, "spikes")


# 128 weights of 255 and one of 127, exponent 0: 32767 << 6 is 2²¹ − 64, the last below 21 bits.
FULL = (255,) * 128 + (127,)
BY_SYNAPSE = {"reset": "subtract", "reset_delay": True}
CURRENT_NOISE, MEMBRANE_NOISE = Generator("current", 0, 12), Generator("membrane", 1, 22)
BESIDE_NOISE = (2**21 - 1 - largest_generator_value(0, 12)) // 64 - sum(FULL[:-1])
"""Largest weight that 21 bits hold beside that noise."""
BESIDE_BOTH = (2**23 - 1 - 64 * sum(FULL) - largest_generator_value(1, 22)) // 16
"""Largest mantissa of a bias that 24 bits hold beside a full sum and that noise."""


def biased(mantissa: int) -> dict[str, object]:
    return {"bias_mantissa": np.array([mantissa], np.int16), "bias_exponent": 4}


@pytest.mark.parametrize(
    ("fits", "too_much", "says"),
    [
        (
            layer(projection(*FULL)),
            layer(projection(*FULL[:-1], 128)),
            r"synaptic sum may reach 32768; loihi1 holds 32767 \(21 bits and a sign.*Lava's model",
        ),
        (
            layer(projection(*(-w for w in FULL))),
            layer(projection(*(-w for w in FULL[:-1]), -128)),
            "synaptic sum may reach 32768",
        ),
        (
            layer(projection(*FULL[:-1]), Projection(CONSTANT, (OneToOne(np.int16([127])),), 0)),
            layer(projection(*FULL[:-1]), Projection(CONSTANT, (OneToOne(np.int16([128])),), 0)),
            "synaptic sum may reach 32768",
        ),
        (
            layer(projection(*FULL[:-1], BESIDE_NOISE), generator=CURRENT_NOISE),
            layer(projection(*FULL[:-1], BESIDE_NOISE + 1), generator=CURRENT_NOISE),
            "synaptic sum, with its noise of 64, may reach 3276[78]; ",
        ),
        (
            layer(projection(*FULL[1:]), threshold_mantissa=np.array(255), **BY_SYNAPSE),
            layer(projection(*FULL[1:], 1), threshold_mantissa=np.array(255), **BY_SYNAPSE),
            "synaptic sum, with the subtracted threshold of 255, may reach 32768",
        ),
        (
            layer(projection(254, exponent=7)),
            layer(projection(-256, exponent=7)),
            "mantissa 256 and exponent 7, which is 2097152 .*clips weights at 2097088",
        ),
        (
            layer(projection(8, -16, exponent=-3)),
            layer(projection(8, -12, exponent=-3)),
            "exponent of -3 from 'input', with mantissas that are no multiples of 8",
        ),
        (
            # 4080/4096 keeps so much that four time steps add up to almost four sums.
            layer(projection(*FULL), current_keep=np.array(4080, np.int16)),
            layer(
                projection(*FULL),
                current_keep=np.array(4080, np.int16),
                bias_mantissa=np.array([2**11], np.int16),
                bias_exponent=5,
            ),
            "current 8339328, bias 65536 and noise 0 may add up to 8404864, .* holds 8388607",
        ),
        (
            layer(projection(*FULL), generator=MEMBRANE_NOISE, **biased(BESIDE_BOTH)),
            layer(projection(*FULL), generator=MEMBRANE_NOISE, **biased(BESIDE_BOTH + 1)),
            "current 2097088, bias .* may add up to 83886.., of which loihi1 holds 8388607",
        ),
        (
            layer(projection(2), refractory=62),
            layer(projection(2), refractory=63),
            "refractory period 63, but loihi1 has 62",
        ),
        (
            layer(projection(2, delay=62)),
            layer(projection(2, delay=63)),
            "a delay of 63 time steps from 'input', but synapses of loihi1 delay by 62 at most",
        ),
        (
            layer(projection(2), projection(2, delay=63, source="lif")),
            layer(projection(2), projection(2, delay=64, source="lif")),
            "a delay of 64 time steps from 'lif', but .* delay by 63 at most",
        ),
        (
            layer(projection(2), threshold_mantissa=np.array(255 << 7), **BY_SYNAPSE),
            layer(projection(2), threshold_mantissa=np.array((255 << 7) + 1), **BY_SYNAPSE),
            "thresholds up to 32641 that one synapse of loihi1 cannot subtract",
        ),
        (
            layer(projection(2), threshold_mantissa=np.array([510]), **BY_SYNAPSE),
            layer(projection(2), threshold_mantissa=np.array([511]), **BY_SYNAPSE),
            "thresholds up to 511",
        ),
        (
            layer(projection(2), **BY_SYNAPSE),
            layer(projection(2), current_keep=np.array(9, np.int16), **BY_SYNAPSE),
            "reset 'subtract' with synaptic memory",
        ),
        (
            layer(projection(2), **BY_SYNAPSE),
            layer(projection(2), refractory=1, **BY_SYNAPSE),
            "reset 'subtract' with a refractory period of 1",
        ),
        (
            layer(projection(2)),
            layer(projection(2), reset="subtract"),
            "take a programmable neuron, which loihi1 does not have",
        ),
        (
            layer(projection(2)),
            layer(projection(2), reset="none"),
            "take a programmable neuron, which loihi1 does not have",
        ),
    ],
)
def test_the_limit_is_where_it_is_said(fits: Layer, too_much: Layer, says: str) -> None:
    """A Program for Loihi 2 is not held to it."""
    assert made("loihi1", fits)
    with pytest.raises(ProgramError, match=f"layer 'lif': .*{says}"):
        made("loihi1", too_much)
    assert made("loihi2", too_much)


def test_an_unknown_chip_is_no_target() -> None:
    with pytest.raises(ProgramError, match="chip is 'loihi3'; choose from loihi1, loihi2"):
        made("loihi3", layer(projection(2)))


def test_a_file_with_sums_that_could_wrap_is_refused_when_it_is_loaded(tmp_path: Path) -> None:
    fine = made("loihi2", layer(projection(*FULL, 2)))
    fine.save(tmp_path / "fine.program")
    assert Program.load(tmp_path / "fine.program").target.chip == "loihi2"
    object.__setattr__(fine, "target", replace(fine.target, chip="loihi1"))
    fine.save(tmp_path / "wraps.program")
    with pytest.raises(ProgramError, match=r"wraps\.program: layer 'lif': .*wraps beyond"):
        Program.load(tmp_path / "wraps.program")


def test_a_layer_counts_the_neurons_that_it_takes() -> None:
    one, two = layer(projection(2)), layer(projection(2), **BY_SYNAPSE)
    silent = replace(two, threshold_mantissa=None)
    for each, on_loihi_1 in ((one, 1), (two, 2), (silent, 1)):
        assert each.compartments(CHIPS["loihi1"]) == on_loihi_1 * math.prod(each.shape)
        assert each.compartments(CHIPS["loihi2"]) == 1


@pytest.mark.parametrize(
    ("decay", "says"),
    [
        (Decay(np.array([0, 4096]), True, True, False), "'lif': draws its decays, which takes"),
        (Decay(np.array(2048), False, False, True), "'lif': scales its input by its decay"),
    ],
)
def test_decays_that_take_microcode(decay: Decay, says: str) -> None:
    needy = layer(projection(1), decay=decay)
    assert made("loihi2", needy).layers[0].decay is decay
    with pytest.raises(ProgramError, match=says):
        made("loihi1", needy)
