"""Run a Program on a back end."""

import math
from collections.abc import Callable, Iterator

import torch

from stochi.deploy.program import Program
from stochi.devices import check_device
from stochi.errors import InputError
from stochi.hardware.fixed_point import ALIGN_SHIFT
from stochi.hardware.noise import check_coordinates
from stochi.sim.engine import DrawCoordinates, LayerState, run_engine
from stochi.sim.inputs import to_frames
from stochi.sim.record import Record, join_records

BACKENDS = ("engine", "lava")
PROBES = ("spikes", "membrane")
SHARD_NEURONS = 2**20


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
) -> Record:
    """Show inputs to a Program and record what it does.

    Every sample starts from zero states. The outcome is a pure function of the Program, the
    inputs, the seed, the trial and each sample's number: both back ends, any device and any
    split into batches give the same integers.

    Args:
        program: from ``stochi.deploy.lower``.
        inputs: (batch, *shape) images in [0, 1], shown at every step, or (steps, batch, *shape).
        backend: "engine" (torch) or "lava" (Lava's runtime, one process per layer, slow).
        seed, trial: whole numbers in [0, 2³²): which draws. A trial is a repetition.
        probes: of "spikes" and "membrane", what to record of every layer at every step.
        first_sample: the number of the first row, so that a shard draws what the whole would.
        device: where the engine computes. Lava runs on the CPU.
        progress: called with (done, total) now and then: samples on the engine, steps on Lava.

    Raises:
        InputError: an argument is out of range, or inputs do not fit the Program.
        LavaUnavailable: ``backend="lava"`` and Lava is not installed.
    """
    if backend not in BACKENDS:
        raise InputError(f"backend is {backend!r}; choose from {', '.join(BACKENDS)}")
    if isinstance(probes, str):
        probes = (probes,)
    unknown = set(probes) - set(PROBES)
    if unknown:
        raise InputError(f"unknown probes {', '.join(sorted(unknown))}; known: {', '.join(PROBES)}")
    check_coordinates(seed=seed, trial=trial)
    frames = to_frames(program, inputs)
    batch = frames.shape[1]
    if first_sample < 0 or first_sample + batch > 2**32:
        raise InputError(f"first_sample is {first_sample}; sample numbers run from 0 to 2^32 - 1")
    if backend == "lava":
        from stochi.sim.lava.backend import run_lava

        return run_lava(program, frames, seed, trial, first_sample, probes, progress)
    device = check_device(device)
    samples = torch.arange(batch, device=device) + first_sample
    size = shard_size(program)
    records = []
    with torch.no_grad():
        for shard, numbers in zip(frames.split(size, 1), samples.split(size), strict=True):
            draws = DrawCoordinates(seed, trial, numbers)
            states = run_engine(program, shard.to(device), draws)
            records.append(_collect(program, states, probes))
            if progress is not None:
                progress(min(len(records) * size, batch), batch)
    return join_records(records)


def shard_size(program: Program) -> int:
    """How many samples the engine takes at a time, so that a layer's states stay in the caches.

    Draws go by a sample's number, so shards give what the whole would.
    """
    largest = max(math.prod(layer.shape) for layer in program.layers)
    return max(1, SHARD_NEURONS // largest)


def read_logits(
    program: Program, membrane: torch.Tensor, spike_count: torch.Tensor
) -> torch.Tensor:
    """Logits from the last layer's final membrane (integrators) or its summed spikes."""
    last = program.layers[-1]
    if last.is_integrator:
        unit = 2.0**ALIGN_SHIFT * last.scale
        return membrane.double().flatten(1) / (unit * program.steps)
    return spike_count.double().flatten(1) / program.steps


def _collect(
    program: Program,
    states: Iterator[dict[str, LayerState]],
    probes: tuple[str, ...],
) -> Record:
    last = program.layers[-1].name
    spikes: dict[str, list[torch.Tensor]] = {}
    membrane: dict[str, list[torch.Tensor]] = {}
    count = torch.zeros(0)
    final = torch.zeros(0)
    for step, layers in enumerate(states):
        final = layers[last].membrane
        count = layers[last].spikes.long() + (count if step else 0)
        for layer in program.layers:
            state = layers[layer.name]
            if "spikes" in probes and not layer.is_integrator:
                spikes.setdefault(layer.name, []).append(state.spikes.cpu())
            if "membrane" in probes:
                membrane.setdefault(layer.name, []).append(state.membrane.to("cpu", torch.int32))
    return Record(
        logits=read_logits(program, final, count).cpu(),
        spikes={name: torch.stack(values) for name, values in spikes.items()},
        membrane={name: torch.stack(values) for name, values in membrane.items()},
    )
