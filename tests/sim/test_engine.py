from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from stochi.deploy import lower
from stochi.errors import InputError
from stochi.export import to_nir
from stochi.hardware.draws import RANDOM_SOURCES, Draws
from stochi.hardware.noise import random_bytes
from stochi.parity.records.comparison import compare_records
from stochi.program.layers import Decay, Dense, Flatten, Layer, OneToOne, Projection, SumPool
from stochi.program.program import Program
from stochi.program.target import Target
from stochi.sim import run
from stochi.sim.recording import PROBES
from tests.conftest import NETWORKS, conv_net, dense_net


@pytest.fixture(scope="module")
def program() -> Program:
    return lower(to_nir(conv_net(), torch.rand(1, 2, 8, 8)))


def test_a_dense_program_by_hand_in_python_integers() -> None:
    """A whole small network, computed again with Python's own integers."""
    net = dense_net()
    program = lower(to_nir(net, torch.rand(1, 1, 4, 4)))
    images = torch.rand(3, 1, 4, 4)
    record = run(program, images, seed=7, trial=1, probes=PROBES)
    hidden, readout = program.layers

    def weights(layer):  # type: ignore[no-untyped-def]
        return layer.projections[0].weight.tolist()

    def shifted(total: int, exponent: int) -> int:
        return total << exponent if exponent >= 0 else total >> -exponent

    def trunc(x: int) -> int:
        return abs(x) // 4096 * (1 if x >= 0 else -1)

    assert hidden.threshold_mantissa is not None
    table = hidden.decay.values.tolist()
    for sample in range(3):
        pixels = [round(float(p) * 255) for p in images[sample].double().flatten()]
        v, out = [0] * 12, [0] * 3
        for step in range(program.target.time_steps):
            drawn = random_bytes(
                np.array([sample]), np.arange(12), Draws(seed=7, trial=1).at(0, step)
            )[0].tolist()
            spikes = []
            for n, row in enumerate(weights(hidden)):
                a = shifted(
                    sum(w * x for w, x in zip(row, pixels, strict=True)),
                    hidden.projections[0].weight_exponent,
                )
                k = table[drawn[n]]
                current = (a << 6) + int(hidden.bias()[n])
                v[n] = trunc(k * v[n]) + trunc((4096 - k) * current)
                spikes.append(v[n] > int(hidden.threshold_mantissa) << 6)
                v[n] = 0 if spikes[-1] else v[n]
            assert record.spikes["network.lif1"][step, sample].tolist() == spikes
            assert record.membrane["network.lif1"][step, sample].tolist() == v
            for n, row in enumerate(weights(readout)):
                a = shifted(
                    sum(w * x for w, x in zip(row, spikes, strict=True)),
                    readout.projections[0].weight_exponent,
                )
                out[n] += (a << 6) + int(readout.bias()[n])
            assert record.membrane["network.fc2"][step, sample].tolist() == out
        logits = [o / (64 * readout.scale * program.target.time_steps) for o in out]
        assert record.logits[sample].tolist() == pytest.approx(logits, rel=1e-12)


@pytest.mark.parametrize("network", NETWORKS)
def test_chip_logits_are_close_to_the_float_model_s_mean(network: str) -> None:
    build, shape = NETWORKS[network]
    net = build()
    images = torch.rand(8, *shape)
    program = lower(to_nir(net, images[:1]))
    with torch.no_grad():
        expected = torch.stack([net(images) for _ in range(400)]).double()
    chip = torch.stack([run(program, images, trial=t).logits for t in range(400)])
    error = (expected.mean(0) - chip.mean(0)).abs()
    noise = (expected.var(0) / 400 + chip.var(0) / 400).sqrt()
    scale = float(expected.mean(0).std())
    assert float((error - 4 * noise).max()) < 0.05 * scale
    assert torch.allclose(expected.std(0), chip.std(0), rtol=0.25, atol=0.01 * scale)


def test_shards_trials_and_seeds(program: Program) -> None:
    images = torch.rand(6, 2, 8, 8)
    whole = run(program, images, seed=5, probes=PROBES)
    shard = run(program, images[4:], seed=5, first_sample=4, probes=PROBES)
    for name, values in whole.membrane.items():
        assert torch.equal(values[:, 4:], shard.membrane[name])
    assert torch.equal(whole.logits, run(program, images, seed=5).logits)
    assert not torch.equal(whole.logits, run(program, images, seed=6).logits)
    assert not torch.equal(whole.logits, run(program, images, seed=5, trial=1).logits)


@pytest.mark.parametrize("threads", [1, 3])
def test_the_engine_s_own_shards_change_nothing(
    program: Program, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    images = torch.rand(7, 2, 8, 8)
    whole = run(program, images, seed=5, probes=PROBES)
    states = sum(layer.neurons for layer in program.layers) * program.target.time_steps
    monkeypatch.setattr("stochi.sim.engine.backend.SHARD_VALUES", 2 * states)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    seen: list[tuple[int, int]] = []
    try:
        parts = run(
            program,
            images,
            seed=5,
            probes=PROBES,
            progress=lambda done, all: seen.append((done, all)),
        )
        assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    assert [done for done, _ in seen] == sorted({done for done, _ in seen}) and len(seen) > 2
    assert seen[-1] == (7, 7)
    assert torch.equal(whole.logits, parts.logits)
    assert sum(c.mismatches for c in compare_records(whole, parts)) == 0


def test_probes_on_disk_are_those_in_memory(program: Program, tmp_path: Path) -> None:
    images = torch.rand(4, 2, 8, 8)
    held = run(program, images, probes=PROBES)
    mapped = run(program, images, probes=PROBES, probe_folder=tmp_path / "probes")
    assert sum(c.mismatches for c in compare_records(held, mapped)) == 0
    files = {path.name for path in (tmp_path / "probes").iterdir()}
    assert files == {f"membrane.{layer.name}.npy" for layer in program.layers} | {
        f"spikes.{layer.name}.npy" for layer in program.layers if layer.spikes
    }


def test_a_broken_run_leaves_no_probe_files(program: Program, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(program, torch.rand(4, 2, 8, 8), probes=PROBES, probe_folder=tmp_path, progress=stop)
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match="probe_folder"):
        (tmp_path / "file").write_text("")
        run(program, torch.rand(1, 2, 8, 8), probes=PROBES, probe_folder=tmp_path / "file")


@pytest.mark.parametrize("delayed", [False, True])
def test_a_window_may_pool_more_spikes_than_8_bits_count(delayed: bool) -> None:
    """256 spikes in one window are 256, not 0."""
    stages = (
        SumPool((16, 16), (16, 16), (0, 0)),
        Flatten(),
        Dense(np.array([[2], [-2]], np.int16)),
    )
    delay = np.full((1, 16, 16), 1, np.int32) if delayed else np.zeros((), np.int32)
    layer = Layer(
        name="readout",
        shape=(2,),
        projections=(Projection("input", stages, 0, delay),),
        bias_mantissa=np.zeros(1, np.int16),
        bias_exponent=0,
        decay=Decay(np.asarray(4096), False, False, False),
        threshold_mantissa=None,
        scale=1.0,
    )
    target = Target("loihi2", "none", time_steps=2, input_levels=1, dt=1e-3)
    program = Program(target, (1, 16, 16), (layer,), "readout", "membrane")
    events = torch.ones(2, 1, 1, 16, 16)
    membrane = run(program, events, probes=("membrane",)).membrane["readout"]
    seen = [0, 1] if delayed else [1, 2]
    expected = torch.tensor([[[2, -2]], [[2, -2]]]) * 256 * 64 * torch.tensor(seen)[:, None, None]
    assert torch.equal(membrane.long(), expected)


@pytest.mark.parametrize("after_weights", [False, True])
@pytest.mark.parametrize(
    ("channels", "side", "kernel", "padding"),
    [(1, 2, 2, 1), (8, 8, 4, 2), (4, 40, 2, 1), (64, 20, 2, 1)],
)
def test_padded_pooling_may_make_a_map_larger(
    channels: int, side: int, kernel: int, padding: int, after_weights: bool
) -> None:
    pooling = SumPool((kernel, kernel), (1, 1), (padding, padding))
    out = side + 2 * padding - kernel + 1
    weights = OneToOne(np.array(2, np.int16))
    layer = Layer(
        name="lif",
        shape=(channels, out, out),
        projections=(
            Projection("input", (weights, pooling) if after_weights else (pooling, weights), 0),
        ),
        bias_mantissa=np.zeros(1, np.int16),
        bias_exponent=0,
        decay=Decay(np.asarray(2048), False, False, False),
        threshold_mantissa=np.asarray(2, np.int32),
        scale=1.0,
    )
    shape = (channels, side, side)
    target = Target("loihi2", "none", time_steps=3, input_levels=1, dt=1e-3)
    program = Program(target, shape, (layer,), "lif", "spikes")
    events = (torch.rand(3, 2, *shape) < 0.4).float()
    pooled = torch.nn.functional.avg_pool2d(
        events.flatten(0, 1), kernel, 1, padding, divisor_override=1
    ).view(3, 2, channels, out, out)
    membrane = torch.zeros(2, channels, out, out)
    record = run(program, events, probes=PROBES)
    for step in range(3):
        membrane = (membrane / 2).floor() + 128 * pooled[step]
        spikes = membrane > 128
        membrane = membrane * ~spikes
        assert torch.equal(record.spikes["lif"][step], spikes)
        assert torch.equal(record.membrane["lif"][step].float(), membrane)


def test_images_are_frames_that_do_not_change(program: Program) -> None:
    images = torch.rand(2, 2, 8, 8)
    frames = images.expand(program.target.time_steps, -1, -1, -1, -1)
    assert torch.equal(run(program, images).logits, run(program, frames).logits)


def test_the_same_record_saves_the_same_bytes(program: Program, tmp_path) -> None:  # type: ignore[no-untyped-def]
    images = torch.rand(2, 2, 8, 8)
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run(program, images, seed=seed, probes=PROBES).save(tmp_path / name)
    a, b, c = ((tmp_path / name).read_bytes() for name in "abc")
    assert a == b and a != c
    with np.load(tmp_path / "a") as archive:
        assert archive["spikes.network.lif1"].shape == (4, 2, 4, 8, 8)


@pytest.mark.parametrize(
    ("inputs", "options", "says"),
    [
        (torch.rand(2, 8, 8), {}, "this Program takes"),
        (torch.rand(2, 3, 8, 8), {}, "this Program takes"),
        (torch.rand(0, 2, 8, 8), {}, "holds no sample"),
        (2 * torch.ones(1, 2, 8, 8), {}, "range from"),
        (torch.full((1, 2, 8, 8), torch.nan), {}, "range from"),
        (torch.rand(7, 1, 2, 8, 8), {}, "7 time steps"),
        (torch.rand(1, 2, 8, 8), {"backend": "gpu"}, "backend is 'gpu'"),
        (torch.rand(1, 2, 8, 8), {"seed": -1}, "seed is -1"),
        (torch.rand(1, 2, 8, 8), {"seed": "one"}, "seed is one"),
        (torch.rand(1, 2, 8, 8), {"device": "abacus"}, "unknown device 'abacus'"),
        (torch.rand(1, 2, 8, 8), {"backend": "lava", "device": "cuda"}, "Lava runs on the CPU"),
        ("images", {}, "pass a tensor"),
        (torch.rand(1, 2, 8, 8), {"probes": ("noise",)}, "unknown probes"),
        (torch.rand(1, 2, 8, 8), {"first_sample": -1}, "first_sample"),
    ],
)
def test_bad_inputs_are_refused(program: Program, inputs, options: dict, says: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=says):
        run(program, inputs, **options)


@pytest.mark.cuda
@pytest.mark.parametrize("source", RANDOM_SOURCES)
def test_cuda_gives_the_same_integers(program: Program, source: str) -> None:
    program = replace(program, target=replace(program.target, random_source=source))
    images = torch.rand(5, 2, 8, 8)
    ours = run(program, images, probes=PROBES)
    theirs = run(program, images, probes=PROBES, device="cuda")
    for name, values in ours.membrane.items():
        assert torch.equal(values, theirs.membrane[name])
