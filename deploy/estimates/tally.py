"""Running sums over batches, from which the events of a run are counted."""

import numpy as np
import torch

from stochi.deploy.estimates.fan_out import before_weights
from stochi.hardware.synapses import exact_sum_pool2d
from stochi.program.layers import (
    CONSTANT,
    INPUT,
    Layer,
    Projection,
    Shape,
    Stage,
    SumPool,
    shape_after,
)
from stochi.program.program import Program
from stochi.sim.record import Record


class ProjectionTally:
    """What arrived at a projection so far.

    Attributes:
        arrived: (*source shape) int64, values other than 0 that arrived of each source neuron.
        received: int64, values other than 0 at each input of its weights; the same array as
            ``arrived``, unless pooling comes before the weights.
    """

    def __init__(self, projection: Projection, shape: Shape) -> None:
        self.projection = projection
        self.arrived = np.zeros(shape, np.int64)
        self.early = before_weights(projection.stages)
        self.received = self.arrived
        if any(isinstance(stage, SumPool) for stage in self.early):
            self.received = np.zeros(shape_after_all(self.early, shape), np.int64)

    def add(self, sent: torch.Tensor) -> None:
        """Add a batch.

        Args:
            sent: (time steps, batch, *source shape) bool, where a value other than 0 was sent.
        """
        arriving = arrivals(sent, self.projection.delay)
        self.arrived += arriving.sum((0, 1), dtype=torch.int64).numpy()
        if self.received is self.arrived:
            return
        for frame in arriving:
            for stage in self.early:
                if isinstance(stage, SumPool):
                    frame = exact_sum_pool2d(frame, stage.kernel, stage.stride, stage.padding) > 0
                else:
                    frame = frame.flatten(1)
            self.received += frame.sum(0, dtype=torch.int64).numpy()


class LayerTally:
    """What a layer did so far.

    Attributes:
        spikes: (*shape) int64, spikes of each neuron.
        updates: number of them, as in :class:`stochi.deploy.estimates.counts`.
        projections: what arrived at each of its projections; nothing of constant sources.
    """

    def __init__(self, program: Program, layer: Layer) -> None:
        self.layer = layer
        self.spikes, self.updates = np.zeros(layer.shape, np.int64), 0
        self.projections = {
            number: ProjectionTally(projection, program.source_shape(projection, layer))
            for number, projection in enumerate(layer.projections)
            if projection.source != CONSTANT
        }
        self._awake = torch.from_numpy(np.broadcast_to(layer.bias() != 0, layer.shape).copy())
        if layer.decay.drawn or layer.generator is not None:
            self._awake[...] = True

    def add(self, record: Record, sent: dict[str, torch.Tensor]) -> None:
        """Add a batch.

        Args:
            record: of the batch, with spikes and membranes.
            sent: source → where it sent a value other than 0, as for :class:`ProjectionTally`.
        """
        name = self.layer.name
        held = record.membrane[name] != 0
        updated = held | self._awake
        updated[1:] |= held[:-1]
        if self.layer.spikes:
            updated |= record.spikes[name]
            self.spikes += record.spikes[name].sum((0, 1), dtype=torch.int64).numpy()
        self.updates += int(updated.sum())
        for tally in self.projections.values():
            tally.add(sent[tally.projection.source])


def values_sent(program: Program, record: Record, frames: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return where each source sent a value other than 0, (time steps, batch, *shape) bool.

    Args:
        frames: (1 or time steps, batch, *shape) integers that the input sends.
    """
    shown = frames != 0
    steps = (program.target.time_steps, *shown.shape[1:])
    return {INPUT: shown.expand(steps), **record.spikes}


def shape_after_all(stages: tuple[Stage, ...], shape: Shape) -> Shape:
    """Return the shape of what a Program's stages make of an input, without the batch."""
    for stage in stages:
        after = shape_after(stage, shape)
        assert after is not None  # a Program's shapes fit
        shape = after
    return shape


def arrivals(sent: torch.Tensor, delay: np.ndarray) -> torch.Tensor:
    """Return what arrives within a sample of what was sent.

    Args:
        sent: (time steps, batch, *shape) bool.
        delay: int32 time steps, () or (*shape).
    """
    if not delay.any():
        return sent
    arriving = torch.zeros_like(sent, memory_format=torch.contiguous_format)
    for steps in np.unique(delay).tolist():
        if steps < len(sent):
            chosen = torch.from_numpy(np.asarray(delay == steps))
            arriving[steps:] |= sent[: len(sent) - steps] & chosen
    return arriving
