"""What README shows is run."""

import json
import re
from pathlib import Path

import pytest

README = Path(__file__).resolve().parents[1] / "README.md"


@pytest.mark.lava
def test_the_snippet_runs_and_is_short(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (snippet,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.S)
    assert len([line for line in snippet.splitlines() if line.strip()]) < 20
    monkeypatch.chdir(tmp_path)
    names: dict = {}
    exec(compile(snippet, "README.md", "exec"), names)
    assert [layer.name for layer in names["program"].layers] == ["lif1", "lif2"]
    report = json.loads((tmp_path / "runs/report.json").read_text())
    assert report["mismatches"] == 0 and report["compared"] > 0
    assert {entry["right"] for entry in report["exact"]} >= {"lava"}


def test_the_links_lead_somewhere() -> None:
    for page in (README, *README.parent.glob("docs/*.md")):
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8")):
            if not target.startswith("https://"):
                assert (page.parent / target).exists(), f"{page.name}: {target}"
