"""What a forked child must not take over from its parent."""

import os
import sys

THREADS = "set_num_threads"


def limit_torch() -> None:
    """Limit torch to the calling thread, if torch has been imported.

    A forked child inherits that OpenMP's threads exist, but not the threads: without this, torch
    waits for them forever in the child's first large operation.
    """
    torch = sys.modules.get("torch")
    if hasattr(torch, THREADS):  # it may be half imported
        getattr(torch, THREADS)(1)


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=limit_torch)
