"""The ``stochi`` command: its commands, and how their errors are reported."""

import sys
import warnings
from collections.abc import Callable
from typing import Annotated

import typer

from stochi.commands.attack import attack_command
from stochi.commands.compare import compare_command
from stochi.commands.demo import demo_command
from stochi.commands.deploy import deploy_command
from stochi.commands.doctor import doctor_command
from stochi.commands.ending import run_to_its_end
from stochi.commands.estimate import estimate_command
from stochi.commands.export import export_command
from stochi.commands.habits import current_habits, with_habits
from stochi.commands.map import map_command
from stochi.commands.parity import parity_command
from stochi.commands.show import show_command
from stochi.commands.simulate import simulate_command
from stochi.commands.stopping import Stopping
from stochi.commands.study import study_command
from stochi.commands.train import train_command
from stochi.commands.tune import tune_command
from stochi.packages import VERSION
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
    "compare": compare_command,
    "study": study_command,
    "doctor": doctor_command,
}


def _print_version(asked: bool) -> None:
    if asked:
        print(f"stochi {VERSION}")
        raise typer.Exit


VersionOption = Annotated[
    bool,
    typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version."),
]

app = typer.Typer(name="stochi", pretty_exceptions_enable=False)
for _name, _command in COMMANDS.items():
    app.command(_name)(with_habits(_name, _command))


@app.callback()
def _stochi(*, version: VersionOption = False) -> None:
    """Randomized spiking networks from snnTorch to Loihi arithmetic on Lava, with proof."""


def run() -> object:
    """Run the command that this process was called with; return its status, or None for 0."""
    warnings.formatwarning = _format_warning  # type: ignore[assignment]
    return app(sys.argv[1:] or ["--help"], standalone_mode=False)


def main() -> None:
    """Run a command; a user's mistake is one line on stderr and exit status 2."""
    sys.exit(run_to_its_end(run, Stopping()))


def _format_warning(message: Warning | str, *where: object) -> str:
    """Return a warning as commands print them, on one line, whoever gives it; "" if it was told."""
    category, file, line, *_ = where
    shown, told = escape_message(" ".join(str(message).split())), current_habits().told
    if shown in told:
        return ""
    told.add(shown)
    origin = f" ({category.__name__}, {file}:{line})" if current_habits().verbose else ""  # type: ignore[attr-defined]
    return f"Warning: {shown}{origin}\n"


if __name__ == "__main__":
    main()
