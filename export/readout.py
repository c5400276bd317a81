"""Comparison of a model with its graph, which finds how the model reads its last layer."""

import nir
import torch
from torch import nn

from stochi.errors import ExportError
from stochi.export.evaluation import evaluate

RELATIVE_TOLERANCE = 1e-3
FLIPPED_FACTOR = 0.02
FLIPPED_REST = 0.1


def find_readout(
    model: nn.Module, graph: nir.NIRGraph, sample: torch.Tensor, time_steps: int
) -> str:
    """Return how the model reads the graph's output over time: "mean", "sum" or "steps".

    Sets the model's random-τ neurons to mean τ and runs both on the sample. This also checks that
    the graph computes what the model computes. A neuron within float rounding of its threshold may
    fire on one side only. The outputs therefore agree if nine in ten of them do, or if all of them
    do within a few hundredths and without a common factor.

    Args:
        model: the model, whose random-τ neurons are changed.
        graph: its graph, with ``dt`` in the metadata.
        sample: a batch of inputs.
        time_steps: number of time steps, for which the model runs.

    Raises:
        ExportError: the graph and the model disagree.
    """
    for module in model.modules():
        if getattr(module, "sampling", None) in ("step", "forward"):
            module.sampling = "mean"  # type: ignore[assignment]
    with torch.no_grad():
        output = model(sample)
    given = (output[0] if isinstance(output, tuple | list) else output).double()
    expected = evaluate(graph, sample, time_steps, float(graph.metadata["dt"]))
    readings = {"steps": expected, "mean": expected.mean(0), "sum": expected.sum(0)}
    for name, reading in readings.items():
        if reading.shape == given.shape and _agree(reading, given):
            return name
    raise ExportError(
        "the model does not compute what its graph computes with mean τ: its output of shape"
        f" {tuple(given.shape)} is neither the last layer's output over time nor its mean or sum."
        " Look for arithmetic in forward, or for a membrane that is not reset at the start"
    )


def _agree(expected: torch.Tensor, given: torch.Tensor) -> bool:
    scale = max(float(expected.abs().max()), 1e-12)
    close = (expected - given).abs() <= RELATIVE_TOLERANCE * scale
    if float(close.double().mean()) >= 0.9:
        return True
    # In a large network some neurons always differ, and each of them changes all outputs a little.
    # Then the outputs agree if they have no common factor and differ little.
    factor = float((expected * given).sum() / (expected * expected).sum().clip(min=1e-24))
    rest = float((given - factor * expected).norm() / expected.norm().clip(min=1e-12))
    return abs(factor - 1) < FLIPPED_FACTOR and rest < FLIPPED_REST
