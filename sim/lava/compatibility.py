"""Make lava-nc 0.10.0 importable, or report why it is not.

lava-nc 0.10.0 names Python 3.10. Since 3.11, a dataclass may not have a default value whose
class has no hash, and ``lava/magma/compiler/var_model.py`` has ``ByteEncoder`` instances as
defaults. Giving that one class a hash, in memory and before the file is imported, is all that newer
Pythons need. lava-nc also names numpy 1; ``numpy_two`` has what it needs on numpy 2.
"""

import dataclasses
import importlib
import importlib.util
import multiprocessing
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from typing import Any

from stochi.sim.lava.numpy_two import adapt_ports

_LAST_ADAPTED = "lava.magma.runtime.message_infrastructure.multiprocessing"
INSTALL = "pip install --no-deps --ignore-requires-python lava-nc==0.10.0"


class LavaUnavailable(ImportError):
    """Lava cannot be used here; the message names the command that installs it."""


def lava_status() -> tuple[bool, str]:
    """Return (True, version) if Lava can be used, else (False, what to do); import nothing."""
    if not _is_installed():
        return False, f"lava-nc is not installed; type: {INSTALL}"
    try:
        return True, metadata.version("lava-nc")
    except metadata.PackageNotFoundError:
        return True, "unknown version"


def _is_installed() -> bool:
    """Return whether Lava's files are installed.

    ``lava`` and ``lava.magma`` are namespaces, of which pip may leave empty folders behind.
    """
    try:
        return importlib.util.find_spec("lava.magma.core") is not None
    except ModuleNotFoundError:
        return False


def import_lava() -> None:
    """Import Lava, once, adapted to newer Pythons and numpys.

    Raises:
        LavaUnavailable: Lava is not installed, or its import fails.
    """
    if _LAST_ADAPTED not in sys.modules:
        _import_adapted()
    adapt_ports()


def _import_adapted() -> None:
    usable, what = lava_status()
    if not usable:
        raise LavaUnavailable(what)
    try:
        with _adapted():
            importlib.import_module("lava.magma.compiler.var_model")
            importlib.import_module(_LAST_ADAPTED)
    except ImportError as error:
        raise LavaUnavailable(f"Lava's import failed ({error}); type: {INSTALL}") from error


@contextmanager
def _adapted() -> Iterator[None]:
    """Adapt what Lava's two files call while they are imported, and restore it.

    ``ByteEncoder`` gets a hash. Lava sets multiprocessing's start method to fork, without which
    it cannot run; here that does not fail if the program has set a method already.
    """
    make_dataclass, set_method = dataclasses.dataclass, multiprocessing.set_start_method

    def dataclass(cls: Any = None, /, **options: Any) -> Any:
        if sys.version_info >= (3, 11) and getattr(cls, "__name__", "") == "ByteEncoder":
            options["unsafe_hash"] = True
        return make_dataclass(cls, **options)

    def set_start_method(method: str | None, force: bool = True) -> None:
        set_method(method, force=True)

    dataclasses.dataclass = dataclass
    multiprocessing.set_start_method = set_start_method
    try:
        yield
    finally:
        dataclasses.dataclass = make_dataclass
        multiprocessing.set_start_method = set_method
