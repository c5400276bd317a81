"""lava-dl's network files: what loads runs the same on the compiled engine and in torch."""

import io
from pathlib import Path
from random import Random
from typing import Any

import h5py
import numpy as np

from stochi.budget import check_work
from stochi.deploy import read_net
from tests.deploy.test_net_file import net, write
from tests.fuzz import hostile
from tests.fuzz.engines import compare_engines
from tests.fuzz.kind import Kind
from tests.fuzz.mutation import damage

_STEPS = 4
_ARRAYS: tuple[Any, ...] = (
    np.float64("nan"),
    np.array([np.inf, 1.0]),
    np.zeros(0),
    np.zeros((1,) * 20),
    np.ones(3, np.complex64),
    np.ones(3, bool),
    np.array([b"CUBA", b"LOIHI"]),
    b"\xff\xfe",
    b"",
    h5py.Empty("f"),
    np.full((3, 2, 3, 3), 2.0**40),
    np.full((5, 27), -256.0),
    np.ones((2**10, 2**10)),
    np.array([2**31, 2**31]),
    np.array([-1, 2]),
    np.array([2**16, 2**16]),
    np.array([3, 2**31, 2**31]),
    np.array([2**64 - 1], np.uint64),
)


def originals(folder: Path) -> list[Path]:
    """Write a network of blocks of every kind."""
    return [write(net(), folder / "a.net")]


def mutate(random: Random, original: Path, path: Path) -> None:
    """Damage bytes, or a field."""
    if random.random() < 0.5:
        path.write_bytes(damage(random, original.read_bytes()))
        return
    blocks = net()
    for _ in range(random.choice((1, 1, 2, 3))):
        block = random.choice([block for block in blocks if block])
        name = random.choice(list(block))
        value = block[name]
        numbers = np.size(value) and np.asarray(value).dtype.kind in "biuf"
        if random.random() < 0.5 and numbers:
            values = np.array(value, np.float64).reshape(-1)
            values[random.randrange(len(values))] = random.choice((-1, 0, 1, 2, 3, 63, 255, 4096))
            block[name] = values.reshape(np.shape(value))
        elif random.random() < 0.3:
            del block[name]
        else:
            block[name] = random.choice((*_ARRAYS, *_storable()))
    _write(blocks, path)


def crafted(folder: Path) -> dict[str, Path]:
    """Write every field with every hostile value, links, cycles and claims."""
    paths: dict[str, Path] = {}
    values = [*_ARRAYS, *_storable()[::4]]
    for at, block in enumerate(net()):
        for place, name in enumerate(block):
            # Every value somewhere, and a fifth of them everywhere: each file is run.
            for number, value in list(enumerate(values))[place % 5 :: 5]:
                blocks = net()
                blocks[at][name] = value
                paths[f"{at} {name} {number}"] = folder / f"{len(paths)}.net"
                _write(blocks, paths[f"{at} {name} {number}"])
    good = folder / "good.net"
    write(net(), good)
    (folder / "outside").write_bytes(bytes(10_000))
    for name in ("external", "soft", "raw", "cycle", "claimed", "text", "group", "unnumbered"):
        paths[name] = folder / f"{name}.net"
        paths[name].write_bytes(good.read_bytes())
        with h5py.File(paths[name], "a") as file:
            _alter(name, file, folder)
    paths["empty"] = folder / "empty.net"
    paths["empty"].write_bytes(b"")
    return paths | hostile.no_files(folder, ".net")


def use(path: Path) -> None:
    """Run a network on both engines."""
    program = read_net(path, time_steps=_STEPS)
    check_work(sum(layer.neurons for layer in program.layers) * 2**10, "its run")
    compare_engines(program)


def _alter(name: str, file: Any, folder: Path) -> None:
    block = file["layer/1"]
    del block["weight"]
    if name == "external":
        block["weight"] = h5py.ExternalLink(str(folder / "good.net"), "layer/1/weight")
    elif name == "soft":
        block["weight"] = h5py.SoftLink("/layer/4/weight")
    elif name == "raw":
        place = [(str(folder / "outside"), 0, 54 * 8)]
        block.create_dataset("weight", (3, 2, 3, 3), "<f8", external=place)
    elif name == "cycle":
        block["weight"] = file["layer"]
    elif name == "claimed":
        block.create_dataset("weight", (10**6, 10**6, 3, 3), "<f8", chunks=(10, 10, 3, 3))
    elif name == "text":
        block["weight"] = ["a", "b"]
    elif name == "group":
        block.create_group("weight/deep/deeper")
    else:
        file["layer/x"] = 1


def _storable() -> list[Any]:
    """Return the hostile values that HDF5 stores."""
    found = []
    for value in (*hostile.NUMBERS, *hostile.NAMES):
        with h5py.File(io.BytesIO(), "w") as file:
            try:
                file["a"] = value
            except (TypeError, ValueError, OverflowError, UnicodeEncodeError):
                continue
        found.append(value)
    return found


def _write(blocks: list[dict[str, Any]], path: Path) -> None:
    with h5py.File(path, "w") as file:
        for number, block in enumerate(blocks):
            group = file.create_group(f"layer/{number}")
            for name, value in block.items():
                group[name] = value


KIND = Kind("networks of lava-dl", originals, mutate, crafted, use)
