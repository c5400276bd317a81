"""Parity under attack: sides, differences, flips, signs of masked gradients."""

import json
import re
from dataclasses import astuple, replace
from pathlib import Path

import pytest
import torch
from snntorch.surrogate import atan, fast_sigmoid
from torch import nn

from stochi.attacks import (
    ATTACK_NAMES,
    FGSM,
    PGD,
    SAPGD,
    GreedySpikes,
    ProgramModel,
    Square,
    UniformNoise,
    make_attack,
    with_surrogate,
)
from stochi.attacks.base import Attack
from stochi.data import Images
from stochi.deploy import Program, lower
from stochi.errors import InputError
from stochi.export import to_nir
from stochi.export.model.model import GraphModel
from stochi.hardware.draws import Draws
from stochi.parity import Margins, ParityReport, ablate, check_parity, draw_robustness
from stochi.parity.arguments import ATTACKER_SEED
from stochi.parity.attacked import (
    Attacked,
    at_each_epsilon,
    find_flips,
    make_attacked,
)
from stochi.parity.batch_sizes import VALUES_AT_A_TIME, images_at_a_time
from stochi.parity.masking import find_signs
from stochi.parity.records.float_model import run_float_model
from stochi.parity.results import Flips
from tests.attacks.trained import some_images, trained_net
from tests.conftest import conv_net

SHAPE = (2, 8, 8)
DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.fixture(scope="module")
def net() -> nn.Module:
    torch.manual_seed(0)
    return conv_net()


@pytest.fixture(scope="module")
def program(net: nn.Module) -> Program:
    return lower(to_nir(net, torch.rand(1, *SHAPE)))


@pytest.fixture(scope="module")
def data(net: nn.Module) -> Images:
    inputs = torch.rand(20, *SHAPE)
    with torch.no_grad():
        return Images(inputs, torch.stack([net(inputs) for _ in range(50)]).mean(0).argmax(1))


def check(net: nn.Module, program: Program, data: Images, **options: object) -> ParityReport:
    defaults = {"trials": 3, "seeds": (0,), "lava": False, "margins": None, "exact_images": 4}
    return check_parity(net, program, data, **{**defaults, **options})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def report(net: nn.Module, program: Program, data: Images) -> ParityReport:
    attacks = [
        UniformNoise(0.5),
        PGD(0.5, iterations=3, draws=2),
        FGSM(0.5, draws=2),
        Square(0.5, iterations=3, draws=2),
    ]
    return check(net, program, data, attacks=attacks, epsilons=[0.0, 0.3])


def test_every_attack_runs_at_every_budget_on_all_its_surfaces(report: ParityReport) -> None:
    shown = [(row.attack.split()[0], row.epsilon, row.made_on) for row in report.accuracy]
    torch_models = ("float", "twin")
    assert shown == [
        ("clean", None, None),
        *[("uniform", epsilon, None) for epsilon in (0.0, 0.3)],
        *[("PGD-3", epsilon, on) for epsilon in (0.0, 0.3) for on in torch_models],
        *[("FGSM", epsilon, on) for epsilon in (0.0, 0.3) for on in torch_models],
        *[("Square-3", epsilon, on) for epsilon in (0.0, 0.3) for on in ("float", "chip")],
        *[("worst", epsilon, None) for epsilon in (0.0, 0.3)],
    ]
    assert report.configuration.epsilons == (0.0, 0.3)


def test_the_configuration_repeats_the_attacks(report: ParityReport) -> None:
    kept = json.loads(json.dumps(report.to_json()))["configuration"]["attacks"]
    assert len(kept) == 8
    made = kept[3]
    assert made["kind"] == "PGD"
    assert PGD(**made["parameters"]) == PGD(0.3, iterations=3, draws=2)


def test_a_budget_of_zero_gives_the_clean_accuracy(report: ParityReport) -> None:
    clean, *rest = report.accuracy
    still = [row for row in rest if row.epsilon == 0]
    assert len(still) == 8  # with the worst of all attacks
    for row in still:
        assert list(row.sides) == ["float", "twin", "chip"] and row.sides == clean.sides
        assert row.every_draw == clean.every_draw
        assert row.differences["chip_minus_float"] == clean.differences["chip_minus_float"]
        assert row.flips == Flips((), (), ())


def test_a_program_and_its_twin_answer_alike_under_attack(report: ParityReport) -> None:
    for row in report.accuracy:
        differences = row.differences
        assert differences["chip_minus_twin"].value == 0
        assert differences["twin_minus_float"] == differences["chip_minus_float"]
        difference = row.sides["chip"].value - row.sides["float"].value
        assert differences["chip_minus_float"].value == pytest.approx(difference)
    moved = [row.flips for row in report.accuracy if row.epsilon and row.flips is not None]
    assert len(moved) == 8
    assert any(sum(map(len, astuple(flips))) > 0 for flips in moved)


def of(*rows: str) -> torch.Tensor:
    """(trials, images) bool from a row of marks for each trial, "x" for a right answer."""
    return torch.tensor([[mark == "x" for mark in row] for row in rows])


def on_all_sides(*rows: str) -> dict[str, torch.Tensor]:
    return {side: of(*rows) for side in ("float", "twin", "chip")}


def test_images_flip_where_the_majority_goes_from_right_to_wrong() -> None:
    clean = {"float": of("xxxx.x", "xxxx.x", "xxxx.."), "chip": of("xxxx.x")}
    attacked = {"float": of("..xx..", "x.xx..", "..x..."), "chip": of("x..x..")}
    found = find_flips(clean, attacked)
    # Image 4 was never right; on image 5 both go from right (2 of 3 trials) to wrong.
    assert found == Flips(float_only=(0,), chip_only=(2,), both=(1, 5))


def test_flips_are_a_partition_of_what_either_side_loses(report: ParityReport) -> None:
    for row in report.accuracy[1:]:
        assert row.flips is not None
        parts = [set(indices) for indices in astuple(row.flips)]
        assert sum(map(len, parts)) == len(set().union(*parts))
        assert all(0 <= index < 20 for part in parts for index in part)


def test_a_black_box_asks_the_program_itself(net: nn.Module, program: Program) -> None:
    images = Images(torch.rand(6, *SHAPE), torch.arange(6) % 5)
    attack = Square(0.3, iterations=2, draws=2)
    report = check(net, program, images, attacks=[attack], trials=2)
    shown = make_attacked(attack, ProgramModel(program, ATTACKER_SEED), images, 512)
    clean = check(net, program, shown, trials=2)
    assert report.accuracy[2].made_on == "chip"
    for side in ("float", "chip"):
        assert report.accuracy[2].sides[side] == clean.accuracy[0].sides[side]


def test_budgets_that_make_no_sense_raise(net, program, data) -> None:  # type: ignore[no-untyped-def]
    for epsilons, message in (([], "epsilons is empty"), ([0.1, 2.0], "epsilon is 2.0")):
        with pytest.raises(InputError, match=message):
            check(net, program, data, attacks=[FGSM(0.1)], epsilons=epsilons)
    with pytest.raises(InputError, match=r"epsilons belong to attacks.* pass attacks="):
        check(net, program, data, epsilons=[0.1])
    with pytest.raises(InputError, match="batch_size is 0"):
        check(net, program, data, batch_size=0)
    events = GreedySpikes(3)
    assert at_each_epsilon([events], [0.1, 0.2]) == [events]
    assert at_each_epsilon([FGSM(0.3)], None) == [FGSM(0.3)]


def test_batches_change_draws_only(net: nn.Module, program: Program, data: Images) -> None:
    draws = Draws(0, 0)
    whole = run_float_model(net, data.inputs, draws)
    assert torch.equal(run_float_model(net, data.inputs, draws, 20), whole)
    assert not torch.equal(run_float_model(net, data.inputs, draws, 7), whole)
    still = conv_net(sampling="mean")
    parts = run_float_model(still, data.inputs, draws, 7)
    assert torch.allclose(parts, run_float_model(still, data.inputs, draws))
    # Other draws, but the chip's answers are the same, and so is the model.
    large, small = (check(net, program, data, batch_size=size, trials=2) for size in (20, 7))
    for side in ("chip", "twin"):
        assert large.accuracy[0].sides[side] == small.accuracy[0].sides[side]
    assert check(net, program, data, trials=2).accuracy == large.accuracy


def test_torch_models_never_see_more_than_a_batch(
    net: nn.Module, program: Program, data: Images, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    run = GraphModel.run

    def noting(model: GraphModel, inputs: torch.Tensor) -> object:
        seen.append(len(inputs))
        return run(model, inputs)

    monkeypatch.setattr(GraphModel, "run", noting)
    hook = net.register_forward_pre_hook(lambda _, inputs: seen.append(len(inputs[0])))
    report = check_parity(
        net,
        program,
        data,
        trials=2,
        lava=False,
        batch_size=8,
        attacks=[FGSM(0.1, draws=1)],
        exact_images=4,
    )
    hook.remove()
    assert max(seen) == 8
    assert report.distribution is not None and report.distribution.images == 20


def answers(share: float) -> torch.Tensor:
    """(2, 200), the first ``share`` of which are right."""
    return (torch.arange(200) < share * 200).expand(2, -1)


def shown(attack: Attack, made_on: str | None, on_float: float, on_chip: float) -> Attacked:
    sides = {"float": on_float, "twin": on_chip, "chip": on_chip}
    correct = {side: answers(share) for side, share in sides.items()}
    return Attacked(attack.recipe, made_on, correct, correct)


def test_signs_of_masking_are_found_on_the_side_that_shows_them(report: ParityReport) -> None:
    pgd, fgsm, square = PGD(0.1), FGSM(0.1), Square(0.1)
    honest = [
        shown(UniformNoise(0.1), None, 0.9, 0.9),
        shown(pgd, "float", 0.3, 0.4),
        shown(pgd, "twin", 0.4, 0.3),
        shown(fgsm, "float", 0.5, 0.5),
        shown(fgsm, "twin", 0.5, 0.5),
        shown(square, "float", 0.6, 0.6),
        shown(square, "chip", 0.6, 0.6),
    ]
    assert find_signs(honest) == []
    masked = [
        shown(UniformNoise(0.1), None, 0.9, 0.5),
        *honest[1:2],
        shown(pgd, "twin", 0.35, 0.7),
        *honest[3:4],
        shown(fgsm, "twin", 0.5, 0.6),
        *honest[5:6],
        shown(square, "chip", 0.7, 0.55),
    ]
    found = find_signs(masked)
    assert {(sign.side, sign.epsilon, sign.white_box) for sign in found} == {
        ("chip", 0.1, pgd.name)
    }
    lost = {sign.sign.split(" leaves")[0]: round(sign.value, 9) for sign in found}
    assert lost == {"single step": 0.1, "black box": 0.15, "transferred": 0.3, "noise": 0.2}
    warnings = replace(report, masking=found).warnings()
    assert len(warnings) == 4 and all("masked on the chip" in warning for warning in warnings)
    assert any("black box" in w and "15.0%" in w and pgd.name in w for w in warnings)


def test_another_surrogate_must_not_leave_less_right(report: ParityReport) -> None:
    own, sharp = PGD(0.1), PGD(0.1, surrogates="atan-25")
    found = find_signs(
        [
            shown(own, "float", 0.5, 0.5),
            shown(own, "twin", 0.5, 0.5),
            shown(sharp, "float", 0.3, 0.49),
            shown(sharp, "twin", 0.49, 0.2),
        ]
    )
    signs = [sign for sign in found if "surrogate" in sign.sign]
    assert [(s.side, s.epsilon, s.white_box) for s in signs] == [
        ("float", 0.1, own.name),
        ("chip", 0.1, own.name),
    ]
    for sign, value in zip(signs, (0.2, 0.3), strict=True):
        assert (
            sign.sign == "masked by the surrogate: atan-25 leaves less right than the network's own"
        )
        assert sign.value == pytest.approx(value) and sign.low > sign.limit == 0.02
    warnings = replace(report, masking=signs).warnings()
    assert [w.partition(":")[0] for w in warnings] == [
        "gradients look masked on the float model",
        "gradients look masked on the chip",
    ]
    assert all("masked by the surrogate: atan-25" in w and own.name in w for w in warnings)


def test_only_the_surrogate_may_differ() -> None:
    own = shown(PGD(0.1), "float", 0.5, 0.5)
    for other in (
        shown(PGD(0.1, iterations=40, surrogates="atan-25"), "float", 0.3, 0.3),
        shown(PGD(0.1, seed=1, surrogates="atan-25"), "float", 0.3, 0.3),
        shown(SAPGD(0.1, iterations=20, surrogates="atan-25"), "float", 0.3, 0.3),
        shown(PGD(0.2, surrogates="atan-25"), "float", 0.3, 0.3),
        shown(PGD(0.1, surrogates="atan-25"), "float", 0.48, 0.3),
    ):
        assert find_signs([own, other]) == []
    # Images made on the other side are transferred ones, whatever they followed.
    (sign,) = find_signs([own, shown(PGD(0.1, surrogates="atan-25"), "twin", 0.3, 0.3)])
    assert sign.sign.startswith("transferred")
    # Nothing is known of the own surrogate here.
    sharp = [PGD(0.1, surrogates=name) for name in ("adaptive", "atan-25")]
    assert find_signs([shown(sharp[0], "float", 0.5, 0.5), shown(sharp[1], "float", 0.3, 0)]) == []


def test_a_model_with_a_surrogate_that_hides_its_gradients_causes_warnings() -> None:
    """A steep one is almost 0 except near the threshold; that of the attack hides nothing."""
    images, pgd = some_images(80), PGD(0.1, iterations=20, draws=1)
    for own, masked in ((fast_sigmoid(slope=1000), {"float", "chip"}), (atan(alpha=25), set())):
        net = with_surrogate(trained_net("mean"), own)
        report = check(
            net,
            lower(to_nir(net, images.inputs[:1]), noise="none"),
            images,
            attacks=[pgd, replace(pgd, surrogates="atan-25")],
            trials=1,
        )
        signs = [sign for sign in report.masking if "atan-25 leaves less right" in sign.sign]
        assert {sign.side for sign in signs} == masked
        assert all(sign.white_box == pgd.name for sign in signs)
        told = [warning for warning in report.warnings() if "masked by the surrogate" in warning]
        assert len(told) == len(masked)


def test_an_unbounded_attack_must_leave_nothing() -> None:
    (sign,) = find_signs([shown(PGD(1.0), "float", 0.2, 0.0)])
    assert sign.side == "float" and sign.value == pytest.approx(0.2)
    assert find_signs([shown(PGD(1.0), "float", 0.0, 0.2)]) == []
    assert find_signs([shown(PGD(0.9), "float", 0.2, 0.2)]) == []


def test_other_budgets_are_not_compared() -> None:
    assert find_signs([shown(PGD(0.1), "float", 0.6, 0.6), shown(FGSM(0.2), "float", 0.3, 0)]) == []
    assert find_signs([shown(UniformNoise(0.1), None, 0.1, 0.1)]) == []


def test_a_larger_epsilon_must_not_help_the_defender(report: ParityReport) -> None:
    found = find_signs(
        [
            shown(PGD(0.1), "float", 0.3, 0.3),
            shown(PGD(0.2), "float", 0.5, 0.1),
            shown(PGD(0.2, iterations=5), "float", 0.6, 0.6),
            shown(FGSM(0.1), "float", 0.6, 0.6),
            shown(FGSM(0.2), "float", 0.7, 0.7),
        ]
    )
    (sign,) = (sign for sign in found if sign.epsilon is None)
    assert (sign.side, sign.white_box) == ("float", "PGD")
    assert sign.sign == "ε 0.2 leaves more right than ε 0.1"
    assert sign.value == pytest.approx(0.2)
    (warning,) = (w for w in replace(report, masking=found).warnings() if "ε 0.2" in w)
    assert "(PGD)" in warning


class Blind(nn.Module):
    """Answer as the model does, with gradients of zero."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.network = model.network

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        for module in self.network.modules():
            if hasattr(module, "reset_mem"):
                module.reset_mem()
        seen = inputs.detach() + 0 * inputs
        return torch.stack([self.network(seen) for _ in range(4)]).mean(0)


def test_a_model_without_gradients_causes_warnings(
    net: nn.Module, program: Program, data: Images
) -> None:
    report = check(
        Blind(net),
        program,
        data,
        lowered_from=net,
        attacks=[PGD(0.3, iterations=3, draws=2)],
        trials=6,
    )
    on_float = [warning for warning in report.warnings() if "masked on the float model" in warning]
    assert any("images without any gradient: 100.0%" in warning for warning in on_float)
    assert any("transferred leaves less right" in warning for warning in on_float)
    assert not any("masked on the chip" in warning for warning in report.warnings())


def test_tables_and_page_have_differences_and_flips(report: ParityReport, tmp_path: Path) -> None:
    # Twin and chip agree, so all that the table of accuracies lacks is what flips.
    head, *rows = report.differences_table()
    assert head == ["images shown", "flip: float", "flip: chip", "flip: both"]
    for cells, row in zip(rows, report.accuracy[1:], strict=True):
        assert row.flips is not None
        assert [int(cell) for cell in cells[1:]] == [len(part) for part in astuple(row.flips)]
    clean = report.accuracy[0]
    apart = replace(clean, sides=clean.sides | {"twin": replace(clean.sides["twin"], value=0.0)})
    head, *rows = replace(report, accuracy=(apart,)).differences_table()
    assert head == ["images shown", "chip − float", "twin − float", "chip − twin"]
    assert len(rows) == 1
    assert len(replace(report, accuracy=(clean,)).differences_table()) == 1
    report.to_html(tmp_path / "r.html")
    assert "made on chip" in (tmp_path / "r.html").read_text(encoding="utf-8")


def test_the_figure_is_drawn_and_needs_an_attack(report: ParityReport, tmp_path: Path) -> None:
    draw_robustness(report, tmp_path / "f.png")
    assert (tmp_path / "f.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(InputError, match="no attack"):
        draw_robustness(replace(report, accuracy=report.accuracy[:1]), tmp_path / "g.png")
    assert not (tmp_path / "g.png").exists()


def test_the_report_s_keys_are_documented(
    net: nn.Module, program: Program, data: Images, report: ParityReport, tmp_path: Path
) -> None:
    """All but the names of layers and of attacks' parts, and the numbers of classes."""
    attacks = [make_attack(name, 0.1, iterations=1, draws=1) for name in ATTACK_NAMES]
    several = FGSM(0.1, draws=1, surrogates=("own", "atan-25"))
    made = check(net, program, data, attacks=[several], trials=1).accuracy
    parts = set().union(*(row.made_by for row in made))
    assert parts
    full = replace(
        report,
        configuration=replace(
            report.configuration, attacks=tuple(attack.recipe for attack in attacks)
        ),
        accuracy=made,
        distribution=check(net, program, data, margins=Margins()).distribution,
        ablation=ablate(net, program, data, attack=FGSM(0.1, draws=1), trials=2),
        masking=find_signs([shown(PGD(1.0), "float", 0.2, 0.0)]),
    )
    full.save(tmp_path / "r.json")
    saved = json.loads((tmp_path / "r.json").read_text())
    names = {layer.name for layer in program.layers} | {str(number) for number in range(5)} | parts
    page = (DOCS / "report.md").read_text(encoding="utf-8")
    assert f"of this format: {saved['version']} " in page
    documented = set(re.findall(r"`(\w+)`", page))

    def keys(value: object) -> set[str]:
        if isinstance(value, dict):
            return set(value).union(*map(keys, value.values()))
        return set().union(*map(keys, value)) if isinstance(value, list) else set()

    assert keys(saved) - names - documented == set()


def test_large_images_with_many_draws_are_attacked_few_at_a_time() -> None:
    shown: list[int] = []

    class Counting(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            shown.append(x.numel())
            return x.flatten(1)[:, :3] * torch.rand(3)

    images = Images(torch.rand(40, 3, 32, 32), torch.arange(40) % 3)
    found = make_attacked(FGSM(0.1, draws=10), Counting(), images)
    # A single run is measured. Each of 5 parts is asked twice whether the model is random, and then
    # for a gradient.
    assert found.inputs.shape == images.inputs.shape and len(shown) == 1 + 5 * 3
    assert max(shown) <= VALUES_AT_A_TIME < 2 * max(shown)
    assert images_at_a_time(images.inputs, 10, 4) == 4
    assert images_at_a_time(torch.zeros(2, 1000, 1000), 10) == 1
