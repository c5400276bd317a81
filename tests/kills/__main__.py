"""Kill commands at random moments, and list what they leave behind."""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.kills.campaign import COMMANDS, Killed, kill_often


def show(killed: Killed) -> None:
    """Print a kill and what was wrong after it."""
    found = "; ".join(killed.problems) or "nothing left"
    print(f"  {killed.how.name:7} after {killed.after:5.2f} s: {found}", flush=True)


def main() -> None:
    """Run the kills that the options ask for; exit status 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("commands", nargs="*", default=list(COMMANDS), help="some of the commands")
    parser.add_argument("--kills", type=int, default=20, help="of each command")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    problems = []
    for name in options.commands:
        print(f"{name}:", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            found = kill_often(name, Path(folder), options.kills, options.seed, show)
        print(f"  {options.kills} kills, {len(found)} problems", flush=True)
        problems += [f"{name}: {one}" for one in found]
    print(*problems, sep="\n")
    sys.exit(bool(problems))


if __name__ == "__main__":
    main()
