"""The blocks of code in README and in the site's pages, and the commands in them."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    ROOT / "README.md",
    ROOT / "examples" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
)
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.S | re.M)


@dataclass(frozen=True)
class Block:
    """A fenced block: its page, its language ("" without one), the line it begins on, its text."""

    page: str
    language: str
    line: int
    text: str

    def commands(self) -> Iterator[list[str]]:
        """Split every command line into words; what a command printed is no command."""
        text = self.text.replace("\\\n", " ")
        shown = self.language != "sh"  # then output follows, and some pages begin with "$ "
        for line in text.splitlines():
            words = line.removeprefix("$ ") if shown else line
            if not shown or re.match(r"(\.venv/bin/)?(stochi|python) |make |pip ", words):
                yield shlex.split(words, comments=True)


def blocks(*languages: str) -> list[Block]:
    """Return the blocks in these languages, in the order of the pages."""
    found = []
    for path in PAGES:
        text = path.read_text(encoding="utf-8")
        for match in FENCE.finditer(text):
            if match[1] in languages:
                line = text.count("\n", 0, match.start()) + 1
                page = path.relative_to(ROOT).as_posix()
                found.append(Block(page, match[1], line, match[2]))
    return found


def missing_line(shown: str, printed: str) -> str | None:
    """Return the first line shown that was not printed, in this order; None if all were.

    Numbers and the widths that come with them are not compared: they are another machine's. A line
    of "…" stands for lines that are left out.
    """
    lines = iter([_without_numbers(line) for line in printed.splitlines()])
    for line in shown.splitlines():
        wanted = _without_numbers(line)
        if wanted not in ("", "…") and not any(line == wanted for line in lines):
            return wanted
    return None


def _without_numbers(line: str) -> str:
    return " ".join(re.sub(r"[+−-]?\d[\d.,]*", "0", line).replace("─", "").split())
