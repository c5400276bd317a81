"""How ``stochi`` starts: its version, its completion, and what it must not import."""

import subprocess
import sys

import pytest

import stochi
from stochi.commands.app import COMMANDS
from stochi.train import FineTuningConfig, TrainingConfig
from tests.commands.conftest import Run

HEAVY = ("torch", "numpy", "numba", "snntorch", "matplotlib", "sklearn", "scipy", "nir", "joblib")


def imported_after(code: str) -> str:
    """Run code in a fresh process; return the heavy modules that it left, printed as a list."""
    ended = subprocess.run(
        [
            sys.executable,
            "-c",
            f"import sys\n{code}\nprint([m for m in {HEAVY} if m in sys.modules])",
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    "code",
    [
        "import stochi",
        "import stochi.commands.app",
        *(f"import stochi.commands.{name}" for name in COMMANDS),
    ],
)
def test_importing_a_command_imports_nothing_heavy(code: str) -> None:
    assert imported_after(code) == "[]"


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["train", "--help"], ["fly"]])
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    code = (
        "from stochi.commands.app import main\n"
        f"sys.argv = {['stochi', *words]}\n"
        "try:\n    main()\nexcept SystemExit:\n    pass"
    )
    assert imported_after(code) == "[]"


def test_version(run: Run) -> None:
    assert run("--version") == (0, f"stochi {stochi.__version__}\n", "")


def test_the_shell_s_completion_is_offered(run: Run) -> None:
    out = run("--help")[1]
    assert "--install-completion" in out and "--show-completion" in out


@pytest.mark.parametrize(
    ("line", "completed"),
    [("stochi t", ["train", "tune"]), ("stochi tune --data", ["--data", "--data-dir"])],
)
def test_completion_of_names(line: str, completed: list[str]) -> None:
    asked = {
        "_STOCHI_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(line.count(" ")),
    }
    code = "import sys; sys.argv = ['stochi']; from stochi.commands.app import main; main()"
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=asked
    )
    assert ended.stdout.split() == completed


def test_the_defaults_of_epochs_are_the_configurations() -> None:
    for name, config in (("train", TrainingConfig()), ("tune", FineTuningConfig())):
        assert COMMANDS[name].__kwdefaults__["epochs"] == config.epochs


def test_commands_take_options_by_keyword_only() -> None:
    for name, command in COMMANDS.items():
        assert command.__name__ == f"{name}_command" and command.__defaults__ is None
        assert "as_json" in command.__kwdefaults__


def test_a_warning_of_a_command_is_one_line() -> None:
    code = (
        "import sys, warnings\n"
        "from stochi.__main__ import main\n"
        "sys.argv = ['stochi', '--version']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "warnings.warn('one\\ntwo\\x1b', UserWarning)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert ended.stderr == "Warning: one two\\x1b\n"


def test_a_current_folder_that_was_deleted_is_one_line() -> None:
    code = (
        "import os, sys, tempfile\n"
        "from stochi.__main__ import main\n"
        "folder = tempfile.mkdtemp()\n"
        "os.chdir(folder)\n"
        "os.rmdir(folder)\n"
        "sys.argv = ['stochi', 'doctor']\n"
        "main()"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr == "stochi: the current folder was deleted; change to another one\n"
