"""Sections of a report's page on what happens inside the network."""

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from stochi.parity.distribution.results import Comparison, Distribution
from stochi.parity.records.comparison import LayerComparison
from stochi.parity.report.pages.cells import (
    NOTHING,
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
from stochi.parity.report.quantities import QUANTITIES
from stochi.parity.report.randomness import is_judged, moved_spikes
from stochi.parity.report.verdict import shift_in_percent
from stochi.parity.results import CHIP, CLEAN, FLOAT, ExactComparison, SampleTrace
from stochi.plain_text import counted, decimal

MARKS = {"equivalent": "good", "different": "bad", "undecided": "open"}
_SHIFT = (
    "Chip − float model in %, and its 90 % interval over images; of membranes and logits in % of"
    " a standard deviation."
)
_VERDICT = (
    "equivalent: the whole interval lies within the margin; different: no part of it does;"
    " undecided: it crosses the margin."
)
_MARGIN = Column("margin, %", "The largest difference that does not matter, as it was asked for.")
_SUMMED = (
    Column("layer", "The layer.", False),
    Column("mismatches", "Number of values that differ, in all comparisons."),
    Column("values", "Number of values that were compared: spikes, and membranes after the reset."),
    Column("comparisons", "Pairs of runs of the chip's arithmetic that must be equal."),
)
_DIFFERING = (
    Column("layer", "The layer.", False),
    Column("mismatches", "Number of values that differ."),
    Column("first mismatch", "The earliest one, and both values.", False),
    Column("quantity", "Spikes, or membranes after the reset.", False),
    Column("compared", "Two runs of the chip's arithmetic that must be equal.", False),
    Column("samples", "Number of samples, and whether an attack made them."),
    Column("seed", "Seed of the draws."),
    Column("values", "Number of values that were compared."),
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
        if any(entry.mismatches for entry in exact):
            parts.append(_differing(exact, layers))
    text = "Whether the layers do on the chip what they do in the float model."
    if sample is not None:
        text += (
            f" The pictures show sample {sample.number} with seed {sample.seed}, on the twin and"
            f" on {'Lava' if sample.chip == 'lava' else 'the engine'}: filled squares are spikes of"
            " both, open ones of a single side; a membrane's line is solid on the twin and dashed"
            " on the chip."
        )
        parts += _samples(exact, sample)
    return Section("layers", "Layer by layer", text, parts, layers)


def variability_section(distribution: Distribution, alike: bool) -> Section:
    """Return how the trials of a side differ from each other; they do not if they are alike."""
    rows = []
    for name, layer in distribution.layers.items():
        for quantity in ("fano", "distance", "distance_across"):
            found = getattr(layer, quantity)
            if found is not None:
                cells = _compared(found, is_judged(layer, quantity))
                rows.append(Row([text_cell(name), text_cell(QUANTITIES[quantity]), *cells], name))
    network = distribution.network
    for quantity in ("accuracy", "logit_spread", "agreement", "agreement_across"):
        found = getattr(network, quantity)
        if found is not None:
            named = [text_cell("network"), text_cell(QUANTITIES[quantity])]
            rows.append(Row([*named, *_compared(found)]))
    about = Column(
        "quantity",
        "Fano factor: variance over trials of a neuron's spike count, by its mean. Spike"
        " distance: share of places in which two trials of an image differ. Agreement: how"
        " often two trials answer with the same class; across sides, those of one trial each.",
        False,
    )
    columns = _tested(
        [Column("where", "The layer, or the whole network.", False), about],
        Column("float model", "Its value in the float model, within that side."),
        Column("chip", "Its value on the chip; across sides, that of a trial of each."),
    )
    logits = [
        Row([text_cell(number), *_compared(found)]) for number, found in network.logit_mean.items()
    ]
    of_logits = _tested(
        [Column("output", "The class, or the output of a regression.", False)],
        Column("float model", "Its mean logit, in standard deviations of all logits."),
        Column("chip", "The same on the chip."),
    )
    title = "Variability over trials (90 % intervals over images)"
    tables = [Table(title, columns, rows)] if rows else []
    tables.append(Table("Mean logits (90 % intervals over images)", of_logits, logits))
    text = _about_trials(distribution, alike)
    return Section("variability", "Variability", text, tables)


def _about_trials(distribution: Distribution, alike: bool) -> str:
    trials, images = distribution.trials, counted(distribution.images, "image")
    if alike:
        text = f"The network draws no random numbers, so the trials of {images} are all alike."
        if moved_spikes(distribution):
            text += (
                " Spikes that fall elsewhere on the chip have then no spread of trials that could"
                " measure them, and are shown without a verdict."
            )
        return text
    text = (
        f"How much the trials vary, over {counted(trials, 'trial')} of {images}. A random network"
        " does not have one right answer, so its trials are compared."
    )
    if distribution.left_out:
        text += " A single trial shows nothing of variability; run at least 2."
    return text


def _tested(names: Sequence[Column], reference: Column, chip: Column) -> list[Column]:
    """Return the columns of a table of comparisons, what they come to first."""
    verdict, shift = Column("verdict", _VERDICT, False), Column("difference, %", _SHIFT)
    return [*names, verdict, shift, reference, chip, _MARGIN]


def _rates(distribution: Distribution, layers: Sequence[str]) -> Iterator[Table | Markup]:
    found = {name: distribution.layers[name].rate for name in layers if name in distribution.layers}
    rates = {name: rate for name, rate in found.items() if rate is not None}
    if not rates:
        return
    columns = _tested(
        [Column("layer", "A layer that spikes.", False)],
        Column("float model", "Spikes per neuron and time step in the float model."),
        Column("chip", "The same on the chip."),
    )
    rows = [Row([text_cell(n), *_compared(rate)], n) for n, rate in rates.items()]
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
    columns = _tested(
        [Column("layer", "A layer, the readout too.", False)],
        Column(
            "within a side",
            "Wasserstein-1 distance of the membranes of half of a side's trials from the other"
            " half, in standard deviations: what chance makes.",
        ),
        Column("across sides", "The same between trials of the float model and of the chip."),
    )
    rows = [Row([text_cell(n), *_compared(entry)], n) for n, entry in membranes.items()]
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
    rows = []
    for name in layers:
        found = [layer for entry in exact for layer in entry.layers if layer.layer == name]
        values = sum(layer.compared for layer in found)
        pairs = sum(any(layer.layer == name for layer in entry.layers) for entry in exact)
        cells = [_mismatches(sum(layer.mismatches for layer in found))]
        cells += [number_cell(values, f"{values:,}"), number_cell(pairs, f"{pairs}")]
        rows.append(Row([text_cell(name), *cells], name))
    return Table("Value for value, by layer", _SUMMED, rows)


def _differing(exact: Sequence[ExactComparison], layers: Sequence[str]) -> Table:
    rows = [
        Row(
            [
                text_cell(layer.layer),
                _mismatches(layer.mismatches),
                _first(layer),
                text_cell(layer.quantity),
                text_cell(f"{entry.left} and {entry.right}"),
                Cell(f"{entry.images} {'attacked' if entry.attack else CLEAN}", entry.images),
                number_cell(entry.seed, f"{entry.seed}"),
                number_cell(layer.compared, f"{layer.compared:,}"),
            ],
            layer.layer,
        )
        for name in layers
        for entry in exact
        for layer in entry.layers
        if layer.layer == name and layer.mismatches
    ]
    return Table("Comparisons that differ, by layer", _DIFFERING, rows)


def _mismatches(count: int) -> Cell:
    return number_cell(count, f"{count:,}", "bad" if count else "good")


def _first(layer: LayerComparison) -> Cell:
    first = layer.first
    if first is None:
        return Cell(NOTHING)
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


def _compared(entry: Comparison, known: bool = True) -> list[Cell]:
    verdict = text_cell(entry.verdict, MARKS.get(entry.verdict, ""))
    return [
        verdict if known else Cell(NOTHING),
        number_cell(entry.difference, shift_in_percent(entry)),
        *(_four_digits(entry.sides[side]) for side in (FLOAT, CHIP)),
        number_cell(entry.margin, f"{100 * entry.margin:g}"),
    ]


def _four_digits(value: float) -> Cell:
    return number_cell(value, decimal(value, 4))
