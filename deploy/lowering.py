"""NIR graph → Program: every number onto the chip's grid."""

import warnings
from collections.abc import Mapping
from typing import Any

import nir
import numpy as np
import torch

from stochi.deploy.layer_lowering import (
    MergedDecays,
    MergedThresholds,
    lower_layer,
    readout_of,
)
from stochi.deploy.program import IMAGE_LEVELS, NOISE_TARGETS, Program
from stochi.deploy.real_layers import RealNetwork, cut_into_layers
from stochi.deploy.stand_in import (
    StandIn,
    take_over,
    warn_of_other_source,
    warn_of_other_weights,
)
from stochi.deploy.table_bits import check_table_bits, choose_table_bits
from stochi.errors import GraphError, InputError, LoweringError
from stochi.hardware.chips import find_chip
from stochi.hardware.noise import check_source

NOISES = ("decay", *NOISE_TARGETS, "none")
DEFAULT_STEPS = 8


def lower(
    graph: nir.NIRGraph,
    chip: str = "loihi2",
    noise: str = "decay",
    calibration: torch.Tensor | Program | None = None,
    *,
    dt: float | None = None,
    steps: int | None = None,
    events: bool = False,
    bits: int | None = None,
    random_source: str = "philox",
) -> Program:
    """Put a graph on a chip.

    Args:
        graph: Linear, Affine, Conv2d, Scale, pooling, Flatten, Delay, LIF, IF, CubaLIF, LI, CubaLI
            and I nodes, connected in any way, from ``to_nir`` or another framework. An output fed
            by weights is read by integrators (their mean input is the logit), one fed by neurons
            by the mean of their spikes, or of their membranes where they never spike.
        chip: "loihi2" or "loihi1".
        noise: how the chip draws τ: "decay" (a programmable neuron draws from a table, exact);
            "membrane" or "current" (a stock neuron with mean τ, and the stock generator's noise,
            fitted to data); or "none" (mean τ).
        calibration: for fitted noise: inputs as for ``stochi.sim.run``, a few hundred images of
            the training set (see :func:`stochi.deploy.calibrate`, which also tells what was
            fitted), or a Program whose fit is taken over, for weights that were tuned with it.
        dt: seconds a step, where ``graph.metadata["dt"]`` is missing.
        steps: time steps a sample; else ``graph.metadata["steps"]``, else 8.
        events: the input is binary events, not images in [0, 1] (8-bit graded).
        bits: for noise "decay", neurons draw from tables of 2^bits decays, 1 to 8; else as many
            as the graph's metadata says, else 8.
        random_source: of the random bits: "philox", or "lfsr", a shift register that is more like
            a chip's own (docs/noise.md says what it costs). A Program's fit does not bring it.

    Raises:
        LoweringError: the graph does not fit the chip; the message names the node and a way out.
        InputError: an argument is out of range.
        GraphError: the graph is not valid.
        ProgramError: the layers' shapes do not fit each other.

    Warns:
        CalibrationWarning: a layer could not be matched, or its weights are far from those that
            the fit was made for, or its source of random bits is another than the fit's.
        MergedDecays, MergedThresholds: neurons' own decays, or thresholds, are more than a core of
            the chip can hold.
    """
    if not isinstance(graph, nir.NIRGraph):
        raise GraphError(f"a nir.NIRGraph is needed, this is a {type(graph).__name__}")
    target = find_chip(chip)
    if noise not in NOISES:
        raise InputError(f"noise is {noise!r}; choose from {', '.join(NOISES)}")
    check_source(random_source)
    if noise not in NOISE_TARGETS and calibration is not None:
        raise InputError(f"noise {noise!r} is not fitted to data; leave calibration out")
    check_table_bits(noise, bits)
    if noise in NOISE_TARGETS and not isinstance(calibration, Program):
        from stochi.deploy.calibration import calibrate

        options: dict[str, Any] = {
            "dt": dt,
            "steps": steps,
            "events": events,
            "random_source": random_source,
        }
        return calibrate(graph, calibration, chip, noise, **options)[0]
    dt, steps = _find_dt(graph, dt), _find_steps(graph, steps)
    if not events and not target.graded_spikes:
        raise LoweringError(
            f"{chip} has no graded spikes, so images cannot be its input; show it binary events"
            " and say so (events=True, --events), or choose loihi2"
        )
    levels = 1 if events else IMAGE_LEVELS
    network = choose_table_bits(cut_into_layers(graph, dt), bits)
    stand_ins = {}
    if isinstance(calibration, Program):
        stand_ins = take_over(calibration, noise, network.shapes)
    program = lower_network(network, chip, noise, steps, levels, dt, stand_ins, random_source)
    if isinstance(calibration, Program):
        warn_of_other_source(calibration, program)
        warn_of_other_weights(calibration, program)
    return program


def lower_network(
    network: RealNetwork,
    chip: str,
    noise: str,
    steps: int,
    input_levels: int,
    dt: float,
    stand_ins: Mapping[str, StandIn],
    random_source: str,
) -> Program:
    """A graph's layers as a Program; ``stand_ins`` by layer, for fitted noise."""
    target = find_chip(chip)
    layers = tuple(
        lower_layer(layer, target, noise, steps, input_levels, stand_ins.get(layer.name))
        for layer in network.layers
    )
    read = next(layer for layer in network.layers if layer.name == network.output)
    return Program(
        chip=chip,
        noise=noise,
        input_shape=network.input_shape,
        input_levels=input_levels,
        steps=steps,
        dt=dt,
        layers=layers,
        output=network.output,
        readout=readout_of(read.neuron),
        random_source=random_source,
    )


def lower_network_like(
    program: Program, network: RealNetwork, noise: str, stand_ins: Mapping[str, StandIn]
) -> Program:
    """A network lowered as a Program of it was, with this noise. What was merged is not said again:
    it was when the Program was made."""
    with warnings.catch_warnings():
        for told in (MergedDecays, MergedThresholds):
            warnings.simplefilter("ignore", told)
        return lower_network(
            network,
            program.chip,
            noise,
            program.steps,
            program.input_levels,
            program.dt,
            stand_ins,
            program.random_source,
        )


def _find_dt(graph: nir.NIRGraph, given: float | None) -> float:
    noted = _metadata(graph).get("dt")
    if noted is not None and given is not None and not np.isclose(float(noted), given):
        raise InputError(
            f"the graph was made with dt = {float(noted):g} s; leave out dt = {given:g} s"
        )
    dt = given if noted is None else float(noted)
    if dt is not None and not isinstance(dt, int | float | np.floating):
        raise InputError(f"dt is {dt!r}; it must be a number of seconds")
    if dt is None:
        raise InputError(
            "the graph does not say how long its time step is; pass dt in seconds, as it was"
            " trained with (snnTorch, lava-dl and Norse examples use 1e-4 or 1e-3)"
        )
    if not dt > 0:
        raise InputError(f"dt is {dt}; a time step must last longer than 0 seconds")
    return dt


def _find_steps(graph: nir.NIRGraph, given: int | None) -> int:
    steps = given if given is not None else _metadata(graph).get("steps", DEFAULT_STEPS)
    if not isinstance(steps, int | np.integer) or steps < 1:
        raise InputError(f"steps is {steps!r}; it must be a whole number of at least 1")
    return int(steps)


def _metadata(graph: nir.NIRGraph) -> dict[str, Any]:
    return graph.metadata if isinstance(graph.metadata, dict) else {}
