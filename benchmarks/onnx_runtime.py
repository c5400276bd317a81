"""onnxruntime against torch and the engine, side by side in one run: answers, time and size.

    .venv/bin/python -m benchmarks.onnx_runtime

The demo's network is trained by its own recipe, the others for three epochs of digits. Floats are
compared with torch on the same draws, apart from images on which a sum that is rounded in another
order crosses a threshold: they are counted, with the distance from it. Integers are compared with
the engine's spikes and membranes of all layers at every time step.
"""

import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nir
import numpy as np
import onnxruntime
import torch
from snntorch import functional
from torch import nn

from benchmarks.support.networks import TUTORIALS
from benchmarks.timing import in_turns
from stochi.commands.console import Output
from stochi.data import load_digits
from stochi.deploy import Program, lower
from stochi.export import GraphModel, draws_for_onnx, from_nir, to_nir, to_onnx
from stochi.sim import run
from stochi.train import NetworkConfig, TrainingConfig, train_classifier

EPOCHS = 3
BATCH = 128
ROUNDS = 3
NETWORKS = {"residual": "SEW residual", "recurrent": "RLeaky", "CUBA": "Synaptic"}
PROBES = ("spikes", "membrane")
NUMBERS: dict[str, Any] = {"seed": 1, "trial": 0, "first_sample": 0}


def main() -> None:
    """Print the tables."""
    output = Output(as_json=False)
    torch.manual_seed(0)
    training, test = load_digits()
    images = test.inputs[:BATCH]
    graphs = {}
    output.progress("the demo's network: training")
    network, _ = train_classifier(NetworkConfig().build, training, TrainingConfig())
    trained = {"demo": network.eval()}
    for name, which in NETWORKS.items():
        output.progress(f"{name}: training")
        trained[name] = train(TUTORIALS[which][0](), training)
    compared = ("largest difference", "other spikes", "θ − v there")
    floats = [["network", *compared, "loop, ms", "unrolled, ms", "torch, ms", "KB", "torch, KB"]]
    integers = [
        [
            "network",
            "values",
            "mismatches",
            "loop, ms",
            "unrolled, ms",
            "engine, ms",
            "KB",
            "Program, KB",
        ]
    ]
    for name, network in trained.items():
        output.progress(f"{name}: floats, integers")
        graphs[name] = to_nir(network, images[:8])
        floats.append([name, *real_row(graphs[name], network, images)])
        integers.append([name, *integer_row(lower(graphs[name]), images)])
    output.progress("demo: the stock generator's noise")
    integers.append(["demo, stock noise", *integer_row(with_noise(graphs["demo"], images), images)])
    about = (
        f"batch {BATCH}, {torch.get_num_threads()} threads, onnxruntime {onnxruntime.__version__}"
    )
    output.table(floats, f"Floats, ms a sample, {about}")
    output.table(integers, f"Integers, ms a sample, {about}")


def train(network: nn.Module, training: Any) -> nn.Module:
    """Train a network whose first output is spikes of all steps, or a mean answer."""
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-3)
    by_rate = functional.ce_rate_loss()
    for inputs, labels in EPOCHS * list(training.split(64)):
        answer = network(inputs)
        answer = answer[0] if isinstance(answer, tuple) else answer
        loss = (
            by_rate(answer, labels)
            if answer.dim() == 3
            else nn.functional.cross_entropy(answer, labels)
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return network.eval()


def with_noise(graph: nir.NIRGraph, images: torch.Tensor) -> Program:
    """Lower a graph with the stock generator's noise in place of random τ."""
    return lower(graph, noise="membrane", calibration=images)


def real_row(graph: nir.NIRGraph, network: nn.Module, images: torch.Tensor) -> list[str]:
    """Compare and time the floats of a graph."""
    model = from_nir(graph).eval()
    draws = draws_for_onnx(model, len(images), **NUMBERS)
    compared = compare_floats(model, images, draws)
    numbers = {name: np.asarray(value) for name, value in NUMBERS.items()} if draws else {}
    feeds = {"inputs": images.numpy(), **numbers}
    loop, unrolled = to_onnx(model), to_onnx(model, unrolled=True)

    def torch_alone() -> object:
        with torch.no_grad():
            return network(images)

    times = timed(loop, unrolled, feeds, torch_alone)
    state = io.BytesIO()
    torch.save(network.state_dict(), state)
    sizes = [loop.ByteSize(), len(state.getvalue())]
    return [*compared, *times, *(f"{n / 1e3:.0f}" for n in sizes)]


def compare_floats(
    model: GraphModel, images: torch.Tensor, draws: dict[str, np.ndarray]
) -> list[str]:
    """Compare onnxruntime with torch on the same draws.

    Returns:
        The largest difference between logits of images whose spikes are all equal; the number of
        other images; and how far from the threshold the membrane of their first unlike spike is.
    """
    probed = session(to_onnx(model, draws="input", probes=PROBES))
    names = [output.name for output in probed.get_outputs()]
    feeds = {"inputs": images.numpy(), **draws}
    found = dict(zip(names, probed.run(None, feeds), strict=True))
    with torch.no_grad():
        steps = list(on_draws(model, draws).run(images))
        logits = model.read([step[model.wiring.output] for step in steps]).numpy()
    first: dict[int, tuple[int, float]] = {}  # image → time step, distance
    for name, neuron in model.neurons().items():
        if neuron.threshold is None:
            continue
        spikes = np.stack([step[name].sent.numpy() > 0 for step in steps])
        recorded: Any = [step[name].membrane for step in steps]
        membranes = torch.stack(recorded).numpy()
        # The side that did not spike still has the membrane that came so close.
        close = np.where(spikes, found[f"membrane.{name}"], membranes)
        distance = np.abs(close - neuron.threshold.numpy())
        for place in np.argwhere(spikes != found[f"spikes.{name}"]):
            step, image = int(place[0]), int(place[1])
            if image not in first or step < first[image][0]:
                first[image] = step, float(distance[tuple(place)])
    difference = np.abs(found["logits"] - logits).reshape(len(images), -1).max(1)
    alike = [image for image in range(len(images)) if image not in first]
    farthest = max((distance for _, distance in first.values()), default=0.0)
    return [
        f"{difference[alike].max():.1e}",
        f"{len(first)} of {len(images)}",
        f"{farthest:.1e}" if first else "–",
    ]


def integer_row(program: Program, images: torch.Tensor) -> list[str]:
    """Compare and time a Program's integers."""
    numbers = {name: np.asarray(value) for name, value in NUMBERS.items()}
    feeds = {"inputs": images.numpy(), **(numbers if program.is_random else {})}
    probed = session(to_onnx(program, probes=PROBES))
    names = [output.name for output in probed.get_outputs()]
    found = dict(zip(names, probed.run(None, feeds), strict=True))
    record = run(program, images, probes=PROBES, **NUMBERS)
    expected = {"logits": record.logits}
    expected |= {f"spikes.{name}": values for name, values in record.spikes.items()}
    expected |= {f"membrane.{name}": values for name, values in record.membrane.items()}
    different = sum(int((found[name] != v.numpy()).sum()) for name, v in expected.items())
    values = sum(v.numel() for v in expected.values())
    loop, unrolled = to_onnx(program), to_onnx(program, unrolled=True)
    times = timed(loop, unrolled, feeds, lambda: run(program, images, **NUMBERS))
    sizes = [loop.ByteSize(), program_size(program)]
    return [f"{values:,}", str(different), *times, *(f"{n / 1e3:.0f}" for n in sizes)]


def timed(
    loop: Any, unrolled: Any, feeds: dict[str, np.ndarray], other: Callable[[], object]
) -> list[str]:
    """Return milliseconds a sample of both models and of something else, in turns."""
    looped, rolled_out = session(loop), session(unrolled)
    taken = in_turns(
        {
            "loop": lambda: looped.run(["logits"], feeds),
            "unrolled": lambda: rolled_out.run(["logits"], feeds),
            "other": other,
        },
        ROUNDS,
    )
    return [f"{1e3 * seconds / BATCH:.3f}" for seconds in taken.values()]


def session(model: Any) -> Any:
    """Return a model ready to run, on as many threads as torch has."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def on_draws(model: GraphModel, draws: dict[str, np.ndarray]) -> GraphModel:
    """Let a module's next run take its λ, drawn at every step, from these draws."""
    for name, neuron in model.neurons().items():
        if f"draws.{name}.decay" in draws:
            rows = iter(draws[f"draws.{name}.decay"])
            neuron.draw_decay = lambda like, rows=rows: torch.from_numpy(next(rows))  # type: ignore
    return model


def program_size(program: Program) -> int:
    """Return the size of a Program's file in bytes."""
    with tempfile.TemporaryDirectory() as folder:
        program.save(Path(folder) / "p.program")
        return (Path(folder) / "p.program").stat().st_size


if __name__ == "__main__":
    main()
