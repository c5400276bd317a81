import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from stochi.deploy import Program, lower
from stochi.deploy.program import Generator
from stochi.deploy.program_file import _checksum
from stochi.errors import ProgramError
from stochi.export import to_nir
from stochi.sim import run
from tests.conftest import conv_net


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
    replace(program, random_source="lfsr").save(tmp_path / "lfsr.program")
    assert Program.load(tmp_path / "lfsr.program").random_source == "lfsr"


def test_version_3_had_no_random_source_but_philox(program: Program, tmp_path: Path) -> None:
    program.save(tmp_path / "p")
    with np.load(tmp_path / "p") as archive:
        arrays = {name: archive[name] for name in archive.files if name != "sha256"}
    header = json.loads(arrays["header"].tobytes()) | {"version": 3}
    del header["random_source"]
    arrays["header"] = np.frombuffer(json.dumps(header, sort_keys=True).encode(), np.uint8)
    arrays["sha256"] = np.frombuffer(_checksum(arrays), np.uint8)
    np.savez(tmp_path / "old.npz", **arrays)
    loaded = Program.load(tmp_path / "old.npz")
    assert loaded.random_source == "philox"
    images = torch.rand(3, 2, 8, 8)
    assert torch.equal(run(program, images).logits, run(loaded, images).logits)


def test_every_flipped_byte_or_cut_is_noticed_or_harmless(program: Program, tmp_path: Path) -> None:
    path = tmp_path / "p.program"
    program.save(path)
    whole = path.read_bytes()
    images = torch.rand(2, 2, 8, 8)
    expected = run(program, images).logits
    refused = 0
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
                refused += 1
            else:
                assert torch.equal(run(loaded, images).logits, expected)
    assert refused > 150


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
