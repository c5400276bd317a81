"""Compiled code on disk: whatever happens to its files, a loop gives the right answer."""

import hashlib
import os
import pickle
import resource
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from numba import njit
from numba.core import config

from stochi.hardware import kept_code
from stochi.hardware.compilation import compile_and_keep


def make(sources: str) -> Any:
    @njit
    def plus_one(value):  # type: ignore[no-untyped-def]
        _ = sources
        return value + 1

    return plus_one


class Counted:
    """A loop as a new process has it, and how often it was compiled."""

    def __init__(self) -> None:
        self.function = compile_and_keep(make, ())

    def __call__(self, value: int) -> int:
        return int(self.function(value))

    @property
    def compiled(self) -> int:
        return sum(self.function.stats.cache_misses.values())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of compiled code."""
    path = tmp_path / "kept"
    monkeypatch.setattr(config, "CACHE_DIR", str(path))
    return path


@pytest.fixture(autouse=True)
def _warnings_are_errors() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def kept(folder: Path) -> Path:
    (found,) = folder.iterdir()
    return found


class Harmful:
    """What runs code when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[[str], int], tuple[str]]:
        return os.system, ("touch harmed",)


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "cut in the digest": lambda content: content[:9],
    "cut": lambda content: content[:-1],
    "half": lambda content: content[: len(content) // 2],
    "zeros": lambda content: bytes(len(content)),
    "random": lambda content: hashlib.shake_128(b"1").digest(len(content)),
    "one bit": lambda content: content[:-900] + bytes([content[-900] ^ 1]) + content[-899:],
    "longer": lambda content: content + b"0",
    "a pickle": lambda content: pickle.dumps(Harmful()),
    "no result": lambda content: _signed(pickle.dumps((1, 2, 3))),
    "no pickle": lambda content: _signed(b"not a pickle"),
}


def _signed(payload: bytes) -> bytes:
    return hashlib.sha256(payload).digest() + payload


def test_a_second_process_does_not_compile(folder: Path) -> None:
    first = Counted()
    assert (first(1), first.compiled) == (2, 1)
    second = Counted()
    assert (second(2), second.compiled) == (3, 0)


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_compiled_anew_and_replaced(
    folder: Path, tmp_path: Path, damage: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Counted()(1)
    path = kept(folder)
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    again = Counted()
    assert (again(41), again.compiled) == (42, 1)
    assert not (tmp_path / "harmed").exists()
    after = Counted()
    assert (after(41), after.compiled) == (42, 0)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no owners of files")
@pytest.mark.parametrize("which", ["file", "folder"])
@pytest.mark.parametrize("how", ["others may write", "another owner"])
def test_what_others_may_have_written_is_not_unpickled(
    folder: Path, tmp_path: Path, which: str, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Counted()(1)
    path = kept(folder)
    path.write_bytes(_signed(pickle.dumps(Harmful())))
    changed = path if which == "file" else folder
    if how == "others may write":
        changed.chmod(0o777)
    elif os.geteuid() == 0:
        os.chown(changed, 12345, 12345)
    else:
        monkeypatch.setattr(os, "geteuid", lambda: 12345)
    again = Counted()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        assert (again(41), again.compiled) == (42, 1)
    assert len(said) == (which == "folder" or (how, os.geteuid()) == ("another owner", 12345))
    assert not (tmp_path / "harmed").exists()


def test_a_folder_that_cannot_be_written_costs_one_line(folder: Path) -> None:
    folder.write_text("a file in its place")
    with pytest.warns(UserWarning, match=r"cannot be kept \(.+\), so .* NUMBA_CACHE_DIR"):
        assert Counted()(1) == 2


def test_a_full_disk_costs_one_line_and_leaves_no_file(folder: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        with pytest.warns(UserWarning, match="cannot be kept") as said:
            assert Counted()(1) == 2
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert len(said) == 1
    assert list(folder.iterdir()) == []


def test_without_a_folder_by_the_source_the_users_own_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = compile_and_keep(make, ())
    beside = Path(made._cache.cache_path)
    assert beside == Path(__file__).parent / "__pycache__"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    write = kept_code._write

    def read_only(path: Path, payload: bytes) -> None:
        if path.parent == beside:
            raise PermissionError(13, "Permission denied")
        write(path, payload)

    monkeypatch.setattr(kept_code, "_write", read_only)
    first, second = Counted(), Counted()
    assert (first(1), second(1), first.compiled, second.compiled) == (2, 2, 1, 0)
    assert (tmp_path / "stochi").stat().st_mode & 0o777 == 0o700


@pytest.mark.slow
def test_processes_that_write_at_once_leave_a_sound_file(folder: Path) -> None:
    code = "from tests.hardware.test_kept_code import Counted; print(Counted()(1))"
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder)}
    root = Path(__file__).parents[2]
    started = [
        subprocess.Popen([sys.executable, "-c", code], cwd=root, env=environment, stdout=-1)
        for _ in range(3)
    ]
    assert [process.communicate()[0].strip() for process in started] == [b"2"] * 3
    after = Counted()
    assert (after(1), after.compiled) == (2, 0)
    assert kept(folder).name.endswith(".compiled")
