"""Compilation of a loop, kept on disk beside its source or in the user's cache folder."""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any


def compile_and_keep(make: Callable[[str, bool], Any], modules: Iterable[ModuleType]) -> Any:
    """Return the function compiled by ``make(sources, cache)``.

    To decide whether kept code is current, numba checks only the file of the function itself and
    the values in its closure. ``sources`` is a digest of all files that are compiled in; the
    function has it in its closure, so a change in any of them leads to a new compilation.

    Args:
        make: compiles the function or loads it from numba's cache.
        modules: all modules whose code is compiled in.
    """
    digest = hashlib.sha256()
    for module in modules:
        assert module.__file__ is not None
        digest.update(Path(module.__file__).read_bytes())
    try:
        return make(digest.hexdigest(), True)
    except RuntimeError:  # numba found no folder with write permission
        return make(digest.hexdigest(), False)
