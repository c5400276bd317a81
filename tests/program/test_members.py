"""Archives that are not what they say, read without unpacking what they claim."""

import os
import resource
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from stochi.errors import ProgramError
from stochi.program.program import Program
from tests.fuzz.programs.bombs import claim, packed, write_bombs, write_zip
from tests.fuzz.programs.examples import make_programs
from tests.fuzz.programs.parts import Parts


@pytest.fixture(scope="module")
def bombs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return write_bombs(tmp_path_factory.mktemp("bombs"))


def test_no_archive_is_believed(bombs: dict[str, Path]) -> None:
    before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
    assert len(bombs) > 40
    for path in bombs.values():
        with pytest.raises(ProgramError) as caught:
            Program.load(path)
        assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)
    assert time.monotonic() - start < 20
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2**18


def test_a_bomb_is_told_by_what_it_would_take(
    bombs: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STOCHI_MEMORY", "5GB")
    with pytest.raises(ProgramError, match=r"what it holds would take 5\.5 GiB .*STOCHI_MEMORY"):
        Program.load(bombs["a bomb of 3 GB"])


@pytest.mark.slow
def test_a_list_of_contents_keeps_the_budget_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "many.program"
    array = claim("(0,)")
    write_zip(path, [(f"{n}.npy", packed(array), len(array)) for n in range(30_000)])
    monkeypatch.setenv("STOCHI_MEMORY", "20MB")
    with pytest.raises(ProgramError, match=r"its list of contents would take .* MiB"):
        Program.load(path)


@pytest.fixture
def parts(tmp_path: Path) -> Parts:
    make_programs()["one"].save(tmp_path / "one.program")
    return Parts(tmp_path / "one.program")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda p: p.arrays.update(extra=np.zeros(3)), "nothing uses its array 'extra'"),
        (lambda p: p.header.update(extra=1), "nothing is known of its 'extra'"),
        (lambda p: p.header["layers"][0].update({"\x1b[2J": 1}), r"its '\\x1b\[2J'"),
        (lambda p: p.header["layers"][0]["decay"].update(extra=1), "known of its 'extra'"),
        (lambda p: p.header.pop("steps"), "incomplete .'steps'."),
        (lambda p: p.header.update(version=7.0), "version 7.0, this Stochi reads"),
        (lambda p: p.header.update(version=[7]), r"version \[7\], this Stochi reads"),
        (lambda p: p.header.update(dt=float("nan")), "not a Stochi Program, or a damaged one"),
        (lambda p: setattr(p, "text", "[" * 10**5 + "]" * 10**5), "not a Stochi Program"),
        (lambda p: setattr(p, "text", '{"a": 1, "a": 1}'), "not a Stochi Program"),
        (lambda p: setattr(p, "text", "[]"), "not a Stochi Program"),
        (lambda p: setattr(p, "text", '{"a": ' + "9" * 10**5 + "}"), "not a Stochi Program"),
    ],
)
def test_what_a_header_says_is_not_believed(  # type: ignore[no-untyped-def]
    parts: Parts, tmp_path: Path, change, says: str
) -> None:
    path = tmp_path / "changed.program"
    parts.write(path)
    assert Program.load(path)
    change(parts)
    parts.write(path)
    with pytest.raises(ProgramError, match=f"changed.program: .*{says}"):
        Program.load(path)


def test_version_4_said_subtract_with_true_or_false(parts: Parts, tmp_path: Path) -> None:
    layer = parts.header["layers"][0]
    parts.header["version"] = 4
    for name in ("reset", "reset_delay", "reset_current"):
        del layer[name]
    for value, fits in ((True, True), (0.5, False), (1, False)):
        layer["subtract"] = value
        parts.write(tmp_path / "old.program")
        if fits:
            assert Program.load(tmp_path / "old.program").layers[0].reset == "subtract"
        else:
            with pytest.raises(ProgramError, match=r"subtract is .*; it must be true or false"):
                Program.load(tmp_path / "old.program")


def test_a_pipe_or_a_device_is_no_plain_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    signal.alarm(20)
    try:
        for path in (pipe, Path("/dev/zero")):
            with pytest.raises(ProgramError, match=r"a (pipe|device), not a file"):
                Program.load(path)
    finally:
        signal.alarm(0)
    with pytest.raises(ProgramError, match="a folder, not a file"):
        Program.load(tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_is_told(parts: Parts, tmp_path: Path) -> None:
    parts.write(tmp_path / "private.program")
    (tmp_path / "private.program").chmod(0)
    with pytest.raises(ProgramError, match="no permission to read it"):
        Program.load(tmp_path / "private.program")
