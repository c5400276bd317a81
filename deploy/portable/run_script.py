"""Run the Program of this folder on Lava, and compare every spike with the expected ones.

Exit status: 0 if all are equal, 1 if some differ, 2 if the Program cannot run. README.md says what
is in the folder and what to change for a chip.
"""

import sys
from pathlib import Path

import numpy as np

from stochi.data.array_files import load_arrays
from stochi.errors import InputError, StochiError
from stochi.hardware.draws import Draws
from stochi.plain_text import escape_text
from stochi.program.program import Program
from stochi.sim.lava.folder_run import Recorded, choose_form, run_on_lava

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Run the samples of inputs.npz, and print how many spikes differ from expected.npz."""
    program = Program.load(HERE / "model.program")
    inputs = load_arrays(HERE / "inputs.npz")
    expected = load_arrays(HERE / "expected.npz")
    frames = read_frames(program, inputs)
    form = choose_form(program, frames.shape[1])
    if form.whole_layers is not None:
        print(f"Each layer is one process of Stochi, since {form.whole_layers}")
    else:
        print("Connections are Lava's own Dense and Conv")
        for name, why in form.neurons.items():
            print(f"Neurons of {name!r} are a process of Stochi, since Lava's LIF has no {why}")
    seed, trial = read_number(inputs, "seed"), read_number(inputs, "trial")
    draws = Draws(seed, trial, source=program.target.random_source)
    return print_differences(program, run_on_lava(program, frames, draws), expected)


def read_frames(program: Program, inputs: dict[str, np.ndarray]) -> np.ndarray:
    """Return the samples, (1 or time steps, batch, *shape) int32.

    Raises:
        InputError: they are not samples of the Program.
    """
    frames, steps = inputs["frames"], program.target.time_steps
    if (
        frames.dtype != np.uint8
        or not frames.size
        or frames.shape[2:] != program.input_shape
        or frames.shape[0] not in (1, steps)
        or int(frames.max()) > program.target.input_levels
    ):
        raise InputError(
            f"inputs.npz: its frames are {frames.dtype} of shape {frames.shape}; the Program takes"
            f" uint8 of (1 or {steps}, batch, *{program.input_shape}), up to"
            f" {program.target.input_levels}; take the file as it was written"
        )
    return frames.astype(np.int32)


def read_number(inputs: dict[str, np.ndarray], name: str) -> int:
    """Return a whole number; InputError if it is something else."""
    value = inputs[name]
    if value.dtype.kind not in "iu" or value.shape != ():
        raise InputError(f"inputs.npz: {name} is {value.dtype} of shape {value.shape}")
    return int(value)


def differences(what: str, found: np.ndarray, expected: dict[str, np.ndarray]) -> int:
    """Return how many values differ; InputError if there are others than the Program gives."""
    wanted = expected[what]
    if wanted.shape != found.shape or wanted.dtype.kind != found.dtype.kind:
        raise InputError(
            f"expected.npz: {what} is {wanted.dtype} of shape {wanted.shape}, and the Program gives"
            f" {found.dtype} of shape {found.shape}; take the file as it was written"
        )
    return int((found != wanted).sum())


def print_differences(program: Program, found: Recorded, expected: dict[str, np.ndarray]) -> int:
    """Print the differences of each layer; return 1 if there are any, else 0."""
    wrong = total = 0
    for name, spikes in found.spikes.items():
        differ = differences(f"spikes.{name}", spikes, expected)
        fired, shown = int(spikes.sum()), escape_text(name)
        print(f"{shown}: {differ} of {spikes.size} spikes differ; {fired} neurons fired")
        wrong, total = wrong + differ, total + spikes.size
    differ = differences(f"membrane.{program.output}", found.membrane, expected)
    size, shown = found.membrane.size, escape_text(program.output)
    print(f"{shown}: {differ} of {size} membranes of the output differ")
    print(f"{wrong} of {total} spikes differ")
    return int(wrong + differ > 0)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (StochiError, ImportError, OSError, KeyError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(2)
