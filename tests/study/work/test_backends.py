"""A study's cells on other back ends than its own processes."""

import sys
import warnings
from dataclasses import replace
from pathlib import Path

import joblib
import pytest

from stochi.errors import InputError
from stochi.study import conduct, conduct_events
from stochi.study.store import DamagedAnswer, Store
from stochi.study.work import cells
from stochi.study.work.backends import choose_carry
from stochi.study.work.cells import Cell, Waiting, in_chunks
from stochi.study.work.cluster_worker import VersionError, check_versions
from stochi.study.work.joblib_rounds import on_joblib
from stochi.study.work.versions import list_versions
from stochi.study.work.workers import in_processes
from tests.study.events.tiny import TINY as TINY_EVENTS
from tests.study.test_study import TINY
from tests.study.work.pieces import expected, fail, make_cells, read_files, spread_cells

SMALL = replace(
    TINY,
    images=4,
    baselines=(),
    training=replace(TINY.training, seeds=1),
    square=replace(TINY.square, images=2),
    ensemble=replace(TINY.ensemble, epsilons=()),
    curves=replace(TINY.curves, defences=(), sigmas=()),
)
"""Three networks, without curves."""


@pytest.mark.slow
@pytest.mark.parametrize(
    "backend",
    ["sequential", "threading", "loky", pytest.param("multiprocessing", marks=pytest.mark.slow)],
)
def test_any_joblib_back_end_does_every_cell_once(tmp_path: Path, backend: str) -> None:
    lines: list[str] = []
    with joblib.parallel_config(backend=backend, n_jobs=2):
        seven = make_cells(tmp_path / "cells", 7, 0.01)
        found = spread_cells(tmp_path / "cells", seven, on_joblib, lines.append)
    assert found == expected(tmp_path / "expected", 7)
    assert lines[0].startswith("1 of 7 cells: part 0; about")
    assert sorted(line.split(": ")[1].split(";")[0] for line in lines) == [
        f"part {number}" for number in range(7)
    ]


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["threading", "loky"])
def test_what_goes_wrong_there_is_raised_here(tmp_path: Path, backend: str) -> None:
    wrong = [*make_cells(tmp_path, 3, 0.01), Cell("wrong", fail, 9.0)]
    with (
        joblib.parallel_config(backend=backend, n_jobs=2),
        pytest.raises(InputError, match=r"^the 3rd network is missing$"),
    ):
        spread_cells(tmp_path, wrong, on_joblib)


def test_cells_that_others_wait_for_come_first_then_the_costliest(tmp_path: Path) -> None:
    def work(store: Store, first: object, second: object) -> None:
        pass

    needs = frozenset(["a"])
    three = [Cell("x", work, 5, needs), Cell("y", work, 1), Cell("z", work, 9, needs)]
    waiting = Waiting(three, tmp_path)
    first = waiting.take()
    assert first is not None and first.cell.title == "y" and waiting.take() is None
    assert waiting.missing() == ["a"]
    (tmp_path / "a").write_bytes(b"content")
    for title in "zx":
        task = waiting.take()
        assert task is not None and task.cell.title == title and task.files == {"a": b"content"}
    assert waiting.take() is None and waiting.cells == []


def test_a_file_that_was_deleted_meanwhile_is_named(tmp_path: Path) -> None:
    orphans = make_cells(tmp_path, 3, 0)[1:]
    with pytest.raises(InputError, match=r"lacks [0-9a-f]{24}\.json, which was deleted"):
        spread_cells(tmp_path, orphans, on_joblib)


def test_chunks_hold_every_group_whole_and_cost_enough() -> None:
    chunks = list(in_chunks([[1], [5, 1], [1], [1], [1]], sum, 3))
    assert chunks == [[1, 5, 1], [1, 1, 1]]
    assert list(in_chunks([[1], [1]], sum, 3)) == [[1, 1]]
    assert list(in_chunks([[1], [1]], sum, 0)) == [[1], [1]]


@pytest.mark.parametrize("backend", ["", "dask", "localhost:8786", "://x", "tcp://"])
def test_an_unknown_back_end_is_refused(backend: str, tmp_path: Path) -> None:
    for plan, study in ((SMALL, conduct), (TINY_EVENTS, conduct_events)):
        with pytest.raises(InputError, match="'processes', 'joblib' or the address of a Dask"):
            study(plan, tmp_path / "none", backend=backend)  # type: ignore[operator]
    assert not (tmp_path / "none").exists()


def test_without_dask_the_message_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    carry = choose_carry("tcp://127.0.0.1:8786", lambda line: None)
    assert carry is not None
    with pytest.raises(InputError, match=r"needs the library distributed; pip install 'stochi\[da"):
        spread_cells(tmp_path, make_cells(tmp_path, 1, 0), carry)


def test_a_worker_with_another_version_is_named() -> None:
    here = list_versions()
    check_versions(here, "tcp://a:1")
    with pytest.raises(VersionError, match=r"^worker tcp://a:1: torch is .*, and 1\.0 where"):
        check_versions({**here, "torch": "1.0"}, "tcp://a:1")
    with pytest.raises(VersionError, match="Stochi's code is "):
        check_versions({**here, "Stochi's code": "0"}, "tcp://a:1")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::stochi.deploy.CalibrationWarning")
def test_a_study_on_a_joblib_back_end_has_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cells, "CELLS", 12)
    monkeypatch.setattr(cells, "LEAST", 0)
    alone = conduct(SMALL, tmp_path / "alone")
    with joblib.parallel_config(backend="loky", n_jobs=2):
        assert conduct(SMALL, tmp_path / "loky", backend="joblib") == alone
    assert read_files(tmp_path / "loky") == read_files(tmp_path / "alone")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::stochi.deploy.CalibrationWarning")
def test_two_commands_on_one_folder_damage_nothing(tmp_path: Path) -> None:
    places = [tmp_path / "one", tmp_path / "shared", tmp_path / "shared"]
    list(in_processes(conduct_small, places, 3))
    assert read_files(tmp_path / "shared") == read_files(tmp_path / "one")


def conduct_small(folder: Path) -> None:
    warnings.simplefilter("error", DamagedAnswer)
    conduct(SMALL, folder)
