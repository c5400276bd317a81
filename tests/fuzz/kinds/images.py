"""Published sets of images: IDX, plain and gzipped, and CIFAR's records, plain and in a tar."""

import gzip
import io
import shutil
import struct
import tarfile
import tempfile
from pathlib import Path
from random import Random

import numpy as np
import torch

from stochi.data import load
from tests.data.files import MNIST_FILES, idx
from tests.fuzz import hostile
from tests.fuzz.kind import Kind
from tests.fuzz.mutation import damage

_COUNT = 6
_PACKED, _TAR = ".gz", ".tgz"
_NAMES = {".images": MNIST_FILES[0], ".labels": MNIST_FILES[1], _PACKED: f"{MNIST_FILES[0]}.gz"}
"""Ending of a file → its name in the set; those of CIFAR-100 have their own."""
_CIFAR = {".train": "train.bin", _TAR: "cifar-100-binary.tar.gz"}
_RECORD = 2 + 3 * 32 * 32


def _pixels() -> np.ndarray:
    return (np.arange(_COUNT * 28 * 28) % 251).astype(np.uint8).reshape(_COUNT, 28, 28)


def _records() -> bytes:
    records = (np.arange(_COUNT * _RECORD) % 249).astype(np.uint8).reshape(_COUNT, _RECORD)
    records[:, 0], records[:, 1] = np.arange(_COUNT), np.arange(_COUNT) + 90
    return records.tobytes()


def _tar(members: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w") as tar:
        for member, data in members:
            tar.addfile(member, io.BytesIO(data))
    return content.getvalue()


def _member(name: str, data: bytes = b"", **fields: object) -> tuple[tarfile.TarInfo, bytes]:
    member = tarfile.TarInfo(name)
    member.size = len(data)
    for field, value in fields.items():
        setattr(member, field, value)
    return member, data


def originals(folder: Path) -> list[Path]:
    """Write a file of each form."""
    labels = np.arange(_COUNT, dtype=np.uint8)
    members = [_member(f"cifar-100-binary/{name}.bin", _records()) for name in ("train", "test")]
    contents = {
        ".images": idx(_pixels()),
        ".labels": idx(labels),
        _PACKED: gzip.compress(idx(_pixels()), mtime=0),
        ".train": _records(),
        _TAR: gzip.compress(_tar(members), mtime=0),
    }
    for ending, content in contents.items():
        (folder / f"set{ending}").write_bytes(content)
    return [folder / f"set{ending}" for ending in contents]


def mutate(random: Random, original: Path, path: Path) -> None:
    """Damage bytes, of gzip perhaps before they are packed."""
    data = original.read_bytes()
    if original.suffix in (_PACKED, _TAR) and random.random() < 0.5:
        path.write_bytes(gzip.compress(damage(random, gzip.decompress(data)), 1))
        return
    path.write_bytes(damage(random, data))


def crafted(folder: Path) -> dict[str, Path]:
    """Write headers that claim any sizes, tars of hostile members, and bombs."""
    files: dict[str, bytes] = {}
    for first in (0, 1, 6, 2**16, 2**31, 2**32 - 1):
        for second in (0, 1, 28, 2**16, 2**32 - 1):
            header = struct.pack(">4B3I", 0, 0, 8, 3, first, second, 28)
            files[f"{first} {second}.images"] = header + bytes(_COUNT * 784)
            files[f"{first} {second}{_PACKED}"] = gzip.compress(header + bytes(_COUNT * 784), 1)
        files[f"{first}.labels"] = struct.pack(">4BI", 0, 0, 8, 1, first) + bytes(_COUNT)
    for kind in range(0, 256, 5):
        files[f"kind {kind}.images"] = bytes((0, 0, kind, 3)) + bytes(12)
        files[f"dimensions {kind}.labels"] = bytes((0, 0, 8, kind)) + bytes(12)
    for size in (0, 1, _RECORD - 1, _RECORD, _RECORD + 1):
        files[f"size {size}.train"] = bytes(size)
        files[f"bytes {size}.train"] = b"\xff" * size
    huge = struct.pack(">4B3I", 0, 0, 8, 3, 2**22 - 1, 28, 28)
    files[f"bomb of images{_PACKED}"] = hostile.gzip_of_zeros(huge)
    files[f"bomb{_PACKED}"] = hostile.gzip_of_zeros(idx(_pixels()))
    files[f"bomb{_TAR}"] = hostile.gzip_of_zeros(_tar([_member("a", bytes(512))])[:1024])
    for name, tar in _tars().items():
        files[f"{name}{_TAR}"] = gzip.compress(tar, 1)
    paths = {}
    for name, data in files.items():
        paths[name] = folder / name
        paths[name].write_bytes(data)
    return paths


def _tars() -> dict[str, bytes]:
    """Return tars of members that lead elsewhere, or claim any size."""
    good = [_member(f"cifar-100-binary/{name}.bin", _records()) for name in ("train", "test")]
    tars = {"good": _tar(good), "many": _tar([_member(f"{n}") for n in range(5_000)] + good)}
    for name in ("../train.bin", "/etc/train.bin", "/", "..", "a" * 300 + "/train.bin"):
        tars[f"name {len(tars)}"] = _tar([_member(name, _records()), good[1]])
    kinds = (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE)
    for kind in kinds:
        link = _member("train.bin", type=kind, linkname="/etc/passwd")
        tars[f"kind {kind!r}"] = _tar([link, good[1]])
    for size in (b"777777777777", b"\x80" + b"\xff" * 11, b"\xff" * 12, b"-0000000001 ", b"x" * 12):
        for at, kind in enumerate((b"0", b"x", b"g", b"L", b"S", b"1")):
            head = bytearray(tars["good"][:512])
            head[124:136], head[156:157] = size, kind
            head[148:156] = b" " * 8
            head[148:156] = b"%06o\0 " % sum(head)
            tars[f"size {size!r} {at}"] = bytes(head) + tars["good"][512:]
    return tars


def use(path: Path) -> None:
    """Load the set that a file belongs to; packed files hold what was packed, or are refused."""
    cifar = path.suffix in _CIFAR
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if cifar:
            if path.suffix != _TAR:
                (folder / "test.bin").write_bytes(_records())
        else:
            labels = np.arange(_COUNT, dtype=np.uint8)
            for file in MNIST_FILES:
                (folder / file).write_bytes(idx(_pixels() if "images" in file else labels))
        if path.suffix == _PACKED:
            (folder / MNIST_FILES[0]).unlink()
        shutil.copy(path, folder / (_CIFAR if cifar else _NAMES)[path.suffix])
        training, _ = load("cifar100" if cifar else "fashion-mnist", folder)
    inputs = training.inputs
    assert inputs.shape[1:] == ((3, 32, 32) if cifar else (1, 28, 28))
    assert len(inputs) == len(training.labels)
    assert 0 <= float(inputs.min()) <= float(inputs.max()) <= 1
    classes = training.labels.tolist()
    assert min(classes) >= 0 and max(classes) < (100 if cifar else 10)
    assert torch.equal((inputs * 255).round() / 255, inputs)


KIND = Kind("sets of images", originals, mutate, crafted, use)
