"""Damage to bytes, from a seeded generator."""

from random import Random

VALUES = (0, 1, 2, 3, 7, 8, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1)
VALUES += (2**63 - 1, 2**63, 2**64 - 1)


def damage(random: Random, data: bytes) -> bytes:
    """Return bytes after one to four kinds of damage."""
    for _ in range(random.randint(1, 4)):
        data = random.choice(_DAMAGES)(random, bytearray(data))
    return data


def _flip(random: Random, data: bytearray) -> bytes:
    for _ in range(random.choice((1, 1, 2, 8, 64))):
        if data:
            data[random.randrange(len(data))] ^= 1 << random.randrange(8)
    return bytes(data)


def _write_value(random: Random, data: bytearray) -> bytes:
    size = random.choice((1, 2, 4, 8))
    if len(data) > size:
        place = random.randrange(len(data) - size)
        value = random.choice(VALUES) % 2 ** (8 * size)
        data[place : place + size] = value.to_bytes(size, random.choice(("little", "big")))
    return bytes(data)


def _truncate(random: Random, data: bytearray) -> bytes:
    return bytes(data[: random.randint(0, len(data))])


def _remove(random: Random, data: bytearray) -> bytes:
    start, length = _piece(random, data)
    return bytes(data[:start] + data[start + length :])


def _repeat(random: Random, data: bytearray) -> bytes:
    start, length = _piece(random, data)
    return bytes(data[: start + length] + data[start:])


def _overwrite(random: Random, data: bytearray) -> bytes:
    start, length = _piece(random, data)
    data[start : start + length] = random.choice((bytes(length), random.randbytes(length)))
    return bytes(data)


def _append(random: Random, data: bytearray) -> bytes:
    return bytes(data) + random.randbytes(random.choice((1, 100, 5000)))


def _piece(random: Random, data: bytearray) -> tuple[int, int]:
    start = random.randint(0, len(data))
    return start, random.randint(0, min(len(data) - start, random.choice((4, 64, 4096))))


_DAMAGES = (_flip, _flip, _write_value, _write_value, _truncate, _remove, _repeat, _overwrite)
_DAMAGES += (_append,)
