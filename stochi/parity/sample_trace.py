"""One sample's spikes and membranes on the twin and on the chip, for the report's pictures."""

from collections.abc import Mapping, Sequence

import torch

from stochi.parity.records.comparison import FirstMismatch, LayerComparison
from stochi.parity.results import CHIP, TWIN, LayerTrace, SampleTrace
from stochi.sim.record import Record

NEURONS = 16
"""Largest number of neurons of a layer whose spikes are kept."""
STEPS = 512
"""Largest number of time steps that are kept, from the first."""


def trace_sample(
    records: Mapping[str, Record], seed: int, chip: str, layers: Sequence[LayerComparison]
) -> SampleTrace:
    """Return the sample of the first mismatch, or the first one.

    Args:
        records: with that of the twin and of what ran as the chip, of the same samples.
        seed: of the draws.
        chip: name of the record that is the chip's.
        layers: their comparison.
    """
    first = {layer.layer: layer.first for layer in layers if layer.first is not None}
    number = next(iter(first.values())).sample if first else 0
    sides = {TWIN: records[TWIN], CHIP: records[chip]}
    traces = tuple(_trace(sides, name, number, first.get(name)) for name in sides[TWIN].membrane)
    return SampleTrace(number, seed, chip, traces)


def _trace(
    sides: Mapping[str, Record], layer: str, number: int, first: FirstMismatch | None
) -> LayerTrace:
    """Return a layer's spikes and one membrane.

    Neurons that spike at about half of the time steps show most, and the membrane that moves most,
    or that of a mismatch.
    """
    membranes = {side: _of_sample(sides[side].membrane[layer], number) for side in sides}
    shape = tuple(sides[TWIN].membrane[layer].shape[2:])
    spiking = layer in sides[TWIN].spikes
    spikes = {side: _of_sample(sides[side].spikes[layer], number) for side in sides if spiking}
    shown = int((membranes[TWIN].amax(0) - membranes[TWIN].amin(0)).argmax())
    telling = [shown]
    if spiking:
        steps = len(spikes[TWIN])
        distance = (2 * spikes[TWIN].sum(0) - steps).abs()
        telling = torch.sort(distance, stable=True).indices[:NEURONS].tolist()
    if first is not None and first.sample == number:
        shown = _flat(first.neuron, shape)
    if shown not in telling:
        telling = [shown, *telling[: NEURONS - 1]]
    neurons = sorted(telling) if spiking else []
    return LayerTrace(
        layer,
        tuple(neurons),
        {side: tuple(_digits(spikes[side][:, n]) for n in neurons) for side in spikes},
        shown,
        {side: tuple(map(int, membranes[side][:, shown].tolist())) for side in membranes},
    )


def _of_sample(values: torch.Tensor, number: int) -> torch.Tensor:
    """Return a sample's (time steps, neurons)."""
    return values[:STEPS, number].flatten(1)


def _flat(place: tuple[int, ...], shape: tuple[int, ...]) -> int:
    flat = 0
    for index, size in zip(place, shape, strict=True):
        flat = flat * size + index
    return flat


def _digits(spikes: torch.Tensor) -> str:
    return "".join("1" if spike else "0" for spike in spikes.tolist())
