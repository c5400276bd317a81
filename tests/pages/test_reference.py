"""The reference has every public name, and the site is built without a warning."""

import importlib
import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pages.blocks import ROOT

PACKAGES = ("attacks", "data", "deploy", "export", "parity", "sim", "study", "train")


@pytest.mark.parametrize("name", PACKAGES)
def test_every_public_name_is_in_the_reference(name: str) -> None:
    page = (ROOT / "docs" / "reference" / f"{name}.md").read_text(encoding="utf-8")
    listed = re.findall(rf"^::: stochi\.{name}\.(\w+)$", page, re.M)
    assert sorted(listed) == dir(importlib.import_module(f"stochi.{name}"))


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("mkdocstrings") is None, reason="make docs installs mkdocs"
)
def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        **{"cwd": ROOT, "capture_output": True, "text": True, "timeout": 300},  # type: ignore[call-overload]
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
    )
    assert done.returncode == 0 and "WARNING" not in done.stderr, done.stderr
    assert (tmp_path / "site" / "index.html").is_file()
