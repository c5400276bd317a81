"""Every command in README and in the pages exists with its options; those of a block are run.

Blocks of ``sh`` are run, each in a folder of its own; of blocks that also show output, only options
are checked here, and test_own_page.py runs those of docs/own.md together.
"""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer.main

from stochi.commands.app import app
from tests.pages.blocks import ROOT, Block, blocks

COMMANDS = typer.main.get_command(app).commands  # type: ignore[attr-defined]
SHELL = blocks("sh")
NOT_RUN = {
    r"^make ": "set-up, tests and demo: continuous integration types them",
    r"^pip ": "it would change the environment that runs the tests",
    r"FOLDER|~/data": "needs the files of a data set, which are not in the repository",
    r"^torchrun ": "tests/train/test_parallel.py trains in two processes",
    r"^\.venv/bin/python examples/": "tests/test_examples.py runs every example",
    r"^stochi demo": "make demo runs it on the digits, tests/commands on events",
    r"^stochi train --(optimizer|defence|neuron)": "minutes; tests/train trains with all of them",
}
"""Why lines of shell blocks are not run, by a pattern that they match."""


def lines(block: Block) -> list[str]:
    text = block.text.replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip()]


def reason(line: str) -> str | None:
    return next((why for pattern, why in NOT_RUN.items() if re.search(pattern, line)), None)


def test_every_command_exists_with_its_options() -> None:
    checked = 0
    for block in blocks("", "sh", "console"):
        for words in block.commands():
            check(words, f"{block.page}:{block.line}")
            checked += 1
    assert checked > 80


def check(words: list[str], where: str) -> None:
    program, *rest = words
    program = program.removeprefix(".venv/bin/")
    if program == "stochi":
        name, *given = rest
        assert name in COMMANDS, f"{where}: no command {name}"
        known = {option for p in COMMANDS[name].params for option in (*p.opts, *p.secondary_opts)}
        options = {word.partition("=")[0] for word in given if word.startswith("--")}
        assert options <= known | {"--help"}, f"{where}: {name} has no {options - known}"
    elif program == "python" and rest[0] == "-m":
        assert rest[1].startswith(("pytest", "stochi")) or importlib.util.find_spec(rest[1]), where
    elif program == "python" and rest[0] != "run.py":
        assert (ROOT / rest[0]).is_file(), f"{where}: {rest[0]}"
    elif program == "make":
        targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.M)
        assert rest[0] in targets, f"{where}: {rest[0]}"


def test_no_reason_is_left_over() -> None:
    shown = [line for block in SHELL for line in lines(block)]
    assert all(any(re.search(pattern, line) for line in shown) for pattern in NOT_RUN)


@pytest.mark.slow
@pytest.mark.parametrize(
    "block",
    [
        pytest.param(block, id=f"{block.page}:{block.line}")
        for block in SHELL
        if not all(reason(line) for line in lines(block))
    ],
)
def test_blocks_run(block: Block, tmp_path: Path) -> None:
    missing: set[str] = set()  # what lines that are not run would have written
    for line in lines(block):
        if reason(line) or missing & set(line.split()):
            missing.update(re.findall(r"--out (\S+)", line))
            continue
        command = line.removeprefix(".venv/bin/").removeprefix("stochi ")
        done = subprocess.run(
            f"{sys.executable} -m stochi {command}",
            **{"shell": True, "cwd": tmp_path, "timeout": 900},  # type: ignore[call-overload]
            **{"capture_output": True, "text": True},
        )
        assert done.returncode == 0, f"{line}: {done.stderr}"
