"""Lower a graph to a Program, pass by pass: every number onto the chip's grid.

A pass is a function that takes what the previous pass returned. What the graph leaves to its
framework's conventions is resolved; the graph is read into layers of real numbers; the sizes of
decay tables are chosen; noise that stands in for drawn decays is fitted to data, or taken over from
a Program; every layer is quantized; and a fit that was taken over is compared with the network that
now uses it. To add a pass, write a function from ``RealNetwork`` to ``RealNetwork``, or from
``Program`` to ``Program``, and call it in :func:`lower` at its place in the order.
"""

import warnings
from typing import Any

import nir

from stochi.arguments import check_arguments
from stochi.deploy.calibration import check_fit_options, fit_network
from stochi.deploy.coarseness import warn_of_coarse_weights
from stochi.deploy.graph.conventions import resolve_conventions
from stochi.deploy.graph.layers import cut_into_layers
from stochi.deploy.lowering.network import (
    NoGradedInput,
    SeveralProblems,
    lower_network,
    make_target,
)
from stochi.deploy.lowering.stand_in import take_over, warn_of_other_origin
from stochi.deploy.lowering.tables import check_table_bits, choose_table_bits
from stochi.deploy.ranges import warn_of_ranges
from stochi.errors import LoweringError, StochiWarning
from stochi.program.program import Program
from stochi.program.target import NOISE_TARGETS, Target
from stochi.sim.inputs import Given, inputs_in_order


def lower(
    graph: nir.NIRGraph,
    chip: str = "loihi2",
    noise: str = "decay",
    calibration: Given | None = None,
    *,
    fitted: Program | None = None,
    dt: float | None = None,
    time_steps: int | None = None,
    events: bool = False,
    bits: int | None = None,
    random_source: str = "philox",
    convention: str | None = None,
    reset: str | None = None,
) -> Program:
    """Lower a graph to a Program; docs/graphs.md lists what can be read, and by which conventions.

    Args:
        graph: from ``to_nir`` or another framework. Logits are the input of integrators if weights
            feed the output, else spikes, or membranes if neurons never spike or metadata "reads" is
            "membrane": the mean over time, or the last step's if metadata "readout" is "last".
        chip: "loihi2" or "loihi1".
        noise: how the chip draws τ: "decay" (a programmable neuron draws from a table, exact);
            "membrane" or "current" (mean τ and the stock generator, fitted to data); or "none".
        calibration: a few hundred training inputs as for ``sim.run``, for fitted noise and ranges.
        fitted: Program whose fit is taken over instead, for weights that were tuned with it.
        dt, time_steps: seconds per step, steps per sample; default the metadata's, else 8 steps.
        events: whether the input is binary events, not images in [0, 1] (8-bit graded).
        bits: bits b in 1 to 8 of the tables of 2^b decays; default the metadata's, else 8.
        random_source: "philox" or "lfsr" (docs/noise.md); not taken over with a Program's fit.
        convention, reset: as for :func:`stochi.deploy.resolve_conventions`.

    Raises:
        LoweringError, ProgramError: the graph does not fit the chip; the message names the node.
        InputError, GraphError: an argument is out of range, or the graph is not valid.

    Warns:
        CalibrationWarning: a fit leaves an error, or was made for other weights or random bits.
        AmbiguousOrder, ConventionWarning, ResetWarning: data or graph do not say what they mean.
        RangeWarning, CoarseWeights: a layer's membranes, or its weights, do not suit the chip.
        MergedDecays, MergedThresholds: the chip's cores hold fewer distinct values than a layer.
    """
    check_arguments(lower, locals(), besides=("graph", "calibration", "fitted", "bits"))
    graph = resolve_conventions(graph, dt=dt, convention=convention, reset=reset)
    options: dict[str, Any] = {"dt": dt, "time_steps": time_steps, "random_source": random_source}
    target = _make_target(graph, chip, noise, events, bits, options)
    check_fit_options(noise, calibration, fitted)
    check_table_bits(noise, bits)
    network = choose_table_bits(cut_into_layers(graph, target.dt), bits)
    shown = inputs_in_order(calibration, network.input_shape, target.time_steps)
    if noise in NOISE_TARGETS and fitted is None:
        program, _ = fit_network(network, target, shown)
    else:
        stand_ins = {} if fitted is None else take_over(fitted, noise, network.shapes)
        program = lower_network(network, target, stand_ins)
    warn_of_other_origin(fitted, program)
    warn_of_ranges(network, program, shown)
    warn_of_coarse_weights(network, program)
    return program


def _make_target(
    graph: nir.NIRGraph,
    chip: str,
    noise: str,
    events: bool,
    bits: int | None,
    options: dict[str, Any],
) -> Target:
    """Make the target; if the chip does not take the input, name the layers' problems, too."""
    try:
        return make_target(graph, chip, noise, events=events, **options)
    except NoGradedInput as error:
        for_events = make_target(graph, chip, noise, events=True, **options)
        raise _with_problems_of_layers(error, graph, for_events, bits) from error


def _with_problems_of_layers(
    error: LoweringError, graph: nir.NIRGraph, target: Target, bits: int | None
) -> LoweringError:
    """Return an error together with what else keeps a graph off the chip.

    Args:
        target: one whose input the chip takes.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StochiWarning)
        try:
            lower_network(choose_table_bits(cut_into_layers(graph, target.dt), bits), target)
        except LoweringError as other:
            others = other.problems if isinstance(other, SeveralProblems) else (other,)
            return SeveralProblems([error, *others])
    return error
