"""The layout of AEDAT4 files, as far as it is checked before a library reads them.

The library trusts a file's header, and unpacks each packet to whatever size it has. A file is its
magic number, a header (a FlatBuffers table with the compression and a description in XML), and
packets: number of a stream, number of bytes, bytes, which may be frames of LZ4 or Zstandard.
Sources: iniVation, "AEDAT 4.0"; the frame formats of LZ4 (1.6.3) and Zstandard (RFC 8878).
"""

import struct

MAGIC = b"#!AER-DAT4.0\r\n"
_LZ4, _ZSTD, _SKIPPED = 0x184D2204, 0xFD2FB528, 0x184D2A50
_LZ4_BLOCKS = {4: 2**16, 5: 2**18, 6: 2**20, 7: 2**22}
_ZSTD_BLOCK = 2**17
_LEAST = 12
"""Bytes of the smallest packet: its size, where its table is, and its kind."""
_LONGEST_TEXT = 2**20


def largest_content(content: bytes) -> int:
    """Return a limit of the bytes of a file's largest packet, unpacked.

    Raises:
        ValueError, struct.error: the header is damaged, or a packet is.
    """
    if not content.startswith(MAGIC):
        raise ValueError("it begins otherwise")
    (length,) = struct.unpack_from("<I", content, len(MAGIC))
    start = len(MAGIC) + 4
    if start + length > len(content):
        raise ValueError("it ends inside its header")
    end = _check_header(content[start : start + length])
    at, largest = start + length, 0
    while at != end and at + 8 <= len(content):
        (size,) = struct.unpack_from("<I", content, at + 4)
        if at + 8 + size > len(content):  # the library stops here, with an error or at its table
            break
        if size < _LEAST:
            raise ValueError(f"a packet has {size} bytes")
        largest = max(largest, _unpacked(content, at + 8, at + 8 + size))
        at += 8 + size
    return largest


def _check_header(header: bytes) -> int:
    """Return where the packets end, −1 if at the file's end; raise if the header is damaged.

    Its table of FlatBuffers must lie within its bytes, as far as the library reads it.
    """
    table = _number("<I", header, 0)
    fields = table - _number("<i", header, table)
    length = _number("<H", header, fields)
    places = [_number("<H", header, fields + at) for at in range(4, min(length, 10), 2)]
    places += [0] * (3 - len(places))
    if places[0]:
        _number("<i", header, table + places[0])
    end = _number("<q", header, table + places[1]) if places[1] else 0
    if not places[2]:
        raise ValueError("it has no description")
    text = table + places[2] + _number("<I", header, table + places[2])
    size = _number("<I", header, text)
    description = header[text + 4 : text + 4 + size]
    if len(description) < size or size > _LONGEST_TEXT:
        raise ValueError(f"its description has {size} bytes")
    if b"<!" in description.replace(b"<!--", b""):
        raise ValueError("its description defines names of its own")
    description.decode()
    return end


def _number(form: str, content: bytes, at: int) -> int:
    if at < 0:
        raise ValueError("its header leads before its begin")
    return int(struct.unpack_from(form, content, at)[0])


def _unpacked(content: bytes, at: int, end: int) -> int:
    """Return a limit of the bytes of a packet, unpacked."""
    total = 0
    while at + 4 <= end:
        (magic,) = struct.unpack_from("<I", content, at)
        if magic & ~0xF == _SKIPPED and at + 8 <= end:
            at += 8 + struct.unpack_from("<I", content, at + 4)[0]
        elif magic == _LZ4:
            at, size = _lz4_frame(content, at + 4, end)
            total += size
        elif magic == _ZSTD:
            at, size = _zstd_frame(content, at + 4, end)
            total += size
        else:
            break
    return total + max(0, end - at)


def _lz4_frame(content: bytes, at: int, end: int) -> tuple[int, int]:
    """Return where a frame ends, and a limit of its bytes, unpacked."""
    flags, block = content[at], content[at + 1] >> 4 & 7
    if block not in _LZ4_BLOCKS:
        raise ValueError("a packet has no LZ4 blocks")
    at += 3 + 8 * (flags >> 3 & 1) + 4 * (flags & 1)
    total = 0
    while at + 4 <= end:
        (size,) = struct.unpack_from("<I", content, at)
        at += 4
        if not size:
            return at + 4 * (flags >> 2 & 1), total
        at += (size & 0x7FFFFFFF) + 4 * (flags >> 4 & 1)
        total += _LZ4_BLOCKS[block]
    return end, total


def _zstd_frame(content: bytes, at: int, end: int) -> tuple[int, int]:
    """Return where a frame ends, and a limit of its bytes, unpacked."""
    flags = content[at]
    single = flags >> 5 & 1
    at += 1 + (not single) + (0, 1, 2, 4)[flags & 3] + (single, 2, 4, 8)[flags >> 6]
    total = 0
    while at + 3 <= end:
        head = int.from_bytes(content[at : at + 3], "little")
        kind, size = head >> 1 & 3, head >> 3
        at += 3 + (1 if kind == 1 else size)
        total += size if kind == 0 else max(size, _ZSTD_BLOCK)
        if head & 1:
            return at + 4 * (flags >> 2 & 1), total
    return end, total
