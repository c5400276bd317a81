"""A study's cells on a Dask cluster of real processes, some of which are killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from threading import Thread

import pytest

from benchmarks.support.machines import Machines, machines
from stochi.errors import InputError
from stochi.study import conduct, conduct_events
from stochi.study.work import cells, cluster
from stochi.study.work.backends import choose_carry
from stochi.study.work.cells import Carry, Cell, Waiting, do_task
from tests.kills.scene import ROOT, list_session
from tests.study.events.tiny import TINY as TINY_EVENTS
from tests.study.work.pieces import SAMPLES, expected, fail, make_cells, read_files, spread_cells
from tests.study.work.test_backends import SMALL

pytest.importorskip("distributed", reason="Dask is not installed: pip install 'stochi[dask]'")


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    with machines(tmp_path_factory.mktemp("three"), 3) as running:
        yield running


def carry_to(running: Machines, lines: list[str] | None = None) -> Carry:
    carry = choose_carry(running.address, (lines if lines is not None else []).append)
    assert carry is not None
    return carry


def done_by(lines: list[str]) -> dict[str, str]:
    """Title of each cell that is done → the address of its worker; each is done once."""
    split = [line.split(" cells: ")[1].split(";")[0] for line in lines if ", by " in line]
    found = dict(one.rsplit(", by ", 1) for one in split)
    assert len(found) == len(split)
    return found


def killing(
    running: Machines, lines: list[str], after: int, then: Callable[[], None] = lambda: None
) -> Callable[[str], None]:
    """Note lines of progress; once so many cells are done, kill a worker in the middle of one."""

    def kill() -> None:
        from distributed import Client

        with Client(running.address, set_as_default=False) as client:
            busy: list[str] = []
            while not busy:
                busy = [worker for worker, cells in client.processing().items() if cells]
        time.sleep(0.5)  # it has begun by then
        running.kill(running.worker_at(busy[0]))
        then()

    def progress(line: str) -> None:
        lines.append(line)
        if line.startswith(f"{after} of "):
            Thread(target=kill, daemon=True).start()

    return progress


def wait_until(holds: Callable[[], bool], seconds: float = 5) -> bool:
    until = time.monotonic() + seconds
    while not holds() and time.monotonic() < until:
        time.sleep(0.05)
    return holds()


def test_a_cluster_does_every_cell_once(three: Machines, tmp_path: Path) -> None:
    lines: list[str] = []
    place = tmp_path / "cells"
    some = make_cells(place, 8, 0.05)
    found = spread_cells(place, some, carry_to(three, lines), lines.append)
    assert found == expected(tmp_path / "expected", 8)
    workers = done_by(lines)
    assert len(workers) == 8 and {three.worker_at(by) for by in workers.values()} <= {
        f"worker{number}" for number in range(3)
    }
    assert sum("has joined" in line for line in lines) == 3
    assert lines[-1] == "8 cells: 0 done again after a loss, 0 without one"


def test_what_goes_wrong_on_a_worker_is_raised_here(three: Machines, tmp_path: Path) -> None:
    wrong = [*make_cells(tmp_path, 3, 0.01), Cell("wrong", fail, 9.0)]
    with pytest.raises(InputError, match=r"^the 3rd network is missing$"):
        spread_cells(tmp_path, wrong, carry_to(three))


def test_work_that_nobody_waits_for_ends_and_leaves_the_workers_free(
    three: Machines, tmp_path: Path
) -> None:
    long = make_cells(tmp_path, 1, 0) + make_cells(tmp_path, 6, 60)[1:]
    work = partial(do_task, training=SAMPLES[0], test=SAMPLES[1])
    with closing(carry_to(three)(work, Waiting(long, tmp_path))) as coming:
        done = next(coming)
        for name, content in done.files.items():
            (tmp_path / name).write_bytes(content)
        with pytest.raises(Enough):
            _wait_for_next(coming, 4)
    workers = [p.pid for name, p in three.processes.items() if name != "scheduler"]
    assert wait_until(lambda: all(len(list_session(worker)) == 1 for worker in workers))
    begun = time.monotonic()
    spread_cells(tmp_path / "next", make_cells(tmp_path / "next", 2, 0), carry_to(three))
    assert time.monotonic() - begun < 30


class Enough(Exception):
    pass


def _wait_for_next(coming: Iterator[object], seconds: float) -> None:
    def stop(number: int, frame: object) -> None:
        raise Enough

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        next(coming)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_a_lost_workers_cells_are_done_again_and_nothing_twice(tmp_path: Path) -> None:
    lines: list[str] = []
    (tmp_path / "machines").mkdir()
    with machines(tmp_path / "machines", 1) as running:
        progress = killing(running, lines, 2, lambda: running.start_worker("worker1"))
        carry = choose_carry(running.address, progress)
        assert carry is not None
        place = tmp_path / "cells"
        found = spread_cells(place, make_cells(place, 5, 1.5), carry, progress)
        assert list_session(running.processes["worker0"].pid) == []
        again = [line.split(": ")[-1] for line in lines if " is lost" in line]
        assert len(again) == 1 and again[0] in done_by(lines)
        assert running.worker_at(done_by(lines)[again[0]]) == "worker1"
        assert any(line.startswith("no workers; waiting for some (dask worker") for line in lines)
    assert found == expected(tmp_path / "expected", 5) and len(done_by(lines)) == 5
    assert lines[-1] == "5 cells: 1 done again after a loss, 0 without one"


def test_a_scheduler_that_goes_away_is_told_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "machines").mkdir()
    with machines(tmp_path / "machines", 1) as running:

        def progress(line: str) -> None:
            if line.startswith("2 of"):
                running.kill("scheduler")

        nine = make_cells(tmp_path / "cells", 9, 0.5)
        begun = time.monotonic()
        with pytest.raises(cluster.ClusterError, match="the scheduler is gone, or its cells were"):
            spread_cells(tmp_path / "cells", nine, carry_to(running), progress)
        assert time.monotonic() - begun < 60
        kept = read_files(tmp_path / "cells").items()
        assert len(kept) >= 2 and kept <= expected(tmp_path / "expected", 9).items()


def test_no_scheduler_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cluster, "SECONDS_TO_CONNECT", 0.3)
    carry = choose_carry("tcp://127.0.0.1:9", lambda line: None)
    assert carry is not None
    with pytest.raises(InputError, match=r"^tcp://127\.0\.0\.1:9: no scheduler answers \("):
        spread_cells(tmp_path, make_cells(tmp_path, 1, 0), carry)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::stochi.deploy.CalibrationWarning")
@pytest.mark.parametrize("events", [False, True])
def test_a_study_with_a_killed_worker_has_the_bytes_of_one_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, events: bool
) -> None:
    monkeypatch.setattr(cells, "CELLS", 20)
    monkeypatch.setattr(cells, "LEAST", 0)
    lines: list[str] = []
    (tmp_path / "machines").mkdir()
    with machines(tmp_path / "machines", 3) as running:
        progress = killing(running, lines, 8)
        if events:
            alone = conduct_events(TINY_EVENTS, tmp_path / "alone").to_json()
            spread = conduct_events(
                TINY_EVENTS, tmp_path / "dask", backend=running.address, progress=progress
            ).to_json()
        else:
            alone = conduct(SMALL, tmp_path / "alone").to_json()
            spread = conduct(
                SMALL, tmp_path / "dask", backend=running.address, progress=progress
            ).to_json()
    assert spread == alone
    assert read_files(tmp_path / "dask") == read_files(tmp_path / "alone")
    assert sum(" is lost, and with it" in line for line in lines) == 1
    assert lines[-1].endswith("cells: 1 done again after a loss, 0 without one")
    assert len(done_by(lines)) == int(lines[-1].split()[0])


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_command_leaves_the_workers_free(
    three: Machines, tmp_path: Path, how: signal.Signals
) -> None:
    words = ["study", "--quick", "--scheduler", three.address, "--out", "out"]
    path = os.pathsep.join([str(ROOT / "src"), str(ROOT)])
    with (tmp_path / "err").open("wb") as err:
        command = subprocess.Popen(
            [sys.executable, "-m", "tests.kills.start", *words],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": path},
            stdout=err,
            stderr=err,
            start_new_session=True,
        )
    printed = tmp_path / "err"
    assert wait_until(lambda: "1 of " in printed.read_text(), 100), printed.read_text()
    command.send_signal(how)
    status = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}[how]
    assert command.wait(5) == status
    if how != signal.SIGKILL:
        assert printed.read_text().splitlines()[-1].startswith("stopped; ")
        assert "Traceback" not in printed.read_text()
    workers = [p.pid for name, p in three.processes.items() if name != "scheduler"]
    assert wait_until(lambda: all(len(list_session(worker)) == 1 for worker in workers))
