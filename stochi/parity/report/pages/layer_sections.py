"""Sections of a report's page on what happens inside the network."""

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from stochi.parity.distribution.results import Comparison, Distribution
from stochi.parity.records.comparison import LayerComparison
from stochi.parity.report.pages.cells import (
    Cell,
    Column,
    Row,
    Section,
    Table,
    number_cell,
    text_cell,
)
from stochi.parity.report.pages.interval_plot import Group, Point, plot_intervals
from stochi.parity.report.pages.pictures import draw_trace
from stochi.parity.report.tables import QUANTITIES
from stochi.parity.report.verdict import shift_in_percent
from stochi.parity.results import CHIP, CLEAN, FLOAT, ExactComparison, SampleTrace
from stochi.plain_text import counted, decimal

MARKS = {"equivalent": "good", "different": "bad", "undecided": "open"}
_SHIFT = (
    "Chip − float model in %, and its 90 % interval over images; of membranes and logits in % of"
    " a standard deviation."
)
_TESTED = (
    Column("difference, %", _SHIFT),
    Column("margin, %", "The largest difference that does not matter, as it was asked for."),
    Column(
        "verdict",
        "equivalent: the whole interval lies within the margin; different: no part of it does;"
        " undecided: it crosses the margin.",
        False,
    ),
)


def layer_section(
    exact: Sequence[ExactComparison], distribution: Distribution | None, sample: SampleTrace | None
) -> Section:
    """Return rates, membranes, mismatches and one sample, layer by layer."""
    parts: list[Table | Markup] = []
    layers = list(dict.fromkeys(layer.layer for entry in exact for layer in entry.layers))
    if distribution is not None:
        layers += [name for name in distribution.layers if name not in layers]
        parts += _rates(distribution, layers)
        parts += _membranes(distribution, layers)
    if exact:
        parts.append(_values(exact, layers))
    text = "Whether the layers do on the chip what they do in the float model."
    if sample is not None:
        text += (
            f" The pictures show image {sample.number} with seed {sample.seed}, on the twin and on"
            f" {'Lava' if sample.chip == 'lava' else 'the engine'}: filled squares are spikes of"
            " both, open ones of a single side; a membrane's line is whole on the twin and broken"
            " on the chip."
        )
        parts += _samples(exact, sample)
    return Section("layers", "Layer by layer", text, parts, layers)


def variability_section(distribution: Distribution) -> Section:
    """Return how the trials of a side differ from each other."""
    rows = []
    for name, layer in distribution.layers.items():
        for quantity in ("fano", "distance", "distance_across"):
            found = getattr(layer, quantity)
            if found is not None:
                rows.append(Row([text_cell(name), *_compared(quantity, found)], name))
    network = distribution.network
    for quantity in ("accuracy", "logit_spread", "agreement", "agreement_across"):
        found = getattr(network, quantity)
        if found is not None:
            rows.append(Row([text_cell("network"), *_compared(quantity, found)]))
    columns = [
        Column("where", "The layer, or the whole network.", False),
        Column(
            "quantity",
            "Fano factor: variance over trials of a neuron's spike count, by its mean. Spike"
            " distance: share of places in which two trials of an image differ. Agreement: how"
            " often two trials answer with the same class; across sides, those of one trial each.",
            False,
        ),
        Column("float model", "Its value in the float model, within that side."),
        Column("chip", "Its value on the chip; across sides, that of a trial of each."),
        *_TESTED,
    ]
    logits = [
        Row([text_cell(number), *_compared(None, found)])
        for number, found in network.logit_mean.items()
    ]
    of_logits = [
        Column("output", "The class, or the output of a regression.", False),
        Column("float model", "Its mean logit, in standard deviations of all logits."),
        Column("chip", "The same on the chip."),
        *_TESTED,
    ]
    text = (
        f"How much the trials vary, over {counted(distribution.trials, 'trial')} of"
        f" {counted(distribution.images, 'image')}. A random network does not have one right"
        " answer, so its trials are compared."
    )
    if distribution.left_out:
        text += " A single trial shows nothing of variability; run at least 2."
    title = "Variability over trials (90 % intervals over images)"
    tables = [Table(title, columns, rows)] if rows else []
    tables.append(Table("Mean logits (90 % intervals over images)", of_logits, logits))
    return Section("variability", "Variability", text, tables)


def _rates(distribution: Distribution, layers: Sequence[str]) -> Iterator[Table | Markup]:
    found = {name: distribution.layers[name].rate for name in layers if name in distribution.layers}
    rates = {name: rate for name, rate in found.items() if rate is not None}
    if not rates:
        return
    columns = [
        Column("layer", "A layer that spikes.", False),
        Column("float model", "Spikes per neuron and time step in the float model."),
        Column("chip", "The same on the chip."),
        *_TESTED,
    ]
    rows = [Row([text_cell(n), *_compared(None, rate)], n) for n, rate in rates.items()]
    yield Table("Firing rates (90 % intervals over images)", columns, rows)
    title, unit = "Firing rates, chip − float model", "% of the float model's rate"
    yield from _figure("rates", title, unit, rates, 100 * distribution.margins.rate)


def _membranes(distribution: Distribution, layers: Sequence[str]) -> Iterator[Table | Markup]:
    found = {
        name: distribution.layers[name].membrane for name in layers if name in distribution.layers
    }
    membranes = {name: entry for name, entry in found.items() if entry is not None}
    if not membranes:
        return
    columns = [
        Column("layer", "A layer, the readout too.", False),
        Column(
            "within a side",
            "Wasserstein-1 distance of the membranes of half of a side's trials from the other"
            " half, in standard deviations: what chance makes.",
        ),
        Column("across sides", "The same between trials of the float model and of the chip."),
        *_TESTED,
    ]
    rows = [Row([text_cell(n), *_compared(None, entry)], n) for n, entry in membranes.items()]
    yield Table("Membranes' distance W1 (90 % intervals over images)", columns, rows)
    title, unit = "Membranes, W1 across − within", "% of a standard deviation"
    yield from _figure("membranes", title, unit, membranes, 100 * distribution.margins.membrane)


def _figure(
    key: str, title: str, unit: str, found: dict[str, Comparison], margin: float
) -> Iterator[Markup]:
    groups = []
    for name, entry in found.items():
        if entry.difference is not None and entry.low is not None and entry.high is not None:
            value, low, high = (100 * end for end in (entry.difference, entry.low, entry.high))
            words = f"{name}: {shift_in_percent(entry)} %, {entry.verdict}"
            groups.append(Group(name, [Point(CHIP, value, low, high, words)], name))
    if groups:
        unit = f"{unit}; the band is the margin, ±{margin:g} %"
        names = {CHIP: "chip − float model"}
        yield plot_intervals(key, title, unit, groups, names, margin=margin, zero=True)


def _values(exact: Sequence[ExactComparison], layers: Sequence[str]) -> Table:
    columns = [
        Column("layer", "The layer.", False),
        Column("quantity", "Spikes, or membranes after the reset.", False),
        Column("compared", "Two runs of the chip's arithmetic that must be equal.", False),
        Column("images", "Number of images, and whether an attack made them."),
        Column("seed", "Seed of the draws."),
        Column("values", "Number of values that were compared."),
        Column("mismatches", "Number of values that differ."),
        Column("first mismatch", "The earliest one, and both values.", False),
    ]
    rows = [
        Row(
            [
                text_cell(layer.layer),
                text_cell(layer.quantity),
                text_cell(f"{entry.left} and {entry.right}"),
                Cell(f"{entry.images} {'attacked' if entry.attack else CLEAN}", entry.images),
                number_cell(entry.seed, f"{entry.seed}"),
                number_cell(layer.compared, f"{layer.compared:,}"),
                number_cell(
                    layer.mismatches, f"{layer.mismatches:,}", "bad" if layer.mismatches else "good"
                ),
                _first(layer),
            ],
            layer.layer,
        )
        for name in layers
        for entry in exact
        for layer in entry.layers
        if layer.layer == name
    ]
    return Table("Value for value, by layer", columns, rows)


def _first(layer: LayerComparison) -> Cell:
    first = layer.first
    if first is None:
        return Cell("–")
    neuron = ", ".join(map(str, first.neuron))
    where = f"step {first.step}, sample {first.sample}, neuron ({neuron})"
    return text_cell(f"{where}: {first.left} against {first.right}", "bad")


def _samples(exact: Sequence[ExactComparison], sample: SampleTrace) -> Iterator[Markup]:
    for number, trace in enumerate(sample.layers):
        first = next(
            (
                (layer.first.step, layer.quantity)
                for entry in exact
                for layer in entry.layers
                if layer.layer == trace.layer
                and layer.first is not None
                and (entry.seed, entry.attack) == (sample.seed, None)
                and layer.first.sample == sample.number
            ),
            None,
        )
        yield draw_trace(f"sample-{number}", trace, first)


def _compared(quantity: str | None, entry: Comparison) -> list[Cell]:
    cells = []
    if quantity is not None:
        cells.append(text_cell(QUANTITIES[quantity]))
    return [
        *cells,
        *(_four_digits(entry.sides[side]) for side in (FLOAT, CHIP)),
        number_cell(entry.difference, shift_in_percent(entry)),
        number_cell(entry.margin, f"{100 * entry.margin:g}"),
        text_cell(entry.verdict, MARKS.get(entry.verdict, "")),
    ]


def _four_digits(value: float) -> Cell:
    return number_cell(value, decimal(value, 4))
