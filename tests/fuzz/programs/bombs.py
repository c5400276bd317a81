"""Zip archives that are not what they say: bombs, claims, and members out of order."""

import struct
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

_HUGE = 3 * 10**9
_PIECE = 10**7


def write_zip(path: Path, members: Iterable[tuple[str, bytes, int]], **fields: int) -> None:
    """Write a zip archive by hand.

    Args:
        members: name, packed bytes and the size that is claimed for what they hold.
        fields: flags, method and checksum of every member; deflated and 0 unless they are given.
    """
    flags, method = fields.get("flags", 0), fields.get("method", 8)
    whole, listed, count = b"", b"", 0
    for name, packed, size in members:
        common = struct.pack(
            *("<HHHHHIII", 20, flags, method, 0, 0, fields.get("crc", 0)),
            *(len(packed), size % 2**32),
        )
        ends = struct.pack("<HH", len(name), 0)
        listed += b"PK\1\2" + b"\x14\0" + common + ends
        listed += struct.pack("<HHHII", 0, 0, 0, 0, len(whole)) + name.encode()
        whole += b"PK\3\4" + common + ends + name.encode() + packed
        count += 1
    ending = struct.pack("<HHHHIIH", 0, 0, count, count, len(listed), len(whole), 0)
    path.write_bytes(whole + listed + b"PK\5\6" + ending)


def npy(claims: str, version: bytes = b"\1\0", values: bytes = b"") -> bytes:
    """Return an array's file with any header."""
    text = claims.encode("latin1")
    length = struct.pack("<H" if version == b"\1\0" else "<I", len(text))
    return b"\x93NUMPY" + version + length + text + values


def claim(shape: str, descr: str = "'<i2'") -> bytes:
    """Return the file of an array that claims a shape and holds nothing."""
    return npy(f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n")


def packed(data: bytes) -> bytes:
    """Return data, deflated."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def zeros_behind(start: bytes, size: int) -> bytes:
    """Return a deflated stream of some bytes and very many zeros, in little time."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    first = packer.compress(start) + packer.flush(zlib.Z_FULL_FLUSH)
    piece = packer.compress(bytes(_PIECE)) + packer.flush(zlib.Z_FULL_FLUSH)
    return first + piece * (size // _PIECE) + packer.flush()


def write_bombs(folder: Path) -> dict[str, Path]:
    """Write the archives; what each one tries → its path."""
    bomb = zeros_behind(claim("(3000000000,)", "'|u1'"), _HUGE)
    claims = {
        "a bomb of 3 GB": [("a.npy", bomb, _HUGE + 86)],
        "a bomb that claims 1 kB": [("a.npy", bomb, 1000)],
        "a bomb as the header": [("header.npy", bomb, _HUGE + 86)],
        "a hundred bombs": [(f"{n}.npy", bomb[:30_000], _HUGE) for n in range(100)],
        "a billion numbers": [_member("a", claim("(1000000000,)"))],
        "numbers beyond 64 bits": [_member("a", claim("(10000000000, 10000000000)"))],
        "a negative shape": [_member("a", claim("(-1, 2)"))],
        "a shape of zeros and more": [_member("a", claim("(0, 10000000000000000000000)"))],
        "a shape of many dimensions": [_member("a", claim(f"({'1, ' * 3000})"))],
        "a shape of True": [_member("a", claim("(True,)"))],
        "a shape that is no tuple": [_member("a", claim("7"))],
        "objects": [_member("a", claim("(1,)", "'|O'"))],
        "texts": [_member("a", claim("(1000000000,)", "'<U1000000'"))],
        "numbers without a size": [_member("a", claim("(1000000000,)", "'|V0'"))],
        "a structure": [_member("a", claim("(1,)", "[('a', '<i2'), ('b', '|O')]"))],
        "arrays in an array": [_member("a", claim("(1,)", "('<i2', (100000, 100000))"))],
        "a header of brackets": [_member("a", npy("(" * 9000 + ")" * 9000))],
        "a header of 60 kB": [_member("a", npy("{" + " " * 60_000 + "}"))],
        "a header of 4 GB": [("a.npy", packed(b"\x93NUMPY\2\0\xff\xff\xff\xff{"), 13)],
        "a header of a sum": [_member("a", npy("1" + "+1" * 4000))],
        "a header of version 9": [_member("a", npy("{}", b"\11\0"))],
        "an array twice": [_member("a", claim("(0,)"))] * 2,
        "a member that is no array": [("a.txt", packed(b"hello"), 5)],
        "a folder": [("a/", b"", 0)],
        "names that lead out": [_member("../../a", claim("(0,)"))],
        "a name of 60 kB": [_member("a" * 60_000, claim("(0,)"))],
        "no members": [],
        "ten thousand members": [_member(f"{n}", claim("(0,)")) for n in range(10_000)],
    }
    found = {}
    for number, (what, members) in enumerate(claims.items()):
        found[what] = folder / f"bomb{number}.program"
        write_zip(found[what], members)
    for what, fields in (
        ("encrypted", {"flags": 1}),
        ("packed by another method", {"method": 12}),
        ("packed by no method", {"method": 77}),
        ("a wrong checksum", {"crc": 1}),
    ):
        found[what] = folder / f"{what.replace(' ', '_')}.program"
        write_zip(found[what], [_member("header", claim("(0,)"))], **fields)
    return found | _write_others(folder)


def _member(name: str, data: bytes) -> tuple[str, bytes, int]:
    return f"{name}.npy", packed(data), len(data)


def _write_others(folder: Path) -> dict[str, Path]:
    contents = {
        "empty": b"",
        "one byte": b"P",
        "an empty archive": b"PK\5\6" + bytes(18),
        "a list of contents of 4 GB": b"PK\5\6"
        + struct.pack("<HHHHIIH", 0, 0, 1, 1, 2**32 - 1, 0, 0),
        "a list of contents before the file": b"PK\5\6"
        + struct.pack("<HHHHIIH", 0, 0, 9, 9, 500, 2**32 - 2, 0),
        "text": b"hello\n" * 99,
        "zeros": bytes(100_000),
        "one array": npy("{'descr': '<i2', 'fortran_order': False, 'shape': (0,)}"),
        "a pickle": b"\x80\4\x95\n\0\0\0\0\0\0\0\x8c\5print\x94.",
        "HDF5": b"\x89HDF\r\n\x1a\n" + bytes(500),
    }
    found = {}
    for what, content in contents.items():
        found[what] = folder / f"{what.replace(' ', '_')}.program"
        found[what].write_bytes(content)
    pickled = folder / "pickled.program"
    with pickled.open("wb") as file:
        np.savez(file, header=np.array([{"a": 1}], dtype=object))
    return found | {"objects, pickled": pickled}
