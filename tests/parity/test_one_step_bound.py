"""The one-step bound has teeth: numbers that are off by two units of their grid break it."""

import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch

from stochi.deploy import lower
from stochi.export import from_nir
from stochi.hardware.draws import Draws
from stochi.hardware.fixed_point import DECAY_UNITY
from stochi.program.layers import Layer, Weighted
from stochi.program.program import Program
from tests.parity.one_step_bound import OneStepBound
from tests.parity.random_graphs import random_graph, random_inputs, takes_events

Change = Callable[[Layer], Layer | None]
"""A layer with another number, or None if it has no such number."""
SEEDS = range(12)


def change_weights(layer: Layer) -> Layer | None:
    """Move a weight of each neuron or channel by two steps of its grid, towards 0."""
    first, *others = layer.projections
    stage = next(stage for stage in first.stages if isinstance(stage, Weighted))
    weight = np.atleast_2d(stage.weight).copy()
    weight = weight.reshape(len(weight), -1)
    weight[:, 0] -= np.sign(weight[:, 0]) * np.int16(4 if first.even else 2)
    changed = replace(stage, weight=weight.reshape(stage.weight.shape))
    stages = tuple(changed if one is stage else one for one in first.stages)
    return replace(layer, projections=(replace(first, stages=stages), *others))


def change_bias(layer: Layer) -> Layer | None:
    """Move the bias by two steps of its grid, towards 0."""
    bias = layer.bias_mantissa
    if not np.any(np.abs(bias) > 1) or layer.bias_exponent < 3:
        return None
    return replace(layer, bias_mantissa=np.array(bias - 2 * np.sign(bias), np.int16))


def change_threshold(layer: Layer) -> Layer | None:
    """Raise the threshold by two."""
    mantissa = layer.threshold_mantissa
    if mantissa is None or layer.reset != "subtract":
        return None
    return replace(layer, threshold_mantissa=np.array(mantissa + 2, np.int32))


def change_decay(layer: Layer) -> Layer | None:
    """Move the decay, or all decays of a table, by two units of 2⁻¹², towards ½."""
    values = layer.decay.values
    if not layer.spikes:
        return None
    moved = values + np.where(values > DECAY_UNITY // 2, -2, 2)
    return replace(layer, decay=replace(layer.decay, values=np.array(moved, values.dtype)))


def change_current_decay(layer: Layer) -> Layer | None:
    """Lower the decay of the synaptic current by two units of 2⁻¹²."""
    if layer.current_keep is None:
        return None
    return replace(layer, current_keep=np.array(layer.current_keep - 2, np.int16))


CHANGES = {
    "weights": change_weights,
    "bias": change_bias,
    "threshold": change_threshold,
    "decay": change_decay,
    "decay of the current": change_current_decay,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_two_units_too_many_break_it(change: Change) -> None:
    """The roundings of numbers always show it, and steps do if enough arrives."""
    changed, broken = 0, 0
    for seed in SEEDS:
        graph = random_graph(seed)
        program = lowered(seed)
        bound = OneStepBound(program, from_nir(graph, dtype=torch.float64))
        bound.assert_rounded(program)
        for number, layer in enumerate(program.layers):
            other = change(layer)
            if other is None:
                continue
            layers = (*program.layers[:number], other, *program.layers[number + 1 :])
            wrong = replace(program, layers=layers)
            with pytest.raises(AssertionError, match=layer.name):
                bound.assert_rounded(wrong)
            steps = bound.compare(random_inputs(graph, seed), Draws(3, 1), wrong)
            changed += 1
            broken += any(found.broken for found in steps)
    assert changed >= 4
    assert broken >= changed / 5


def lowered(seed: int) -> Program:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return lower(random_graph(seed), events=takes_events(seed))
