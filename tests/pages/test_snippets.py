"""Every snippet of Python in README and in the pages is run, or has a reason why not."""

import ast
import importlib
from pathlib import Path
from typing import Any

import pytest

from tests.pages.blocks import Block, blocks, missing_line
from tests.pages.prepared import SHOWN, SLOW, SNIPPETS
from tests.thoroughness import with_slow

SNIPPETS_OF: dict[str, list[Block]] = {}
for block in blocks("python"):
    SNIPPETS_OF.setdefault(block.page, []).append(block)


def test_every_snippet_is_prepared() -> None:
    found = {page: len(snippets) for page, snippets in SNIPPETS_OF.items()}
    assert found == {page: len(prepared) for page, prepared in SNIPPETS.items()}


@pytest.mark.lava
@pytest.mark.parametrize(
    "page",
    with_slow(SNIPPETS_OF, SLOW),
)
def test_snippets_run(
    page: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    for snippet, prepare in zip(SNIPPETS_OF[page], SNIPPETS[page], strict=True):
        code = compile("\n" * snippet.line + snippet.text, page, "exec")
        if isinstance(prepare, str):
            _check_imports(snippet)
            continue
        if prepare is not None:
            names = prepare(monkeypatch)
        exec(code, names)
    if page in SHOWN:
        shown = "".join(block.text for block in blocks("") if block.page == page)
        assert shown and missing_line(shown, capsys.readouterr().out) is None


def _check_imports(snippet: Block) -> None:
    """Assert that what a snippet imports from Stochi exists."""
    for node in ast.walk(ast.parse(snippet.text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("stochi"):
            module = importlib.import_module(node.module or "")
            assert all(hasattr(module, alias.name) for alias in node.names), snippet
