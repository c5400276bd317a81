"""Sections of a report's page on what the network gets right."""

from collections.abc import Iterator, Mapping, Sequence

from markupsafe import Markup

from stochi.parity.ablation_results import ABLATION_TITLE, VARIANTS, Ablation, Shown
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
from stochi.parity.report.pages.epsilon_plot import plot_epsilons
from stochi.parity.report.pages.interval_plot import Group, Point, plot_intervals
from stochi.parity.report.pages.pictures import show_flipped
from stochi.parity.report.tables import (
    ACCURACY_TITLE,
    DIFFERENCES,
    DIFFERENCES_TITLE,
    ERRORS_TITLE,
    FLIPS,
    PARTS_TITLE,
    RIGHT,
)
from stochi.parity.report.verdict import clean_of, name_shown
from stochi.parity.results import CHIP, FLOAT, SIDES, AccuracyRow, Errors, FlippedImage
from stochi.parity.words import (
    number_interval,
    number_lines,
    percent_interval,
    points,
    signed_interval,
)
from stochi.plain_text import counted, decimal
from stochi.statistics.intervals import Estimate

_IMAGES = Column(
    "images shown",
    "What every side is shown: clean images, or those that an attack made, and on which side's"
    " model it made them.",
    False,
)
_SIDE = "Share of right answers over all trials in %, and its 95 % interval over images."
_DIFFERENCE = (
    "Difference on the same images in points of accuracy, and its paired 95 % interval; if it"
    " holds 0, the sides may be equal."
)
_ALL = (
    "Below it, the share of images that are right in all trials: an attacker may show an image"
    " again, and needs one wrong answer."
)


def accuracy_section(accuracy: Sequence[AccuracyRow]) -> Section:
    """Return accuracies, their differences, and the parts of attacks."""
    parts: list[Table | Markup] = [_accuracies(accuracy), _accuracy_figure(accuracy)]
    parts.append(_differences(accuracy))
    if any(row.made_by for row in accuracy):
        parts.append(_parts(accuracy))
    return Section(
        "accuracy",
        "Accuracy",
        "How often each side is right, clean and under attack. A side's robust accuracy is the"
        " lowest of its rows under attack.",
        parts,
    )


def error_section(errors: Errors) -> Section:
    """Return the mean squared errors of a regression."""
    notes = {
        **{side: "Mean squared error, and its 95 % interval over inputs." for side in SIDES},
        **dict.fromkeys(DIFFERENCES, "Difference on the same inputs, and its 95 % interval."),
    }
    names = DIFFERENCES | SIDES
    found = {**errors.sides, **errors.differences}
    columns = [Column("inputs", "Number of inputs.")]
    columns += [Column(names[key], notes[key]) for key in names]
    cells = [number_cell(errors.sides[CHIP].images, f"{errors.sides[CHIP].images:,}")]
    cells += [number_cell(found[key].value, number_lines(found[key])) for key in names]
    if errors.lava is not None:
        columns.append(Column("on Lava", "The same on those inputs that Lava ran."))
        cells.append(number_cell(errors.lava.value, number_lines(errors.lava)))
    table = Table(ERRORS_TITLE, columns, [Row(cells)])
    estimates = {side: errors.sides[side] for side in SIDES}
    shown = [_as_point(side, one, number_interval(one), 1) for side, one in estimates.items()]
    figure = plot_intervals(
        "errors", "Errors of the sides", "mean squared error", [Group("all inputs", shown)], SIDES
    )
    text = "How far each side's answers are from the right ones."
    return Section("errors", "Errors", text, [table, figure])


def ablation_section(ablation: Ablation) -> Section:
    """Return what each of the chip's properties does alone."""
    kept = [name for name in VARIANTS if name in ablation.variants]
    attacked = any(variant.attacked is not None for variant in ablation.variants.values())
    rows = []
    for name in kept:
        variant = ablation.variants[name]
        pairs = [_shown_cells(shown, name == FLOAT) for shown in (variant.clean, variant.attacked)]
        found, shifts = zip(*pairs[: 1 + attacked], strict=True)
        rows.append(Row([text_cell(VARIANTS[name]), *shifts, *found]))
    what = "error" if ablation.variants[FLOAT].clean.error is not None else "accuracy, %"
    note = "and its 95 % interval, of the float model with this property alone."
    less = "Difference from the float model as it is, in points for accuracies, on the same images."
    shown_on = ("clean", "attacked")[: 1 + attacked]
    where = {"clean": "clean images", "attacked": "images that an attack made on the float model"}
    columns = [
        Column("alone", "The one property of the chip that the float model is given.", False),
        *(Column(f"− float, {one}", less) for one in shown_on),
        *(Column(f"{one} {what}", f"On {where[one]}: {what} {note}") for one in shown_on),
    ]
    table = Table(ABLATION_TITLE, columns, rows)
    text = (
        "Each of the chip's properties alone, switched on in the float model. What moves the"
        " accuracy by itself is where the difference comes from; effects need not add up."
    )
    return Section("ablation", "Where the difference comes from", text, [table, *_moved(ablation)])


def epsilon_section(accuracy: Sequence[AccuracyRow]) -> Section | None:
    """Return accuracy against ε, if attacks ran at several."""
    clean = clean_of(accuracy)
    courses: dict[str, list[AccuracyRow]] = {}
    for row in accuracy:
        if row.epsilon is not None:
            courses.setdefault(f"{row.title}{_made_on(row)}", []).append(row)
    drawn: list[Table | Markup] = [
        plot_epsilons(f"epsilon-{number}", title, rows, clean)
        for number, (title, rows) in enumerate(courses.items())
        if len({row.epsilon for row in rows}) > 1
    ]
    if not drawn:
        return None
    text = "Share of right answers as the attack may change more, with 95 % intervals."
    return Section("epsilon", "Accuracy against ε", text, drawn)


def flip_section(
    accuracy: Sequence[AccuracyRow], flipped: Sequence[FlippedImage]
) -> Section | None:
    """Return which images flip, and a few of them."""
    rows = []
    for row in accuracy:
        if row.flips is not None:
            numbers = [", ".join(map(str, getattr(row.flips, kind))) or NOTHING for kind in FLIPS]
            rows.append(Row([text_cell(name_shown(row)), *map(text_cell, numbers)]))
    if not rows:
        return None
    note = "Numbers of the images, from 0, that are right clean and wrong under attack on"
    columns = [
        Column("attack", "The attack that made the images.", False),
        Column("float model only", f"{note} the float model and not on the chip.", False),
        Column("chip only", f"{note} the chip and not on the float model.", False),
        Column("both", f"{note} both.", False),
    ]
    pictures: list[Table | Markup] = []
    text = "A side is right on an image if it is right in more than half of its trials."
    if flipped:
        of = flipped[0]
        where = f", made on the {SIDES[of.made_on]}" if of.made_on else ""
        text += f" The pictures are of {of.attack}{where}; the change is shown enlarged on grey."
        shown = Markup("").join(map(show_flipped, flipped))
        pictures.append(Markup('<div class="pictures">{}</div>').format(shown))
    table = Table("Images that flip, by their numbers", columns, rows)
    return Section("flips", "Images that flip", text, [table, *pictures])


def confusion_section(confusion: Mapping[str, Sequence[Sequence[int]]]) -> Section:
    """Return the answered classes by the right ones, on both sides."""
    tables = [_confusion(side, confusion[side]) for side in (FLOAT, CHIP)]
    text = "Answers to the clean images over all trials, by the right class."
    return Section("classes", "Classes", text, tables)


def _accuracies(accuracy: Sequence[AccuracyRow]) -> Table:
    ran = any(row.lava is not None for row in accuracy)
    columns = [_IMAGES, Column(f"{DIFFERENCES[RIGHT]}, points", _DIFFERENCE)]
    columns += [Column(f"{name}, %", f"{_SIDE} {_ALL}") for name in SIDES.values()]
    if ran:
        columns.append(Column("on Lava, %", "The same on those images that Lava itself ran."))
    rows = []
    for row in accuracy:
        cells = [_name(row, count=True), points_cell(row.differences[RIGHT])]
        for side in SIDES:
            shown, every = percent_cell(row.sides[side]), row.every_draw[side]
            words = f"{shown.text}\nall {row.sides[side].trials}: {decimal(100 * every.value, 1)}"
            cells.append(number_cell(shown.value, words))
        if ran:
            lava = row.lava
            cells.append(Cell(NOTHING) if lava is None else percent_cell(lava, of_images=True))
        rows.append(Row(cells))
    return Table(ACCURACY_TITLE, columns, rows)


def _accuracy_figure(accuracy: Sequence[AccuracyRow]) -> Markup:
    groups = []
    for row in accuracy:
        name = name_shown(row)
        shown = [
            _as_point(side, row.sides[side], f"{percent_interval(row.sides[side])} % right", 100)
            for side in SIDES
        ]
        groups.append(Group(name, shown))
    return plot_intervals("accuracies", "Accuracy of the sides", "% right", groups, SIDES)


def _as_point(side: str, found: Estimate, words: str, factor: float) -> Point:
    value, low, high = (factor * end for end in (found.value, found.low, found.high))
    return Point(side, value, low, high, f"{SIDES[side]}: {words}")


def _differences(accuracy: Sequence[AccuracyRow]) -> Table:
    columns = [_IMAGES, *(Column(name, _DIFFERENCE) for name in DIFFERENCES.values())]
    attacked = any(row.flips is not None for row in accuracy)
    flips = FLIPS if attacked else {}
    columns += [
        Column(name, "Number of images that this side is right on clean, and not under attack.")
        for name in flips.values()
    ]
    rows = []
    for row in accuracy:
        cells = [_name(row), *(points_cell(row.differences[name]) for name in DIFFERENCES)]
        for kind in flips:
            count = None if row.flips is None else len(getattr(row.flips, kind))
            cells.append(number_cell(count, f"{count}"))
        rows.append(Row(cells))
    title = DIFFERENCES_TITLE if attacked else DIFFERENCES_TITLE.partition(", and")[0]
    return Table(title, columns, rows)


def _parts(accuracy: Sequence[AccuracyRow]) -> Table:
    columns = [
        _IMAGES,
        Column("made by", "The part of the attack whose result was kept.", False),
        Column("% of the images", "Share of the images that it made."),
    ]
    rows = [
        Row([_name(row), text_cell(part), number_cell(share, decimal(100 * share, 0))])
        for row in accuracy
        for part, share in row.made_by.items()
    ]
    return Table(PARTS_TITLE, columns, rows)


def _confusion(side: str, counts: Sequence[Sequence[int]]) -> Table:
    columns = [Column("right class", "The class of the images.", False)]
    notes = ["Number of answers with this class, as in the columns of the others."]
    notes += [""] * (len(counts) - 1)
    columns += [Column(f"{number}", note) for number, note in enumerate(notes)]
    rows = []
    for right, found in enumerate(counts):
        cells = [text_cell(f"{right}")]
        for answered, count in enumerate(found):
            mark = "" if count == 0 else "good" if answered == right else "bad"
            cells.append(number_cell(count, f"{count:,}", mark))
        rows.append(Row(cells))
    return Table(f"Answers of the {SIDES[side]}, by the right class", columns, rows)


def _moved(ablation: Ablation) -> Iterator[Markup]:
    """Yield the figure of the differences from the float model."""
    groups = []
    for name in (name for name in VARIANTS if name in ablation.variants and name != FLOAT):
        variant, shown = ablation.variants[name], []
        for series, found in (("clean", variant.clean), ("attacked", variant.attacked)):
            if found is not None:
                factor = 100 if found.accuracy is not None else 1
                shift = found.minus_float
                value, low, high = (factor * end for end in (shift.value, shift.low, shift.high))
                digits = 1 if factor == 100 else 4
                words = f"{series}: {signed_interval(value, low, high, digits)}"
                shown.append(Point(series, value, low, high, f"{VARIANTS[name]}, {words}"))
        groups.append(Group(VARIANTS[name], shown))
    if groups:
        regression = ablation.variants[FLOAT].clean.error is not None
        unit = f"difference from the float model, {'squared error' if regression else 'points'}"
        names = {"clean": "clean", "attacked": "attacked"}
        if all(len(group.points) < 2 for group in groups):
            del names["attacked"]
        title = "What each property does alone"
        yield plot_intervals("ablated", title, unit, groups, names, zero=True)


def _shown_cells(shown: Shown | None, reference: bool) -> list[Cell]:
    if shown is None:
        return [Cell(NOTHING), Cell(NOTHING)]
    shift = shown.minus_float
    if shown.error is not None:
        ends = signed_interval(shift.value, shift.low, shift.high, 4)
        found = number_cell(shown.error.value, number_interval(shown.error))
        return [found, Cell(NOTHING) if reference else number_cell(shift.value, ends)]
    assert shown.accuracy is not None
    return [percent_cell(shown.accuracy), Cell(NOTHING) if reference else points_cell(shift)]


def _name(row: AccuracyRow, count: bool = False) -> Cell:
    name = name_shown(row)
    return text_cell(f"{name}\n{counted(row.sides[CHIP].images, 'image')}" if count else name)


def _made_on(row: AccuracyRow) -> str:
    return f", made on {SIDES[row.made_on]}" if row.made_on else ""


def percent_cell(found: Estimate, of_images: bool = False) -> Cell:
    """Return a cell of an accuracy, with its interval, and its number of images if asked for."""
    words = _on_two_lines(percent_interval(found))
    if of_images:
        words += f"\n{counted(found.images, 'image')}"
    return number_cell(found.value, words)


def points_cell(found: Estimate) -> Cell:
    """Return a cell of a difference in points, marked if its interval excludes 0."""
    mark = "" if found.low <= 0 <= found.high else "bad" if found.high < 0 else "good"
    return number_cell(found.value, _on_two_lines(points(found)), mark)


def _on_two_lines(words: str) -> str:
    """Return a value with its interval below it."""
    return words.replace(" [", "\n[")
