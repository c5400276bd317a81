"""Where a study's work is done: by its own processes, on a joblib back end, or on a cluster."""

from collections.abc import Callable
from functools import partial

from stochi.errors import InputError
from stochi.study.work.cells import Carry
from stochi.study.work.cluster import on_cluster
from stochi.study.work.joblib_rounds import on_joblib

OWN = "processes"
"""The study's own processes, which share its folder and end with it."""
JOBLIB = "joblib"


def choose_carry(backend: str, progress: Callable[[str], None]) -> Carry | None:
    """Return how cells get to a back end, or None for the study's own processes.

    Args:
        backend: "processes", "joblib", or the address of a Dask scheduler.
        progress: called with a line of text about a cluster's workers.

    Raises:
        InputError: the back end is unknown.
    """
    if backend == OWN:
        return None
    if backend == JOBLIB:
        return on_joblib
    check_address(backend, f"'{OWN}', '{JOBLIB}' or ")
    return partial(on_cluster, backend, progress)


def check_address(address: str, others: str = "") -> None:
    """Raise InputError for what cannot be the address of a scheduler.

    Args:
        others: what else it might be, for the message.
    """
    protocol, found, rest = address.partition("://")
    if not (protocol and found and rest):
        raise InputError(
            f"{address!r}: not {others}the address of a Dask scheduler, such as tcp://HOST:8786"
        )
