"""Many kills of one command, at random moments, in one folder that goes on being used."""

import random
import shutil
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from stochi.tensor_files import digest_of
from stochi.train.unfinished import ENDING, FORMAT
from tests.kills.scene import Scene

PARITY = "parity m.pt m.program --images 8 --trials 2 --exact 4 --attack noise"
COMMANDS = {
    "train": ["train", "--epochs", "4", "--time-steps", "2", "--out", "out/m.pt"],
    "parity": [*PARITY.split(), "--out", "out/r.json", "--html", "out/r.html"],
    "demo": ["demo", "--out", "out"],
    "study": ["study", "--quick", "--processes", "2", "--out", "out"],
}
"""What is killed, after ``stochi``; demo and study have the size of ``tests.kills.start``."""
SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True)
class Killed:
    """One kill.

    Attributes:
        how: the signal.
        after: seconds after the start.
        problems: what was wrong afterwards.
    """

    how: signal.Signals
    after: float
    problems: list[str]


def read_inputs(folder: Path) -> dict[str, bytes]:
    """Train, export and lower a network; return its files for ``parity``."""
    made = Scene(["train", "--epochs", "1", "--time-steps", "2", "--out", "m.pt"], folder)
    made.run()
    for words in ("export m.pt --out m.nir", "deploy m.nir --out m.program"):
        made.words = words.split()
        made.run()
    return made.results()


def kill_often(
    name: str,
    folder: Path,
    kills: int,
    seed: int = 0,
    report: Callable[[Killed], None] = lambda killed: None,
) -> list[str]:
    """Kill a command many times, let it end once, and return everything that was wrong.

    Its results under their final names must at every moment have the bytes of a command that was
    not killed, and all of them at the end. A training that was killed may leave itself, whole.

    Args:
        name: in ``COMMANDS``.
        folder: empty folder.
        kills: number of kills; they take turns with the signals.
        seed: of the moments.
        report: called after every kill.
    """
    given = read_inputs(folder / "inputs") if name == "parity" else {}
    undisturbed = Scene(COMMANDS[name], folder / "undisturbed", given)
    seconds = undisturbed.run()
    right = undisturbed.results()
    scene = Scene(COMMANDS[name], folder / "killed", given)
    others = {path.name for path in undisturbed.temporary.iterdir() if path.name[0] != "."}
    scene.usual = undisturbed.usual = frozenset(others)
    problems = [f"left undisturbed: {name}" for name in undisturbed.left()]
    for killed in _kills(scene, kills, seconds, random.Random(f"{name} {seed}")):
        killed.problems.extend(_compare(scene, right))
        problems += [f"{killed.how.name} after {killed.after:.2f} s: {p}" for p in killed.problems]
        report(killed)
    scene.run()
    if scene.results() != right:
        problems.append(f"in the end: {sorted(set(scene.results()) ^ set(right)) or 'other bytes'}")
    return problems + [f"left in the end: {one}" for one in scene.left()]


def _kills(scene: Scene, kills: int, seconds: float, chance: random.Random) -> Iterator[Killed]:
    done, longest = 0, seconds
    while done < kills:
        how, after = SIGNALS[done % len(SIGNALS)], chance.uniform(0, longest)
        problems = scene.kill(how, after)
        if problems is None:  # it was faster; a study that was continued, for example
            longest *= 0.9
            shutil.rmtree(scene.work / "out", ignore_errors=True)
            continue
        longest, done = max(longest, 0.5 * seconds), done + 1
        yield Killed(how, after, problems)


def _compare(scene: Scene, right: dict[str, bytes]) -> list[str]:
    found = {name: one for name, one in scene.results().items() if ".stochi-" not in name}
    return [
        f"half or other file: {name}"
        for name in found
        if found[name] != right.get(name) and not is_whole_training(scene.work / name)
    ]


def is_whole_training(path: Path) -> bool:
    """Return whether a file holds an unfinished training, and all of it."""
    if path.suffix != ENDING:
        return False
    content = torch.load(path, weights_only=True)
    held = {name: value for name, value in content.items() if name != "sha256"}
    return content["format"] == FORMAT and content["sha256"] == digest_of(held)
