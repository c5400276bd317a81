"""Values of the stock noise generator by exponent, as the engine adds them to membranes.

    .venv/bin/python -m benchmarks.noise_generator

The neurons have no input and no memory, so that a membrane is the noise of its time step.
"""

import numpy as np
import torch

from stochi.commands.console import Output
from stochi.hardware.noise import generator_mean
from stochi.program.layers import INPUT, Decay, Dense, Generator, Layer, Projection
from stochi.program.program import Program
from stochi.program.target import Target
from stochi.sim import run

PUBLISHED_SPREADS = [3, 7, 15, 31, 63, 127, 254] + [255 * 2**places for places in range(9)]
"""Largest less smallest value for exponents from 0 to 15 (intel-nrc-ecosystem/models)."""
TIME_STEPS, SAMPLES, NEURONS = 16, 256, 64


def membranes_of_noise(exponent: int, backend: str = "engine") -> np.ndarray:
    """Run neurons whose membrane is the noise alone.

    Returns:
        (time steps, samples, neurons) in units of the membrane.
    """
    layer = Layer(
        name="noise",
        shape=(NEURONS,),
        projections=(Projection(INPUT, (Dense(np.zeros((NEURONS, 1), np.int16)),), 0),),
        bias_mantissa=np.zeros(1, np.int16),
        bias_exponent=0,
        decay=Decay(np.zeros((), np.int16), drawn=False, redraw=False, programmable=False),
        threshold_mantissa=None,
        scale=1.0,
        generator=Generator("membrane", 0, exponent),
    )
    target = Target("loihi2", "membrane", TIME_STEPS, 255, 1e-3)
    program = Program(target, (1,), (layer,), "noise", "membrane")
    record = run(program, torch.zeros(SAMPLES, 1), backend=backend, probes=("membrane",))
    membrane: np.ndarray = record.membrane["noise"].numpy()
    return membrane


def main() -> None:
    """Print the table."""
    titles = ["exponent", "smallest", "largest", "spread", "published", "mean", "exact mean"]
    rows = [titles]
    for exponent, published in enumerate(PUBLISHED_SPREADS):
        noise = membranes_of_noise(exponent)
        means = (float(noise.mean()), generator_mean(0, exponent))
        values = (noise.min(), noise.max(), np.ptp(noise), published)
        rows.append(
            [
                str(exponent),
                *(f"{value:,}" for value in values),
                *(f"{round(mean, 2) + 0.0:.2f}" for mean in means),
            ]
        )
    Output(False).table(rows, f"{noise.size:,} values of each exponent, from the engine")


if __name__ == "__main__":
    main()
