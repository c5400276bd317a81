"""What all commands have in common: --config, --force, --quiet and --verbose."""

import inspect
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, get_args, get_origin, get_type_hints

import typer

from stochi.commands.configuration import take_configuration, write_configuration
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


@dataclass
class Habits:
    """How the command that runs behaves.

    Attributes:
        force: whether files that exist are replaced.
        quiet: whether progress is left out.
        verbose: whether warnings say where they come from, and errors have a traceback.
        written: the files that the command writes, the most important first.
        told: the warnings that were printed, each of which is printed once.
    """

    force: bool = False
    quiet: bool = False
    verbose: bool = False
    written: list[Path] = field(default_factory=list)
    told: set[str] = field(default_factory=set)


_HABITS: ContextVar[Habits | None] = ContextVar("habits", default=None)


def current_habits() -> Habits:
    """Return how the command that runs behaves; outside of one, as by default."""
    return _HABITS.get() or Habits(force=True)


def check_new_output(path: str | Path | None, *others: str | Path | None) -> None:
    """Raise InputError unless a file can be written there, and --force is given or none is there.

    Args:
        path: None if nothing is written.
        others: files that are read, or also written; the path must be none of them.
    """
    check_output(path, *others)
    _take(path)


def check_new_figure(path: str | Path | None, *others: str | Path | None) -> None:
    """Raise InputError unless a figure can be written there, as :func:`check_new_output`."""
    check_figure(path, *others)
    _take(path)


def check_new_folder(path: Path) -> None:
    """Raise InputError if a folder is there that is not empty, and --force was not given."""
    if path.exists() and any(path.iterdir()):
        _refuse(path)
    current_habits().written.append(path)


def _take(path: str | Path | None) -> None:
    if path is None:
        return
    target = Path(path)
    if target.exists() and not is_written_through(target):
        _refuse(target)
    current_habits().written.append(target)


def _refuse(path: Path) -> None:
    """Raise InputError for a path that exists, unless --force was given."""
    if not current_habits().force:
        raise InputError(f"{path} exists; give --force to replace it, or write to another name")


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
        with _chosen(common["force"], common["quiet"], common["verbose"]) as now:
            try:
                command(**given)
            except typer.Exit as ended:
                if ended.exit_code in (0, 1):
                    write_configuration(context, name, now.written)
                raise
            write_configuration(context, name, now.written)

    context = inspect.Parameter("context", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)
    parameters = [
        parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        for parameter in own.parameters.values()
    ]
    types = {name: _plain_type(kind) for name, kind in get_type_hints(command).items()}
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
    if get_origin(kind) is list:
        return list
    inner = [one for one in get_args(kind) if one is not type(None)]
    found: type = inner[0] if inner else kind
    return found


@contextmanager
def _chosen(force: bool, quiet: bool, verbose: bool) -> Iterator[Habits]:
    """Let a command behave so while inside."""
    if quiet and verbose:
        raise InputError("--quiet and --verbose exclude each other; leave one out")
    chosen = Habits(force, quiet, verbose)
    token = _HABITS.set(chosen)
    try:
        yield chosen
    except Exception as error:
        if verbose and not isinstance(error, typer.Exit):
            traceback.print_exc(file=sys.stderr)
        raise
    finally:
        _HABITS.reset(token)
