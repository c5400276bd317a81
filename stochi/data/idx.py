"""IDX, the format of MNIST's files: a magic number, big-endian sizes, then plain bytes.

Source: LeCun, Cortes and Burges, "The MNIST database of handwritten digits", its section on
file formats.
"""

import math
import struct

import numpy as np

from stochi.errors import InputError

UNSIGNED_BYTE = 0x08


def header_size(dimensions: int) -> int:
    """Return the number of bytes before the array."""
    return 4 * (1 + dimensions)


def claimed_size(content: bytes, dimensions: int) -> int:
    """Return the number of bytes that a header asks for, itself included; 0 if it is not one."""
    header = header_size(dimensions)
    if len(content) < header or content[:4] != bytes((0, 0, UNSIGNED_BYTE, dimensions)):
        return 0
    return header + math.prod(struct.unpack(f">{dimensions}I", content[4:header]))


def parse_idx(content: bytes, dimensions: int) -> np.ndarray:
    """Return the array in an IDX file of unsigned bytes.

    Args:
        content: the whole file, decompressed.
        dimensions: required number of dimensions: 3 for images, 1 for labels.

    Returns:
        uint8 array with the shape given in the header and at least one element.

    Raises:
        InputError: the magic number is wrong, the array is empty, or the number of bytes does not
            match the sizes.
    """
    header = header_size(dimensions)
    magic = bytes((0, 0, UNSIGNED_BYTE, dimensions))
    if content[:4] != magic:
        found = f"begins with the bytes {content[:4].hex(' ')}" if content else "is empty"
        raise InputError(
            f"{found}; an IDX file begins with {magic.hex(' ')}"
            f" (unsigned bytes, {dimensions} dimension{'s' * (dimensions > 1)})"
        )
    if len(content) < header:
        raise InputError(f"truncated: it ends after {len(content)} bytes, inside its header")
    shape = struct.unpack(f">{dimensions}I", content[4:header])
    size, stored = math.prod(shape), len(content) - header
    sizes = "×".join(map(str, shape))
    if not size:
        raise InputError(f"its header gives the sizes {sizes}, so the array is empty")
    if stored < size:
        raise InputError(
            f"truncated: {sizes} need {size} bytes after the header, but there are {stored}"
        )
    if stored > size:
        raise InputError(f"{stored - size} bytes follow the {sizes} given in its header")
    return np.frombuffer(content, np.uint8, offset=header).reshape(shape)
