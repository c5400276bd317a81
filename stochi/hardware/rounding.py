"""Rounding that preserves the sum of a neuron's weights.

A layer's inputs, pixels or spikes, are never negative. If each weight is rounded to the nearest
integer, the rounding errors therefore add up to a drive that is too large or too small at every
time step. Rounding a few weights the other way preserves the sum (the channel-wise part of SQuant:
Guo et al., ICLR 2022, https://openreview.net/forum?id=JXhROKNZzOc).
"""

import torch

TIE = 1e-12
"""Errors count as equal if they differ by less than this for each place between them."""


def round_keeping_row_sums(values: torch.Tensor) -> torch.Tensor:
    """Round values up or down so that no row's sum changes by more than 1/2.

    Every value is first rounded to the nearest integer (halves to even). Then the values whose
    errors are largest in the direction of their row's error are rounded the other way, as few as
    the sum requires. Integers stay as they are.

    Args:
        values: (rows, …) float64.

    Returns:
        float64 of the same shape, identical on every device.
    """
    nearest = torch.round(values)
    errors = (values - nearest).flatten(1)
    missing = torch.round(errors.sum(1, keepdim=True))
    most = int(missing.abs().max()) if values.numel() else 0
    if not most:
        return nearest
    direction = missing.sign()
    places = torch.arange(errors.shape[1], device=values.device)
    # Among equal errors, take the first ones, however the device breaks ties.
    order = (errors * direction - TIE * places).topk(most, dim=1).indices
    chosen = (places[:most] < missing.abs()) * direction
    return nearest.flatten(1).scatter_add(1, order, chosen).view_as(values)
