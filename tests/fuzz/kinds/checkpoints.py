"""Checkpoints of ``stochi train``: what loads has the weights that were saved."""

from pathlib import Path
from random import Random
from typing import Any

import torch

from stochi.tensor_files import digest_of
from stochi.train import NetworkConfig, load_checkpoint, save_checkpoint
from tests.fuzz import hostile
from tests.fuzz.kind import Kind
from tests.fuzz.mutation import damage
from tests.fuzz.tensor_files import hostile_tensors, save_summed, torch_files

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
    save_summed(content, path)


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
    for name, value in hostile_tensors().items():
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
        save_summed(value, paths[name])
    for name, data in torch_files((folder / "conv.pt").read_bytes()).items():
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


KIND = Kind("checkpoints", originals, mutate, crafted, use)
