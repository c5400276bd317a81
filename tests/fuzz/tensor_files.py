"""Files of torch that nobody means."""

import io
import pickle
from pathlib import Path
from typing import Any

import torch

from stochi.tensor_files import digest_of
from tests.fuzz import hostile


def save_summed(content: dict[str, Any], path: Path) -> None:
    """Save a content with the checksum that fits it, if there can be one."""
    try:
        content = content | {"sha256": digest_of(content)}
    except (ValueError, RecursionError):
        content = content | {"sha256": "0" * 64}
    torch.save(content, path)


def hostile_tensors() -> dict[str, Any]:
    """Return what may stand in the place of a tensor."""
    one = torch.ones(1)
    return {
        "expanded": one.expand(2**20, 2**20),
        "sparse": torch.eye(3).to_sparse(),
        "complex": torch.ones(3, 2, dtype=torch.complex64),
        "text": "weights",
        "list": [1.0, 2.0],
        "empty": torch.zeros(0),
        "scalar": torch.tensor(1.0),
        "meta": torch.ones(3, 2, device="meta"),
        "float64": torch.ones(3, 2, dtype=torch.float64),
        "bfloat16": torch.ones(3, 2, dtype=torch.bfloat16),
        "bool": torch.ones(3, 2, dtype=torch.bool),
        "quantized": torch.quantize_per_tensor(torch.ones(3, 2), 0.1, 0, torch.qint8),
        "parameter": torch.nn.Parameter(torch.ones(3, 2)),
    }


class _Code:
    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("code of a file has run",))


def torch_files(good: bytes) -> dict[str, bytes]:
    """Return bombs, code, and what is no file of torch, or a good one with more around it."""
    legacy, code = io.BytesIO(), io.BytesIO()
    torch.save({"a": torch.ones(3)}, legacy, _use_new_zipfile_serialization=False)
    torch.save({"format": _Code()}, code)
    return {
        "empty": b"",
        "text": b"not a checkpoint",
        "legacy": legacy.getvalue(),
        "code": code.getvalue(),
        "pickled code": pickle.dumps(_Code(), 2),
        "pickled number": pickle.dumps(2**80, 2),
        "claimed text": b"\x80\x02X" + b"\xff\xff\xff\x7f" + b"a",
        "claimed bytes": b"\x80\x04\x8e" + (2**62).to_bytes(8, "little"),
        "zip bomb": hostile.zip_of_zeros(("a/data.pkl", "a/version")),
        "zip bomb that says little": hostile.zip_of_zeros(("a/data.pkl",), claimed=100),
        "zip bomb of many": hostile.zip_of_zeros(("a/data.pkl", *map(str, range(300))), 2**23),
        "zip of no member": hostile.zip_of({}),
        "zip of a name": hostile.zip_of({"../../data.pkl": b"\x80\x02N."}),
        "zip behind": b"begin" * 20 + good,
        "twice": good + good,
        "html": b"<html><script>alert(1)</script></html>",
    }
