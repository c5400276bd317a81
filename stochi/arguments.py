"""Checks of a caller's arguments against the annotations of what is called.

Annotations already say what every argument is. So one mechanism holds callers to them: a public
function begins with ``check_arguments(itself, locals())``, and a dataclass of options has
``check_fields(self)``, which also makes its numbers and tuples Python's own, so that an option from
numpy or torch is written, compared and computed with like any other. Ranges are the matter of each
function.
"""

import math
import operator
import os
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from functools import cache, wraps
from inspect import Parameter, signature
from numbers import Integral, Real
from typing import Any, Literal, ParamSpec, TypeVar, Union, get_args, get_origin, get_type_hints

from stochi.errors import InputError
from stochi.plain_text import shorten_repr

LARGEST = 2**64
"""Whole numbers are smaller; the largest that anything takes is a seed of torch."""
Given = ParamSpec("Given")
Answer = TypeVar("Answer")


def check_arguments(
    function: Callable[..., Any], given: Mapping[str, Any], *, besides: Sequence[str] = ()
) -> None:
    """Raise InputError for the first argument that is not what its annotation says.

    Args:
        function: the function whose annotations count.
        given: its arguments by their names, as ``locals()`` gives them at its beginning.
        besides: names of arguments that it checks itself, because it takes more than they say.
    """
    for name, hint in _hints(function).items():
        if name in given and name not in besides:
            check_argument(name, given[name], hint)


def with_plain_arguments(function: Callable[Given, Answer]) -> Callable[Given, Answer]:
    """Return a function that is called with :func:`plain` values in place of its arguments."""

    @wraps(function)
    def called(*args: Given.args, **kwargs: Given.kwargs) -> Answer:
        hints = _hints(function)
        listed = (plain(one, hints.get(name)) for name, one in zip(names, args, strict=False))
        named = {name: plain(one, hints.get(name)) for name, one in kwargs.items()}
        return function(*listed, *args[len(names) :], **named)  # type: ignore[arg-type]

    names = list(signature(function).parameters)
    return called


def check_fields(options: Any, *, besides: Sequence[str] = ()) -> None:
    """Raise InputError for the first field of a dataclass that is not what its annotation says.

    Fields of :func:`plain` values are replaced by these, also those of ``besides``.

    Args:
        besides: names of fields that it checks itself.
    """
    kind: Any = type(options)
    hints = _hints(kind)
    for field in fields(options):
        if field.name in hints:
            given = getattr(options, field.name)
            value = plain(given, hints[field.name])
            if value is not given:
                object.__setattr__(options, field.name, value)
            if field.name not in besides:
                check_argument(field.name, value, hints[field.name])


def plain(value: Any, hint: Any) -> Any:
    """Return numbers of any kind, lists of them and strings as the Python values they stand for.

    Everything else, and what the annotation does not ask for, stays as it is.

    Args:
        value: of an argument.
        hint: its annotation.
    """
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        if type(value) in _SINGULARS or any(_keeps(value, one) for one in arguments):
            return value
        changed = (plain(value, one) for one in arguments)
        return next((one for one in changed if one is not value), value)
    if hint in (int, float, bool):
        return value if type(value) in (int, float, bool) else _number(value)
    if hint is str or origin is Literal:
        # Of a subclass, like a member of an enumeration, what it says as a string.
        return str.__str__(value) if isinstance(value, str) else value
    if origin is not tuple and origin is not Sequence:
        return value
    if isinstance(value, list) or (_dimensions(value) == 1 and _is_held(value)):
        value = tuple(value if isinstance(value, list) else value.tolist())
    if origin is not tuple or not isinstance(value, tuple) or type(value) is not tuple:
        return value
    of_each = arguments[:1] * len(value) if arguments[1:] == (Ellipsis,) else arguments
    if len(of_each) != len(value):
        return value
    made = tuple(map(plain, value, of_each))
    return value if all(map(operator.is_, made, value)) else made


def _keeps(value: object, hint: Any) -> bool:
    """Return whether an annotation names the very type of an array or a tensor."""
    return isinstance(hint, type) and hint not in (int, float, bool) and isinstance(value, hint)


def _number(value: Any) -> Any:
    """Return a number of another kind, a fraction or one of a subclass, as Python's own."""
    if _dimensions(value) == 0 and _is_held(value):
        value = value.item()
    if type(value) in (int, float, bool) or not isinstance(value, Real):
        return value
    try:
        return int(value) if isinstance(value, Integral) else float(value)
    except OverflowError:  # a fraction beyond all floats
        return value


def _dimensions(value: object) -> int | None:
    """Return the number of dimensions of an array, a tensor or a number of numpy."""
    shape = getattr(value, "shape", None)
    return len(shape) if isinstance(shape, tuple) and hasattr(value, "tolist") else None


def _is_held(value: Any) -> bool:
    """Return whether an array or a tensor holds values: one of torch's device meta does not."""
    return not getattr(value, "is_meta", False)


def check_argument(name: str, value: object, hint: Any) -> None:
    """Raise InputError unless a value is what an annotation says."""
    if not _fits(value, hint) or not _can_be_shown(value):
        way_out = ""
        if type(value).__module__ == "numpy" and getattr(hint, "__name__", "") == "Tensor":
            way_out = f": pass torch.from_numpy({name})"
        raise InputError(f"{name} is {shown(value)}; it must be {_words(hint)}{way_out}")


def _can_be_shown(value: object) -> bool:
    """Return whether a number or a string has a text, which one of a subclass may not have."""
    if type(value) in (str, int, float, bool) or not isinstance(value, str | Real):
        return True
    try:
        return isinstance(f"{value!r}{value}", str)
    except Exception:  # of a foreign class
        return False


def shown(value: object) -> str:
    """Return a value as an error message shows it, in one line."""
    if value is None or isinstance(value, str | int | float | complex | tuple | list | dict):
        return shorten_repr(value)
    kind, shape = type(value).__name__, getattr(value, "shape", None)
    return f"{_article(kind)} {kind}" + (f" of shape {tuple(shape)}" if shape is not None else "")


_SEVERAL = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


@cache
def _hints(function: Any) -> dict[str, Any]:
    if isinstance(function, type):
        return get_type_hints(function)
    hints = {name: hint for name, hint in function.__annotations__.items() if name != "return"}
    if any(isinstance(hint, str) for hint in hints.values()):
        hints = get_type_hints(function)
    several = {p.name for p in signature(function).parameters.values() if p.kind in _SEVERAL}
    return {name: hint for name, hint in hints.items() if name not in several | {"return"}}


def _fits(value: Any, hint: Any) -> bool:
    """Return whether a value is what an annotation says, as far as that can be told."""
    if type(value) is hint and hint not in (int, float):  # those have ranges
        return True
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return any(_fits(value, one) for one in arguments)
    if origin is Literal:
        return isinstance(value, type(arguments[0]))  # which names there are, functions check
    if hint is Any:
        return True
    if hint in (int, float, bool):
        return _is_number(value, hint)
    if hint is type(None):
        return value is None
    if isinstance(hint, type) and issubclass(hint, os.PathLike):
        return isinstance(value, os.PathLike)
    if origin is tuple:
        return _is_tuple(value, arguments)
    if origin is Callable or hint is Callable or origin is _CALLABLE:
        return callable(value)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return isinstance(value, Mapping) and all(
            _fits(key, arguments[0]) and _fits(one, arguments[1]) for key, one in value.items()
        )
    if isinstance(origin, type) and issubclass(origin, Sequence):
        of_one = isinstance(value, Sequence) and not isinstance(value, str | bytes)
        return of_one and all(_fits(one, arguments[0]) for one in value)
    if isinstance(origin, type) and issubclass(origin, Iterable):
        return isinstance(value, Iterable) and not isinstance(value, str | bytes)
    if getattr(hint, "_is_protocol", False):
        return all(hasattr(value, name) for name in vars(hint) if _is_of_protocol(name))
    if isinstance(hint, type) and origin is None:
        return isinstance(value, hint)
    return True  # type variables, and what has no form


def _is_of_protocol(name: str) -> bool:
    return name in ("__len__", "__getitem__", "__call__") or not name.startswith("_")


_CALLABLE = get_origin(Callable[[], None])


def _is_number(value: object, hint: type) -> bool:
    truth = isinstance(value, bool) or type(value).__name__ in ("bool_", "bool")
    if hint is bool or truth:
        return truth and hint is bool
    if hint is int:
        return isinstance(value, Integral) and abs(int(value)) < LARGEST
    if isinstance(value, Integral):
        return abs(int(value)) < LARGEST
    return isinstance(value, Real) and math.isfinite(value)


def _is_tuple(value: object, arguments: tuple[Any, ...]) -> bool:
    if not isinstance(value, tuple | list):
        return False
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return all(_fits(one, arguments[0]) for one in value)
    return len(value) == len(arguments) and all(map(_fits, value, arguments))


_PLURALS = {int: "whole numbers", float: "finite numbers", str: "strings", bool: "truth values"}
_SINGULARS = {
    int: f"a whole number, below 2^{LARGEST.bit_length() - 1}",
    float: "a finite number",
    str: "a string",
    bool: "True or False",
    type(None): "None",
}


def _words(hint: Any) -> str:
    """Return what an annotation asks for, as an error message says it."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        words = list(dict.fromkeys(_words(one) for one in arguments))
        return ", ".join(words[:-1]) + f" or {words[-1]}" if len(words) > 1 else words[0]
    if origin is Literal:
        return f"one of {', '.join(map(repr, arguments))}"
    if hint in _SINGULARS:
        return _SINGULARS[hint]
    if isinstance(hint, type) and issubclass(hint, os.PathLike):
        return "a path"
    if origin is tuple and arguments and arguments[-1] is not Ellipsis:
        return f"a tuple of {len(arguments)} {_plural(arguments[0])}"
    if origin is tuple or (isinstance(origin, type) and issubclass(origin, Sequence)):
        return f"a {'tuple' if origin is tuple else 'list'} of {_plural(arguments[0])}"
    if origin is _CALLABLE:
        return "a function"
    if isinstance(origin, type):
        return f"a {origin.__name__.lower()}"
    kind = getattr(hint, "__name__", str(hint))
    return f"{_article(kind)} {kind}"


def _article(kind: str) -> str:
    return "an" if kind[0] in "aeiouAEIOU" or kind.startswith("nd") else "a"


def _plural(hint: Any) -> str:
    if get_origin(hint) is tuple:
        return "tuples"
    return _PLURALS.get(hint, f"{getattr(hint, '__name__', 'such')} objects")
