"""docs/own.md can be followed: its file is written, and its commands typed from top to bottom.

They run in one folder, as a reader types them, without ``--force``: one command must not replace
what another one wrote. What the page shows is what they print.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pages.blocks import ROOT, blocks, missing_line

PAGE = [block for block in blocks("", "python") if block.page == "docs/own.md"]
PROMPT = "$ stochi "


@pytest.mark.slow
@pytest.mark.lava
def test_the_page_can_be_followed_in_an_empty_folder(tmp_path: Path) -> None:
    (made,) = (block.text for block in PAGE if block.language == "python")
    (tmp_path / "net.py").write_text(made, encoding="utf-8")
    assert _typed(f"{sys.executable} net.py", tmp_path).returncode == 0
    commands = 0
    for block in PAGE:
        for typed in block.text.split(PROMPT)[1:] if block.text.startswith(PROMPT) else ():
            command, _, shown = typed.partition("\n")
            done = _typed(f"{sys.executable} -m stochi {command}", tmp_path)
            refused = shown.startswith("stochi: ")
            assert done.returncode == (2 if refused else 0), f"{command}: {done.stderr}"
            missing = missing_line(shown, done.stderr if refused else done.stdout)
            assert missing is None, f"{command}: not printed: {missing}\n{done.stdout}"
            commands += 1
    assert commands > 10


def _typed(line: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        line,
        **{"shell": True, "cwd": folder, "timeout": 600, "capture_output": True, "text": True},  # type: ignore[call-overload]
        env={**os.environ, "PYTHONPATH": str(ROOT / "src"), "COLUMNS": "80"},
    )
