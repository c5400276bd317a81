"""What all commands have in common: --config, --force, --quiet and --verbose."""

import inspect
import os
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, NoReturn, get_args, get_origin, get_type_hints

import typer

from stochi.commands.configuration import (
    Several,
    is_kept,
    place_beside,
    take_configuration,
    write_configuration,
)
from stochi.commands.options import was_given
from stochi.errors import InputError
from stochi.figure_files import check_figure
from stochi.files import check_output, is_written_through

ForceOption = Annotated[
    bool, typer.Option("--force", help="Replace files that the command writes and that exist.")
]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print results and warnings, but no progress.")
]
VerboseOption = Annotated[
    bool,
    typer.Option(
        "--verbose", "-v", help="Print also where warnings come from, and an error's traceback."
    ),
]
COMMON: dict[str, tuple[Any, object]] = {
    "config": (None, None),
    "force": (ForceOption, False),
    "quiet": (QuietOption, False),
    "verbose": (VerboseOption, False),
}
"""Options of every command: type, made for each if it is None, and value if not given."""

OF_LIBRARY = {"count": "flips", "exact_images": "exact", "std": "noise_std"}
"""Arguments of the library → parameters of commands, where names differ."""


@dataclass
class Habits:
    """How the command that runs behaves.

    Attributes:
        force: whether files that exist are replaced.
        quiet: whether progress is left out.
        verbose: whether warnings say where they come from, and errors have a traceback.
        command: its name, "" outside of one.
        config: the file of --config, if any.
        named: files that its options may name.
        written: the files that the command writes, the most important first.
        beside: the file that keeps its options, beside the first of these, if any.
        told: the warnings that were printed, each of which is printed once.
    """

    force: bool = False
    quiet: bool = False
    verbose: bool = False
    command: str = ""
    config: Path | None = None
    named: tuple[Path, ...] = ()
    written: list[Path] = field(default_factory=list)
    beside: Path | None = None
    told: set[str] = field(default_factory=set)


_HABITS: ContextVar[Habits | None] = ContextVar("habits", default=None)


def current_habits() -> Habits:
    """Return how the command that runs behaves; outside of one, as by default."""
    return _HABITS.get() or Habits(force=True)


def check_new_output(path: str | Path | None, *others: str | Path | None) -> None:
    """Raise InputError unless a file can be written there, and --force is given or none is there.

    The same holds for the file that keeps the options beside the first output of a command.

    Args:
        path: None if nothing is written.
        others: files that are read, or also written; the path must be none of them.
    """
    check_output(path, *others)
    _take_new(path)


def check_new_figure(path: str | Path | None, *others: str | Path | None) -> None:
    """Raise InputError unless a figure can be written there, as :func:`check_new_output`."""
    check_figure(path, *others)
    _take_new(path)


def check_new_folder(path: Path) -> None:
    """Raise InputError if a folder is there that is not empty, and --force was not given."""
    if path.exists() and any(path.iterdir()):
        _refuse(path)
    _take(path)


def check_continued_output(path: Path) -> None:
    """Raise InputError unless a file can be written there, by a command that goes on with it."""
    check_output(path)
    _take(path, continued=True)


def _take_new(path: str | Path | None) -> None:
    """Note an output that must not exist, unless --force was given; None is no output."""
    if path is None:
        return
    target = Path(path)
    if target.exists() and not is_written_through(target):
        _refuse(target)
    _take(target)


def _refuse(path: Path, why: str = "") -> None:
    """Raise InputError for a path that exists, unless --force was given."""
    if not current_habits().force:
        raise InputError(
            f"{path} exists{why}; give --force to replace it, or write to another name"
        )


def _take(path: Path, *, continued: bool = False) -> None:
    """Note an output, whose place is neither that of --config nor that of the options."""
    now = current_habits()
    if now.config is not None and _is_same(path, now.config):
        raise InputError(f"{path} is the file of --config; write to another name")
    if not now.written and now.command:
        now.beside = place_beside(path, now.command)
        if now.beside is not None:
            _check_beside(now, now.beside, path, continued)
    elif now.beside is not None and _is_same(path, now.beside):
        _refuse_clash(now.beside, now.written[0], path)
    now.written.append(path)


def _check_beside(now: Habits, beside: Path, first: Path, continued: bool) -> None:
    """Raise InputError unless the options can be kept beside the first output.

    Args:
        continued: whether the command goes on with what it wrote before, options included.
    """
    for other in (first, *now.named):
        if _is_same(other, beside):
            _refuse_clash(beside, first, other)
    if os.path.lexists(beside) and not beside.is_file():
        raise InputError(
            f"{beside} is not a file, and the options of this run are kept there; remove it, or"
            f" give {first} another name"
        )
    try:
        check_output(beside)
    except InputError as error:
        raise InputError(f"the options of this run are kept beside {first}, and {error}") from error
    if beside.exists() and not (continued and is_kept(beside, now.command)):
        _refuse(beside, ", and the options of this run are kept there")


def _refuse_clash(beside: Path, first: Path, other: Path) -> NoReturn:
    raise InputError(
        f"{other} is also the file that keeps the options of this run, beside {first}; give"
        f" {'it' if other == first else 'one of them'} another name"
    )


def _is_same(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _named_files(context: typer.Context) -> tuple[Path, ...]:
    """Return the files that the options of a command may name, as FILE.py:NAME does, too."""
    found: list[Path] = []
    for option, value in context.params.items():
        for one in value if isinstance(value, list | tuple) else [value]:
            if isinstance(one, str | Path) and option != "config":
                found += [Path(one), Path(str(one).rpartition(":")[0])]
    return tuple(found)


def with_habits(name: str, command: Callable[..., None]) -> Callable[..., None]:
    """Return a command with the options that all commands have.

    Args:
        name: its name on the command line.
        command: the command, without these options.
    """
    own = inspect.signature(command)
    takes_context = "context" in own.parameters

    @wraps(command)
    def run(**given: Any) -> None:
        common = {option: given.pop(option) for option in COMMON}
        context = given["context"]
        if not takes_context:
            del given["context"]
        config = common.pop("config")
        now = Habits(**common, command=name, config=config, named=_named_files(context))
        with _in_force(now):
            try:
                command(**given)
            except typer.Exit as ended:
                if ended.exit_code in (0, 1):
                    _keep_options(context, now)
                raise
            except InputError as error:
                _name_option(context, error)
                raise
            _keep_options(context, now)

    context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    parameters = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for parameter in own.parameters.values()
    ]
    hints = get_type_hints(command, include_extras=True)
    types = {name: _plain_type(kind) for name, kind in hints.items()}
    config = _config_option({name: types[name] for name in own.parameters if name != "context"})
    added = [
        inspect.Parameter(
            option, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind or config
        )
        for option, (kind, default) in COMMON.items()
    ]
    every = [*([] if takes_context else [context]), *parameters, *added]
    run.__signature__ = own.replace(parameters=every)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in every} | {"return": None}
    return run


def _config_option(types: Mapping[str, type]) -> Any:
    """Return the type of --config for a command with these options."""

    def take(context: typer.Context, value: Path | None) -> Path | None:
        return take_configuration(context, value, types)

    return Annotated[
        Path | None,
        typer.Option(
            is_eager=True,
            callback=take,
            help="TOML file with values of options by name, in a table named like the command."
            " What is given here comes first. Each run writes such a file beside its output.",
        ),
    ]


def _plain_type(kind: Any) -> type:
    """Return the type of an option's value, None aside."""
    if get_origin(kind) is Annotated:
        kind, *about = get_args(kind)
        if Several in about:
            return Several
    if get_origin(kind) is list:
        return list
    inner = [one for one in get_args(kind) if one is not type(None)]
    found: type = inner[0] if inner else kind
    return found


def _name_option(context: typer.Context, error: InputError) -> None:
    """Let a message that begins with an argument's name begin with the option that was given."""
    message = str(error.args[0]) if error.args else ""
    word, verb, _ = message.partition(" is ")
    name = OF_LIBRARY.get(word, word)
    for one in context.command.params:
        option = max(one.opts, key=len)
        if verb and one.name == name and option.startswith("--") and was_given(context, name):
            error.args = (f"{option}{message[len(word) :]}", *error.args[1:])


def _keep_options(context: typer.Context, now: Habits) -> None:
    """Write the options beside the first output, unless there was nothing to write."""
    if now.beside is not None and now.written[0].exists():
        write_configuration(context, now.command, now.beside)


@contextmanager
def _in_force(now: Habits) -> Iterator[None]:
    """Let a command behave so while inside."""
    if now.quiet and now.verbose:
        raise InputError("--quiet and --verbose exclude each other; leave one out")
    token = _HABITS.set(now)
    try:
        yield
    except Exception as error:
        if now.verbose and not isinstance(error, typer.Exit):
            traceback.print_exc(file=sys.stderr)
        raise
    finally:
        _HABITS.reset(token)
