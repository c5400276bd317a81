"""Processes that take one piece of work after another, and end with this process.

Each has a socket to this process and shares nothing else with it: no semaphore, memory or file that
could outlive a kill.
"""

import multiprocessing.connection
import os
import pickle
import socket
import subprocess
import sys
import traceback
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from stochi.errors import StochiError
from stochi.processes import end_with_parent, leave_signals_to_parent, starting_children

Item = TypeVar("Item")
Result = TypeVar("Result")
_BEGIN = "import sys; sys.path[:] = {}; from stochi.study.work.workers import serve; serve({}, {})"
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")


class WorkerError(StochiError):
    """Error for a process that ended in the middle of its work."""


class WorkerTraceback(Exception):
    """Traceback of an error in another process, the cause of that error in this one."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


def in_processes(
    work: Callable[[Item], Result], items: Sequence[Item], processes: int
) -> Generator[Result, None, None]:
    """Yield the result of the work on each item, in the order in which they are done.

    The processes have ended when the generator is closed or raises. On Linux they also end with the
    thread that took the first result.

    Args:
        work: what is done with an item; it can be pickled, as can the items and the results.
        items: begun in this order.
        processes: number of items at a time.

    Raises:
        WorkerError: a process ended, killed by the system, for example.
        Exception: what the work raised.
    """
    coming = iter(items)
    content = pickle.dumps(work)
    with ExitStack() as stack:
        count = min(processes, len(items))
        busy = dict(stack.enter_context(started(processes)) for _ in range(count))
        for connection, process in busy.items():
            send(connection, process, content)
            send(connection, process, pickle.dumps(next(coming)))
        while busy:
            for ready in multiprocessing.connection.wait(list(busy)):
                assert isinstance(ready, Connection)
                yield receive(ready, busy[ready])
                try:
                    item = next(coming)
                except StopIteration:
                    del busy[ready]
                else:
                    send(ready, busy[ready], pickle.dumps(item))


def serve(handle: int, parent: int) -> None:
    """Work in this process until the parent closes the socket.

    Args:
        handle: file descriptor of the socket.
        parent: number of the parent process.
    """
    leave_signals_to_parent()
    end_with_parent(parent)
    connection = Connection(handle)
    # A parent that closes it with a result unread resets the connection.
    with suppress(EOFError, ConnectionError):
        work = pickle.loads(connection.recv_bytes())
        while True:
            item = pickle.loads(connection.recv_bytes())
            connection.send_bytes(_outcome(work, item))


def _outcome(work: Callable[[Any], Any], item: Any) -> bytes:
    try:
        return pickle.dumps((work(item), None, ""))
    except Exception as error:
        text = traceback.format_exc()
        try:
            content = pickle.dumps((None, error, text))
            pickle.loads(content)  # fails for errors that are made of other arguments than theirs
            return content
        except Exception:
            what = f"{type(error).__name__}: {error}"
            return pickle.dumps((None, RuntimeError(what), text))


@contextmanager
def started(processes: int) -> Iterator[tuple[Connection, "subprocess.Popen[bytes]"]]:
    """Start a process that serves a socket, and kill it at the end.

    Args:
        processes: number of processes that share the cores.
    """
    ours, theirs = socket.socketpair()
    with theirs:
        threads = str(max(1, (os.cpu_count() or 1) // processes))
        begin = _BEGIN.format(repr(sys.path), theirs.fileno(), os.getpid())
        with starting_children():
            process = subprocess.Popen(
                [sys.executable, "-c", begin],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                env={**dict.fromkeys(_THREADS, threads), **os.environ},
            )
    connection = Connection(ours.detach())
    try:
        yield connection, process
    finally:
        connection.close()
        process.kill()
        process.wait()


def send(connection: Connection, process: "subprocess.Popen[bytes]", content: bytes) -> None:
    """Send a process its work, or an item, pickled.

    Raises:
        WorkerError: the process has ended.
    """
    try:
        connection.send_bytes(content)
    except OSError as error:
        raise _ended(process) from error


def receive(connection: Connection, process: "subprocess.Popen[bytes]") -> Any:
    """Wait for the result of an item.

    Raises:
        WorkerError: the process has ended.
        Exception: what the work raised.
    """
    try:
        result, error, text = pickle.loads(connection.recv_bytes())
    except (EOFError, ConnectionError) as lost:
        raise _ended(process) from lost
    if error is not None:
        raise error from WorkerTraceback(text)
    return result


def _ended(process: "subprocess.Popen[bytes]") -> WorkerError:
    status = process.wait()
    how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
    return WorkerError(
        f"one of the processes {how}; it may have run out of memory: run fewer at a time"
        " (--processes); or the thread that started the work has ended: let it wait for the results"
    )
