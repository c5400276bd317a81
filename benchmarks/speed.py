"""How fast the engine and the Lava back end are, against stock Lava, side by side in one run.

    .venv/bin/python -m benchmarks.speed

The networks have plain LIF neurons (mean τ), since stock Lava has no others; the same networks with
random τ follow. Stock Lava runs its own Dense, Conv and LIF, and counts only the time within its
runtime, without start-up. Outputs are compared in the same run.
"""

import numpy as np
import torch

from benchmarks.memory import peak_megabytes
from benchmarks.networks import SHAPES, STEPS, build
from benchmarks.products import products_alone
from benchmarks.timing import in_turns
from stochi.commands.console import Output
from stochi.hardware import Draws
from stochi.sim import run
from stochi.sim.inputs import check_inputs, lava_frames
from stochi.sim.lava.session import LavaSession
from stochi.sim.lava.stock import StockLava

BATCH = 256
ROUNDS = 4
STOCK_SAMPLES = {"MLP": 24, "conv": 2}
LAVA_SAMPLES = {"MLP": 256, "conv": 64}


def main() -> None:
    """Print the tables."""
    output = Output(as_json=False)
    rows = [["network", "what runs", "ms a sample", "× stock Lava", "same outputs"]]
    limits = [["network", "products alone, ms", "engine, ms", "share of the limit"]]
    for name in SHAPES:
        output.progress(f"{name}: stock Lava, our Lava processes, engine, products, in turns")
        found, limit = compare(name)
        rows += found
        limits.append(limit)
    output.table(rows, f"T = {STEPS}, batch {BATCH}, {torch.get_num_threads()} threads")
    output.table(limits, "The engine (LIF) against the float32 matrix products of the same run")
    memory = [["network", "probes", "peak above the idle process, MB"]]
    for name in SHAPES:
        for probes in ("none", "held", "on disk"):
            output.progress(f"{name}: memory, probes {probes}")
            memory.append([name, probes, f"{peak_megabytes(name, BATCH, probes):.0f}"])
    output.table(memory, f"Memory of the engine, batch {BATCH}")
    if torch.cuda.is_available():
        output.table(on_cuda(), "On the GPU")


def compare(name: str) -> tuple[list[list[str]], list[str]]:
    """Time one network; its rows of both tables."""
    plain, random = build(name, "none"), build(name, "decay")
    images = torch.rand(BATCH, *SHAPES[name])
    few, some = STOCK_SAMPLES[name], LAVA_SAMPLES[name]
    shown = check_inputs(plain, images[:some])
    stock_seconds: list[float] = []
    stock_outputs: list[np.ndarray] = []

    def stock() -> None:
        with StockLava(plain, lava_frames(plain, images[:few])) as lava:
            stock_outputs.append(lava.output_after_each_sample())
            stock_seconds.append(lava.seconds / few)

    with LavaSession(plain, some) as ours, LavaSession(random, some) as ours_random:
        taken = in_turns(
            {
                "stock": stock,
                "lava": lambda: ours.run(shown, Draws()),
                "lava random": lambda: ours_random.run(shown, Draws()),
                "engine": lambda: run(plain, images),
                "engine random": lambda: run(random, images),
                "products": products_alone(plain, images),
            },
            ROUNDS,
        )
        engine, engine_random = run(plain, images), run(random, images)
        same = torch.equal(ours.run(shown, Draws()).logits, engine.logits[:some])
        same_random = torch.equal(
            ours_random.run(shown, Draws()).logits, engine_random.logits[:some]
        )
    unit = plain.layers[-1].membrane_unit * plain.target.time_steps
    reference = float(np.median(stock_seconds))
    same_stock = np.array_equal(stock_outputs[0] / unit, engine.logits[:few].numpy())
    rows = [["", "stock Lava, LIF", f"{1e3 * reference:.2f}", "1", "reference"]]
    for what, key, samples, equal in (
        ("engine, LIF", "engine", BATCH, same_stock),
        ("engine, random τ", "engine random", BATCH, same_random),
        ("Lava with our processes, LIF", "lava", some, same and same_stock),
        ("Lava with our processes, random τ", "lava random", some, same_random),
    ):
        seconds = taken[key] / samples
        rows.append(["", what, f"{1e3 * seconds:.3f}", f"{reference / seconds:.0f}", _yes(equal)])
    rows[0][0] = name
    products, own = taken["products"] / BATCH, taken["engine"] / BATCH
    return rows, [name, f"{1e3 * products:.3f}", f"{1e3 * own:.3f}", f"{products / own:.0%}"]


def on_cuda() -> list[list[str]]:
    """Rows of samples a second, and whether the integers are those of the CPU."""
    rows = [["network", "samples/s", "same integers"]]
    for name in SHAPES:
        program = build(name, "decay")
        images = torch.rand(BATCH, *SHAPES[name])

        def on_gpu(program=program, images=images) -> object:  # type: ignore[no-untyped-def]
            return run(program, images, device="cuda")

        taken = in_turns({"cuda": on_gpu}, ROUNDS)
        ours = run(program, images[:32], probes=("membrane",))
        theirs = run(program, images[:32], probes=("membrane",), device="cuda")
        same = all(torch.equal(v, theirs.membrane[k]) for k, v in ours.membrane.items())
        rows.append([name, f"{BATCH / taken['cuda']:.0f}", _yes(same)])
    return rows


def _yes(equal: bool) -> str:
    return "yes" if equal else "NO"


if __name__ == "__main__":
    main()
