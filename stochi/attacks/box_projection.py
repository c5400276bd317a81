"""Projection onto the plane of a linear function's zeros, in L∞ and within [0, 1]."""

import torch


def onto_plane(points: torch.Tensor, values: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
    """Project images onto ``values + gradients·(z − points) = 0`` within [0, 1], in L∞.

    After Croce and Hein, ICML 2020. The nearest z moves each pixel by the same length t towards
    the plane, or as far as [0, 1] allows. The gain of that, Σ |gradient|·min(t, room), is piecewise
    linear in t with breaks at the rooms, so sorting the rooms finds the smallest t that gains
    enough. Pixels with gradient 0 stay. If no image lies on the plane, z is the image that comes
    nearest to it.

    Args:
        points: (batch, *shape) in [0, 1].
        values: (batch,) values of the linear function at the points.
        gradients: gradients, of the points' shape; a point with gradient 0 everywhere stays.

    Returns:
        (batch, *shape) in [0, 1], of the points' dtype.
    """
    start = points.flatten(1).double()
    towards = -gradients.flatten(1).double() * values.double().sign().unsqueeze(1)
    room = torch.where(towards > 0, 1 - start, start).where(towards != 0, 0)
    rooms, order = room.sort(1)
    slopes = towards.abs().gather(1, order)
    # When the pixel at this place of the order stops: the gain of the pixels that stopped before
    # it, and the slope of those that still move.
    stopped = (slopes * rooms).cumsum(1) - slopes * rooms
    moving = slopes.flip(1).cumsum(1).flip(1)
    missing = values.double().abs().unsqueeze(1)
    enough = (stopped + moving * rooms >= missing) & (moving > 0)
    place = enough.int().argmax(1, keepdim=True)
    length = (missing - stopped.gather(1, place)) / moving.gather(1, place)
    length = length.where(enough.any(1, keepdim=True), torch.inf)
    nearest = (start + towards.sign() * torch.minimum(length, room)).clamp(0, 1)
    return nearest.to(points.dtype).view_as(points)
