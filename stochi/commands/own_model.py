"""A user's own network: FILE.py:NAME or package.module:NAME, with its weights."""

import importlib
import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

from stochi.commands.own_weights import listed, load_weights
from stochi.errors import InputError
from stochi.files import check_plain_file
from stochi.own_code import find_own_frame, place_of

if TYPE_CHECKING:
    from torch import nn


def is_spec(source: str) -> bool:
    """Return whether a word of the command line names an object in Python code, not a file."""
    if Path(source).exists():
        return False
    place, colon, name = source.rpartition(":")
    return bool(colon and place) and "/" not in name and "\\" not in name


def load_own_model(spec: str, weights: Path | None = None) -> "nn.Module":
    """Make a user's network, load its weights, and set it to eval mode.

    The code of the file or module runs, with the user's rights.

    Args:
        spec: ``FILE.py:NAME`` or ``package.module:NAME``.
        weights: file of a state_dict; the network keeps the weights that it was made with if None.

    Raises:
        InputError: there is no such object, its code raises, it is not a torch module and makes
            none, or the weights do not fit it.
    """
    model = _resolve(spec)
    if weights is not None:
        try:
            load_weights(model, weights, spec)
        except InputError:
            raise
        except Exception as error:  # a network may have its own way of loading
            _blame(f"{weights} into {spec}", error)
    return model.eval()


def _resolve(spec: str) -> "nn.Module":
    from torch import nn

    place, _, name = spec.rpartition(":")
    if not name.isidentifier():
        raise InputError(
            f"{spec}: what follows the colon is not a name of Python; give FILE.py:NAME or"
            " package.module:NAME"
        )
    module = _import_file(place) if place.endswith(".py") else _import_module(place)
    found = getattr(module, name, None)
    if found is None:
        raise InputError(f"{spec}: {place} has no {name!r}; it has {_own_names(module)}")
    if isinstance(found, nn.Module):
        return found
    if not callable(found):
        raise InputError(
            f"{spec}: it has the type {type(found).__name__}; name a torch.nn.Module, or a function"
            " or class that makes one"
        )
    _check_no_arguments(spec, found)
    made = _run_own(spec, found)
    if not isinstance(made, nn.Module):
        raise InputError(f"{spec}: it returns a {type(made).__name__}, not a torch.nn.Module")
    return made


def _import_file(file: str) -> ModuleType:
    path = Path(file)
    check_plain_file(path, "give FILE.py:NAME or package.module:NAME")
    _make_importable(path.resolve().parent)
    name = f"own_{path.stem}"
    described = importlib.util.spec_from_file_location(name, path.resolve())
    assert described is not None and described.loader is not None
    module = importlib.util.module_from_spec(described)
    sys.modules[name] = module  # dataclasses and pickle look classes up there
    _run_own(file, lambda: described.loader.exec_module(module))  # type: ignore[union-attr]
    return module


def _import_module(name: str) -> ModuleType:
    if not all(part.isidentifier() for part in name.split(".")):
        raise InputError(
            f"{name}: neither a Python file nor the name of a module; give FILE.py:NAME or"
            " package.module:NAME"
        )
    _make_importable(Path.cwd())
    try:
        found: ModuleType = _run_own(name, lambda: importlib.import_module(name))
    except InputError as error:
        cause = error.__cause__
        if isinstance(cause, ModuleNotFoundError) and f"{name}.".startswith(f"{cause.name}."):
            raise InputError(
                f"{name}: no such module in this folder or among what is installed; give"
                " FILE.py:NAME or package.module:NAME"
            ) from error
        raise
    return found


def _make_importable(folder: Path) -> None:
    """Let the user's code import its neighbours, as it can if Python runs the file itself."""
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))


def _run_own(where: str, call: Callable[[], Any]) -> Any:
    """Call code of the user; raise InputError with its file and line if it raises."""
    try:
        return call()
    except (Exception, SystemExit) as error:
        _blame(where, error)


def _blame(where: str, error: BaseException) -> NoReturn:
    if isinstance(error, SyntaxError):
        place = f" ({Path(error.filename or where).name}, line {error.lineno})"
        said = error.msg
    else:
        frame = find_own_frame(error) or traceback.extract_tb(error.__traceback__)[-1]
        place = f" ({place_of(frame)})"
        said = str(error)
    detail = f": {said}" if said else ""
    raise InputError(f"{where}: its code raises {type(error).__name__}{detail}{place}") from error


def blame_own_code(error: Exception) -> str | None:
    """Return a message about an error that passed through a user's code, or None."""
    frame = find_own_frame(error)
    if frame is None:
        return None
    return f"{place_of(frame)}: the network's code raises {type(error).__name__}: {error}"


def _check_no_arguments(spec: str, found: Any) -> None:
    try:
        needed = [
            parameter.name
            for parameter in inspect.signature(found).parameters.values()
            if parameter.default is parameter.empty
            and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        ]
    except (TypeError, ValueError):  # it does not tell
        return
    if needed:
        raise InputError(
            f"{spec}: it needs {listed(needed)}; write a function without arguments that returns"
            " the network, and name that"
        )


def _own_names(module: ModuleType) -> str:
    names = [
        name
        for name, value in vars(module).items()
        if callable(value) and getattr(value, "__module__", None) == module.__name__
    ]
    return listed(names) if names else "no functions or classes of its own"
