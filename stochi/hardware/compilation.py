"""Compilation of a loop, kept on disk beside its source or in the user's cache folder."""

import hashlib
import os
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from numba.core.compiler_lock import global_compiler_lock

from stochi.hardware.kept_code import KeptCode


def compile_and_keep(make: Callable[[str], Any], modules: Iterable[ModuleType]) -> Any:
    """Return the function of ``make(sources)``, compiled at its first call or loaded.

    Args:
        make: decorates the function with numba's ``njit``, with ``sources`` in its closure.
        modules: all modules whose code is compiled in. A change in any of them leads to a new
            compilation.
    """
    _let_forks_wait()
    digest = hashlib.sha256()
    for module in modules:
        assert module.__file__ is not None
        digest.update(Path(module.__file__).read_bytes())
    made = make(digest.hexdigest())
    made._cache = KeptCode(made, digest.hexdigest())
    return made


@cache
def _let_forks_wait() -> None:
    """Let a fork wait until no thread compiles: its child could never compile."""
    if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
        os.register_at_fork(
            before=global_compiler_lock.acquire,
            after_in_parent=global_compiler_lock.release,
            after_in_child=global_compiler_lock.release,
        )
