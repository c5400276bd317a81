"""Compiled code on disk, in place of numba's own cache.

Numba's cache ends a run if a file of it is damaged, and runs whatever a file holds. Here a file
counts only if it and its folder are the user's or the system's own, nobody else may write to them,
and its digest is right. Everything else leads to a new compilation, never to an error.
"""

import hashlib
import os
import pickle
import stat
import warnings
from pathlib import Path
from typing import Any

import numba
from numba.core import config, serialize
from numba.core.caching import _Cache
from numba.core.compiler import CompileResult

from stochi.errors import StochiError
from stochi.files import written_aside

_DIGEST = 32
"""Bytes of the digest at the beginning of a file."""
_OTHERS = stat.S_IWGRP | stat.S_IWOTH


class KeptCode(_Cache):
    """The compiled forms of one function, a file each.

    Args:
        function: numba's dispatcher.
        sources: identifies everything that is compiled in.
    """

    def __init__(self, function: Any, sources: str) -> None:
        self.function, self.sources = function, sources

    @property
    def cache_path(self) -> str:
        """Folder of the first choice."""
        return str(self._folders()[0])

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return what was compiled for a signature; None if there is no sound file of it."""
        target_context.refresh()
        name = self._name(sig, target_context.codegen())
        for folder in self._folders():
            try:
                payload = _read(folder / name)
                if payload is not None:
                    return CompileResult._rebuild(target_context, *pickle.loads(payload))
            except Exception:  # of whatever kind: then it is compiled again
                continue
        return None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Write what was compiled for a signature into the first folder that takes it."""
        name = self._name(sig, data.codegen)
        payload = serialize.dumps(data._reduce())
        reason = ""
        for folder in self._folders():
            try:
                _write(folder / name, payload)
                return
            except (OSError, StochiError) as error:
                reason = reason or getattr(error, "strerror", None) or str(error)
        warnings.warn(
            f"the compiled loops cannot be kept ({reason}), so that every process compiles them"
            " anew; set NUMBA_CACHE_DIR to a folder of your own",
            stacklevel=2,
        )

    def enable(self) -> None:
        """Do nothing: it is always in use."""

    def disable(self) -> None:
        """Do nothing: it is always in use."""

    def flush(self) -> None:
        """Do nothing: files of other sources have other names."""

    def _folders(self) -> tuple[Path, ...]:
        if config.CACHE_DIR:
            return (Path(config.CACHE_DIR),)
        source = Path(self.function.py_func.__code__.co_filename)
        home = os.path.expanduser(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
        found = (source.parent / "__pycache__", Path(home, "stochi"))
        return found if os.path.isabs(home) else found[:1]

    def _name(self, sig: Any, codegen: Any) -> str:
        function = self.function
        options = function.targetoptions, config.BOUNDSCHECK, config.OPT
        parts = numba.__version__, self.sources, sig, codegen.magic_tuple(), options
        key = hashlib.sha256(repr(parts).encode()).hexdigest()
        return f"{function.py_func.__name__}-{key[:32]}.compiled"


def _read(path: Path) -> bytes | None:
    """Return what a file holds behind its digest; None if it is not to be believed."""
    with path.open("rb") as file:
        if not (_is_private(path.parent.stat()) and _is_private(os.fstat(file.fileno()))):
            return None
        digest, payload = file.read(_DIGEST), file.read()
    return payload if hashlib.sha256(payload).digest() == digest else None


def _write(path: Path, payload: bytes) -> None:
    """Write a file under another name, and move it into place.

    Raises:
        OSError: it cannot be written, or others may write into the folder.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not _is_private(path.parent.stat()):
        raise PermissionError(f"others may write into {path.parent}")
    if path.is_file() and not _is_private(path.stat()):
        path.unlink()  # a new file would keep its permissions
    with written_aside(path, lasting=False) as aside:
        aside.write_bytes(hashlib.sha256(payload).digest() + payload)
        aside.chmod(0o644)


def _is_private(status: os.stat_result) -> bool:
    """Return whether a file or folder is the user's or the system's, and no one else's to write."""
    if not hasattr(os, "geteuid"):  # Windows, whose users have folders of their own
        return True
    return status.st_uid in (os.geteuid(), 0) and not status.st_mode & _OTHERS
