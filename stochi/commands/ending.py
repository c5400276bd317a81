"""How the command line ends: a status, and one line if something went wrong."""

import errno
import json
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from contextvars import ContextVar

from stochi.commands.stopping import STOPPED, Stopped, Stopping
from stochi.errors import InputError, StochiError, explain
from stochi.plain_text import escape_message

JSON = "--json"
_ASKED: ContextVar[bool] = ContextVar("json in a configuration", default=False)
MISTAKE = 2
"""Exit status if a user's file, option or network is wrong, or the system refuses something."""
_STDOUT_FAILS = (errno.EPIPE, errno.ENOSPC, errno.EBADF, errno.EIO, errno.EFBIG, errno.EDQUOT)


def ask_for_json() -> None:
    """Let the command that runs end with JSON as with --json, also if it fails."""
    _ASKED.set(True)


def _wants_json() -> bool:
    return _ASKED.get() or JSON in sys.argv


def run_to_its_end(command: Callable[[], object], stopping: Stopping) -> int:
    """Run a command; return its status, after one line on stderr if it is a mistake or a stop.

    Args:
        command: returns its status, or anything else for 0.
        stopping: what the process does when it is asked to end.
    """
    _ASKED.set(False)
    try:
        if sys.stdout is None:
            raise InputError("stdout is closed; send it to a file, or to /dev/null")
        status = command()
        sys.stdout.flush()
        return status if isinstance(status, int) else 0
    except BaseException as error:
        stopping.over = True
        stop = _find_stop(error, stopping.number)
        if stop is not None:
            status = STOPPED + stop.number
            if _wants_json():
                _print_as_json(stop, stop.advice, status)
                _give_up_stdout()
            stopping.tell(stop.advice)
            return status
        message = _message(error)
        if message is None:
            raise
        line = escape_message(" ".join(message.split()))
        if _wants_json():
            _print_as_json(error, line, MISTAKE)
        _give_up_stdout()
        stopping.tell(f"stochi: {line}")
        return MISTAKE
    finally:
        stopping.over = True


def _print_as_json(error: BaseException, line: str, status: int) -> None:
    """Print an error on stdout for programs, which read the result there."""
    found = {"error": {"kind": type(error).__name__, "message": line, "status": status}}
    with suppress(OSError, ValueError, AttributeError):
        print(json.dumps(found, indent=2))


def _find_stop(error: BaseException, number: int | None) -> Stopped | None:
    """Return the stop that an error is, or that a library has made an error of its own of."""
    if isinstance(error, Stopped):
        return error
    if isinstance(error, KeyboardInterrupt):
        return Stopped(signal.SIGINT)
    return None if number is None else Stopped(number)


def _message(error: BaseException) -> str | None:
    """Return what to tell the user about an error, or None if it is a fault of ours."""
    from typer.exceptions import TyperException

    from stochi.commands.own_model import blame_own_code

    if isinstance(error, SystemExit) and isinstance(error.__context__, BrokenPipeError):
        error = error.__context__  # typer has made that of it
    if isinstance(error, TyperException):
        return error.format_message()
    if isinstance(error, StochiError | ImportError):
        return str(error)
    if isinstance(error, OSError):
        if error.filename is None and error.errno in _STDOUT_FAILS:
            error.filename = "stdout"
        return explain(error)
    # A user's network may raise anything, whenever it runs.
    return blame_own_code(error) if isinstance(error, Exception) else None


def _give_up_stdout() -> None:
    """Drop what stdout could not take, which Python would try to write again at its end."""
    try:
        sys.stdout.flush()
    except (OSError, AttributeError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.close(nowhere)
