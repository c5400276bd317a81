"""Counting the events of a Program that the engine runs on data."""

import math
from collections.abc import Iterator

import numpy as np
import torch

from stochi.data.batches import Data, number_of_samples
from stochi.deploy.estimates.counts import Counts, LayerCounts, ProjectionCounts
from stochi.deploy.estimates.destinations import Placement, fewest_placement
from stochi.deploy.estimates.fan_out import (
    before_weights,
    count_fan_out,
    sums_before_weights,
    synapse_format,
)
from stochi.deploy.estimates.tally import (
    LayerTally,
    ProjectionTally,
    shape_after_all,
    values_sent,
)
from stochi.errors import InputError, check_at_least_one
from stochi.program.layers import CONSTANT, INPUT, Layer, OneToOne, Projection
from stochi.program.program import Program
from stochi.sim.backends import run
from stochi.sim.inputs import Given, InOrder, check_inputs, inputs_in_order, to_frames
from stochi.sim.labelled import checked_batches
from stochi.sim.recording import PROBES, Progress, ignore_progress

HELD_STATES = 2**24
"""Number of states, over time steps, that are recorded at a time: 5 bytes each."""


def count_events(
    program: Program,
    data: Given | Data,
    *,
    placement: Placement | None = None,
    seed: int = 0,
    trial: int = 0,
    batch_size: int | None = None,
    progress: Progress = ignore_progress,
) -> Counts:
    """Run a Program on the engine, batch by batch, and count its events exactly.

    The counts are the same for every batch size.

    Args:
        program: from ``stochi.deploy.lower``.
        data: inputs as for ``stochi.sim.run``, or labelled data as for ``check_parity``, whose
            labels are not used.
        placement: messages that each spike takes; by default the fewest.
        seed, trial: as for ``stochi.sim.run``.
        batch_size: number of samples at a time; by default as many as a record holds in 80 MB.
        progress: function that is called with (done, total) samples after every batch.

    Raises:
        InputError: an argument is out of range, the data do not fit the Program, or there is no
            sample.
    """
    chosen = fewest_placement(program) if placement is None else placement
    size = _batch_size(program) if batch_size is None else batch_size
    check_at_least_one(batch_size=size)
    tallies = {layer.name: LayerTally(program, layer) for layer in program.layers}
    input_sent, samples = np.zeros(program.input_shape, np.int64), 0
    total, batches = _batches(program, data, size)
    for shown in batches:
        record = run(
            program,
            InOrder(shown),
            seed=seed,
            trial=trial,
            probes=PROBES,
            first_sample=samples,
        )
        sent = values_sent(program, record, to_frames(program, check_inputs(program, shown)))
        for tally in tallies.values():
            tally.add(record, sent)
        input_sent += sent[INPUT].sum((0, 1), dtype=torch.int64).numpy()
        samples += len(record.logits)
        progress(samples, samples if total is None else total)
    if not samples:
        raise InputError("the data hold no sample; nothing can be counted")
    return Counts(
        samples,
        program.target.time_steps,
        math.prod(program.input_shape),
        int(input_sent.sum()),
        int((input_sent * chosen.destinations[INPUT]).sum()),
        tuple(_layer(program, tally, samples, chosen) for tally in tallies.values()),
    )


def _batch_size(program: Program) -> int:
    states = sum(layer.neurons for layer in program.layers) + math.prod(program.input_shape)
    return max(1, HELD_STATES // (states * program.target.time_steps))


def _batches(
    program: Program, data: Given | Data, size: int
) -> tuple[int | None, Iterator[torch.Tensor]]:
    """Return the number of samples, if it is known, and the inputs in batches.

    Inputs are (batch, *shape) or (time steps, batch, *shape).
    """
    if not isinstance(data, torch.Tensor | InOrder | np.ndarray):
        batches = checked_batches(program, data, size)
        return number_of_samples(data), (batch.inputs for batch in batches)
    values = torch.from_numpy(data) if isinstance(data, np.ndarray) else data
    given = inputs_in_order(values, program.input_shape, program.target.time_steps)
    shown = check_inputs(program, given)
    parts = shown.split(size, 1)
    return shown.shape[1], (part if len(part) > 1 else part[0] for part in parts)


def _layer(program: Program, tally: LayerTally, samples: int, placement: Placement) -> LayerCounts:
    layer, steps = tally.layer, samples * program.target.time_steps
    projections, constant = [], 0
    for number, projection in enumerate(layer.projections):
        if projection.source == CONSTANT:
            ways = count_fan_out(projection.stages, layer.shape)
            constant += placement.blocks[layer.name]
            fired, form = int(ways.sum()) * steps, synapse_format(projection)
            projections.append(ProjectionCounts(CONSTANT, form, False, fired, fired, False, 0, 0))
        else:
            found = tally.projections[number]
            projections.append(_projection(program, layer, projection, found, steps))
    neurons = layer.neurons + constant
    always = constant * steps
    messages = int((tally.spikes * placement.destinations[layer.name]).sum())
    return LayerCounts(
        name=layer.name,
        neurons=layer.neurons,
        constant=constant,
        has_spikes=layer.spikes,
        accesses=neurons * steps,
        updates=tally.updates + always,
        spikes=int(tally.spikes.sum()) + always,
        messages=messages + always,
        random_numbers=_random_numbers(layer, samples, steps),
        projections=tuple(projections),
    )


def _projection(
    program: Program,
    layer: Layer,
    projection: Projection,
    tally: ProjectionTally,
    steps: int,
) -> ProjectionCounts:
    shape, stages = program.source_shape(projection, layer), projection.stages
    graded = projection.source == INPUT and not program.target.events
    form = synapse_format(projection)
    ways = count_fan_out(stages, shape)
    stored = count_fan_out(stages, shape, zeros=True) if form == "dense" else ways
    effective = dense = 0
    early = before_weights(stages)
    weighted = stages[len(early)]
    if not isinstance(weighted, OneToOne):
        received = shape_after_all(early, shape)
        reached = count_fan_out((weighted,), received)
        effective = int((tally.received.reshape(received) * reached).sum())
        dense = int(count_fan_out((weighted,), received, zeros=True).sum()) * steps
    return ProjectionCounts(
        projection.source,
        form,
        graded,
        operations=int((tally.arrived * ways).sum()),
        processed=int((tally.arrived * stored).sum()),
        multiplied=graded or sums_before_weights(stages),
        effective=effective,
        dense=dense,
    )


def _random_numbers(layer: Layer, samples: int, steps: int) -> int:
    """Return the number of draws of a layer: of its decays, and of the stock generator."""
    drawn = 0
    if layer.decay.drawn:
        drawn += layer.neurons * (steps if layer.decay.redraw else samples)
    if layer.generator is not None:
        drawn += layer.neurons * steps
    return drawn
