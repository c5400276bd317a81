"""How many samples a second: the engine against the Lava runtime, side by side.

Both run the same Program on the same images with the same draws; equal integers are checked in
the same run. Lava runs its own Dense and Conv with our neurons, a few samples in one stream, its
start-up not counted; the engine runs a batch. Figures are ratios of medians of this run.

    .venv/bin/python benchmarks/engine_against_lava.py
"""

import statistics
import time
from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import nn

from stochi.commands.console import Output
from stochi.deploy import Program, lower
from stochi.export import to_nir
from stochi.sim import run
from stochi.train import RandomTauLeaky, RepeatSteps

STEPS = 8
BATCH = 256
LAVA_SAMPLES = (2, 6)
REPEATS = 3


def neuron() -> RandomTauLeaky:
    """A random-τ neuron that keeps its membrane."""
    return RandomTauLeaky(threshold=0.2, init_hidden=True)


def mlp() -> nn.Module:
    """784-512-256-10."""
    layers = OrderedDict(
        flatten=nn.Flatten(),
        fc1=nn.Linear(784, 512),
        lif1=neuron(),
        fc2=nn.Linear(512, 256),
        lif2=neuron(),
        fc3=nn.Linear(256, 10),
    )
    return RepeatSteps(nn.Sequential(layers), STEPS).eval()


def conv() -> nn.Module:
    """32×32×3 → conv 32 → conv 64/2 → conv 64/2 → 10."""
    layers = OrderedDict(
        conv1=nn.Conv2d(3, 32, 3, padding=1),
        lif1=neuron(),
        conv2=nn.Conv2d(32, 64, 3, stride=2, padding=1),
        lif2=neuron(),
        conv3=nn.Conv2d(64, 64, 3, stride=2, padding=1),
        lif3=neuron(),
        flatten=nn.Flatten(),
        fc=nn.Linear(64 * 8 * 8, 10),
    )
    return RepeatSteps(nn.Sequential(layers), STEPS).eval()


def seconds(action: Callable[[], object]) -> float:
    """Median wall time."""
    taken = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        action()
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def lava_seconds_a_sample(program: Program, images: torch.Tensor) -> float:
    """Marginal cost: a longer stream less a shorter one, so that start-up cancels."""
    few, more = LAVA_SAMPLES
    short = seconds(lambda: run(program, images[:few], backend="lava"))
    long = seconds(lambda: run(program, images[:more], backend="lava"))
    return (long - short) / (more - few)


def main() -> None:
    """Print the table."""
    torch.manual_seed(0)
    output = Output(as_json=False)
    rows = [["network", "Lava, samples/s", "engine, samples/s", "ratio", "same integers"]]
    for name, build, shape in (("MLP", mlp, (1, 28, 28)), ("conv", conv, (3, 32, 32))):
        output.progress(f"{name}: engine, batch {BATCH}")
        images = torch.rand(BATCH, *shape)
        with torch.no_grad():
            net = build()
        program = lower(to_nir(net, images[:1]))
        run(program, images)
        engine = seconds(lambda p=program, x=images: run(p, x)) / BATCH
        output.progress(f"{name}: Lava, {LAVA_SAMPLES[1]} samples")
        lava = lava_seconds_a_sample(program, images)
        probed = images[: LAVA_SAMPLES[0]]
        ours, theirs = (
            run(program, probed, backend=b, probes=("membrane",)) for b in ("engine", "lava")
        )
        same = all(torch.equal(v, theirs.membrane[k]) for k, v in ours.membrane.items())
        rows.append(
            [
                name,
                f"{1 / lava:.2f}",
                f"{1 / engine:.0f}",
                f"{lava / engine:.0f}",
                "yes" if same else "NO",
            ]
        )
    output.table(rows, f"T = {STEPS}, engine batch {BATCH}, {torch.get_num_threads()} threads")


if __name__ == "__main__":
    main()
