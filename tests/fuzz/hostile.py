"""Values and files that nobody means: for each field, and for each way to store bytes."""

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NAMES = ("", "..", "/", "a/b", "../../etc", "[red]x[/red]", "<script>alert(1)</script>", "$x^2$")
NAMES += ("\x1b[31mred", "a\nb", "\x00", "\u202egnp", "\u2028", "n" * 5_000, "\ud800")
NUMBERS = (-1, 0, 1, 2.5, True, -0.0, float("nan"), float("inf"), -float("inf"), 1e-300, 1e300)
NUMBERS += (2**16, 2**31 - 1, 2**31, 2**63 - 1, 2**63, 2**70)
SHAPES: tuple[Any, ...] = ([], [1], [[1]], [1, 2, 3, 4], [0, 0, 0], [-1, 8, 8], [2**31] * 3)
SHAPES += ([1.5, 8, 8], ["1", "8", "8"], [None] * 3, {}, {"a": 1}, [[]] * 3)
VALUES: tuple[Any, ...] = (None, *NUMBERS, *NAMES, *SHAPES)
PIECE = 2**20
GIBIBYTES = 3 * 2**30


def deep(levels: int = 200) -> Any:
    """Return lists in lists."""
    value: Any = []
    for _ in range(levels):
        value = [value]
    return value


def replaced(values: dict[str, Any], hostile: tuple[Any, ...] = VALUES) -> Iterator[dict[str, Any]]:
    """Yield a dictionary with each field in turn missing, and with each value in its place."""
    for name in values:
        yield {other: value for other, value in values.items() if other != name}
        for value in hostile:
            yield values | {name: value}


def zeros(size: int = GIBIBYTES) -> bytes:
    """Return the deflated form of zeros, a thousandth of their size."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    piece = packer.compress(bytes(PIECE)) + packer.flush(zlib.Z_FULL_FLUSH)
    return piece * (size // PIECE) + packer.flush()


def gzip_of_zeros(start: bytes = b"", size: int = GIBIBYTES) -> bytes:
    """Return a gzip file of a beginning, stored as it is, and zeros behind it."""
    head = b"\x1f\x8b\x08" + bytes(6) + b"\xff"
    stored = b"\x00" + struct.pack("<HH", len(start), len(start) ^ 0xFFFF) + start
    checked = struct.pack("<II", zlib.crc32(bytes(PIECE)), (len(start) + size) % 2**32)
    return head + (stored if start else b"") + zeros(size) + checked


def zip_of(members: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    """Return a zip archive."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return content.getvalue()


def zip_of_zeros(
    names: tuple[str, ...], size: int = GIBIBYTES, claimed: int | None = None
) -> bytes:
    """Return a zip archive whose members are zeros.

    Args:
        claimed: size that the archive gives them; None: their own.
    """
    data, given, listed = zeros(size), size if claimed is None else claimed, b""
    content = b""
    for name in names:
        fields = struct.pack("<HHHHHII", 20, 0, 8, 0, 0, 0, len(data)) + struct.pack("<I", given)
        encoded = name.encode()
        start = len(content)
        content += b"PK\x03\x04" + fields + struct.pack("<HH", len(encoded), 0) + encoded + data
        listed += b"PK\x01\x02" + struct.pack("<H", 20) + fields
        listed += struct.pack("<HHHHHII", len(encoded), 0, 0, 0, 0, 0, start) + encoded
    ends = struct.pack("<HHHHIIH", 0, 0, len(names), len(names), len(listed), len(content), 0)
    return content + listed + b"PK\x05\x06" + ends


def npy(shape: object, descr: object = "<f4", data: bytes = b"", version: int = 1) -> bytes:
    """Return a file of numpy's that claims any shape and type."""
    header = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape!r}, }}".encode()
    header += b" " * (-(len(header) + 10) % 64) + b"\n"
    length = struct.pack("<H" if version == 1 else "<I", len(header))
    return b"\x93NUMPY" + bytes((version, 0)) + length + header + data


def no_files(folder: Path, ending: str) -> dict[str, Path]:
    """Make what is no file under a file's name: a pipe, a device, a folder, nothing, a loop."""
    paths = {what: folder / f"{what}{ending}" for what in ("pipe", "zeros", "folder", "loop")}
    for path in paths.values():  # another worker may have made them
        if path.is_dir():
            path.rmdir()
        elif os.path.lexists(path):
            path.unlink()
    os.mkfifo(paths["pipe"])
    paths["zeros"].symlink_to("/dev/zero")
    paths["folder"].mkdir()
    paths["loop"].symlink_to(paths["loop"])
    return paths | {"missing": folder / f"nowhere{ending}", "long": folder / ("n" * 300 + ending)}
