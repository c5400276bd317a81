"""Whether the machines of a cluster have Stochi, and which processors they have."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from stochi.errors import StochiError, first_line

if TYPE_CHECKING:
    from distributed import Client


class ClusterError(StochiError):
    """Error for a cluster that lost its scheduler, or cannot do a study's work."""


def check_scheduler(client: "Client", address: str) -> None:
    """Raise ClusterError unless the scheduler can import Stochi; it reads what workers are sent."""
    try:
        client.run_on_scheduler(_processor_namer())
    except ImportError as error:
        raise _lacks_stochi(f"{address}: the scheduler", error) from error


def find_processor(client: "Client", worker: str) -> str | None:
    """Return the name of a worker's processor, None if the worker is lost.

    Raises:
        ClusterError: it cannot import Stochi.
    """
    answer = client.run(_processor_namer(), workers=[worker], on_error="return").get(worker)
    if isinstance(answer, ImportError):
        raise _lacks_stochi(f"worker {worker}", answer) from answer
    return answer if isinstance(answer, str) else None


def _lacks_stochi(who: str, error: ImportError) -> ClusterError:
    return ClusterError(
        f"{who} cannot import Stochi ({first_line(error)}); install there what is installed here"
    )


def _processor_namer() -> Callable[[], str]:
    """Return a function that Dask sends by its code, whose call tells whether Stochi is there.

    Functions that have a name in a module are sent by that name.
    """

    def name() -> str:
        from stochi.study.work.versions import name_processor

        return name_processor()

    return name
