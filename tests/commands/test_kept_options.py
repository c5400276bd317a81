"""The file that keeps a command's options is an output like others, known before anything runs."""

import os
from pathlib import Path

import pytest

from stochi.commands.configuration import place_beside
from tests.commands.conftest import Run, check_refused
from tests.parity.small_reports import plain_report

TWICE = "is also the file that keeps the options of this run, beside"


def test_where_options_are_kept() -> None:
    assert place_beside(Path("a/model.pt"), "train") == Path("a/model.train.toml")
    assert place_beside(Path("study/study.json"), "study") == Path("study/study.toml")
    assert place_beside(Path("net_lava"), "deploy") == Path("net_lava.deploy.toml")
    here = Path(os.path.realpath("."))
    assert place_beside(Path("."), "deploy") == here.with_name(f"{here.stem}.deploy.toml")
    assert place_beside(Path("/"), "deploy") is place_beside(Path("/dev/stdout"), "train") is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--csv", "compare.toml"), f"compare.toml {TWICE} compare.toml; give it another name"),
        (("--csv", "y.compare.toml", "--html", "y.html"), f"y.compare.toml {TWICE} y.html"),
        (("--html", "y.html", "--figure", "y.svg", "--csv", "a/../y.compare.toml"), TWICE),
        (("--csv", "r.compare.toml", "--html", "r.html"), TWICE),
        (("r.compare.toml", "--csv", "r.csv"), f"r.compare.toml {TWICE} r.csv"),
        (("--csv", "side.csv"), "side.compare.toml is not a file, and the options of this run"),
        (("--csv", "x" * 244 + ".csv"), "File name too long"),
        (("--config", "own.toml", "--csv", "own.toml"), "own.toml is the file of --config"),
    ],
)
def test_no_file_of_a_command_is_overwritten_by_its_options(
    run: Run, words: tuple[str, ...], message: str
) -> None:
    Path("a").mkdir()
    Path("side.compare.toml").mkdir()
    Path("own.toml").write_text("")
    plain_report().save("a.json")
    plain_report().save("r.compare.toml")
    check_refused(run, ("compare", "a.json", *words), message)


def test_own_configurations_are_not_replaced_without_force(
    run_as_typed: Run, trained: Path
) -> None:
    own = Path("own.export.toml")
    own.write_text(f'[export]\nmodel = "{trained}/m.pt"\nout = "own.nir"\n# mine\n')
    before = own.read_text()
    words = ("export", "--config", str(own))
    message = "own.export.toml exists, and the options of this run are kept there; give --force"
    check_refused(run_as_typed, words, message)
    assert own.read_text() == before
    assert run_as_typed(*words, "--force")[0] == 0
    written = own.read_text()
    assert written.startswith("# Options of stochi export")
    check_refused(run_as_typed, words, "own.nir exists; give --force")
    assert run_as_typed(*words, "--force")[0] == 0 and own.read_text() == written


def test_options_alone_that_were_left_are_not_replaced_either(run_as_typed: Run) -> None:
    plain_report().save("a.json")
    assert run_as_typed("compare", "a.json", "--csv", "t.csv")[0] == 0
    words = ("compare", "a.json", "--html", "t.html")
    check_refused(run_as_typed, words, "t.compare.toml exists")
    assert run_as_typed(*words, "--force")[0] == 0
    assert 'html = "t.html"' in Path("t.compare.toml").read_text()


def test_a_study_goes_on_beside_its_options_but_not_over_anything_else(run_as_typed: Run) -> None:
    Path("s").mkdir()
    Path("s/study.toml").write_text("[study]\nquick = true\n")
    words = ("study", "--out", "s", "--quick", "--images", "-4")
    check_refused(run_as_typed, words[:-2], "s/study.toml exists, and the options of this run")
    Path("s/study.toml").write_text("# Options of stochi study, version 0; --config\n\n[study]\n")
    check_refused(run_as_typed, words, "images")


def test_the_demo_replaces_none_of_its_files_without_force(run_as_typed: Run) -> None:
    Path("d").mkdir()
    Path("d/report.html").write_text("mine")
    check_refused(run_as_typed, ("demo", "--out", "d"), "d/report.html exists; give --force")
