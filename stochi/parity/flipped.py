"""Images that attacks flip, kept as they were and as they were shown."""

from base64 import b64encode
from collections.abc import Iterator

import torch

from stochi.data.samples import Samples
from stochi.hardware.fixed_point import GRADED_INPUT_MAX
from stochi.parity.results import AccuracyRow, FlippedImage, Flips

MOST = 6
"""Number of images that a report keeps."""
LARGEST = 3 * 64 * 64
"""Values of an image up to which it is kept."""


def keep_flipped(row: AccuracyRow, clean: Samples, attacked: Samples) -> list[FlippedImage]:
    """Return a few images that the attack of a row flips; none of streams and of large images.

    Args:
        row: what the attack did.
        clean, attacked: the images before and after it.
    """
    shape = picture_shape(clean)
    if shape is None or row.flips is None:
        return []
    return [
        FlippedImage(
            number=number,
            attack=row.attack,
            made_on=row.made_on,
            flips=kind,
            shape=shape,
            clean=_pixels(clean.inputs[number]),
            attacked=_pixels(attacked.inputs[number]),
        )
        for kind, number in _chosen(row.flips)
    ]


def picture_shape(samples: Samples) -> tuple[int, ...] | None:
    """Return (channels, height, width) if the samples can be shown as pictures, else None."""
    shape = tuple(samples.inputs.shape[1:])
    if samples.batch_dim != 0 or len(shape) not in (2, 3):
        return None
    shape = (1, *shape) if len(shape) == 2 else shape
    size = samples.inputs[0].numel()
    return shape if shape[0] in (1, 3) and 0 < size <= LARGEST else None


def _chosen(flips: Flips) -> Iterator[tuple[str, int]]:
    """Yield a third of each kind, and more of the others if there are fewer of one."""
    kinds = {"chip_only": flips.chip_only, "float_only": flips.float_only, "both": flips.both}
    ranked = sorted(
        (place, order, kind, number)
        for order, (kind, numbers) in enumerate(kinds.items())
        for place, number in enumerate(numbers)
    )
    for _, _, kind, number in sorted(ranked[:MOST], key=lambda one: (one[1], one[3])):
        yield kind, number


def _pixels(image: torch.Tensor) -> str:
    values = (image.detach().cpu().double() * GRADED_INPUT_MAX).round().clamp(0, GRADED_INPUT_MAX)
    return b64encode(values.to(torch.uint8).numpy().tobytes()).decode("ascii")
