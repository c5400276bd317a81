"""Files of a kind, each tried in a worker process that is watched.

A worker that dies is a crash, one that is silent for too long a hang; both are noted with the case,
and another worker goes on with the next one.
"""

import multiprocessing
import os
import resource
import tempfile
import unicodedata
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

from stochi.errors import StochiError
from tests.fuzz.kind import Kind

RIGHT, REFUSED = "right", "refused"
LONGEST = 20.0
"""Seconds after which a case hangs."""
BUDGET = 512 * 2**20
"""Bytes that ``STOCHI_MEMORY`` gives a worker."""
BESIDE = 256 * 2**20
"""Bytes that a worker may take beside the budget: copies, and what libraries keep."""
WORK = "1e8"
"""Additions of a sample that ``STOCHI_WORK`` gives a worker."""
COMPILED = Path(__file__).parents[2] / ".fuzz_cache"
"""Folder of the loops that are compiled with checks of bounds, kept between runs."""
_PATIENCE = 300.0
"""Seconds in which a worker starts: imports, and the compilation of the loops."""
_READY = "ready"


@dataclass
class Tally:
    """Outcomes of a kind's cases.

    Attributes:
        outcomes: outcome → number of cases.
        faults: case → what went wrong.
        most_memory: the most bytes that a worker took beyond what it took at its start.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    faults: dict[str, str] = field(default_factory=dict)
    most_memory: int = 0


def find_kind(module: str) -> Kind:
    """Return the kind that a module of ``tests.fuzz.kinds`` describes."""
    kind: Kind = import_module(f"tests.fuzz.kinds.{module}").KIND
    return kind


def survey(
    module: str,
    cases: Sequence[int | str],
    progress: Callable[[int], None] = lambda done: None,
    bounds: bool = False,
) -> Tally:
    """Try cases of a kind of file.

    Args:
        module: name of the kind's module.
        cases: seeds of mutants, or names of crafted files.
        progress: called with the number of cases that are done.
        bounds: whether the compiled loops check every index, which an IndexError then reports.
    """
    tally, context = Tally(), multiprocessing.get_context("spawn")
    at = 0
    with tempfile.TemporaryDirectory(prefix="stochi-fuzz-") as folder:
        while at < len(cases):
            here, there = context.Pipe(duplex=False)
            worker = context.Process(target=_work, args=(module, cases[at:], folder, there, bounds))
            worker.start()
            there.close()
            at += _watch(here, worker, cases[at:], tally, lambda done, at=at: progress(at + done))
    return tally


def _watch(
    connection: Connection,
    worker: multiprocessing.process.BaseProcess,
    cases: Sequence[int | str],
    tally: Tally,
    progress: Callable[[int], None],
) -> int:
    """Note a worker's outcomes until it ends; return the number of cases that are done."""
    if not connection.poll(_PATIENCE) or not _is_ready(connection):
        worker.kill()
        raise RuntimeError("the worker did not start, or refused an original; see its error")
    for done, case in enumerate(cases):
        try:
            if not connection.poll(LONGEST):
                outcome, what, memory = "hang", f"no answer in {LONGEST:g} s", 0
            else:
                outcome, what, memory = connection.recv()
        except (EOFError, OSError):
            worker.join()
            outcome, what, memory = "crash", f"the worker ended with {worker.exitcode}", 0
        tally.outcomes[outcome] += 1
        tally.most_memory = max(tally.most_memory, memory)
        if outcome not in (RIGHT, REFUSED):
            tally.faults[str(case)] = f"{outcome}: {what}"
        progress(done + 1)
        if outcome in ("hang", "crash"):
            worker.kill()
            worker.join()
            return done + 1
    worker.join()
    return len(cases)


def _is_ready(connection: Connection) -> bool:
    try:
        return bool(connection.recv() == _READY)
    except EOFError:
        return False


def _work(
    module: str, cases: Sequence[int | str], folder: str, connection: Connection, bounds: bool
) -> None:
    """Try cases one after another, and send the outcome of each."""
    if bounds:  # before numba is imported
        os.environ["NUMBA_BOUNDSCHECK"], os.environ["NUMBA_CACHE_DIR"] = "1", f"{COMPILED}"
    os.environ["STOCHI_MEMORY"], os.environ["STOCHI_WORK"] = f"{BUDGET}", WORK
    warnings.simplefilter("ignore")
    kind, place = find_kind(module), Path(folder)
    (place / "originals").mkdir(exist_ok=True)
    originals = kind.originals(place / "originals")
    crafted: dict[str, Path] = {}
    if any(isinstance(case, str) for case in cases):
        (place / "crafted").mkdir(exist_ok=True)
        crafted = kind.crafted(place / "crafted")
    for original in originals:
        kind.use(original)
    connection.send(_READY)
    before = _resident()
    resource.setrlimit(resource.RLIMIT_AS, (_mapped() + BUDGET + 16 * BESIDE,) * 2)
    for case in cases:
        if isinstance(case, str):
            path = crafted[case]
        else:
            random = Random(case)
            original = random.choice(originals)
            path = place / f"mutant{original.suffix}"
            kind.mutate(random, original, path)
        outcome, what = _try(kind, path)
        memory = _resident() - before
        if memory > BUDGET + BESIDE and outcome in (RIGHT, REFUSED):
            outcome, what = "memory", f"{memory / 2**20:.0f} MiB"
            before += memory  # peaks are of the whole process, so later cases start from here
        connection.send((outcome, what, memory))


def _try(kind: Kind, path: Path) -> tuple[str, str]:
    try:
        kind.use(path)
    except StochiError as error:
        message = str(error)
        if not message or any(unicodedata.category(c) in ("Cc", "Cf", "Zl") for c in message):
            return "not one plain line", repr(message)
        return REFUSED, message
    except AssertionError as error:
        return "different answers", repr(error)
    except BaseException as error:  # whatever it is, it is not one line to a user
        return "traceback", f"{type(error).__name__}: {error}"
    return RIGHT, ""


def _resident() -> int:
    """Return the most bytes that this process has held at once."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _mapped() -> int:
    """Return the bytes of this process's address space."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()
