"""Values that neighbouring neurons share, spread over the neurons."""

from stochi.hardware.fixed_point import Integers


def over_neurons(values: Integers, shape: tuple[int, ...]) -> Integers:
    """Return values in a shape that broadcasts over the neurons of a layer.

    Args:
        values: of any type, of shape () or (1,) for all neurons, (channels,), or ``shape``.
        shape: shape of the neurons, channels first.
    """
    if not values.ndim:
        return values
    return values.reshape((*values.shape, *(1,) * (len(shape) - values.ndim)))
