"""The back ends by name, and :func:`run`, which runs a Program on one of them."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import torch

from stochi.arguments import check_argument, check_arguments
from stochi.devices import check_device
from stochi.errors import InputError
from stochi.hardware.draws import Draws
from stochi.program.program import Program
from stochi.sim.engine.backend import Engine
from stochi.sim.engine.threads import one_torch_thread
from stochi.sim.inputs import Given, check_draws, check_inputs, inputs_in_order
from stochi.sim.probe_folder import held_folder
from stochi.sim.record import Record
from stochi.sim.recording import PROBES, Probes, Progress, ignore_progress


class Backend(Protocol):
    """Something that runs Programs; all back ends give the same integers."""

    def run(
        self,
        program: Program,
        shown: torch.Tensor,
        draws: Draws,
        probes: Probes,
        progress: Progress,
    ) -> Record:
        """Run a batch.

        Args:
            shown: inputs of :func:`stochi.sim.inputs.check_inputs`, on the CPU.
            draws: draws of the batch, from the Program's random source.
            probes: what to record.
            progress: function that is called from time to time.
        """


def _engine(device: str | torch.device, threads: int) -> Backend:
    return Engine(check_device(device), threads)


def _lava(device: str | torch.device, threads: int) -> Backend:
    if str(device) != "cpu":
        raise InputError(f"Lava runs on the CPU; leave out device={str(device)!r}")
    from stochi.sim.lava.backend import LavaBackend  # an optional extra

    return LavaBackend()


BACKENDS: dict[str, Callable[[str | torch.device, int], Backend]] = {
    "engine": _engine,
    "lava": _lava,
}
"""Back end's name → a function that makes it for a device and a number of threads."""


def check_backend(backend: str) -> None:
    """Raise InputError unless there is a back end of that name."""
    if backend not in BACKENDS:
        raise InputError(f"backend is {backend!r}; choose from {', '.join(BACKENDS)}")


def run(
    program: Program,
    inputs: Given,
    backend: str = "engine",
    *,
    seed: int = 0,
    trial: int = 0,
    probes: tuple[str, ...] = (),
    first_sample: int = 0,
    device: str | torch.device = "cpu",
    progress: Progress | None = None,
    probe_folder: str | Path | None = None,
) -> Record:
    """Show inputs to a Program and record what it does.

    Every sample starts from zero states. The outcome is a pure function of the Program, the
    inputs, the seed, the trial and the numbers of the samples: all back ends, devices and splits
    into batches give the same integers.

    Args:
        program: from ``stochi.deploy.lower``.
        inputs: (batch, *shape) images in [0, 1] that are shown at every time step, or (time steps,
            batch, *shape), also as ``InOrder(inputs)``; exactly 0 or 1 for a Program that takes
            events. Or ``Images``, ``Streams`` or an ``EventSet``, whose labels are not used.
        backend: "engine" (compiled loops on the CPU, torch on a GPU) or "lava" (Lava's runtime).
        seed, trial: whole numbers in [0, 2³²) that choose the draws. A trial is a repetition.
        probes: what to record of every layer at every time step, "spikes" and "membrane".
        first_sample: number of the first row; with it a part of a batch draws as in the whole.
        device: device that the engine computes on. Lava runs on the CPU.
        progress: function that is called with (done, total) samples from time to time.
        probe_folder: folder into which probes are written while they are recorded, one .npy file
            for each layer; the record's tensors then map those files. For runs that do not fit
            into memory. No other run may write into it at the same time.

    Raises:
        InputError: an argument is out of range, or the inputs do not fit the Program.
        LoweringError: ``backend="lava"`` and a layer has too many sources.
        LavaUnavailable: ``backend="lava"`` and Lava is not installed.
        LavaRunError: Lava's runtime failed.

    Warns:
        AmbiguousOrder: a tensor of streams has as many samples as time steps.
    """
    check_arguments(run, locals(), besides=("program", "inputs", "probes", "seed", "trial"))
    if not isinstance(program, Program):
        raise InputError(
            f"a Program is needed, but program has type {type(program).__name__}; make one with"
            " stochi.deploy.lower(graph), or read one with Program.load(path)"
        )
    check_backend(backend)
    names = _check_probes(probes)
    draws = Draws(seed, trial, first_sample, program.target.random_source)
    given = inputs_in_order(inputs, program.input_shape, program.target.time_steps)
    # torch's idle threads spin for a while, on the cores that the engine's threads need.
    with one_torch_thread() as threads, held_folder(probe_folder) as folder:
        shown = check_inputs(program, given)
        check_draws(program, draws, shown.shape[1])
        chosen = BACKENDS[backend](device, threads)
        wanted = Probes(names, folder)
        return chosen.run(program, shown, draws, wanted, progress or ignore_progress)


def _check_probes(probes: tuple[str, ...] | str) -> tuple[str, ...]:
    names = (probes,) if isinstance(probes, str) else probes
    check_argument("probes", names, tuple[str, ...])
    names = tuple(names)
    unknown = set(names) - set(PROBES)
    if unknown:
        raise InputError(f"unknown probes {', '.join(sorted(unknown))}; known: {', '.join(PROBES)}")
    return names
