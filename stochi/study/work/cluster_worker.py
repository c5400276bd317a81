"""What a worker of a Dask cluster does with a cell; it imports nothing that computes."""

from collections.abc import Mapping

from stochi.errors import StochiError
from stochi.study.work.crews import Crew
from stochi.study.work.versions import list_versions


class VersionError(StochiError):
    """Error for a worker whose answers might differ in their bytes."""


def do_on_worker(
    crew: Crew, task: bytes, versions: Mapping[str, str], topic: str
) -> tuple[Mapping[str, bytes], str]:
    """Have a task done in a process beside this worker of a cluster.

    Args:
        crew: the processes.
        task: the pickled task.
        versions: those that this worker must have.
        topic: of the events that tell that a cell was begun.

    Returns:
        The files that the task made, and the worker's address.

    Raises:
        VersionError: this worker has other versions.
    """
    from distributed import get_worker

    worker = get_worker()
    check_versions(versions, worker.address)
    key = worker.get_current_task()
    worker.log_event(topic, {"cell": key, "worker": worker.address})

    def is_wanted() -> bool:
        state = worker.state.tasks.get(key)
        closing = worker.status.name in ("closing", "closed", "failed", "stopping")
        return state is not None and state.state == "executing" and not closing

    return crew.do(task, is_wanted), worker.address


def check_versions(versions: Mapping[str, str], address: str) -> None:
    """Raise VersionError if this worker, with this address, has other versions."""
    own = list_versions()
    for name, version in versions.items():
        if own[name] != version:
            raise VersionError(
                f"worker {address}: {name} is {own[name]}, and {version} where the study was"
                " started; install the same on all machines, since answers may differ otherwise"
            )
