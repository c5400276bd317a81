"""A command's options in a TOML file, read before the command line and written beside outputs."""

import os
import sys
from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import typer

from stochi.arguments import LARGEST
from stochi.commands.ending import ask_for_json
from stochi.errors import InputError, first_line
from stochi.files import check_plain_file, is_written_through, write_whole
from stochi.packages import VERSION
from stochi.plain_text import escape_surrogates, shorten_repr

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


class Several:
    """Mark, in an option's annotation, that its text holds several values between commas."""


TAKEN: dict[type, tuple[tuple[type, ...], str]] = {
    int: ((int,), "a whole number"),
    float: ((int, float), "a number"),
    bool: ((bool,), "true or false"),
    str: ((str, int, float), "a text"),
    Path: ((str,), "a text, the name of a file"),
    list: ((str,), "a list of texts"),
    Several: ((str, int, float), "a text, or a list of texts or numbers"),
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
        context.default_map = _read(path, context, types)
    return path


def _names_of(context: typer.Context) -> dict[str, str]:
    """Return each parameter's name on the command line, with _ for -, without dashes in front."""
    return {
        str(one.name): max(one.opts, key=len).lstrip("-").replace("-", "_")
        for one in context.command.params
    }


def _spellings(context: typer.Context) -> dict[str, str]:
    """Return all names that the command line and its help have for parameters, with _ for -."""
    found: dict[str, str] = {}
    for one in context.command.params:
        if one.name not in NOT_TAKEN:
            words = [word for word in one.opts if word.startswith("--") or "-" not in word[:1]]
            shown = one.metavar.rstrip(".") if one.metavar and one.opts == [one.name] else ""
            words += [shown.lower()] if shown.isidentifier() else []
            found |= {word.lstrip("-").replace("-", "_"): str(one.name) for word in words}
    return found


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


def _read(path: Path, context: typer.Context, types: Types) -> dict[str, Any]:
    """Return the values of a file's table for a command, by the parameters' names.

    Raises:
        InputError: the file is missing or no TOML, or something in it is wrong; all of that is
            said at once.
    """
    content, command = _parse(path), str(context.info_name)
    tables = {name for name, value in content.items() if _is_table(value)}
    values = content.get(command, {}) if tables else content
    values = values if isinstance(values, dict) else {}
    if values.get("json") is True:
        ask_for_json()  # mistakes are told so, too
    known = _spellings(context)
    names = {word: known.get(_plain_name(word, known)) for word in values}
    problems = [
        *_misplaced(content, tables, context),
        *_twice(names),
        *(
            problem
            for w, v in values.items()
            for problem in _problems(w, v, names[w], known, types)
        ),
    ]
    if problems:
        raise InputError(f"{path}: {'; '.join(problems)}")
    return {
        name: _as_given(values[word], types[name])
        for word, name in names.items()
        if name is not None
    }


def _parse(path: Path) -> dict[str, Any]:
    check_plain_file(path)
    try:
        return tomllib.loads(path.read_text("utf-8-sig"))
    except RecursionError:
        raise InputError(f"{path}: no TOML: it is nested too deeply") from None
    except ValueError as error:  # also of bytes that are not UTF-8, and of numbers without end
        raise InputError(f"{path}: no TOML: {first_line(error)}") from error


def _plain_name(word: str, known: Collection[str]) -> str:
    """Return an option's name with _ for -; what Python forbids may have a _ at its end."""
    name = word.replace("-", "_")
    return name if name in known else name.rstrip("_")


def _is_table(value: Any) -> bool:
    """Return whether a value is a table, or [[a list]] of them."""
    of_list = isinstance(value, list) and value and all(isinstance(one, dict) for one in value)
    return isinstance(value, dict) or bool(of_list)


def _misplaced(
    content: Mapping[str, Any], tables: Collection[str], context: typer.Context
) -> Iterator[str]:
    """Yield what is wrong with a file's tables, and what stands outside of them."""
    command = str(context.info_name)
    commands = getattr(getattr(context.parent, "command", None), "commands", {})
    if tables and command not in tables:
        shown = ", ".join(f"[{name}]" for name in sorted(tables))
        yield f"the file has no table [{command}]; it has {shown}"
    stray = [name for name in content if name not in tables]
    if tables and stray:
        verb, them = ("stands", "it") if len(stray) == 1 else ("stand", "them")
        yield f"{', '.join(stray)} {verb} outside of the tables; move {them} into [{command}]"
    for name in tables:
        if name not in commands:
            yield f"[{name}] is not a command{_hint(name, commands)}"
        elif name == command and not isinstance(content[name], dict):
            yield f"[[{name}]] is a list of tables; write [{name}], once"


def _twice(names: Mapping[str, str | None]) -> Iterator[str]:
    """Yield options that stand there under several names."""
    for name in dict.fromkeys(name for name in names.values() if name is not None):
        words = [word for word, one in names.items() if one == name]
        if len(words) > 1:
            yield f"{' and '.join(words)} are the same option; give one of them"


def _hint(word: str, known: Collection[str]) -> str:
    near = get_close_matches(word, known, 1)
    return f"; did you mean {near[0]}?" if near else ""


def _problems(
    word: str, value: Any, name: str | None, known: Collection[str], types: Types
) -> Iterator[str]:
    """Yield what is wrong with a value.

    Args:
        word: its name in the file.
        name: of its parameter, None if there is none.
        known: names that there are.
    """
    if name is None:
        hint = _hint(_plain_name(word, known), known)
        yield f"{word or repr(word)} is not an option of this command{hint}"
        return
    kind = types[name]
    wanted, what = TAKEN[kind]
    if isinstance(value, list) and kind not in (list, Several):
        yield f"{word} is a list; give {what}"
        return
    for one in value if isinstance(value, list) else [value]:
        # A bool is also an int.
        if not isinstance(one, wanted) or isinstance(one, bool) != (bool in wanted):
            yield f"{word} is {shorten_repr(one)}; it must be {what}"
        elif isinstance(one, int) and abs(one) >= LARGEST:
            yield f"{word} is {shorten_repr(one)}; it must be below 2^64"
        elif isinstance(one, str) and "\0" in one:
            yield f"{word} is {shorten_repr(one)}; it must be {what}, without zero bytes"


def _as_given(value: Any, kind: type) -> Any:
    """Return a value as the command line gives it: several in one option stand between commas."""
    if kind is list:
        return value if isinstance(value, list) else [value]
    return ",".join(map(str, value)) if isinstance(value, list) else value
