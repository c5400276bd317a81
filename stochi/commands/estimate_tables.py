"""Tables of what a Program costs.

Commands import this module inside of functions: it brings torch along.
"""

from collections.abc import Mapping
from typing import Any

from stochi.deploy import CostEstimate
from stochi.deploy.estimates.metrics import Metrics
from stochi.hardware.energy import DIGITAL_45NM, LOIHI1_FIGURES
from stochi.plain_text import amount, decimal, in_percent

Rows = list[list[str]]
UNKNOWN = "unknown"


def layer_rows(found: CostEstimate) -> Rows:
    """Return a row for every layer and their sum, after the head: events of a sample."""
    counts = found.counts
    head = ["layer", "neurons", "ACs", "MACs", "updates", "spikes", "messages", "random numbers"]
    sent, messages = counts.input_sent / counts.samples, counts.input_messages / counts.samples
    given = ["input", "", "", "", "", amount(sent), amount(messages), ""]
    names = ("accumulates", "multiply_accumulates", "updates", "spikes", "messages")
    rows = [head, given]
    for layer in counts.layers:
        values = [getattr(layer, name) / counts.samples for name in (*names, "random_numbers")]
        neurons = layer.neurons + layer.constant
        rows.append([layer.name, f"{neurons:,}", *map(amount, values)])
    sums = [counts.total(name) / counts.samples for name in (*names, "random_numbers")]
    neurons = counts.total("neurons") + counts.total("constant")
    return [*rows, ["all layers", f"{neurons:,}", *map(amount, sums)]]


def account_rows(found: CostEstimate) -> Rows:
    """Return a row for every account, after the head."""
    ann, accounts = found.ann, found.accounts
    rows = [["account", "what is in it", "nJ"]]
    if found.figures is None or accounts is None:
        why = f"none published for {found.chip}; --figures loihi1 is a reference"
        rows += [["operations only", why, UNKNOWN], ["all events", why, UNKNOWN]]
    else:
        chip = found.figures.title
        by = f"{chip}, {found.figures.process}"
        rows.append(
            ["operations only", f"synaptic operations, {by}", amount(accounts.operations_only)]
        )
        rows.append(["all events", f"all of the following, {by}", amount(accounts.all_events)])
        for part in ("synapses", "neurons", "messages", "random_numbers"):
            words = part.replace("_", " ")
            rows.append(["", words, amount(getattr(accounts, part))])
    process = DIGITAL_45NM.process
    macs = f"{ann.multiply_accumulates:,} MACs"
    rows.append(["8-bit ANN, operations", f"{macs}, {process}", amount(ann.arithmetic)])
    memory = f"with 2 bytes read for each, nothing reused, {ann.memory_bytes // 1024} KB SRAM"
    rows.append(["8-bit ANN, with memory", memory, amount(ann.total)])
    return rows


def random_words(found: CostEstimate) -> str:
    """Return what the random numbers cost, and what time the events take, as lines."""
    counts = found.counts
    drawn = counts.total("random_numbers") / counts.samples
    figure = LOIHI1_FIGURES.random_number.picojoules
    line = f"Random numbers: {amount(drawn)} a sample"
    if drawn:
        line += f", {amount(found.random_energy)} nJ at {figure:g} pJ each (Loihi 1's figure)"
    if found.accounts is None or found.figures is None:
        return f"{line}\nTime: {UNKNOWN} for {found.chip}"
    if drawn:
        line += f", {in_percent(found.accounts.random_share, 1)} of all events"
    accounts = found.accounts
    return (
        f"{line}\nTime: {amount(accounts.serial_time)} µs a sample on {found.figures.title} if all"
        f" events come one after another; at least {amount(accounts.slowest_layer)} µs if each"
        " layer has one core of its own"
    )


def metric_rows(measured: Mapping[str, Metrics]) -> Rows:
    """Return a row for every metric of NeuroBench, after a head with what was measured."""
    rows = [["metric", *measured]]
    found = [metrics.named() for metrics in measured.values()]
    for name in ("Footprint", "ConnectionSparsity", "ActivationSparsity"):
        sparsity = name != "Footprint"
        values: list[Any] = [metrics[name] for metrics in found]
        rows.append([name, *(decimal(v, 4) if sparsity else f"{v:,} B" for v in values)])
    for name in ("Effective_MACs", "Effective_ACs", "Dense"):
        operations = [metrics["SynapticOperations"] for metrics in found]
        rows.append([f"SynapticOperations, {name}", *(amount(o[name]) for o in operations)])  # type: ignore[index]
    return rows
