"""What Stochi takes to the chip: every neuron, layer and primitive, tried on a small network.

``python -m benchmarks.support`` prints the tables of ``docs/support.md``; Lava's column is empty if
Lava is not installed, or with ``--no-lava``. ``--write`` puts the tables into the page.
"""

import argparse

from benchmarks.support.page import make_rows, to_markdown, write
from stochi.sim.lava.compatibility import lava_status


def main() -> None:
    """Make the tables, and print them or put them into the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--no-lava", action="store_true", help="leave Lava out")
    parser.add_argument("--write", action="store_true", help="write docs/support.md")
    options = parser.parse_args()
    tables = to_markdown(make_rows(lava=not options.no_lava and lava_status()[0]))
    if options.write:
        write(tables)
    else:
        print(tables, end="")


if __name__ == "__main__":
    main()
