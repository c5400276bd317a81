"""The worst of several attacks, images that are right in every trial, and who made the images."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from stochi.attacks import FGSM, PGD, AutoAttack, GreedySpikes, Square, UniformNoise
from stochi.attacks.auto_attack import UNCHANGED
from stochi.attacks.base import Attack
from stochi.data import Images
from stochi.deploy import Program, lower
from stochi.export import to_nir
from stochi.parity import ParityReport, check_parity
from stochi.parity.attacked import Attacked, attacked_row, clean_row, worst_rows
from stochi.parity.report.tables import PARTS_TITLE, accuracy_rows, part_rows
from stochi.parity.results import SIDES, WORST, AccuracyRow, Flips
from stochi.parity.sides import make_sides
from stochi.statistics.intervals import estimate_accuracy
from tests.conftest import conv_net
from tests.parity.test_attacked import of, on_all_sides

SHAPE = (2, 8, 8)
CLEAN, CLEAN_ONE = on_all_sides("xxxxx", "xxxxx"), on_all_sides("x", "x")
HALVES = slice(0, 3), slice(3, 6)
"""Of six trials, those that are reported and those that choose."""


@pytest.fixture(scope="module")
def net() -> nn.Module:
    torch.manual_seed(0)
    return conv_net()


@pytest.fixture(scope="module")
def program(net: nn.Module) -> Program:
    return lower(to_nir(net, torch.rand(1, *SHAPE)))


@pytest.fixture(scope="module")
def data(net: nn.Module) -> Images:
    inputs = torch.rand(12, *SHAPE)
    with torch.no_grad():
        return Images(inputs, torch.stack([net(inputs) for _ in range(50)]).mean(0).argmax(1))


def check(net: nn.Module, program: Program, data: Images, *attacks: Attack) -> ParityReport:
    few = {"trials": 3, "seeds": (0,), "lava": False, "margins": None, "exact_images": 2}
    return check_parity(net, program, data, attacks=attacks, **few)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def report(net: nn.Module, program: Program, data: Images) -> ParityReport:
    snn = AutoAttack(0.1, version="snn", iterations=2, draws=2)
    return check(net, program, data, UniformNoise(0.1), snn, FGSM(0.1, draws=2))


def shown(
    attack: Attack,
    correct: dict[str, torch.Tensor],
    chosen_by: dict[str, torch.Tensor] | None = None,
    by: tuple[str, ...] = (),
) -> Attacked:
    made_on = "float" if attack.recipe.uses_model else None
    return Attacked(attack.recipe, made_on, correct, chosen_by or correct, by)


def test_the_worst_is_chosen_by_some_trials_and_reported_by_others() -> None:
    """Images 0 and 4 go to the first attack, 1 and 3 to the second, 2 to the first of equals."""
    first = shown(
        PGD(0.1),
        on_all_sides(".x..x", ".x..."),
        chosen_by=on_all_sides(".xxx.", ".x.x."),
    )
    second = shown(
        Square(0.1),
        on_all_sides("x.xx.", "xxxx."),
        chosen_by=on_all_sides("x..x.", "x.x.x"),
    )
    (row,) = worst_rows([first, second], CLEAN)
    # Images 3 and 4 count as right where the other attack would have been worse: that was not
    # known from the trials that choose.
    reported = of("...xx", ".x.x.")
    for side in SIDES:
        assert row.sides[side] == estimate_accuracy(reported)
        assert row.sides[side].value == 0.4
        assert row.every_draw[side] == estimate_accuracy(of("...x."))
    assert all(difference.value == 0 for difference in row.differences.values())
    assert row.flips == Flips((), (), both=(0, 1, 2, 4))
    assert (row.attack, row.title) == ("worst of all attacks, ε = 0.1", WORST)
    assert (row.made_on, row.epsilon, row.lava, row.made_by) == (None, 0.1, None, {})
    # The other way round only the image of equals changes.
    (turned,) = worst_rows([second, first], CLEAN)
    assert turned.sides["float"] == estimate_accuracy(of("..xxx", ".xxx."))


def test_each_side_has_a_worst_attack_of_its_own() -> None:
    right, wrong = of("x", "x"), of(".", ".")
    on_float = {"float": wrong, "twin": right, "chip": right}
    on_chip = {"float": right, "twin": wrong, "chip": wrong}
    (row,) = worst_rows([shown(PGD(0.1), on_float), shown(FGSM(0.1), on_chip)], CLEAN_ONE)
    assert {side: one.value for side, one in row.sides.items()} == dict.fromkeys(SIDES, 0)
    assert row.flips == Flips((), (), both=(0,))


def test_only_attacks_on_a_model_with_the_same_epsilon_are_compared() -> None:
    right, wrong = on_all_sides("x", "x"), on_all_sides(".", ".")
    noise, events = shown(UniformNoise(0.1), wrong), shown(GreedySpikes(3), wrong)
    assert worst_rows([noise, shown(PGD(0.1), right)], CLEAN_ONE) == []
    assert worst_rows([shown(PGD(0.1), right), shown(PGD(0.2), wrong)], CLEAN_ONE) == []
    assert worst_rows([events, shown(GreedySpikes(4), wrong)], CLEAN_ONE) == []
    rows = worst_rows(
        [
            noise,
            *(shown(PGD(epsilon), right) for epsilon in (0.2, 0.1, 0.3)),
            shown(FGSM(0.1), right),
            shown(FGSM(0.2), wrong),
            events,
        ],
        CLEAN_ONE,
    )
    assert [(row.epsilon, row.sides["chip"].value) for row in rows] == [(0.2, 0), (0.1, 1)]


@pytest.mark.slow
def test_a_check_chooses_the_worst_by_as_many_further_trials(
    net: nn.Module, program: Program, data: Images, report: ParityReport
) -> None:
    """The same from twice as many trials, split here."""
    sides = make_sides(net, net, program, data, 0, 6, 512)
    clean = sides.score(data)
    found = []
    for attack in (AutoAttack(0.1, version="snn", iterations=2, draws=2), FGSM(0.1, draws=2)):
        for made_on in ("float", "twin"):
            made = attack(sides.surface(made_on), data.inputs, data.labels)
            right = sides.score(Images(made, data.labels))
            halves = ({side: r[part] for side, r in right.items()} for part in HALVES)
            found.append(Attacked(attack.recipe, made_on, *halves))
    (row,) = worst_rows(found, {side: r[:3] for side, r in clean.items()})
    assert report.accuracy[-1] == row
    assert [r.title == WORST for r in report.accuracy] == [False] * 6 + [True]
    assert report.table()[-1][0] == "worst of all attacks, ε = 0.1\n12 images"


def test_only_the_attacked_images_count_in_the_worst_row(
    net: nn.Module, program: Program, data: Images
) -> None:
    few = {"trials": 2, "seeds": (0,), "lava": False, "margins": None, "attack_images": 5}
    report = check_parity(net, program, data, attacks=[FGSM(0.1, draws=1)], **few)  # type: ignore[arg-type]
    assert [row.sides["chip"].images for row in report.accuracy] == [12, 5, 5, 5]
    assert report.accuracy[-1].title == WORST


def test_further_trials_have_draws_of_their_own(
    net: nn.Module, program: Program, data: Images
) -> None:
    three, six = (
        make_sides(net, net, program, data, 0, trials, 512).score(data) for trials in (3, 6)
    )
    sides = make_sides(net, net, program, data, 0, 3, 512)
    later = sides.score(data, first_trial=3)
    for side in SIDES:
        assert torch.equal(six[side], torch.cat([three[side], later[side]]))
        assert not torch.equal(three[side], later[side])


def test_an_image_counts_if_it_is_right_in_every_trial() -> None:
    correct = on_all_sides("xx.x", "x..x", "xxx.")
    correct["chip"] = of("xxx.", "xxx.", "xxx.")
    for row in (clean_row(correct), attacked_row(shown(PGD(0.1), correct), correct)):
        found = row.every_draw["float"]
        assert row.sides["float"].value == pytest.approx(8 / 12)
        assert (found.value, found.images, found.trials, found.trial_spread) == (0.25, 4, 1, 0)
        assert found == estimate_accuracy(of("x..."))
        assert row.every_draw["chip"].value == row.sides["chip"].value == 0.75
        head, cells = accuracy_rows([row])
        lines = dict(zip(head, (cell.split("\n") for cell in cells), strict=True))
        assert lines["float model"] == ["66.7%", "24.5–92.5", "all 3: 25.0%"]
        assert lines["chip"][2] == "all 3: 75.0%"


def test_a_report_s_images_are_right_in_all_trials_at_most_as_often_as_in_one(
    net: nn.Module, program: Program, data: Images, report: ParityReport
) -> None:
    pairs = [(row.sides[side], row.every_draw[side]) for row in report.accuracy for side in SIDES]
    assert all(every.value <= expected.value for expected, every in pairs)
    assert any(every.value < expected.value for expected, every in pairs)
    # A chip that draws nothing answers the same in every trial.
    still = lower(to_nir(net, data.inputs[:1]), noise="none")
    for row in check(net, still, data, FGSM(0.1, draws=1)).accuracy:
        assert row.every_draw["chip"].value == row.sides["chip"].value


def test_the_parts_that_made_the_images_are_counted() -> None:
    attack, right = AutoAttack(0.1, version="snn"), on_all_sides("xxxxx")
    row = attacked_row(shown(attack, right, by=("B", "A", "A", UNCHANGED, "A")), right)
    assert row.made_by == {"A": 0.6, "B": 0.2, UNCHANGED: 0.2}
    assert next(iter(row.made_by)) == "A"  # the largest first
    one = attacked_row(shown(attack, right, by=("A",) * 5), right)
    assert one.made_by == {"A": 1}
    for by in ((attack.title,) * 5, ()):
        assert attacked_row(shown(attack, right, by=by), right).made_by == {}
    head, *rows = part_rows([clean_row(right), row, one])
    assert head == ["images shown", "made by", "% of the images"]
    name = f"{attack.name}\nmade on float model\n5 images"
    assert rows == [
        [attack.name, "A", "60"],
        ["made on float model", "B", "20"],
        ["5 images", UNCHANGED, "20"],
        [name, "A", "100"],
    ]


def test_a_report_tells_which_parts_made_its_images(
    net: nn.Module, program: Program, data: Images, report: ParityReport, tmp_path: Path
) -> None:
    attack = AutoAttack(0.1, version="snn", iterations=2, draws=2)
    parts = {part.title for part in attack.parts()} | {UNCHANGED}

    def of_attack(row: AccuracyRow) -> bool:
        return row.title == attack.title

    made = [row.made_by for row in report.accuracy if of_attack(row)]
    assert len(made) == 2
    for shares in made:
        assert set(shares) <= parts and sum(shares.values()) == pytest.approx(1)
    assert all(row.made_by == {} for row in report.accuracy if not of_attack(row))
    assert [row[1] for row in report.parts_table()[1:]] == [name for m in made for name in m]
    report.to_html(tmp_path / "r.html")
    assert PARTS_TITLE in (tmp_path / "r.html").read_text(encoding="utf-8")

    several = check(net, program, data, FGSM(0.1, draws=2, surrogates=("own", "atan-25")))
    names = {"FGSM (EOT 2)", "FGSM (EOT 2, atan-25)"}
    assert all(set(row.made_by) <= names for row in several.accuracy)
    assert set().union(*(row.made_by for row in several.accuracy)) == names

    alone = replace(report, accuracy=report.accuracy[:2])
    assert len(alone.parts_table()) == 1
    alone.to_html(tmp_path / "r.html")
    assert PARTS_TITLE not in (tmp_path / "r.html").read_text(encoding="utf-8")
