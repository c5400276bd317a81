"""Answers on disk, one file each, so that an interrupted study continues where it stopped."""

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from stochi.errors import InputError
from stochi.files import write_whole

Key = Mapping[str, object]
"""All that an answer depends on, as plain values; see ``stochi.study.keys``."""


class Store:
    """A folder of answers and tensors, each file named by the digest of its key."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def get(self, key: Key) -> dict[str, Any] | None:
        """Return the answer with this key, or None if there is none.

        Raises:
            InputError: its file is damaged.
        """
        path = self.path(key, "json")
        if not path.is_file():
            return None
        try:
            content = json.loads(path.read_text())
            answer = content["answer"]
            foreign = content["about"] != _as_read(key)
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{path}: damaged answer; delete the file, and the study finds the answer again"
            ) from error
        if foreign or not isinstance(answer, dict):
            raise InputError(
                f"{path}: answer to another question; delete the file, and the study finds the"
                " right one"
            )
        return answer

    def put(self, key: Key, answer: Mapping[str, object]) -> None:
        """Keep an answer, of plain values."""
        write_whole(
            self.path(key, "json"), json.dumps({"about": _as_read(key), "answer": answer}) + "\n"
        )

    def get_tensors(self, key: Key) -> dict[str, torch.Tensor] | None:
        """Return the tensors with this key, weights for example, or None if there are none.

        Only tensors are unpickled.

        Raises:
            InputError: their file is damaged.
        """
        path = self.path(key, "pt")
        if not path.is_file():
            return None
        try:
            tensors = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # torch.load raises many types for a file that is not its own
            raise InputError(
                f"{path}: damaged tensors; delete the file, and the study makes them again"
            ) from error
        assert isinstance(tensors, dict)
        return tensors

    def put_tensors(self, key: Key, tensors: dict[str, torch.Tensor]) -> None:
        """Keep tensors."""
        content = io.BytesIO()  # torch would write the name of a file into its bytes
        torch.save(tensors, content)
        write_whole(self.path(key, "pt"), content.getvalue())

    def path(self, key: Key, ending: str) -> Path:
        """Return the path of the file with this key and ending."""
        text = json.dumps(key, sort_keys=True)
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.{ending}"


def _as_read(key: Key) -> object:
    """Return a key as it is read from a file, with lists for tuples."""
    return json.loads(json.dumps(key))
