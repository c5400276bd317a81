"""Compile a loop once and keep it, beside its source or in the user's cache folder."""

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any


def compile_and_keep(make: Callable[[str, bool], Any], modules: Iterable[ModuleType]) -> Any:
    """What ``make(sources, cache)`` compiles.

    Numba looks for a change only in the file of the function itself, and at the values that it
    encloses; ``sources``, a digest of all files that are compiled in, is one for it to enclose.

    Args:
        make: compiles, or loads from where numba keeps compiled code.
        modules: whose code goes into it.
    """
    digest = hashlib.sha256()
    for module in modules:
        assert module.__file__ is not None
        digest.update(Path(module.__file__).read_bytes())
    try:
        return make(digest.hexdigest(), True)
    except RuntimeError:  # numba found no folder that it may write to
        return make(digest.hexdigest(), False)
