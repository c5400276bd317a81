"""The ``stochi`` command: its commands, and how their errors are reported."""

import sys
import warnings
from collections.abc import Callable
from typing import Annotated, NoReturn

import typer
from typer.exceptions import TyperException

from stochi import __version__
from stochi.commands.attack import attack_command
from stochi.commands.demo import demo_command
from stochi.commands.deploy import deploy_command
from stochi.commands.doctor import doctor_command
from stochi.commands.estimate import estimate_command
from stochi.commands.export import export_command
from stochi.commands.map import map_command
from stochi.commands.own_model import blame_own_code
from stochi.commands.parity import parity_command
from stochi.commands.show import show_command
from stochi.commands.simulate import simulate_command
from stochi.commands.study import study_command
from stochi.commands.train import train_command
from stochi.commands.tune import tune_command
from stochi.errors import StochiError
from stochi.plain_text import escape_message

COMMANDS: dict[str, Callable[..., None]] = {
    "demo": demo_command,
    "train": train_command,
    "tune": tune_command,
    "export": export_command,
    "deploy": deploy_command,
    "show": show_command,
    "map": map_command,
    "simulate": simulate_command,
    "estimate": estimate_command,
    "attack": attack_command,
    "parity": parity_command,
    "study": study_command,
    "doctor": doctor_command,
}


def _print_version(asked: bool) -> None:
    if asked:
        print(f"stochi {__version__}")
        raise typer.Exit


VersionOption = Annotated[
    bool,
    typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version."),
]

app = typer.Typer(name="stochi", pretty_exceptions_enable=False)
for _name, _command in COMMANDS.items():
    app.command(_name)(_command)


@app.callback()
def _stochi(*, version: VersionOption = False) -> None:
    """Randomized spiking networks from snnTorch to Loihi arithmetic on Lava, with proof."""


def main() -> None:
    """Run a command; a user's mistake is one line on stderr and exit status 2."""
    warnings.formatwarning = _format_warning  # type: ignore[assignment]
    try:
        status = app(sys.argv[1:] or ["--help"], standalone_mode=False)
    except TyperException as error:
        _fail(error.format_message())
    except (StochiError, ImportError) as error:
        _fail(str(error))
    except OSError as error:
        _fail(f"{error.filename or 'file'}: {error.strerror or error}")
    except (KeyboardInterrupt, typer.Abort):
        print("stopped", file=sys.stderr)
        sys.exit(130)
    except Exception as error:  # a user's network may raise anything, whenever it runs
        message = blame_own_code(error)
        if message is None:
            raise
        _fail(message)
    else:
        sys.exit(status if isinstance(status, int) else 0)


def _format_warning(message: Warning | str, *where: object) -> str:
    """Return a warning as commands print them, on one line, whoever gives it."""
    return f"Warning: {escape_message(' '.join(str(message).split()))}\n"


def _fail(message: str) -> NoReturn:
    print(f"stochi: {escape_message(' '.join(message.split()))}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
