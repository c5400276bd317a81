"""What an answer depends on beside its question."""

from pathlib import Path

import pytest

from stochi.study.work import versions


def package(folder: Path) -> Path:
    """A package of a module, of a folder, and of a folder that is a link."""
    (folder / "stochi/inside/deeper").mkdir(parents=True)
    (folder / "outside").mkdir()
    (folder / "stochi/a.py").write_text("a = 1")
    (folder / "stochi/inside/deeper/b.py").write_text("b = 1")
    (folder / "outside/c.py").write_text("c = 1")
    (folder / "stochi/linked").symlink_to(folder / "outside")
    return folder / "stochi"


@pytest.mark.parametrize("changed", ["a.py", "inside/deeper/b.py", "linked/c.py"])
def test_a_change_of_any_file_changes_the_digest(changed: str, tmp_path: Path) -> None:
    made = package(tmp_path)
    before = versions._digest(made)
    (made / "notes.txt").write_text("no code")
    assert versions._digest(made) == before
    (made / changed).write_text("changed = 2")
    assert versions._digest(made) != before


def test_links_that_lead_nowhere_or_in_circles_do_no_harm(tmp_path: Path) -> None:
    made = package(tmp_path)
    before = versions._digest(made)
    (made / "gone.py").symlink_to(tmp_path / "nothing.py")
    (made / "inside/.#b.py").symlink_to("somebody@somewhere")
    (made / "round").symlink_to(made / "round")
    (made / "round.py").symlink_to(made / "round.py")
    assert versions._digest(made) == before


def test_all_of_stochi_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[Path] = []
    monkeypatch.setattr(versions, "_digest", lambda path: looked_at.append(path) or "digest")
    assert versions.list_versions()["Stochi's code"] == "digest"
    inside = {path.name for path in looked_at[0].iterdir()}
    assert {"hardware", "sim", "train", "study", "errors.py"} <= inside
