"""``python -m tests.fuzz``: mutated and crafted files of each kind, a table of outcomes."""

import argparse
import sys
import tempfile
from pathlib import Path

from tests.fuzz.harness import Tally, find_kind, survey
from tests.fuzz.kinds import KINDS


def main() -> int:
    """Try files of each kind; return 1 if any fails."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=10_000, help="mutants of each kind")
    parser.add_argument("--first", type=int, default=0, help="seed of the first mutant")
    parser.add_argument("--kinds", nargs="*", default=KINDS, choices=KINDS)
    bounds = "compile the loops with a check of every index"
    parser.add_argument(
        "--bounds", action=argparse.BooleanOptionalAction, default=True, help=bounds
    )
    how = parser.parse_args()
    faults = 0
    print(f"{'files':30}{'tried':>8}{'right':>8}{'refused':>9}{'faults':>8}{'memory':>12}")
    for module in how.kinds:
        for what, cases in (
            ("mutated", range(how.first, how.first + how.cases)),
            ("crafted", crafted_cases(module)),
        ):
            tally = survey(module, list(cases), _Progress(module, len(cases)), how.bounds)
            faults += _show(f"{find_kind(module).name}, {what}", tally)
    return int(faults > 0)


def crafted_cases(module: str) -> list[str]:
    """Return the names of a kind's crafted files."""
    with tempfile.TemporaryDirectory(prefix="stochi-fuzz-") as folder:
        return list(find_kind(module).crafted(Path(folder)))


class _Progress:
    def __init__(self, name: str, total: int) -> None:
        self.name, self.total = name, total

    def __call__(self, done: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{self.name} {done}/{self.total} ", end="", file=sys.stderr, flush=True)


def _show(what: str, tally: Tally) -> int:
    number = len(tally.faults)
    tried, memory = sum(tally.outcomes.values()), f"{tally.most_memory / 2**20:.0f} MiB"
    right, refused = tally.outcomes["right"], tally.outcomes["refused"]
    print(f"{what:30}{tried:>8}{right:>8}{refused:>9}{number:>8}{memory:>12}", flush=True)
    for case, fault in list(tally.faults.items())[:20]:
        print(f"  {case}: {fault}")
    return number


if __name__ == "__main__":
    sys.exit(main())
