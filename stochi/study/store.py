"""Answers on disk, one file each, so that an interrupted study continues where it stopped."""

import hashlib
import json
import os
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from stochi.budget import check_memory
from stochi.errors import InputError, StochiWarning, first_line
from stochi.files import check_plain_file, is_plain_file, what_is_missing, write_whole
from stochi.tensor_files import digest_of, load_torch, save_torch

Key = Mapping[str, object]
"""All that an answer depends on, as plain values; see ``stochi.study.keys``."""
Check = Callable[[dict[str, Any]], None]
"""Raises KeyError, TypeError or ValueError for content that is not of the form that was kept."""
DAMAGED = ".damaged"
"""Ending of a damaged file, which is kept beside the others, and read no more."""
_SUM = "sha256"
_PARSED = 100
"""Largest memory of parsed JSON, in its bytes."""
_DAMAGE = (KeyError, TypeError, ValueError, AttributeError, RuntimeError)
"""What content of another form raises; RecursionError is a RuntimeError."""


class DamagedAnswer(StochiWarning):
    """Warning that a kept file of a study is damaged, so that what it held is found again."""


class Store:
    """A folder of answers and tensors, each file named by the digest of its key.

    Files hold their key and a checksum. One that is damaged, or belongs to another key, is moved
    aside with a warning and counts as missing, so that a study finds what it held again. Files of
    earlier versions, which have no checksum, are read.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def get(self, key: Key, check: Check | None = None) -> dict[str, Any] | None:
        """Return the answer with this key, or None if there is none, or a damaged one.

        Args:
            check: what the answer must pass.

        Raises:
            InputError: its file cannot be read.

        Warns:
            DamagedAnswer: its file is damaged, and was moved aside.
        """
        path = self.path(key, "json")
        if not self.is_there(path):
            return None
        check_memory(_PARSED * path.stat().st_size, f"{path}")
        try:
            answer = _checked_answer(json.loads(path.read_text()), key)
            if check is not None:
                check(answer)
        except _DAMAGE as error:
            self.set_aside(path, error)
            return None
        return answer

    def put(self, key: Key, answer: Mapping[str, object]) -> None:
        """Keep an answer, of plain values."""
        content = {"about": _as_read(key), "answer": _as_read(answer)}
        whole = json.dumps({**content, _SUM: _sum_of(content)}) + "\n"
        write_whole(self.path(key, "json"), whole)

    def get_tensors(self, key: Key, check: Check | None = None) -> dict[str, torch.Tensor] | None:
        """Return the tensors with this key, weights for example, or None as :meth:`get` does.

        Only tensors are unpickled.

        Args:
            check: what the tensors must pass.

        Raises:
            InputError: their file cannot be read.

        Warns:
            DamagedAnswer: their file is damaged, and was moved aside.
        """
        path = self.path(key, "pt")
        if not self.is_there(path):
            return None
        try:
            tensors = _checked_tensors(load_torch(path), key)
            if check is not None:
                check(tensors)
        except InputError:
            raise
        except Exception as error:  # torch.load raises many types for a file that is not its own
            self.set_aside(path, error)
            return None
        return tensors

    def put_tensors(self, key: Key, tensors: dict[str, torch.Tensor]) -> None:
        """Keep tensors."""
        content: dict[str, Any] = {"about": json.dumps(key, sort_keys=True), "tensors": tensors}
        content[_SUM] = digest_of(content)
        save_torch(self.path(key, "pt"), content)

    def path(self, key: Key, ending: str) -> Path:
        """Return the path of the file with this key and ending."""
        text = json.dumps(key, sort_keys=True)
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.{ending}"

    def is_there(self, path: Path) -> bool:
        """Return whether there is a file to read; a folder or a pipe under its name is damage."""
        if is_plain_file(path):
            check_plain_file(path)
            return True
        if os.path.lexists(path):
            self.set_aside(path, what_is_missing(path))
        return False

    def set_aside(self, path: Path, error: Exception | str) -> None:
        """Move a damaged file aside, and warn of it."""
        why = error if isinstance(error, str) else f"{type(error).__name__}: {first_line(error)}"
        with suppress(OSError):  # if it stays, what is found again replaces it
            os.replace(path, path.with_name(path.name + DAMAGED))
        warnings.warn(
            f"{path}: damaged ({why}); what it held is found again, and it is kept as"
            f" {path.name}{DAMAGED}",
            DamagedAnswer,
            stacklevel=3,
        )


def _checked_answer(content: Any, key: Key) -> dict[str, Any]:
    """Return the answer that a file holds; an exception of ``_DAMAGE`` if it is not the one."""
    about, answer = content["about"], content["answer"]
    whole = {"about": about, "answer": answer}
    # Files of earlier versions have no checksum, and nothing else beside these two.
    if set(content) != set(whole) and content != {**whole, _SUM: _sum_of(whole)}:
        raise ValueError("the checksum does not match")
    if about != _as_read(key):
        raise ValueError("it answers another question")
    if not isinstance(answer, dict):
        raise TypeError("no answer")
    return answer


def _checked_tensors(content: Any, key: Key) -> dict[str, torch.Tensor]:
    """Return the tensors that a file holds; an exception if they are not the ones."""
    if not isinstance(content, dict):
        raise TypeError("no tensors")
    if not all(map(torch.is_tensor, content.values())):  # as in files of earlier versions
        whole = {name: content[name] for name in ("about", "tensors")}
        if len(content) != len(whole) + 1 or content[_SUM] != digest_of(whole):
            raise ValueError("the checksum does not match")
        if content["about"] != json.dumps(key, sort_keys=True):
            raise ValueError("it holds the tensors of another question")
        content = content["tensors"]
    if not all(isinstance(name, str) and torch.is_tensor(t) for name, t in content.items()):
        raise TypeError("not tensors by name")
    return content


def _sum_of(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _as_read(values: object) -> Any:
    """Return plain values as they are read from a file, with lists for tuples."""
    return json.loads(json.dumps(values))
