import ast
from pathlib import Path

import pytest

import stochi.train

STUB = Path(stochi.train.__file__).with_suffix(".pyi")
NAMES = [
    alias.asname or alias.name
    for statement in ast.parse(STUB.read_text(encoding="utf-8")).body
    if isinstance(statement, ast.ImportFrom)
    for alias in statement.names
]


def test_completion_shows_the_names_of_the_stub() -> None:
    assert sorted(dir(stochi.train)) == sorted(NAMES)
    assert sorted(stochi.train.__all__) == sorted(NAMES)
    assert len(set(NAMES)) == len(NAMES) > 0


@pytest.mark.parametrize("name", NAMES)
def test_every_public_name_resolves(name: str) -> None:
    assert getattr(stochi.train, name).__name__ == name
