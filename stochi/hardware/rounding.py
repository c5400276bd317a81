"""Rounding that keeps what a neuron's weights add up to.

A layer's inputs are never negative, be they pixels or spikes, so the errors of rounding each weight
to the nearest add up to a drive that a neuron gets too much or too little of at every step. A few
weights rounded the other way keep that sum (the channel-wise part of SQuant: Guo et al., ICLR 2022,
https://openreview.net/forum?id=JXhROKNZzOc).
"""

import torch


def round_keeping_row_sums(values: torch.Tensor) -> torch.Tensor:
    """To whole numbers, each the one below or above, so that no row's sum changes by more than 1/2.

    Every value goes to the nearest (halves to even), and then those whose error is largest in the
    direction of their row's go the other way, as few as keep the sum. Whole numbers stay as they
    are.

    Args:
        values: float64, (rows, …).

    Returns:
        float64, of that shape; on every device the same.
    """
    nearest = torch.round(values)
    errors = (values - nearest).flatten(1)
    missing = torch.round(errors.sum(1))
    rows = missing.nonzero().squeeze(1)
    if not len(rows):
        return nearest
    direction = missing[rows].sign()[:, None]
    order = (errors[rows] * direction).argsort(dim=1, descending=True, stable=True)
    chosen = torch.arange(order.shape[1], device=values.device) < missing[rows].abs()[:, None]
    rounded = nearest.flatten(1)
    rounded[rows] = rounded[rows].scatter_add(1, order, chosen * direction)
    return rounded.view_as(values)
