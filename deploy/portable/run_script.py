"""Run the Program of this folder on Lava, and compare every spike with the expected ones.

Exit status: 0 if all are equal, 1 if some differ, 2 if the Program cannot run. README.md says what
is in the folder and what to change for a chip.
"""

import sys
from pathlib import Path

import numpy as np

from stochi.errors import StochiError
from stochi.hardware.draws import Draws
from stochi.program.program import Program
from stochi.sim.lava.folder_run import Recorded, choose_form, run_on_lava

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Run the samples of inputs.npz, and print how many spikes differ from expected.npz."""
    program = Program.load(HERE / "model.program")
    inputs = np.load(HERE / "inputs.npz", allow_pickle=False)
    expected = np.load(HERE / "expected.npz", allow_pickle=False)
    frames = inputs["frames"].astype(np.int32)
    form = choose_form(program, frames.shape[1])
    if form.whole_layers is not None:
        print(f"Each layer is one process of Stochi, since {form.whole_layers}")
    else:
        print("Connections are Lava's own Dense and Conv")
        for name, why in form.neurons.items():
            print(f"Neurons of {name!r} are a process of Stochi, since Lava's LIF has no {why}")
    seed, trial = int(inputs["seed"]), int(inputs["trial"])
    draws = Draws(seed, trial, source=program.target.random_source)
    return print_differences(program, run_on_lava(program, frames, draws), expected)


def print_differences(program: Program, found: Recorded, expected: np.lib.npyio.NpzFile) -> int:
    """Print the differences of each layer; return 1 if there are any, else 0."""
    wrong = total = 0
    for name, spikes in found.spikes.items():
        differ = int((spikes != expected[f"spikes.{name}"]).sum())
        print(f"{name}: {differ} of {spikes.size} spikes differ; {int(spikes.sum())} neurons fired")
        wrong, total = wrong + differ, total + spikes.size
    differ = int((found.membrane != expected[f"membrane.{program.output}"]).sum())
    print(f"{program.output}: {differ} of {found.membrane.size} membranes of the output differ")
    print(f"{wrong} of {total} spikes differ")
    return int(wrong + differ > 0)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (StochiError, ImportError, OSError, KeyError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        sys.exit(2)
