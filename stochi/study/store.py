"""Answers on disk, one file each, so that an interrupted study goes on where it stopped."""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch

from stochi.errors import InputError
from stochi.files import written_aside


class Store:
    """A folder of answers, each named by the digest of all that it depends on."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def get(self, about: dict[str, Any]) -> dict[str, Any] | None:
        """The answer about that, or None.

        Raises:
            InputError: its file is damaged.
        """
        path = self._path(about, "json")
        if not path.is_file():
            return None
        try:
            content = json.loads(path.read_text())
            answer = content["answer"]
            foreign = content["about"] != _plain(about)
        except (ValueError, KeyError, TypeError) as error:
            raise InputError(f"{path}: a damaged answer; delete it, it is found anew") from error
        if foreign or not isinstance(answer, dict):
            raise InputError(f"{path}: an answer to something else; delete it")
        return answer

    def put(self, about: dict[str, Any], answer: dict[str, Any]) -> None:
        """Keep an answer."""
        with written_aside(self._path(about, "json")) as aside:
            aside.write_text(json.dumps({"about": _plain(about), "answer": answer}) + "\n")

    def get_weights(self, about: dict[str, Any]) -> dict[str, torch.Tensor] | None:
        """The weights that were trained so, or None. Nothing is unpickled but tensors.

        Raises:
            InputError: the file is damaged.
        """
        path = self._path(about, "pt")
        if not path.is_file():
            return None
        try:
            weights = torch.load(path, map_location="cpu", weights_only=True)
        except Exception as error:  # torch.load raises many kinds for a file that is not its own
            raise InputError(f"{path}: damaged weights; delete the file") from error
        assert isinstance(weights, dict)
        return weights

    def put_weights(self, about: dict[str, Any], weights: dict[str, torch.Tensor]) -> None:
        """Keep weights."""
        with written_aside(self._path(about, "pt")) as aside:
            torch.save(weights, aside)

    def _path(self, about: dict[str, Any], ending: str) -> Path:
        text = json.dumps(about, sort_keys=True)
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.{ending}"


def _plain(about: dict[str, Any]) -> Any:
    return json.loads(json.dumps(about))
