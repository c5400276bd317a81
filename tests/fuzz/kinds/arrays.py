"""Inputs, labels and weights of one's own, from numpy, torch and safetensors."""

import importlib.util
import io
import json
import struct
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
from torch import nn

from stochi.commands.own_inputs import read_inputs, read_labels, read_samples
from stochi.commands.own_weights import load_weights
from stochi.errors import InputError
from tests.fuzz import hostile
from tests.fuzz.kind import Kind
from tests.fuzz.mutation import damage

_WEIGHTS = ".pth"
_SAFE = ".safetensors"
_DTYPES = ("<f4", ">f4", "<f2", "<i8", "|u1", "|b1", "<c8", "|O", "<U3", "|S0", "|V0", "<M8[s]")
_DTYPES += ("<f16", ">i2", "|V8")
_SIDES = (0, 1, -1, 2**31, 2**62, 2**63, 10**30, True, 2.5, "3")
_known: dict[str, Any] = {}
"""Originals with checksums of their members, by ending."""


def originals(folder: Path) -> list[Path]:
    """Write a file of each form."""
    inputs, labels = np.arange(24, dtype=np.float32).reshape(4, 6) / 24, np.array([0, 1, 2, 0])
    np.save(folder / "a.npy", inputs)
    np.savez(folder / "a.npz", inputs=inputs, labels=labels)
    torch.save({"inputs": torch.from_numpy(inputs), "labels": torch.arange(4)}, folder / "a.pt")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        state = nn.Linear(6, 3).state_dict()
    torch.save(state, folder / f"a{_WEIGHTS}")
    endings = [".npy", ".npz", ".pt", _WEIGHTS]
    if importlib.util.find_spec("safetensors"):
        (folder / f"a{_SAFE}").write_bytes(_safe(state))
        endings.append(_SAFE)
    for ending in (".npz", ".pt", _WEIGHTS):
        _known[ending] = _read(folder / f"a{ending}")
    return [folder / f"a{ending}" for ending in endings]


def mutate(random: Random, original: Path, path: Path) -> None:
    """Damage bytes."""
    path.write_bytes(damage(random, original.read_bytes()))


def crafted(folder: Path) -> dict[str, Path]:
    """Write headers that claim any shape and type, tensors of any kind, bombs and code."""
    files: dict[str, bytes] = {}
    for dtype in _DTYPES:
        for side in _SIDES:
            files[f"{dtype} {side!r}.npy"] = hostile.npy((side, 6), dtype, bytes(96))
            files[f"{dtype} {side!r}.npz"] = hostile.zip_of(
                {"inputs.npy": hostile.npy((side, 6), dtype, bytes(96))}
            )
    for number, shape in enumerate((*hostile.SHAPES, (1,) * 100, "x", None, -1)):
        files[f"shape {number}.npy"] = hostile.npy(shape, data=bytes(96))
    for version in (0, 1, 2, 3, 4, 255):
        files[f"version {version}.npy"] = hostile.npy((4, 6), "<f4", bytes(96), version)
    files["long header.npy"] = hostile.npy("(" * 9_000, version=2)
    files["number.npy"] = hostile.npy((4, 6), [("a", "<f4"), ("b", "|O")], bytes(96))
    for number, value in enumerate((*_tensors(), *hostile.VALUES[:20])):
        files[f"tensor {number}.pt"] = _saved({"inputs": value, "labels": torch.zeros(4)})
        files[f"alone {number}.pt"] = _saved(value)
        files[f"weight {number}{_WEIGHTS}"] = _saved({"weight": value, "bias": torch.ones(3)})
    for name in filter(lambda name: name.strip("\0"), hostile.NAMES[:-1]):
        files[f"name {len(files)}{_WEIGHTS}"] = _saved({name: torch.ones(3)})
        files[f"name {len(files)}.npz"] = hostile.zip_of(
            {f"{name}.npy": hostile.npy((4, 6), "<f4", bytes(96)), "b.npy": hostile.npy((1,))}
        )
    bomb = hostile.zip_of_zeros(("inputs.npy",))
    files |= {f"bomb{ending}": bomb for ending in (".npz", ".npy", ".pt", _WEIGHTS)}
    files["liar.npz"] = hostile.zip_of_zeros(("inputs.npy",), claimed=96)
    files["many.npz"] = hostile.zip_of_zeros(tuple(f"{n}.npy" for n in range(300)), 2**22)
    files["none.npz"] = hostile.zip_of({})
    for number, value in enumerate(hostile.replaced(_SAFE_HEADER, hostile.SHAPES)):
        files[f"{number}{_SAFE}"] = _safe_file(json.dumps({"weight": value}).encode())
    files[f"claimed{_SAFE}"] = struct.pack("<Q", 2**62) + b"{}"
    paths = {}
    for number, (name, data) in enumerate(files.items()):
        paths[name] = folder / f"{number}{Path(name).suffix}"
        paths[name].write_bytes(data)
    for ending in (".npy", ".pt", _WEIGHTS):
        made = hostile.no_files(folder, ending)
        paths |= {f"{what}{ending}": path for what, path in made.items()}
    return paths


def use(path: Path) -> None:
    """Read what a file may be: inputs and labels, or weights."""
    found = _read(path)
    if path.suffix in _known and "mutant" in path.name:
        assert found == _known[path.suffix]


def _read(path: Path) -> Any:
    if path.suffix in (_WEIGHTS, _SAFE):
        model = nn.Linear(6, 3)
        load_weights(model, path, "own.py:Net")
        return {name: values.tolist() for name, values in model.state_dict().items()}
    inputs = read_inputs(path)
    assert bool(inputs.isfinite().all()) and inputs.dtype == torch.float32
    if path.suffix == ".npy":
        return None
    labels = read_labels(path, None)
    try:
        samples = read_samples(path, None)
    except InputError:
        samples = None
    return inputs.tolist(), None if labels is None else labels.tolist(), samples is None


def _tensors() -> tuple[Any, ...]:
    return (
        torch.ones(1).expand(2**20, 2**20),
        torch.eye(6).to_sparse(),
        torch.ones(4, 6, dtype=torch.complex64),
        torch.ones(4, 6, device="meta"),
        torch.ones(4, 6, dtype=torch.bfloat16),
        torch.ones(4, 6, dtype=torch.bool),
        torch.ones(4, 6, dtype=torch.float8_e4m3fn),
        torch.full((4, 6), torch.nan),
        torch.ones(()),
        torch.ones(0, 6),
        torch.ones(3, 6).half(),
        torch.nested.nested_tensor([torch.ones(2), torch.ones(3)]),
    )


def _saved(value: Any) -> bytes:
    content = io.BytesIO()
    torch.save(value, content)
    return content.getvalue()


_SAFE_HEADER = {"dtype": "F32", "shape": [3, 6], "data_offsets": [0, 72]}


def _safe_file(header: bytes) -> bytes:
    return struct.pack("<Q", len(header)) + header + bytes(96)


def _safe(state: dict[str, torch.Tensor]) -> bytes:
    from safetensors.torch import save

    return bytes(save(state))


KIND = Kind("own arrays", originals, mutate, crafted, use)
