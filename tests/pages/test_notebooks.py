"""The notebooks run, and their outputs are kept."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.pages.blocks import ROOT

NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
LARGEST = 20_000  # bytes


def cells(path: Path) -> list[dict[str, Any]]:
    found = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [cell for cell in found if cell["cell_type"] == "code"]


def test_there_are_four() -> None:
    names = [path.stem for path in NOTEBOOKS]
    assert names == ["attacks", "events", "noise", "own_network"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_outputs_of_one_run_are_kept(path: Path) -> None:
    counts = [cell["execution_count"] for cell in cells(path)]
    assert counts == list(range(1, len(counts) + 1))
    outputs = [output for cell in cells(path) for output in cell["outputs"]]
    assert len(outputs) > 2 and all(output["output_type"] != "error" for output in outputs)
    assert path.stat().st_size < LARGEST


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebooks_run(path: Path, tmp_path: Path) -> None:
    pytest.importorskip("ipykernel", reason="make docs installs it")
    nbclient = pytest.importorskip("nbclient", reason="make docs installs it")
    nbformat = pytest.importorskip("nbformat", reason="make docs installs it")
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(tmp_path)}}
    nbclient.NotebookClient(notebook, timeout=300, resources=resources).execute()
