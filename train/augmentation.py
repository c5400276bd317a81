"""Random changes of training samples that leave their classes as they are."""

import torch
from torch.nn import functional

from stochi.data.samples import AnySamples


def shift_at_random(samples: AnySamples, largest: int) -> AnySamples:
    """Return samples each moved by whole pixels, the same at all of its time steps.

    Moves are uniform from −largest to largest, down and to the right, and drawn from torch's
    default generator. What leaves the frame is lost; what enters it is 0.

    Args:
        samples: images or streams whose last two dimensions are height and width.
        largest: largest move; with 0 nothing is drawn.
    """
    if not largest:
        return samples
    inputs, dim = samples.inputs, samples.batch_dim
    height, width = inputs.shape[-2:]
    padded = functional.pad(inputs, (largest,) * 4).unbind(dim)
    corners = torch.randint(2 * largest + 1, (len(samples), 2)).tolist()
    moved = [
        one[..., top : top + height, left : left + width]
        for one, (top, left) in zip(padded, corners, strict=True)
    ]
    return samples.with_inputs(torch.stack(moved, dim))
