"""Events and energy of the demo's network, by how it is made random, beside the float model.

    .venv/bin/python -m benchmarks.energy                 # minutes: it trains two networks
    stochi train --neuron random --out runs/random.pt     # or from checkpoints
    stochi train --neuron plain --out runs/plain.pt
    .venv/bin/python -m benchmarks.energy --random runs/random.pt --plain runs/plain.pt

Trains the demo's network with random τ, and once more with plain LIF neurons, or takes checkpoints
of both, lowers them in four ways, and counts what the engine does on test images. Figures of Loihi
1 are applied to all of them, as a reference: the input is graded, so the chip of each is Loihi 2,
of which none are published.
"""

import argparse
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import snntorch as snn
import torch
from torch import nn

from stochi.commands.console import Output
from stochi.commands.demo_plan import DemoPlan, plan_demo
from stochi.commands.estimate_tables import Rows, metric_rows
from stochi.data.samples import Samples
from stochi.deploy import CostEstimate, Program, estimate, lower, measure_model
from stochi.errors import InputError
from stochi.export import to_nir
from stochi.plain_text import amount
from stochi.sim import run
from stochi.statistics import estimate_accuracy
from stochi.train import NetworkConfig, load_checkpoint, train_classifier

FIT_IMAGES = 64
EVENTS = {
    "ACs (spikes)": "accumulates",
    "MACs (graded input)": "multiply_accumulates",
    "neuron updates": "updates",
    "spikes": "spikes",
    "messages": "messages",
    "random numbers": "random_numbers",
}
ACCOUNTS = {
    "operations only": "operations_only",
    "all events": "all_events",
    "  synapses": "synapses",
    "  neurons": "neurons",
    "  messages": "messages",
    "  random numbers": "random_numbers",
}


def build_programs(random: nn.Module, plain: nn.Module, shown: torch.Tensor) -> dict[str, Program]:
    """Lower two trained networks in all ways.

    Args:
        random, plain: with random τ, and with plain LIF neurons.
        shown: images that the stock noise is fitted to.
    """
    graph = to_nir(random, shown[:8])
    return {
        "plain LIF": lower(to_nir(plain, shown[:8]), noise="none"),
        "mean τ": lower(graph, noise="none"),
        "random τ": lower(graph, noise="decay"),
        "stock noise": lower(graph, noise="membrane", calibration=shown),
    }


def event_rows(found: dict[str, CostEstimate]) -> Rows:
    """Return a row for every kind of event, mean of a sample, a column for every Program."""
    rows = [["event", *found]]
    for title, name in EVENTS.items():
        means = (e.counts.total(name) / e.counts.samples for e in found.values())
        rows.append([title, *map(amount, means)])
    return rows


def energy_rows(found: dict[str, CostEstimate]) -> Rows:
    """Return a row for every account, nJ a sample, and the time."""
    accounts = [e.accounts for e in found.values() if e.accounts is not None]
    rows = [["nJ a sample", *found]]
    for title, name in ACCOUNTS.items():
        rows.append([title, *(amount(getattr(a, name)) for a in accounts)])
    rows.append(["random numbers, share", *(f"{a.random_share:.1%}" for a in accounts)])
    ann = next(iter(found.values())).ann
    rows.append(["8-bit ANN, operations", *[amount(ann.arithmetic)] * len(found)])
    rows.append(["8-bit ANN, with memory", *[amount(ann.total)] * len(found)])
    rows.append(["µs, one after another", *(amount(a.serial_time) for a in accounts)])
    rows.append(["µs, slowest layer", *(amount(a.slowest_layer) for a in accounts)])
    return rows


def read_or_train(path: Path | None, neuron: str, plan: DemoPlan, training: Samples) -> nn.Module:
    """Return a network of the demo with this kind of neuron, from a checkpoint if there is one.

    Raises:
        InputError: the checkpoint is of another network.
    """
    network = replace(plan.network, neuron=neuron)
    if path is None:
        trained, _ = train_classifier(network.build, training, plan.training)
        return trained.eval()
    trained, content = load_checkpoint(path)
    if NetworkConfig.from_dict(content["network"]) != network:
        raise InputError(f"{path}: not the demo's network with {neuron} neurons")
    return trained


def accuracy_row(programs: dict[str, Program], test: Samples) -> list[str]:
    """Return the accuracy of every Program on the images that are counted."""
    words = []
    for program in programs.values():
        right = run(program, test).predictions() == test.labels
        words.append(f"{estimate_accuracy(right[None]).value:.1%}")
    return ["accuracy", *words]


def main(words: Sequence[str] | None = None) -> None:
    """Train, lower, count and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=359, help="test images, at most 359")
    parser.add_argument("--epochs", type=int, default=None, help="of training; the demo's")
    for kind in ("random", "plain"):
        parser.add_argument(f"--{kind}", type=Path, help="checkpoint, in place of training")
    options = parser.parse_args(words)
    output = Output(as_json=False)
    plan = plan_demo("digits", seed=0, epsilon=0.1)
    training, test = plan.read(None)
    test = test.first(options.images)
    if options.epochs is not None:
        plan = replace(plan, training=replace(plan.training, epochs=options.epochs))
    drawn = read_or_train(options.random, "random", plan, training)
    plain = read_or_train(options.plain, "plain", plan, training)
    programs = build_programs(drawn, plain, training.first(FIT_IMAGES).inputs)
    found = {name: estimate(program, test, figures="loihi1") for name, program in programs.items()}
    # A trained network's membranes have the size of a batch, and would be in its footprint.
    fresh = plan.network.build()
    fresh.load_state_dict(drawn.state_dict())
    torch.manual_seed(0)
    floats = measure_model(fresh, [test.inputs], neurons=(snn.SpikingNeuron,))
    sizes = f"mean of {len(test)} test images, {plan.network.time_steps} time steps each"
    output.table([*event_rows(found), accuracy_row(programs, test)], f"Events of a sample, {sizes}")
    output.table(energy_rows(found), "Energy and time at Loihi 1's figures, a reference")
    metrics = {"float": floats, **{name: e.metrics for name, e in found.items()}}
    output.table(metric_rows(metrics), "NeuroBench's metrics; float: the model with random τ")
    ann = found["plain LIF"].ann
    messages = {e.notes[0] for e in found.values()}
    for note in sorted(messages):
        output.line(f"- {note}")
    output.line(
        f"The float model does {amount(floats.dense)} multiply-accumulates a sample,\nan ANN of its"
        f" shape {amount(ann.multiply_accumulates)}, in one time step."
    )


if __name__ == "__main__":
    main()
