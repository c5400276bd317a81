"""Processes that work for a study, and end with it."""

import os
import pickle
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from stochi.errors import InputError
from stochi.study.work.workers import WorkerError, WorkerTraceback, in_processes
from tests.kills.scene import ROOT, list_session


def slept(seconds: float) -> tuple[float, int]:
    time.sleep(seconds)
    return seconds, os.getpid()


def failing(what: str) -> None:
    if what == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "local":

        class LocalError(Exception):
            pass

        raise LocalError("cannot be pickled")
    if what == "arguments":
        raise TwoArgumentsError("needs", "both")
    raise InputError(what)


class TwoArgumentsError(Exception):
    def __init__(self, first: str, second: str) -> None:
        super().__init__(f"{first} {second}")


def test_results_come_as_they_are_done_from_as_many_processes() -> None:
    found = list(in_processes(slept, [0.6, 0.1, 0.2], 2))
    assert [seconds for seconds, _ in found] == [0.1, 0.2, 0.6]
    assert len({process for _, process in found}) == 2
    assert not [process for _, process in found if Path(f"/proc/{process}").exists()]
    assert list(in_processes(slept, [], 2)) == []


@pytest.mark.parametrize(
    ("what", "kind", "match"),
    [
        ("wrong", InputError, "^wrong$"),
        ("local", RuntimeError, "cannot be pickled"),
        ("arguments", RuntimeError, "^TwoArgumentsError: needs both$"),
        ("killed", WorkerError, r"killed by signal 9; it may have run out of memory"),
    ],
)
def test_what_goes_wrong_is_raised_here(what: str, kind: type[Exception], match: str) -> None:
    with pytest.raises(kind, match=match) as caught:
        list(in_processes(failing, [what], 2))
    if what != "killed":
        assert isinstance(caught.value.__cause__, WorkerTraceback)
        assert "in failing" in str(caught.value.__cause__)


def test_work_that_nobody_waits_for_ends() -> None:
    with closing(in_processes(slept, [0, 60, 60], 2)) as results:
        first = next(results)[1]
    assert not Path(f"/proc/{first}").exists()


def test_a_parent_that_leaves_a_result_unread_ends_them_without_a_word() -> None:
    code = (
        "import os, socket, sys\n"
        "from stochi.study.work.workers import serve\n"
        "serve(int(sys.argv[1]), os.getppid())"
    )
    ours, theirs = socket.socketpair()
    with theirs:
        served = subprocess.Popen(
            [sys.executable, "-c", code, str(theirs.fileno())],
            pass_fds=[theirs.fileno()],
            stderr=subprocess.PIPE,
            cwd=ROOT,
        )
    connection = Connection(ours.detach())
    connection.send_bytes(pickle.dumps(slept))
    connection.send_bytes(pickle.dumps(0))
    assert connection.poll(60)
    connection.close()
    assert served.communicate(timeout=20)[1] == b"" and served.returncode == 0


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_they_end_with_their_parent(how: signal.Signals) -> None:
    code = (
        "import signal\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # background jobs ignore it
        "from stochi.study.work.workers import in_processes\n"
        "from tests.study.work.test_workers import slept\n"
        "for _ in in_processes(slept, [0, 60, 60], 2): print('begun', flush=True)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=ROOT,
        start_new_session=True,
    )
    assert parent.stdout is not None and parent.stdout.readline() == b"begun\n"
    assert len(list_session(parent.pid)) == 3
    os.killpg(parent.pid, how) if how == signal.SIGINT else parent.send_signal(how)
    assert parent.wait(5) != 0
    until = time.monotonic() + 2
    while list_session(parent.pid) and time.monotonic() < until:
        time.sleep(0.05)
    assert list_session(parent.pid) == []
