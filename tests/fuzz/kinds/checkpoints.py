"""Checkpoints of ``stochi train``: what loads has the weights that were saved."""

import io
import pickle
from pathlib import Path
from random import Random
from typing import Any

import torch

from stochi.tensor_files import digest_of
from stochi.train import NetworkConfig, load_checkpoint, save_checkpoint
from tests.fuzz import hostile
from tests.fuzz.kind import Kind
from tests.fuzz.mutation import damage

_NETWORKS = (
    NetworkConfig(input_shape=(1, 4, 4), classes=3, time_steps=2, channels=(2, 2)),
    NetworkConfig((2, 4, 4), 3, 2, kind="event-mlp", neuron="plain", hidden=(4, 3)),
    NetworkConfig((2, 8, 8), 3, 2, (2, 2), kind="event-conv", neuron="cuba", batch_norm=False),
    NetworkConfig((1, 8, 8), 3, 2, kind="sew-resnet19", width=1, random_layers=4),
    NetworkConfig((1, 8, 8), 3, 2, kind="vgg9", width=1),
)
_ALTERED = "altered"
"""Mark of a file that was altered under a checksum made anew."""
_MOST_STEPS = 64
_known: set[str] = set()
"""Digests of the originals' weights."""


def originals(folder: Path) -> list[Path]:
    """Write a network of each kind, and one without a checksum, as earlier versions wrote it."""
    paths = []
    for number, network in enumerate(_NETWORKS):
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(number)
            model = network.build()
        paths.append(folder / f"{network.kind}.pt")
        save_checkpoint(paths[-1], model, network, {"seed": number, "losses": [0.5, 0.25]})
        _known.add(digest_of(dict(model.state_dict())))
    old = _content(paths[0])
    del old["sha256"]
    old["version"] = 4
    paths.append(folder / "version_4.pt")
    torch.save(old, paths[-1])
    return paths


def mutate(random: Random, original: Path, path: Path) -> None:
    """Damage bytes, or a value under a checksum made anew."""
    if random.random() < 0.6:
        path.write_bytes(damage(random, original.read_bytes()))
        return
    content = _content(original)
    content.pop("sha256", None)
    content["training"][_ALTERED] = True
    part = content[random.choice(("network", "network", "weights", "training"))]
    name = random.choice(list(part))
    if isinstance(part[name], torch.Tensor) and random.random() < 0.7:
        values = part[name].float().flatten()
        if len(values):
            values[random.randrange(len(values))] = random.choice((0, -1e30, float("nan"), 7))
        part[name] = values.reshape(part[name].shape) if random.random() < 0.7 else values
    else:
        part[name] = random.choice(hostile.VALUES)
    _save(content, path)


def crafted(folder: Path) -> dict[str, Path]:
    """Write every field with every hostile value, weights of other kinds, bombs and code."""
    content = _content(originals(folder)[0])
    content.pop("sha256")
    content["training"][_ALTERED] = True
    files: dict[str, Any] = {}
    for number, network in enumerate(hostile.replaced(content["network"], hostile.VALUES[::2])):
        files[f"network {number}"] = content | {"network": network}
    for number, other in enumerate(hostile.replaced(content, hostile.VALUES[::4])):
        files[f"field {number}"] = other
    for name, value in _tensors().items():
        weights = content["weights"] | {"network.readout.weight": value}
        files[f"weight {name}"] = content | {"weights": weights}
    files["deep"] = content | {"training": {"deep": hostile.deep()}}
    nest: list[Any] = []
    nest.append(nest)
    files["circle"] = content | {"training": {"circle": nest}}
    doubled: Any = ["x"]
    for _ in range(40):
        doubled = [doubled, doubled]
    files["billion laughs"] = content | {"training": {"laughs": doubled}}
    paths = {}
    for name, value in files.items():
        paths[name] = folder / f"{name}.pt"
        _save(value, paths[name])
    for name, data in _bytes(folder).items():
        paths[name] = folder / f"{name}.pt"
        paths[name].write_bytes(data)
    return paths | hostile.no_files(folder, ".pt")


def use(path: Path) -> None:
    """Load a network, compare its weights, and ask it."""
    model, content = load_checkpoint(path)
    if _ALTERED not in content["training"]:
        assert digest_of(dict(model.state_dict())) in _known
    network = NetworkConfig.from_dict(content["network"])
    if network.time_steps <= _MOST_STEPS:
        steps = (network.time_steps,) if network.events else ()
        with torch.no_grad():
            assert model(torch.zeros(*steps, 1, *network.input_shape)).shape == (1, network.classes)


def _content(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = torch.load(path, weights_only=True)
    return content


def _save(content: dict[str, Any], path: Path) -> None:
    """Save a content with the checksum that fits it, if there can be one."""
    try:
        content = content | {"sha256": digest_of(content)}
    except (ValueError, RecursionError):
        content = content | {"sha256": "0" * 64}
    torch.save(content, path)


def _tensors() -> dict[str, Any]:
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


def _bytes(folder: Path) -> dict[str, bytes]:
    good = (folder / "conv.pt").read_bytes()
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


KIND = Kind("checkpoints", originals, mutate, crafted, use)
