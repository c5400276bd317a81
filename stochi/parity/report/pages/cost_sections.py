"""Sections of pages on what a sample costs: cores, events and energy."""

from collections.abc import Iterator, Mapping

from markupsafe import Markup

from stochi.parity.costs import AnnEnergy, Costs, Energy
from stochi.parity.report.cost_words import (
    NOTHING,
    SIDE_BY_SIDE,
    cores_words,
    energy_words,
    figures_words,
)
from stochi.parity.report.pages.cells import (
    Cell,
    Column,
    Row,
    Section,
    Table,
    number_cell,
    text_cell,
)
from stochi.parity.report.pages.svg import element
from stochi.plain_text import amount, counted

TITLE = "Cores, operations and energy"
_CORES = Column("cores", "Cores that hold neurons of it; layers may share a core.")
_OPERATIONS = Column(
    "operations",
    "Synaptic operations: spikes, or input values other than 0, times the synapses they reach.",
)
_SPIKES = Column("spikes", "Spikes that are sent; of an input, values other than 0.")
_EVENTS = (
    Column("layer", "The layer, the input, or all layers together.", False),
    _CORES,
    Column("neurons", "Number of neurons, with those that carry biases."),
    Column("synapses", "Connections with weights other than 0, each counted for itself."),
    _SPIKES,
    _OPERATIONS,
    Column("updates", "Neurons that compute, over all time steps; the others rest."),
    Column("random numbers", "Numbers that are drawn."),
)
_ACCOUNTS = (
    Column("account", "What is added up.", False),
    Column("what is in it", "The events, and whose published figures they are taken at.", False),
    Column("nJ", "Energy of a sample in nanojoules."),
)
_PARTS = {
    "synapses": "synaptic operations in their formats, dense ones with their zeros",
    "neurons": "accesses, updates and spikes of neurons",
    "messages": "messages that neurons send",
    "random_numbers": "draws",
}


def cost_section(costs: Costs) -> Section:
    """Return the cores that a network takes, its events by layer, and their energy."""
    notes = element("ul", *(element("li", note) for note in costs.notes))
    if not costs.layers:
        return Section("costs", TITLE, "There is no estimate of what a sample costs.", [notes])
    text = (
        f"The network takes {cores_words(costs)}. Events are those of a sample, the mean of the"
        f" first {counted(costs.samples, 'sample')} with seed {costs.seed} on the engine, the run"
        " that is compared value for value."
    )
    if costs.cores is not None and costs.cores.unchecked:
        text += (
            f" No public source gives these limits of {costs.chip}'s cores:"
            f" {', '.join(costs.cores.unchecked)}. So these are the fewest cores that are possible."
        )
    parts: list[Table | Markup] = [_events(costs)]
    if costs.energy is not None and costs.ann is not None:
        parts.append(_accounts(costs, costs.energy, costs.ann))
        parts.append(element("p", _time_words(costs.energy)))
    parts += [element("p", "What the numbers assume and leave out, and their sources:"), notes]
    return Section("costs", TITLE, text, parts, [layer.layer for layer in costs.layers])


def costs_beside(costs: Mapping[str, Costs | None]) -> Section | None:
    """Return what a sample costs in each of several reports, None if none of them tells."""
    rows = []
    for name, one in costs.items():
        if one is not None and one.layers:
            cores = None if one.cores is None else one.cores.taken
            energy = None if one.energy is None else one.energy.all_events
            cells = [text_cell(name), text_cell(one.chip), number_cell(cores, f"{cores}")]
            cells += [number_cell(v, amount(v)) for v in (one.operations, one.spikes)]
            rows.append(Row([*cells, number_cell(energy, energy_words(one.energy))]))
    if not rows:
        return None
    columns = [
        Column("report", "Name of the report.", False),
        Column("chip", "The chip that the Program is for.", False),
        Column("cores", "Number of cores that the Program takes."),
        _OPERATIONS,
        _SPIKES,
        Column(
            "nJ",
            "Energy of all events; a reference is at another chip's figures, since nothing is"
            " published of this one.",
        ),
    ]
    text = "What a sample costs on the chip, on average; each report says what that rests on."
    return Section("costs", TITLE, text, [Table(SIDE_BY_SIDE, columns, rows)])


def _events(costs: Costs) -> Table:
    sent = number_cell(costs.input_sent, amount(costs.input_sent))
    nothing = Cell(NOTHING)
    rows = [Row([text_cell("input"), *[nothing] * 3, sent, *[nothing] * 3])]
    for layer in costs.layers:
        values = (layer.spikes, layer.operations, layer.updates, layer.random_numbers)
        cells = [text_cell(layer.layer), _whole(layer.cores)]
        cells += [_whole(layer.neurons), _whole(layer.synapses)]
        rows.append(Row([*cells, *(number_cell(v, amount(v)) for v in values)], layer.layer))
    taken = None if costs.cores is None else costs.cores.taken
    cells = [text_cell("all layers"), _whole(taken)]
    cells += [_whole(sum(getattr(x, n) for x in costs.layers)) for n in ("neurons", "synapses")]
    for name in ("spikes", "operations", "updates", "random_numbers"):
        total = sum(getattr(layer, name) for layer in costs.layers)
        cells.append(number_cell(total, amount(total)))
    return Table("Cores, and events of a sample", _EVENTS, [*rows, Row(cells)])


def _accounts(costs: Costs, energy: Energy, ann: AnnEnergy) -> Table:
    return Table(
        f"Energy of a sample, at {figures_words(energy)}",
        _ACCOUNTS,
        [Row([text_cell(a), text_cell(w), c]) for a, w, c in _account_rows(costs, energy, ann)],
    )


def _account_rows(costs: Costs, energy: Energy, ann: AnnEnergy) -> Iterator[tuple[str, str, Cell]]:
    if energy.reference:
        yield costs.chip, f"nothing is published for {costs.chip}", Cell("unknown")
    by = f"{energy.title}, {energy.process}"
    yield "operations only", f"synaptic operations, {by}", _energy(energy.operations_only)
    yield "all events", f"all of the following, {by}", _energy(energy.all_events)
    for part, words in _PARTS.items():
        yield f"of these, {part.replace('_', ' ')}", words, _energy(getattr(energy, part))
    macs = f"{ann.operations:,} multiply-accumulates"
    yield "8-bit ANN, operations", macs, _energy(ann.arithmetic)
    yield (
        "8-bit ANN, with memory",
        "2 bytes read for each, nothing reused",
        _energy(ann.with_memory),
    )


def _time_words(energy: Energy) -> str:
    return (
        f"With all its events one after another, a sample takes {amount(energy.serial_time)} µs at"
        f" {figures_words(energy)}; if each layer had one core of its own, the slowest would take"
        f" at least {amount(energy.slowest_layer)} µs."
    )


def _energy(value: float) -> Cell:
    return number_cell(value, amount(value))


def _whole(value: int | None) -> Cell:
    return number_cell(value, f"{value:,}" if value is not None else NOTHING)
