"""Rounding that keeps what a neuron's weights add up to.

A layer's inputs are never negative, be they pixels or spikes, so the errors of rounding each weight
to the nearest add up to a drive that a neuron gets too much or too little of at every step. A few
weights rounded the other way keep that sum (the channel-wise part of SQuant: Guo et al., ICLR 2022,
https://openreview.net/forum?id=JXhROKNZzOc).
"""

import torch

TIE = 1e-12
"""Errors are taken for equal where they differ by less than this for each place between them."""


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
    missing = torch.round(errors.sum(1, keepdim=True))
    most = int(missing.abs().max()) if values.numel() else 0
    if not most:
        return nearest
    direction = missing.sign()
    places = torch.arange(errors.shape[1], device=values.device)
    # Of equal errors the first ones, whatever the device does with ties.
    order = (errors * direction - TIE * places).topk(most, dim=1).indices
    chosen = (places[:most] < missing.abs()) * direction
    return nearest.flatten(1).scatter_add(1, order, chosen).view_as(values)
