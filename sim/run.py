"""Run a Program on a back end."""

from collections.abc import Callable
from pathlib import Path

import torch

from stochi.deploy.program import Program
from stochi.devices import check_device
from stochi.errors import InputError
from stochi.hardware.noise import check_coordinates
from stochi.sim.inputs import check_inputs, to_frames
from stochi.sim.layer_step import DrawCoordinates
from stochi.sim.record import Record
from stochi.sim.recording import Recording
from stochi.sim.threads import in_threads, one_torch_thread

BACKENDS = ("engine", "lava")
PROBES = ("spikes", "membrane")
SHARD_VALUES = 2**21
"""A shard has about so many states, of all its samples, layers and, where probed, steps."""


def check_backend(backend: str) -> None:
    """Raise InputError unless there is such a back end."""
    if backend not in BACKENDS:
        raise InputError(f"backend is {backend!r}; choose from {', '.join(BACKENDS)}")


def run(
    program: Program,
    inputs: torch.Tensor,
    backend: str = "engine",
    *,
    seed: int = 0,
    trial: int = 0,
    probes: tuple[str, ...] = (),
    first_sample: int = 0,
    device: str | torch.device = "cpu",
    progress: Callable[[int, int], None] | None = None,
    probe_folder: str | Path | None = None,
) -> Record:
    """Show inputs to a Program and record what it does.

    Every sample starts from zero states. The outcome is a pure function of the Program, the
    inputs, the seed, the trial and each sample's number: both back ends, any device and any
    split into batches give the same integers.

    Args:
        program: from ``stochi.deploy.lower``.
        inputs: (batch, *shape) images in [0, 1], shown at every step, or (steps, batch, *shape);
            exactly 0 or 1 for a Program that takes events.
        backend: "engine" (compiled loops on the CPU, torch on a GPU) or "lava" (Lava's runtime).
        seed, trial: whole numbers in [0, 2³²): which draws. A trial is a repetition.
        probes: of "spikes" and "membrane", what to record of every layer at every step.
        first_sample: the number of the first row, so that a shard draws what the whole would.
        device: where the engine computes. Lava runs on the CPU.
        progress: called with (done, total) samples now and then.
        probe_folder: where probes are written while they are recorded, one .npy file for each
            layer; the record's tensors then map those files. For runs that memory cannot hold.

    Raises:
        InputError: an argument is out of range, or inputs do not fit the Program.
        LavaUnavailable: ``backend="lava"`` and Lava is not installed.
    """
    check_backend(backend)
    if isinstance(probes, str):
        probes = (probes,)
    unknown = set(probes) - set(PROBES)
    if unknown:
        raise InputError(f"unknown probes {', '.join(sorted(unknown))}; known: {', '.join(PROBES)}")
    check_coordinates(seed=seed, trial=trial)
    # torch's idle threads spin for a while, on the cores that the engine's threads need.
    with one_torch_thread() as threads:
        shown = check_inputs(program, inputs)
        batch = shown.shape[1]
        if first_sample < 0 or first_sample + batch > 2**32:
            raise InputError(
                f"first_sample is {first_sample}; sample numbers run from 0 to 2^32 - 1"
            )
        if backend == "lava":
            if str(device) != "cpu":
                raise InputError(f"Lava runs on the CPU; leave out device={str(device)!r}")
            from stochi.sim.lava.session import LavaSession

            with LavaSession(program, batch) as session:
                return session.run(
                    inputs,
                    seed=seed,
                    trial=trial,
                    probes=probes,
                    first_sample=first_sample,
                    progress=progress,
                    probe_folder=_make_folder(probe_folder),
                )
        device = check_device(device)
        recording = Recording(program, batch, probes, _make_folder(probe_folder))
        where = (seed, trial, first_sample)
        try:
            if device.type == "cpu":
                _run_compiled(program, shown, recording, *where, threads, progress)
            else:
                _run_torch(program, shown, recording, *where, device, progress)
            return recording.finish()
        except BaseException:
            recording.discard()
            raise


def shard_size(program: Program, batch: int, probes: tuple[str, ...], threads: int) -> int:
    """How many samples the engine takes at a time, so that memory stays small and all threads have
    equal work. Draws go by a sample's number, so shards give what the whole would."""
    states = sum(layer.neurons for layer in program.layers) * (program.steps if probes else 1)
    shards = -(-batch * states // SHARD_VALUES)
    return -(-batch // (-(-shards // threads) * threads))


def _make_folder(folder: str | Path | None) -> Path | None:
    if folder is None:
        return None
    path = Path(folder)
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"probe_folder {path}: {error.strerror}; choose another folder") from None
    return path


def _run_compiled(
    program: Program,
    shown: torch.Tensor,
    recording: Recording,
    seed: int,
    trial: int,
    first_sample: int,
    threads: int,
    progress: Callable[[int, int], None] | None,
) -> None:
    from stochi.sim.compiled.engine import CompiledEngine

    probes = tuple(probe for probe, arrays in recording.probes.items() if arrays)
    batch = shown.shape[1]
    size = shard_size(program, batch, probes, threads)
    engine = CompiledEngine(program, len(shown) == 1)

    def run_shard(start: int) -> int:
        end = min(start + size, batch)
        frames = to_frames(program, shown[:, start:end])
        result = engine.run(frames, first_sample + start, seed, trial, probes)
        recording.write(start, result.read, result.spikes, result.membrane)
        return end

    for end in in_threads(run_shard, range(0, batch, size), threads):
        if progress is not None:
            progress(end, batch)


def _run_torch(
    program: Program,
    shown: torch.Tensor,
    recording: Recording,
    seed: int,
    trial: int,
    first_sample: int,
    device: torch.device,
    progress: Callable[[int, int], None] | None,
) -> None:
    from stochi.sim.torch_engine import run_torch

    batch, size = shown.shape[1], shard_size(program, shown.shape[1], (), 1)
    for start in range(0, batch, size):
        frames = to_frames(program, shown[:, start : start + size]).to(device)
        end = start + frames.shape[1]
        samples = torch.arange(start, end, device=device) + first_sample
        draws = DrawCoordinates(seed, trial, samples, program.random_source)
        with torch.no_grad():
            for step, layers in enumerate(run_torch(program, frames, draws)):
                read = layers[program.output]
                values = read.spikes if program.readout == "spikes" else read.membrane
                recording.read[start:end] *= program.readout != "input"
                recording.read[start:end] += values.flatten(1).cpu().numpy()
                for name, array in recording.probes["spikes"].items():
                    array[step, start:end] = layers[name].spikes.cpu().numpy()
                for name, array in recording.probes["membrane"].items():
                    array[step, start:end] = layers[name].membrane.cpu().numpy()
        if progress is not None:
            progress(end, batch)
