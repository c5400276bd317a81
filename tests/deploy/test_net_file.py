"""lava-dl's network files: the Program's integers, and what is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from torch.nn import functional

from stochi.deploy import read_net
from stochi.errors import GraphError, LoweringError, ProgramError
from stochi.hdf5 import contents
from stochi.sim import run
from stochi.sim.recording import PROBES

STEPS = 30


def neuron(i_decay: Any = 1024, v_decay: Any = 128, threshold: int = 1280) -> dict[str, Any]:
    return {
        "neuron/type": "CUBA",
        "neuron/iDecay": i_decay,
        "neuron/vDecay": v_decay,
        "neuron/vThMant": threshold,
        "neuron/refDelay": 1,
        "neuron/gradedSpike": False,
    }


def even(*shape: int, seed: int = 0) -> np.ndarray:
    return 2.0 * np.random.default_rng(seed).integers(-60, 64, shape)


def conv(**changed: Any) -> dict[str, Any]:
    fields = {"stride": [1, 1], "padding": [1, 1], "dilation": [1, 1], "groups": 1}
    return {"type": "conv", "shape": [3, 6, 6], "weight": even(3, 2, 3, 3), **fields} | changed


def net() -> list[dict[str, Any]]:
    """The blocks of a network as ``export_hdf5`` writes them."""
    pool = {"type": "pool", "shape": [3, 3, 3], "weight": 64 * np.ones((1, 1, 2, 2))}
    windows = {"kernelSize": [2, 2], "stride": [2, 2], "padding": [0, 0], "dilation": [1, 1]}
    dense = {"type": "dense", "shape": [5], "weight": even(5, 27, seed=1), "bias": np.arange(5.0)}
    return [
        {"type": "input", "shape": [2, 6, 6]},
        conv(delay=np.array([0.0, 2.0, 1.0])) | neuron(),
        pool | windows | neuron(4096, 512, 100),
        {"type": "flatten", "shape": [27, 1, 1]},
        dense | neuron(np.full(5, 2048), 64, 900),
    ]


def write(blocks: list[dict[str, Any]], path: Path) -> Path:
    with h5py.File(path, "w") as file:
        for number, block in enumerate(blocks):
            group = file.create_group(f"layer/{number}")
            for name, value in block.items():
                if name == "type":
                    group.create_dataset("type", (1,), "S10", [value.encode()])
                else:
                    group.create_dataset(name, data=value)
    return path


def scaled(state: torch.Tensor, keep: int) -> torch.Tensor:
    """Multiply by keep / 4096, toward zero."""
    return state.sign() * (state.abs() * keep // 4096)


def test_its_integers_are_those_of_loihi_s_equations(tmp_path: Path) -> None:
    blocks = net()
    program = read_net(write(blocks, tmp_path / "a.net"), time_steps=STEPS)
    assert [layer.shape for layer in program.layers] == [(3, 6, 6), (3, 3, 3), (5,)]
    inputs = (torch.rand(STEPS, 4, 2, 6, 6) > 0.7).float()
    record = run(program, inputs, probes=PROBES)
    kernels = torch.from_numpy(blocks[1]["weight"])
    matrix = torch.from_numpy(blocks[4]["weight"])
    bias = 64 * torch.arange(5)
    layers = [(3072, 3968, 1280), (0, 3584, 100), (2048, 4032, 900)]
    states = [
        [torch.zeros(4, *layer.shape, dtype=torch.int64) for _ in "uv"] for layer in program.layers
    ]
    sent: list[torch.Tensor] = []
    for t in range(STEPS):
        x = inputs[t].double()
        for number, (keep_u, keep_v, threshold) in enumerate(layers):
            if number == 0:
                sums = functional.conv2d(x, kernels, padding=1)
            elif number == 1:
                late = torch.zeros(4, 3, 6, 6, dtype=torch.float64)
                for channel, delay in enumerate((0, 2, 1)):
                    if t >= delay:
                        late[:, channel] = sent[t - delay][:, channel]
                sums = functional.avg_pool2d(late, 2) * 4 * 64
            else:
                sums = x.flatten(1) @ matrix.T
            u, v = states[number]
            u = scaled(u, keep_u) + sums.long() * 64
            v = scaled(v, keep_v) + u + (bias if number == 2 else 0)
            spikes = v > threshold * 64
            states[number] = [u, v.masked_fill(spikes, 0)]
            x = spikes.double()
            if number == 0:
                sent.append(x)
            assert torch.equal(record.spikes[program.layers[number].name][t].bool(), spikes)
    assert all(0.01 < float(s.double().mean()) < 0.9 for s in record.spikes.values())


def changed(number: int, **fields: Any) -> Callable[[list[dict]], None]:
    def change(blocks: list[dict]) -> None:
        for name, value in fields.items():
            if value is None:
                del blocks[number][name.replace("__", "/")]
            else:
                blocks[number][name.replace("__", "/")] = value

    return change


@pytest.mark.parametrize(
    ("change", "error", "says"),
    [
        (changed(1, weight=None), GraphError, "layer 1: the field 'weight' is missing"),
        (changed(1, weight=even(3, 2, 3, 3) + 0.5), GraphError, "layer 1: weight must be whole"),
        (changed(1, weight=4 * even(3, 2, 3, 3)), GraphError, "layer 1: weight must be whole"),
        (changed(1, weight=even(3, 2, 3, 3) + 1), ProgramError, "'conv0': weights from"),
        (changed(1, weight=even(3, 6)), GraphError, "layer 1: kernels have the shape"),
        (changed(1, shape=[3, 5, 6]), ProgramError, "'conv0'.*ends in shape"),
        (changed(1, type="convT"), LoweringError, "layer 1: blocks of type 'convT'"),
        (changed(0, weight=1), LoweringError, "layer 0: its neurons encode the input"),
        (changed(4, neuron__type="SDNN"), LoweringError, "layer 4: neurons of type 'SDNN'"),
        (changed(4, neuron__refDelay=3), LoweringError, "layer 4: a refDelay"),
        (changed(4, neuron__iDecay=5000), GraphError, "layer 4: neuron/iDecay must be whole"),
        (changed(4, neuron__vDecay=None), GraphError, "layer 4: the field 'neuron/vDecay'"),
        (changed(4, neuron__gradedSpike=True), LoweringError, "layer 4: graded spikes"),
        (changed(1, delay=np.zeros(7)), GraphError, "layer 1: delay has 7 values"),
        (lambda blocks: blocks.clear(), GraphError, "no group 'layer'"),
        (lambda blocks: blocks.__delitem__(slice(1, None)), GraphError, "no layer with neurons"),
        (lambda blocks: blocks.__delitem__(0), GraphError, "layer 0: a first block.*input block"),
    ],
)
def test_what_is_malformed_or_not_supported_is_refused(
    change: Callable[[list[dict]], None], error: type, says: str, tmp_path: Path
) -> None:
    blocks = net()
    change(blocks)
    with pytest.raises(error, match=says):
        read_net(write(blocks, tmp_path / "a.net"), time_steps=STEPS)


def test_files_that_are_none_are_refused(tmp_path: Path) -> None:
    (tmp_path / "b.net").write_text("no HDF5")
    for name, says in (("missing.net", "missing.net"), ("b.net", "not an HDF5 file")):
        with pytest.raises(GraphError, match=says):
            read_net(tmp_path / name, time_steps=STEPS)


def test_the_library_of_hdf5_crashes_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "_CODE", "import os; os.abort()")
    with pytest.raises(GraphError, match="not an HDF5 file of lava-dl, or damaged; write it again"):
        read_net(write(net(), tmp_path / "a.net"), time_steps=STEPS)
