"""A study's results as tables of text."""

from collections.abc import Sequence

from stochi.plain_text import counted, decimal, in_percent, interval_in_percent
from stochi.study.claims import claim_rows, cosine_text
from stochi.study.layout import PLACES, Table, across, percent, points, wrap
from stochi.study.plan import StudyPlan
from stochi.study.results import (
    WHERE,
    AccuracyCell,
    DepthPoint,
    DifferenceCell,
    MaskingCell,
    SimilarityCell,
    StudyResults,
    WinnerCell,
    accuracy_rows,
)


def make_tables(results: StudyResults) -> list[Table]:
    """Return all tables of a study; that of masked gradients is the last, if there are signs."""
    plan = results.plan
    tables = [
        Table(f"Accuracy, %\n{describe_plan(plan)}", accuracy_rows(results.table), 3),
        Table(
            "Difference from the plain LIF with the same defence, in points, paired\n"
            f"{describe_intervals(plan)}; *: not 0 over the images, **: nor over the trainings",
            difference_rows(results.against_lif),
            3,
        ),
        Table(
            "Difference from the float model, in points, paired\n"
            f"{describe_intervals(plan)}; *: not 0 over the images, **: nor over the trainings",
            difference_rows(results.against_float),
            3,
        ),
        Table(
            "Accuracy under one attack through several surrogates, first training, %\n"
            f"cosine-decayed PGD-{plan.ensemble.iterations} (EOT {plan.ensemble.draws})",
            accuracy_rows(results.surrogates),
            3,
        ),
        Table(
            "Right in each of several showings, under AutoAttack snn on the network of the row, %\n"
            f"{describe_intervals(plan)}",
            accuracy_rows(results.showings),
            3,
        ),
        Table(
            "The same, difference from the plain LIF with the same defence, in points, paired\n"
            f"{describe_intervals(plan)}; *: not 0 over the images, **: nor over the trainings",
            difference_rows(results.showings_against_lif),
            3,
        ),
        Table(
            "Parts of AutoAttack snn that made the images that are kept, % of the images",
            winner_rows(results.winners),
            3,
        ),
        Table(
            f"Accuracy under weaker attacks, first training, %\n{describe_weaker(plan)}",
            accuracy_rows(results.weaker),
            3,
        ),
        Table(
            "What more iterations change, first training, in points, paired; *: not 0\n"
            f"{describe_climb(plan)}, iterations varied",
            difference_rows(results.converged),
            3,
        ),
        Table("Cosine between two draws, first training", similarity_rows(results.similarities), 3),
    ]
    tables += _depth_tables(results)
    if results.masking:
        tables.append(Table("Signs of masked gradients", masking_rows(results.masking), 4))
    return tables


def _depth_tables(results: StudyResults) -> list[Table]:
    """Return the tables of a study at depth, if it is one."""
    if not results.draws_by_depth:
        return []
    title = (
        "Accuracy by EOT draws and random layers, first training, %\n"
        f"{describe_climb(results.plan)}, draws varied"
    )
    return [
        Table(title, depth_rows(results.draws_by_depth), 3),
        Table("The paper's claims, and what was found", claim_rows(results), 3),
    ]


def describe_plan(plan: StudyPlan) -> str:
    """Return a plan's images and strongest attacks in sentences."""
    ensemble, few = plan.ensemble, plan.chip_images
    on_chip = "" if few is None else f", {few} on the chip"
    return (
        f"{plan.images} images of {plan.data} ({plan.ensemble_images} attacked{on_chip}), ε ="
        f" {255 * plan.pgd.epsilon:g}/255, {counted(plan.trials, 'trial')}, trainings:"
        f" {plan.training.seeds}\nAutoAttack snn-{ensemble.iterations} (EOT {ensemble.draws}),"
        " transferred: made by it on the float model\nworst: per image over this, PGD through the"
        " network's own surrogate and transferred images, chosen on other draws than those"
        f" reported; every draw: right in all {plan.trials}\n{describe_intervals(plan)}"
    )


def describe_intervals(plan: StudyPlan) -> str:
    """Return what the lines of a cell mean."""
    over_trainings = ", then over trainings" if plan.training.seeds > 1 else ""
    return f"95 % intervals over images{over_trainings}"


def describe_climb(plan: StudyPlan) -> str:
    """Return the attack whose surrogate and budget are varied."""
    climb = plan.ensemble
    return f"cosine-decayed PGD-{climb.iterations} (EOT {climb.draws}, adaptive)"


def describe_weaker(plan: StudyPlan) -> str:
    """Return the budgets of the weaker attacks."""
    draws = plan.pgd.draws
    return (
        f"the network's own surrogate; PGD-{plan.pgd.iterations}, AutoAttack"
        f" rand-{plan.auto_attack.iterations} on {plan.auto_attack_images} images,"
        f" Square-{plan.square.iterations} on {plan.square_images}, all EOT {draws}"
    )


def difference_rows(cells: Sequence[DifferenceCell]) -> list[list[str]]:
    """Return networks and places down, attacks across; differences in points, with intervals."""
    return across(cells, WHERE, _place_of, lambda c: points(c.difference, c.over_trainings))


def winner_rows(cells: Sequence[WinnerCell]) -> list[list[str]]:
    """Return networks and places down, parts across, shares in %."""
    parts = list(dict.fromkeys(name for cell in cells for name in cell.shares))
    rows = [["defence", "network", "place", *(wrap(part) for part in parts)]]
    for cell in cells:
        shares = [decimal(100 * cell.shares.get(part, 0), 0) for part in parts]
        rows.append([cell.defence, cell.network, PLACES[cell.place], *shares])
    return rows


def masking_rows(cells: Sequence[MaskingCell]) -> list[list[str]]:
    """Return one row for each sign."""
    rows = [["defence", "network", "place", "sign", "value", "limit"]]
    for cell in cells:
        sign = cell.finding
        value = interval_in_percent(sign.value, sign.low, sign.high)
        where = [cell.defence, cell.network, PLACES[cell.place]]
        rows.append([*where, sign.sign, value, in_percent(sign.limit, 0)])
    return rows


def similarity_rows(cells: Sequence[SimilarityCell]) -> list[list[str]]:
    """Return mean cosines between draws, with 95 % intervals."""
    rows = [["defence", "network", "but for", "gradients", "perturbations"]]
    for cell in cells:
        texts = [cosine_text(cosines) for cosines in (cell.gradient, cell.perturbation)]
        rows.append([cell.defence, cell.network, cell.variant.title or "–", *texts])
    return rows


def depth_rows(points: Sequence[DepthPoint]) -> list[list[str]]:
    """Return networks and numbers of random layers down, EOT draws across, in %."""

    def line_of(point: DepthPoint) -> list[str]:
        layers = point.variant.random_layers
        return [point.defence, point.network, "all" if layers is None else str(layers)]

    heads = ["defence", "network", "random layers"]
    return across(points, heads, line_of, lambda point: percent(point.accuracy, None))


def _place_of(cell: AccuracyCell | DifferenceCell) -> list[str]:
    return [cell.defence, cell.network, PLACES[cell.place]]
