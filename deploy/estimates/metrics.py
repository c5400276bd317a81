"""NeuroBench's metrics of a Program, under NeuroBench's names.

Definitions are those of NeuroBench 2.3 (``neurobench/metrics``), applied to what the Program's
layers received and sent. NeuroBench looks at values to tell accumulates from multiply-accumulates;
here the kind of source decides, so that an image which is all black and white stays an image.
"""

from dataclasses import dataclass

import numpy as np

from stochi.deploy.estimates.counts import Counts
from stochi.program.layers import Convolution, Dense, Layer, Projection, Stage, Weighted
from stochi.program.program import Program

WEIGHT_BYTES, PARAMETER_BYTES, THRESHOLD_BYTES = 1, 2, 4
"""Bytes of an 8-bit weight; of a bias mantissa or decay (13 bits); of a threshold (17 bits)."""


@dataclass(frozen=True)
class Metrics:
    """NeuroBench's metrics.

    Attributes:
        footprint: bytes of all parameters.
        connection_sparsity: share of zeros among the weights of linear layers and convolutions.
        activation_sparsity: share of zeros among what neurons sent.
        effective_macs, effective_acs: operations for a sample of values other than 0 with weights
            other than 0: multiply-accumulates of layers that receive numbers, accumulates of those
            that receive only 0 and 1.
        dense: operations for a sample if nothing were 0.
    """

    footprint: int
    connection_sparsity: float
    activation_sparsity: float
    effective_macs: float
    effective_acs: float
    dense: float

    def named(self) -> dict[str, float | dict[str, float]]:
        """Return the metrics under NeuroBench's names."""
        return {
            "Footprint": self.footprint,
            "ConnectionSparsity": self.connection_sparsity,
            "ActivationSparsity": self.activation_sparsity,
            "SynapticOperations": {
                "Effective_MACs": self.effective_macs,
                "Effective_ACs": self.effective_acs,
                "Dense": self.dense,
            },
        }


def measure(program: Program, counts: Counts) -> Metrics:
    """Return NeuroBench's metrics of a Program that ran.

    Args:
        program: the Program.
        counts: its events, from :func:`stochi.deploy.estimates.counting.count_events`.
    """
    found = [projection for layer in counts.layers for projection in layer.projections]
    sending = [layer for layer in counts.layers if layer.has_spikes]
    states = sum(layer.neurons for layer in sending) * counts.samples * counts.time_steps
    always = sum(layer.constant for layer in sending) * counts.samples * counts.time_steps
    spikes = sum(layer.spikes for layer in sending) - always
    weights = _connections(program)
    zeros = sum(int((weight == 0).sum()) for weight in weights)
    return Metrics(
        footprint=footprint(program),
        connection_sparsity=zeros / max(1, sum(weight.size for weight in weights)),
        activation_sparsity=(states - spikes) / states if states else 0.0,
        effective_macs=sum(p.effective for p in found if p.multiplied) / counts.samples,
        effective_acs=sum(p.effective for p in found if not p.multiplied) / counts.samples,
        dense=sum(p.dense for p in found) / counts.samples,
    )


def footprint(program: Program) -> int:
    """Return the bytes of a Program's parameters, each at its width on the chip in whole bytes.

    Weights of a convolution count once, as in NeuroBench. What a core's memory needs for them is a
    question of their placement.
    """
    return sum(_layer_bytes(layer) for layer in program.layers)


def number_of_weights(program: Program) -> int:
    """Return the number of weights, those of a convolution once."""
    return sum(p.weight.size for layer in program.layers for p in layer.projections)


def _layer_bytes(layer: Layer) -> int:
    weights = sum(projection.weight.size for projection in layer.projections)
    parameters = layer.bias_mantissa.size + layer.decay.values.size
    if layer.current_keep is not None:
        parameters += layer.current_keep.size
    thresholds = 0 if layer.threshold_mantissa is None else layer.threshold_mantissa.size
    return WEIGHT_BYTES * weights + PARAMETER_BYTES * parameters + THRESHOLD_BYTES * thresholds


def _connections(program: Program) -> list[np.ndarray]:
    """Return the weights of linear layers and convolutions."""
    return [
        projection.weight
        for layer in program.layers
        for projection in layer.projections
        if isinstance(_weighted(projection), Dense | Convolution)
    ]


def _weighted(projection: Projection) -> Stage:
    return next(stage for stage in projection.stages if isinstance(stage, Weighted))
