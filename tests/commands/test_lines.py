"""Every line that commands print: its width, its end, its numbers and its plurals."""

import re
from pathlib import Path

import pytest

from tests.commands.conftest import Run

ROOT = Path(__file__).resolve().parents[2]
WIDEST = 80
MINUS_ZERO = re.compile(r"(?<![\w.])[-−]0(?:[.,]0+)?(?![\w.,]*\d)")
ONE = re.compile(
    r"(?<![\w.,/^])1 (?:trials|images|inputs|samples|epochs|layers|neurons|cores|steps|draws|seeds"
    r"|networks|answers|cells|mismatches|events|levels|additions|batches|parts|variants)\b"
)
TABLE = re.compile(r"^ .*\S {2,}\S|^ ?─")
PROGRESS = re.compile(r"^ *[\d.]+ s  ")
SHOWN = ("stochi/commands", "stochi/parity/report", "stochi/study")
RAW = re.compile(r":[+]?[0-9]*\.\d[f%]\}")
NOT_NUMBERS_OF_RESULTS = {
    "stochi/commands/console.py": "seconds since the start",
    "stochi/parity/report/pages/epsilon_plot.py": "places in a figure",
    "stochi/parity/report/pages/event_animation.py": "places in a figure",
    "stochi/parity/report/pages/pictures.py": "places in a figure",
}


def wrong_lines(text: str) -> list[str]:
    """Return the lines that should look otherwise; those of progress begin with the seconds."""
    return [
        line
        for line in text.splitlines()
        if line != line.rstrip()
        or MINUS_ZERO.search(line)
        or ONE.search(line)
        or (TABLE.match(line) and not PROGRESS.match(line) and len(line) > WIDEST)
    ]


def test_the_checks_of_lines_find_what_they_look_for() -> None:
    for good in ("-0.1", "1 trial", "11 trials", "0 −0.25", "x-0", "1.1 samples", "-0.01"):
        assert wrong_lines(good) == []
    for bad in ("-0", "by −0.00 points", "[-0.0, 1]", "1 trials", "so 1 images,", "end ", "-0.0%"):
        assert wrong_lines(bad) == [bad]


def test_results_are_formatted_by_the_helpers() -> None:
    """A bare ``:.1f`` prints "-0.0" for what rounds to 0 from below."""
    found = []
    for folder in SHOWN:
        for path in sorted((ROOT / folder).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if name not in NOT_NUMBERS_OF_RESULTS and RAW.search(path.read_text(encoding="utf-8")):
                found.append(name)
    assert found == []


def test_every_line_of_the_commands(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    train = "train --out m.pt --epochs 1 --training-images 40 --time-steps 4"
    commands = (
        train,
        "export m.pt --out m.nir",
        "deploy m.nir --out m.program",
        "deploy m.nir --out fitted.program --noise membrane --calibration-images 4",
        "show m.nir",
        "show m.program",
        "map m.program",
        "simulate m.program --images 1",
        "estimate m.program --images 1",
        "parity m.pt m.program --images 2 --exact 1 --trials 2 --attack fgsm --attack-images 1"
        " --no-lava --out r.json",
        "parity m.pt m.program --images 1 --exact 1 --trials 2 --epsilon 0 --no-lava"
        " --out again.json",
        "attack m.pt m.program --images 1 --trials 1 --attack fgsm",
        "tune m.pt m.program --epochs 1 --out tuned.pt",
        "compare r.json again.json",
        "doctor",
    )
    wrong: dict[str, list[str]] = {}
    for command in commands:
        status, out, err = run(*command.split())
        assert status in (0, 1), (command, err)
        assert out, command
        wrong[command] = wrong_lines(out) + wrong_lines(err)
    assert {command: lines for command, lines in wrong.items() if lines} == {}
