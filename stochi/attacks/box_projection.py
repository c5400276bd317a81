"""The nearest point, in L∞, where a linear function is zero and images are still images."""

import torch


def onto_plane(points: torch.Tensor, values: torch.Tensor, gradients: torch.Tensor) -> torch.Tensor:
    """Project images onto ``values + gradients·(z − points) = 0`` within [0, 1], in L∞ (Croce and
    Hein, ICML 2020).

    The nearest z moves each pixel by the same length t towards the plane, or as far as [0, 1]
    lets it. What that gains, Σ |gradient|·min(t, room), is linear in t between the rooms, so the
    smallest t that gains enough is found by sorting them. Pixels with gradient 0 stay. Where no
    image lies on the plane, z is the image that comes nearest to it.

    Args:
        points: (batch, *shape) in [0, 1].
        values: (batch,) of the linear function at the points.
        gradients: of the points' shape; 0 everywhere leaves a point where it is.

    Returns:
        (batch, *shape) in [0, 1], of the points' dtype.
    """
    start = points.flatten(1).double()
    towards = -gradients.flatten(1).double() * values.double().sign().unsqueeze(1)
    room = torch.where(towards > 0, 1 - start, start).where(towards != 0, 0)
    rooms, order = room.sort(1)
    slopes = towards.abs().gather(1, order)
    # When the pixel in this place stops: what those before it gained, the slope of those that move.
    stopped = (slopes * rooms).cumsum(1) - slopes * rooms
    moving = slopes.flip(1).cumsum(1).flip(1)
    missing = values.double().abs().unsqueeze(1)
    enough = (stopped + moving * rooms >= missing) & (moving > 0)
    place = enough.int().argmax(1, keepdim=True)
    length = (missing - stopped.gather(1, place)) / moving.gather(1, place)
    length = length.where(enough.any(1, keepdim=True), torch.inf)
    nearest = (start + towards.sign() * torch.minimum(length, room)).clamp(0, 1)
    return nearest.to(points.dtype).view_as(points)
