"""The model as its author wrote it, against its graph in real numbers."""

from copy import deepcopy
from math import isfinite

import torch
from torch import nn

from stochi.data.samples import Samples
from stochi.devices import device_of
from stochi.export.model.model import GraphModel
from stochi.parity.results import OwnComparison
from stochi.train.twin.samples import Shown
from stochi.turns import seeded

TOLERANCE = 1e-3
"""Share of the largest output up to which a difference is rounding."""
_SEEDS = 0, 1


def compare_own(
    own: nn.Module, graph: GraphModel, samples: Samples, shown: Shown
) -> OwnComparison | None:
    """Compare a model's own answers with its graph's; both are in eval mode.

    Args:
        own: the model.
        graph: its graph, which reads its output over time as the model does.
        samples: what both are asked.
        shown: how the model takes samples.

    Returns:
        None if the model is a graph's, draws random numbers, or takes no such samples.
    """
    inputs = shown.of(samples.inputs)
    if isinstance(own, GraphModel) or inputs is None:
        return None
    first, second = (ask(own, inputs, seed) for seed in _SEEDS)
    if first is None or second is None or not torch.equal(first, second):
        return None
    with torch.no_grad():
        expected = graph(samples.inputs.to(device_of(graph)))
        if first.numel() != expected.numel():
            return OwnComparison(len(samples), len(samples), None, float(expected.abs().max()))
        axis = 1 if graph.reading.readout == "steps" else 0
        answers = first.reshape(expected.shape).double()
        differ = _differing(answers, expected.double(), axis)
        if bool(differ.any()):
            # Where the graph itself answers otherwise in more digits, rounding decides.
            exact = deepcopy(graph).double()(samples.inputs.to(device_of(graph)).double())
            differ &= _differing(answers, exact, axis) & ~_differing(expected, exact, axis)
    largest = float((answers - expected).abs().max())
    return OwnComparison(
        inputs=len(samples),
        differing=int(differ.sum()),
        largest=largest if isfinite(largest) else None,
        scale=float(expected.abs().max()),
    )


def ask(model: nn.Module, inputs: torch.Tensor, seed: int = 0) -> torch.Tensor | None:
    """Return a model's answer, or None if it fails, or does not answer with a tensor first."""
    with torch.no_grad(), seeded(seed):
        try:
            answer = model(inputs.to(device_of(model)).clone())
        except Exception:  # whatever the author's code raises
            return None
    answer = answer[0] if isinstance(answer, tuple | list) and answer else answer
    return answer if isinstance(answer, torch.Tensor) else None


def _differing(one: torch.Tensor, two: torch.Tensor, axis: int) -> torch.Tensor:
    """Return which samples' answers differ, (batch,) bool."""
    least = TOLERANCE * max(float(two.abs().max()), 1e-12)
    apart = ~((one.double() - two.double()).abs() <= least)
    return apart.movedim(axis, 0).flatten(1).any(1)
