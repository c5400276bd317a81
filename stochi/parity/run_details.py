"""What a check ran with: versions, and its data in words."""

import platform

from stochi.data.batches import Data, number_of_samples
from stochi.data.samples import Samples
from stochi.packages import VERSION, version_of
from stochi.parity.results import RunDetails
from stochi.program.program import Program

LIBRARIES = {"torch": "torch", "snntorch": "snntorch", "nir": "nir", "lava": "lava-nc"}
"""Name in a report → the package that has the version."""


def describe_run(data: Data, front: Samples, program: Program) -> RunDetails:
    """Return versions, and data in words; the time and the command are the caller's.

    Args:
        front: some of the samples.
    """
    versions: dict[str, str | None] = {
        "stochi": VERSION,
        "python": platform.python_version(),
        **{name: version_of(package) for name, package in LIBRARIES.items()},
    }
    return RunDetails(versions, _describe(data, front, program))


def _describe(data: Data, front: Samples, program: Program) -> str:
    total = number_of_samples(data)
    count = f"at least {len(front):,}" if total is None else f"{total:,}"
    shape = "×".join(map(str, program.input_shape))
    kind = "images" if front.batch_dim == 0 else "streams"
    labels = "numbers to be met" if front.regression else "classes"
    return f"{count} {kind} of {shape}, labelled with {labels}"
