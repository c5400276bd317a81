"""Files of tensors, read without running any code that they hold."""

import hashlib
import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stochi.budget import check_memory
from stochi.errors import InputError, first_line
from stochi.files import ZIP, check_plain_file, list_members, read_member, write_whole

SAFETENSORS = ".safetensors"
TORCH = (".pt", ".pth", ".ckpt", ".bin")
_COPIES = 3
"""Times that a file is in memory while torch reads it: its bytes, the tensors, and their copies."""
_DEEPEST, _MOST = 16, 1_000_000
"""Nested dictionaries and lists, and values, that a digest is taken of."""


def load_tensors(path: Path) -> Any:
    """Read a file of ``torch.save`` or of safetensors: tensors and plain values only.

    Raises:
        InputError: the file is missing or damaged, reading it would run code, or it takes more
            memory than the budget allows.
    """
    check_plain_file(path)
    if path.suffix == SAFETENSORS:
        return _load_safetensors(path)
    try:
        return load_torch(path)
    except InputError:
        raise
    except Exception as error:  # torch.load raises errors of many kinds for a foreign file
        raise InputError(f"{path}: {_why_not(path, error)}") from error


def load_torch(path: Path) -> Any:
    """Read a file of ``torch.save``, whose members are checked against their checksums.

    Raises:
        InputError: it takes more memory than the budget allows.
        Exception: the file is damaged or foreign, or reading it would run code; torch, zipfile and
            zlib raise many kinds.
    """
    import torch

    # From memory, torch does not take a file for the tar that it once wrote.
    return torch.load(_plain_copy(path), map_location="cpu", weights_only=True)


def is_plain(values: Any) -> bool:
    """Return whether these are dense numbers in memory, of a type that torch computes with."""
    import torch

    numbers = (torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
    floats = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
    return (
        type(values) in (torch.Tensor, torch.nn.Parameter)
        and values.dtype in numbers + floats
        and values.layout == torch.strided
        and not values.is_nested
        and values.device.type == "cpu"
    )


def digest_of(content: Any) -> str:
    """Return the SHA-256 of plain values and tensors, in dictionaries, lists and tuples.

    Neither the order of dictionaries nor a tensor's device counts.

    Raises:
        ValueError: it holds something else, or is nested too deeply or in a circle.
    """
    digest = hashlib.sha256()
    for number, part in enumerate(_parts(content, 0)):
        if number >= _MOST:
            raise ValueError(f"more than {_MOST} values")
        digest.update(len(part).to_bytes(8, "little"))
        digest.update(part)
    return digest.hexdigest()


def _parts(content: Any, depth: int) -> Iterator[bytes | memoryview]:
    """Yield the bytes that a digest is taken of."""
    import torch

    if depth > _DEEPEST:
        raise ValueError(f"more than {_DEEPEST} levels")
    if isinstance(content, torch.Tensor):
        content = content.cpu() if content.is_cuda else content
        if not is_plain(content):
            raise ValueError(f"a tensor of {content.dtype} and {content.layout}")
        check_memory(content.numel() * content.element_size(), "a tensor")
        yield f"tensor {content.dtype} {tuple(content.shape)}".encode()
        yield content.detach().contiguous().reshape(-1).view(torch.uint8).numpy().data
    elif isinstance(content, dict):
        yield f"dictionary {len(content)}".encode()
        for key in _in_order(content):
            yield from _parts(key, depth + 1)
            yield from _parts(content[key], depth + 1)
    elif isinstance(content, list | tuple):
        yield f"{'list' if isinstance(content, list) else 'tuple'} {len(content)}".encode()
        for value in content:
            yield from _parts(value, depth + 1)
    elif content is None or type(content) in (str, int, float, bool):
        yield f"{type(content).__name__} {content!r}".encode("utf-8", "surrogatepass")
    else:
        raise ValueError(f"a value of type {type(content).__name__}")


def _in_order(content: dict[Any, Any]) -> list[Any]:
    """Return the keys of a dictionary, ordered by what they are; ValueError if they do not say."""
    try:
        return sorted(content, key=repr)
    except Exception as error:  # of a foreign class, whose repr raises
        raise ValueError(f"keys that cannot be shown ({type(error).__name__})") from None


def _plain_copy(path: Path) -> io.BytesIO:
    """Return a file in memory, its members unpacked after their sizes and checksums were checked.

    Torch checks neither, and takes the sizes from the file.
    """
    with path.open("rb") as file:
        packed = file.read(len(ZIP)) == ZIP
    if not packed:
        check_memory(_COPIES * path.stat().st_size, f"{path}")
        return io.BytesIO(path.read_bytes())
    plain = io.BytesIO()
    with zipfile.ZipFile(path) as given, zipfile.ZipFile(plain, "w") as copy:
        members = list_members(given)
        check_memory(_COPIES * sum(member.file_size for member in members), f"{path}")
        for member in members:
            copy.writestr(member.filename, read_member(given, member))
    plain.seek(0)
    return plain


def save_torch(path: str | Path, content: Any) -> None:
    """Write a file of torch.save, aside and then into place; the same content, the same bytes."""
    import torch

    stored = io.BytesIO()  # torch would write the name of a file into its bytes
    torch.save(content, stored)
    write_whole(path, stored.getvalue())


def _load_safetensors(path: Path) -> Any:
    try:
        from safetensors.torch import load_file
    except ImportError:
        raise InputError(
            f"{path}: reading it needs the library safetensors (pip install safetensors); or save"
            " the weights with torch.save(model.state_dict(), 'weights.pt')"
        ) from None
    check_memory(_COPIES * path.stat().st_size, f"{path}")
    try:
        return load_file(path)
    except Exception as error:  # the library raises its own kinds
        raise InputError(
            f"{path}: not a safetensors file, or a damaged one: {first_line(error)}"
        ) from error


def _why_not(path: Path, error: Exception) -> str:
    """Return why torch does not read a file: code in it, or damage."""
    import torch

    try:
        code = torch.serialization.get_unsafe_globals_in_checkpoint(_plain_copy(path))
    except Exception:  # an older or a foreign format
        code = []
    if code:
        shown = ", ".join(sorted(code)[:4]) + (f" and {len(code) - 4} more" if code[4:] else "")
        return (
            f"reading it would run code ({shown}), so it is not read; save the tensors alone:"
            " torch.save(model.state_dict(), path)"
        )
    if "weights_only" in str(error) and path.open("rb").read(2) != b"PK":
        return (
            "not a file of torch.save, a damaged one, or one whose reading would run code; save"
            " the tensors alone: torch.save(model.state_dict(), path)"
        )
    return "not a file of torch.save, or a damaged one; save it again"
