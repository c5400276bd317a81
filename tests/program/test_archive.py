"""A Program's file: the same content and bytes back, old versions, and what is damaged."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from stochi.deploy import Program, lower
from stochi.errors import ProgramError
from stochi.export import to_nir
from stochi.program.archive import _checksum
from stochi.program.layers import CONSTANT, Convolution, Flatten, Generator, OneToOne, SumPool
from stochi.program.target import Target
from stochi.sim import run
from tests.conftest import conv_net

FILES = Path(__file__).parent / "files"
"""Programs as earlier versions of Stochi wrote them, of a network with every kind of stage.

Those of versions below 7 have had their generator taken out, but for version_6_noise.
"""
EARLIER = {
    3: [[-1.021875, -0.078125, -0.3], [-0.621875, -0.478125, -0.1]],
    4: [[-0.521875, 0.021875, 0.1], [-0.821875, -0.378125, -0.4]],
    5: [[-0.621875, -0.478125, -0.1], [-0.821875, -0.378125, -0.4]],
    6: [[0.078125, -1.578125, 0.5], [-1.421875, 0.421875, -1.0]],
    7: [[0.078125, -1.578125, 0.5], [-1.421875, 0.421875, -1.0]],
}
"""Version → the logits that a Stochi of that time computed from the file."""


@pytest.fixture(scope="module")
def program() -> Program:
    return lower(to_nir(conv_net(), torch.rand(1, 2, 8, 8)))


def test_a_loaded_program_runs_the_same_and_saves_the_same_bytes(
    program: Program, tmp_path: Path
) -> None:
    program.save(tmp_path / "a.program")
    loaded = Program.load(tmp_path / "a.program")
    loaded.save(tmp_path / "b.program")
    assert (tmp_path / "a.program").read_bytes() == (tmp_path / "b.program").read_bytes()
    images = torch.rand(3, 2, 8, 8)
    assert torch.equal(run(program, images).logits, run(loaded, images).logits)


def test_a_generator_is_kept(program: Program, tmp_path: Path) -> None:
    first, *others = program.layers
    noisy = replace(first, generator=Generator("membrane", -1, 9))
    replace(program, layers=(noisy, *others)).save(tmp_path / "noisy.program")
    assert [layer.generator for layer in Program.load(tmp_path / "noisy.program").layers] == [
        Generator("membrane", -1, 9),
        *(None for _ in others),
    ]


def test_a_random_source_is_kept(program: Program, tmp_path: Path) -> None:
    target = replace(program.target, random_source="lfsr")
    replace(program, target=target).save(tmp_path / "lfsr.program")
    assert Program.load(tmp_path / "lfsr.program").target == target


@pytest.mark.parametrize("over_time", ["mean", "last"])
def test_how_the_output_is_read_over_time_is_kept(
    program: Program, tmp_path: Path, over_time: str
) -> None:
    replace(program, over_time=over_time).save(tmp_path / "p.program")
    assert Program.load(tmp_path / "p.program").over_time == over_time


def test_version_3_had_no_random_source_but_philox(program: Program, tmp_path: Path) -> None:
    program.save(tmp_path / "p")
    with np.load(tmp_path / "p") as archive:
        arrays = {name: archive[name] for name in archive.files if name != "sha256"}
    header = json.loads(arrays["header"].tobytes()) | {"version": 3}
    del header["random_source"]
    for layer in header["layers"]:
        assert layer.pop("reset") == "zero"
        layer["subtract"] = layer.pop("reset_delay") or layer.pop("reset_current")
    arrays["header"] = np.frombuffer(json.dumps(header, sort_keys=True).encode(), np.uint8)
    arrays["sha256"] = np.frombuffer(_checksum(arrays), np.uint8)
    np.savez(tmp_path / "old.npz", **arrays)
    loaded = Program.load(tmp_path / "old.npz")
    assert loaded.target.random_source == "philox"
    images = torch.rand(3, 2, 8, 8)
    assert torch.equal(run(program, images).logits, run(loaded, images).logits)


@pytest.mark.parametrize("version", EARLIER)
def test_a_file_of_an_earlier_stochi_runs_as_it_did(version: int) -> None:
    program = Program.load(FILES / f"version_{version}.program")
    source = "philox" if version == 3 else "lfsr"
    assert program.target == Target("loihi2", "current", 5, 255, 1e-3, source)
    first, second, last = program.layers
    assert isinstance(first.projections[0].stages[0], Convolution)
    assert first.decay.drawn and not second.decay.drawn
    pooled, recurrent, bias = second.projections
    assert pooled.stages[:2] == (SumPool((2, 2), (2, 2), (0, 0)), Flatten())
    assert isinstance(recurrent.stages[0], OneToOne) and recurrent.delay.tolist() == [1, 2, 1, 3]
    assert bias.source == CONSTANT
    assert second.generator == (Generator("current", -1, 9) if version == 7 else None)
    assert (second.reset, second.refractory, second.threshold_factor) == ("subtract", 1, 1.25)
    late = version >= 5  # versions before knew two resets, without options
    assert (second.reset_delay, second.reset_current) == (late, late)
    assert first.reset == ("none" if late else "zero") and last.reset == "zero"
    assert first.bias_mantissa.shape == (first.shape if late else (2,))
    assert last.threshold_mantissa is None and (program.output, program.readout) == ("c", "input")
    assert program.over_time == ("last" if version >= 6 else "mean")
    images = (torch.arange(32).reshape(2, 1, 4, 4) * 8) / 255
    logits = run(program, images, seed=3, trial=1).logits
    assert logits.tolist() == EARLIER[version]


def test_a_file_of_an_earlier_stochi_is_written_again_byte_for_byte(tmp_path: Path) -> None:
    path = FILES / "version_7.program"
    Program.load(path).save(tmp_path / "again.program")
    with np.load(path, allow_pickle=False) as archive:
        # Packed here, since other builds of zlib compress the same bytes to others.
        np.savez_compressed(tmp_path / "packed.npz", **{n: archive[n] for n in archive.files})
    assert (tmp_path / "again.program").read_bytes() == (tmp_path / "packed.npz").read_bytes()


def test_noise_of_the_former_generator_is_refused() -> None:
    with pytest.raises(
        ProgramError, match=r"version_6_noise.program: its noise .* lower the graph"
    ):
        Program.load(FILES / "version_6_noise.program")


@pytest.mark.parametrize("version", [3, 4, 5, 6])
def test_earlier_versions_are_written_as_the_present_one(version: int, tmp_path: Path) -> None:
    program = Program.load(FILES / f"version_{version}.program")
    newest = Program.load(FILES / "version_7.program")
    first, second, last = newest.layers
    second = replace(second, generator=None)
    if version < 5:
        first = replace(first, reset="zero", bias_mantissa=program.layers[0].bias_mantissa)
        second = replace(second, reset_delay=False, reset_current=False)
    program.save(tmp_path / "a.program")
    layers = (first, second, last)
    over_time = "last" if version >= 6 else "mean"
    same = replace(newest, target=program.target, layers=layers, over_time=over_time)
    same.save(tmp_path / "b.program")
    assert (tmp_path / "a.program").read_bytes() == (tmp_path / "b.program").read_bytes()


def test_every_flipped_byte_or_cut_is_noticed_or_harmless(program: Program, tmp_path: Path) -> None:
    path = tmp_path / "p.program"
    program.save(path)
    whole = path.read_bytes()
    images = torch.rand(2, 2, 8, 8)
    expected = run(program, images).logits
    raised = 0
    for place in range(0, len(whole), max(1, len(whole) // 120)):
        for damaged in (
            whole[:place],
            whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :],
        ):
            path.write_bytes(damaged)
            try:
                loaded = Program.load(path)
            except ProgramError as error:
                assert str(path) in str(error)
                raised += 1
            else:
                assert torch.equal(run(loaded, images).logits, expected)
    assert raised > 150


def test_foreign_and_newer_files_are_told_apart(program: Program, tmp_path: Path) -> None:
    with pytest.raises(ProgramError, match="no such file"):
        Program.load(tmp_path / "missing")
    (tmp_path / "text").write_text("hello")
    np.savez(tmp_path / "other.npz", a=np.arange(3))
    np.save(tmp_path / "array.npy", np.arange(3))
    np.savez(tmp_path / "pickled.npz", header=np.array([{"a": 1}], dtype=object))
    for name in ("text", "other.npz", "array.npy", "pickled.npz"):
        with pytest.raises(ProgramError, match="not a Stochi Program"):
            Program.load(tmp_path / name)
    program.save(tmp_path / "p")
    with np.load(tmp_path / "p") as archive:
        arrays = {name: archive[name] for name in archive.files}
    header = json.loads(arrays["header"].tobytes()) | {"version": 99}
    arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
    np.savez(tmp_path / "newer.npz", **arrays)
    with pytest.raises(ProgramError, match="version 99"):
        Program.load(tmp_path / "newer.npz")


def test_a_failed_write_leaves_the_old_file(
    program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "p"
    path.write_bytes(b"old")

    def fail(*args: object, **kwargs: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez_compressed", fail)
    with pytest.raises(OSError, match="disk full"):
        program.save(path)
    assert path.read_bytes() == b"old" and [p.name for p in tmp_path.iterdir()] == ["p"]
