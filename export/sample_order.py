"""A model's graph from labelled samples, whose streams it may take with the batch in front."""

import warnings
from collections.abc import Iterator

import nir
import torch
from torch import nn

from stochi.data.samples import Samples
from stochi.errors import ExportError
from stochi.export.nir_graph import DEFAULT_DT, to_nir

SHOWN = 8
"""Number of samples that a model is exported with, if there are as many."""


def export_samples(model: nn.Module, samples: Samples, dt: float = DEFAULT_DT) -> nir.NIRGraph:
    """Export a model by the first of some samples, in the order in which it takes them.

    Streams are shown with the time steps in front, with the batch in front, and step by step. The
    first graph counts that has the samples' time steps and shape; a graph of the same time steps
    and another shape, or the reverse, counts if there is none.

    Args:
        model: as :func:`stochi.export.to_nir` takes it.
        samples: images or streams.
        dt: length of a time step in seconds.

    Raises:
        ExportError: the model cannot be exported in any order. If it fails in all of them, the
            error is that of streams with the time steps in front.
    """
    if samples.batch_dim == 0:
        return to_nir(model, samples.up_to(SHOWN).inputs, dt)
    steps, shape = len(samples.inputs), samples.inputs.shape[2:]
    best, caught = None, []
    first: ExportError | None = None
    for sample in _orders(samples):
        with warnings.catch_warnings(record=True) as given:
            warnings.simplefilter("always")
            try:
                graph = to_nir(model, sample, dt)
            except ExportError as error:
                first = first or error
                continue
        own = graph.nodes["input"].input_type["input"]
        fits = (graph.metadata["steps"] == steps, tuple(own) == tuple(shape))
        if best is None or fits > best[0]:
            best, caught = (fits, graph), given
        if all(fits):
            break
    for warning in caught:
        warnings.warn_explicit(
            warning.message, warning.category, warning.filename, warning.lineno, source=None
        )
    if best is None:
        assert first is not None
        raise first
    return best[1]


def _orders(samples: Samples) -> Iterator[torch.Tensor]:
    """Yield a few streams in every order; they are not as many as time steps, if that can be."""
    steps, count = len(samples.inputs), min(SHOWN, len(samples))
    if count == steps:
        count += 1 if len(samples) > count else -1
    inputs = samples.up_to(max(count, 1)).inputs
    yield from (inputs, inputs.transpose(0, 1), inputs[0])
