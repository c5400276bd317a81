"""``stochi study``, as small as it can be."""

import json
import re
from pathlib import Path

import pytest

from stochi.study import StudyPlan, StudyResults
from stochi.study.answers import Answers
from stochi.study.evaluation import evaluate
from stochi.study.store import Store
from tests.commands.conftest import Run
from tests.study.test_study import TINY

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::stochi.deploy.CalibrationWarning")
def test_a_study_is_conducted_written_and_continued(
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[str, bool]] = []

    def plan_for(data: str, quick: bool) -> object:
        asked.append((data, quick))
        return TINY

    monkeypatch.setattr("stochi.study.plan_for", plan_for)
    words = ("study", "--quick", "--out", "study", "--images", "5", "--processes", "1")
    status, out, err = run(*words, "--json")
    assert status == 0, err
    found = json.loads(out)
    assert asked == [("digits", True)]
    assert found["plan"]["images"] == 5
    assert found["plan"]["training"]["images"] == TINY.training.images
    assert found == json.loads(Path("study/study.json").read_text())
    assert {cell["place"] for cell in found["table"]} == {
        *("float", "mean", "decay", "membrane", "none")
    }
    for name in ("curves.png", "similarities.png"):
        assert (Path("study") / name).read_bytes().startswith(b"\x89PNG")
    kept = {path: path.stat().st_mtime_ns for path in Path("study/answers").iterdir()}
    status, out, err = run(*words)
    assert status == 0 and ", 0 new answers" in err
    assert "Accuracy, %" in out and "Wrote study.json, curves.png and similarities.png" in out
    assert kept == {path: path.stat().st_mtime_ns for path in Path("study/answers").iterdir()}


def test_a_place_that_is_no_folder_is_refused_before_the_study(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stochi.study.plan_for", lambda data, quick: pytest.fail("has begun"))
    Path("file").touch()
    status, _, err = run("study", "--quick", "--out", "file")
    assert status == 2 and "file cannot be written into" in err


def test_what_cannot_be_a_scheduler_is_refused(run: Run) -> None:
    status, _, err = run("study", "--quick", "--scheduler", "localhost:8786")
    assert status == 2 and "'localhost:8786': not the address of a Dask scheduler" in err
    words = ("--scheduler", "tcp://127.0.0.1:9", "--processes", "2")
    status, _, err = run("study", "--quick", *words)
    assert status == 2 and "--processes: the cluster's workers do the work; leave it out" in err
    assert not Path("runs").exists()


def test_the_page_has_the_tables_of_the_stored_answers(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look_up(plan: StudyPlan, *_: object, **__: object) -> StudyResults:
        return evaluate(Answers(plan, Store(ROOT / "studies" / "depth" / "answers")))

    monkeypatch.setattr("stochi.study.conduct", look_up)
    command = re.search(r"^stochi (study .*)$", (ROOT / "studies" / "README.md").read_text(), re.M)
    assert command is not None
    status, out, err = run(*command[1].replace("studies/depth", "found").split())
    assert status == 0, err
    tables, wrote, _ = out.partition("Wrote study.json")
    assert wrote and (ROOT / "docs" / "study_depth.txt").read_text() == tables
