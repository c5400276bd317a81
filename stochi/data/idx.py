"""IDX, the format of MNIST's files: a magic number, big-endian sizes, then plain bytes.

Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits", on its file formats.
"""

import math
import struct

import numpy as np

from stochi.errors import InputError

UNSIGNED_BYTE = 0x08


def parse_idx(content: bytes, dimensions: int) -> np.ndarray:
    """The array in an IDX file of unsigned bytes.

    Args:
        content: the whole file, already unzipped.
        dimensions: how many the array must have: 3 for images, 1 for labels.

    Returns:
        uint8, of the shape that the file names; at least one element.

    Raises:
        InputError: another magic number, an empty array, or more or fewer bytes than the sizes say.
    """
    header = 4 * (1 + dimensions)
    magic = bytes((0, 0, UNSIGNED_BYTE, dimensions))
    if content[:4] != magic:
        found = f"begins with the bytes {content[:4].hex(' ')}" if content else "is empty"
        raise InputError(
            f"{found}, an IDX file begins with {magic.hex(' ')}"
            f" (unsigned bytes, {dimensions} dimension{'s' * (dimensions > 1)})"
        )
    if len(content) < header:
        raise InputError(f"ends after {len(content)} bytes, inside its header: truncated")
    shape = struct.unpack(f">{dimensions}I", content[4:header])
    size, stored = math.prod(shape), len(content) - header
    sizes = "×".join(map(str, shape))
    if not size:
        raise InputError(f"its header says {sizes}, which holds nothing")
    if stored < size:
        raise InputError(
            f"truncated: {sizes} need {size} bytes after the header, {stored} are there"
        )
    if stored > size:
        raise InputError(f"{stored - size} bytes follow the {sizes} that its header says")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)
