"""A command's options in a TOML file, read before the command line and written beside outputs."""

import os
import sys
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import typer

from stochi.errors import InputError
from stochi.files import check_plain_file, is_written_through, write_whole
from stochi.packages import VERSION
from stochi.plain_text import escape_surrogates

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

NOT_KEPT = ("config", "force", "quiet", "verbose", "as_json", "help")
"""Options that say how a command behaves, not what it computes; they are not written."""
NOT_TAKEN = tuple(name for name in NOT_KEPT if name != "as_json")
"""Options that a file cannot give."""
_HEAD = "# Options of stochi {command}"
Types = Mapping[str, type]
"""A command's options by name, and the types of their values."""
TAKEN: dict[type, tuple[tuple[type, ...], str]] = {
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    bool: ((bool,), "true or false"),
    str: ((str, int, float), "a text"),
    Path: ((str,), "a text, the name of a file"),
    list: ((str,), "a list of texts"),
}
"""Type of an option → the types that TOML may have for it, and their name."""


def take_configuration(context: typer.Context, path: Path | None, types: Types) -> Path | None:
    """Let the values of a file be those of options that the command line does not give.

    Args:
        types: the command's options, by their parameters' names.

    Raises:
        InputError: the file is missing or no TOML, or a name or a value in it is wrong.
    """
    if path is not None:
        named = _names_of(context)
        by_name = {named[name]: kind for name, kind in types.items() if name not in NOT_TAKEN}
        found = _read(path, str(context.info_name), by_name)
        parameters = {word: name for name, word in named.items()}
        context.default_map = {parameters[word]: value for word, value in found.items()}
    return path


def _names_of(context: typer.Context) -> dict[str, str]:
    """Return each parameter's name on the command line, with _ for -, without dashes in front."""
    return {
        str(one.name): max(one.opts, key=len).lstrip("-").replace("-", "_")
        for one in context.command.params
    }


def is_as_by_default(context: typer.Context, option: str) -> bool:
    """Return whether a configuration gives an option the value that it has anyway."""
    parameter = next(p for p in context.command.params if p.name == option)
    return bool(str(context.params.get(option)) == str(parameter.default))


def place_beside(first: Path, command: str) -> Path | None:
    """Return the file that keeps a command's options beside the first of its outputs.

    The name is the output's, with the command's in place of the ending: ``model.train.toml``.

    Returns:
        None if the output is a device, a pipe or the root of all folders.
    """
    if is_written_through(first):
        return None
    if first.name in ("", ".."):
        first = Path(os.path.realpath(first))
    if not first.name:
        return None
    stem = first.name.removesuffix(first.suffix)
    return first.with_name(f"{stem}.{command}.toml" if stem != command else f"{command}.toml")


def is_kept(path: Path, command: str) -> bool:
    """Return whether a file was written by :func:`write_configuration` for a command."""
    head = _HEAD.format(command=command).encode()
    with path.open("rb") as file:
        return file.read(len(head)) == head


def write_configuration(context: typer.Context, command: str, path: Path) -> None:
    """Write a command's options into the file that keeps them, see :func:`place_beside`."""
    import tomli_w

    named = _names_of(context)
    options = {name: _plain(value) for name, value in context.params.items() if value is not None}
    kept = {named[name]: value for name, value in options.items() if name not in NOT_KEPT}
    head = f"{_HEAD.format(command=command)}, version {VERSION}; --config reads them again.\n\n"
    write_whole(path, head + tomli_w.dumps({command: kept}))


def _plain(value: Any) -> Any:
    if isinstance(value, list):
        return [_plain(one) for one in value]
    # TOML has no word for a byte that is not UTF-8.
    return escape_surrogates(str(value)) if isinstance(value, str | Path) else value


def _read(path: Path, command: str, types: Types) -> dict[str, Any]:
    """Return the values of a file's table for a command, by the options' names."""
    check_plain_file(path)
    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: no TOML: {error}") from error
    tables = {name for name, value in content.items() if isinstance(value, dict)}
    if tables and command not in tables:
        raise InputError(
            f"{path} has no table [{command}]; it has {', '.join(f'[{t}]' for t in sorted(tables))}"
        )
    values = content[command] if tables else content
    values = {name.replace("-", "_"): value for name, value in values.items()}
    values = {name if name in types else name.rstrip("_"): v for name, v in values.items()}
    problems = list(_problems(values, types))
    if problems:
        raise InputError(f"{path}: {'; '.join(problems)}")
    return {name: _as_given(value, types[name]) for name, value in values.items()}


def _problems(values: Mapping[str, Any], types: Types) -> Iterator[str]:
    """Yield what is wrong with the values of a table."""
    for name, value in values.items():
        if name not in types:
            near = get_close_matches(name, types, 1)
            hint = f"; did you mean {near[0]}?" if near else ""
            yield f"{name} is not an option of this command{hint}"
            continue
        wanted, word = TAKEN[types[name]]
        for one in value if isinstance(value, list) else [value]:
            fits = isinstance(one, wanted) and (bool in wanted or not isinstance(one, bool))
            if not fits:
                yield f"{name} is {one!r}; it must be {word}"


def _as_given(value: Any, kind: type) -> Any:
    """Return a value as the command line gives it: several in one option stand between commas."""
    if isinstance(value, list) and kind is not list:
        return ",".join(map(str, value))
    return value
