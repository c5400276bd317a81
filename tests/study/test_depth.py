"""The study at depth, as small as it can be."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from stochi.data import load_digits
from stochi.errors import InputError
from stochi.study import (
    AutoAttackPlan,
    DepthPlan,
    EnsemblePlan,
    PGDPlan,
    SimilarityPlan,
    SquarePlan,
    StudyPlan,
    StudyResults,
    TrainingPlan,
    conduct,
    depth_plan,
)
from stochi.study.answers import Answers
from stochi.study.claims import claim_rows
from stochi.study.depth_figures import make_cosines, own_variant
from stochi.study.keys import answer_key, similarity_key, weights_key
from stochi.study.networks import build_network, load_or_train, make_variant, training_config
from stochi.study.questions import Questions, comparisons_about, questions_about
from stochi.study.store import Store
from stochi.study.tables import make_tables
from stochi.study.variants import OWN, Variant
from stochi.study.victims import FLOAT, UNTRAINED, Victim
from stochi.train import RandomTauLeaky

TINY = replace(
    depth_plan("digits", quick=True),
    images=6,
    trials=1,
    calibration_images=2,
    training=TrainingPlan(
        images=64, epochs=1, seeds=2, time_steps=2, network="vgg9", width=1, optimizer="sgd"
    ),
    pgd=PGDPlan(iterations=1, draws=1),
    square=SquarePlan(images=2, iterations=1),
    auto_attack=AutoAttackPlan(images=2, iterations=1),
    ensemble=EnsemblePlan(images=3, iterations=1, draws=1, epsilons=(0.3,)),
    similarity=SimilarityPlan(images=2, draws=2),
    places=(FLOAT, "decay", "membrane"),
    depth=DepthPlan(
        layers=(1, 4),
        sigmas=(4.0,),
        time_steps=(1,),
        widths=(2,),
        attacked_layers=(1,),
        draws=(1, 2),
        images=2,
    ),
)
RANDOM = Victim("RandHet-SNN", "fgsm")
STORED = Store("unused")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("depth")


@pytest.fixture(scope="module")
def results(folder: Path) -> StudyResults:
    return conduct(TINY, folder)


@pytest.mark.slow
def test_it_asks_what_it_says(results: StudyResults) -> None:
    trainings = {(cell.network, cell.defence) for cell in results.similarities}
    neurons = ("RandHet-SNN", "RandHet-SNN**")
    assert trainings == {(n, d) for n in neurons for d in (UNTRAINED, "none", "fgsm")}
    variants = {cell.variant for cell in results.similarities if cell.defence == "fgsm"}
    varied = Variant(1), Variant(4), Variant(sigma=4.0), Variant(time_steps=1)
    assert variants == {OWN, *varied}
    untrained = {cell.variant for cell in results.similarities if cell.defence == UNTRAINED}
    assert untrained == variants | {Variant(width=2)}
    points = {(p.network, p.variant.random_layers, p.draws) for p in results.draws_by_depth}
    assert points == {(n, layers, d) for n in neurons for layers in (1, None) for d in (1, 2)}
    columns = {(cell.place, cell.column) for cell in results.table}
    assert (FLOAT, "AutoAttack snn,\nε = 76.5/255") in columns
    assert not any("76.5" in column for place, column in columns if place != FLOAT)
    assert {place for place, _ in columns} == {FLOAT, "decay", "membrane", "none"}
    clean = [c for c in results.table if c.defence == "none"]
    assert {(c.network, c.column) for c in clean} == {(n, "clean") for n in ("LIF", *neurons)}


@pytest.mark.slow
def test_it_is_found_once(results: StudyResults, folder: Path) -> None:
    told: list[str] = []
    before = {path: path.read_bytes() for path in folder.iterdir()}
    again = conduct(TINY, folder, progress=told.append)
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert again.to_json() == results.to_json()
    assert " 0 answers to find" in told[0] and all("0 new answers" in line for line in told[1:])
    assert json.loads(json.dumps(results.to_json()))["plan"]["depth"]["layers"] == [1, 4]


@pytest.mark.slow
def test_tables_and_figures_show_it(results: StudyResults) -> None:
    tables = {table.title.splitlines()[0]: table.rows for table in make_tables(results)}
    draws = tables["Accuracy by EOT draws and random layers, first training, %"]
    assert draws[0] == ["defence", "network", "random layers", "1 draw", "2 draws"]
    assert [row[2] for row in draws[1:]] == ["1", "all", "1", "all"]
    cosines = tables["Cosine between two draws, first training"]
    assert {row[2] for row in cosines} >= {"but for", "–", "random layers: 1", "σ: 4", "T: 1"}
    claims = tables["The paper's claims, and what was found"]
    assert claims == claim_rows(results) and claims[-1][-1] == "not tested"
    assert any("about 0.3" in row[0] and row[1] == "RandHet-SNN, fgsm" for row in claims)
    figure = make_cosines(results.similarities, own_variant(TINY))
    panels = figure.axes
    assert [panel.get_xlabel() for panel in panels[4:]] == [
        "random layers",
        "σ",
        "time steps",
        "width",
    ]
    ticks = [[text.get_text() for text in panel.get_xticklabels()] for panel in panels[4:]]
    assert ticks[0] == ["1", "4", "8"] and all(map(all, ticks)) and all(ticks)
    lines = [line for line in panels[0].get_lines() if len(line.get_xdata()) == 3]
    assert list(lines[0].get_xdata()) == [1, 4, 8]  # type: ignore[arg-type]


@pytest.mark.slow
def test_a_variant_has_the_victim_s_weights(results: StudyResults, folder: Path) -> None:
    training = load_digits()[0].first(TINY.training.images)
    own = load_or_train(RANDOM, TINY, training, Store(folder))
    weights = {name: values for name, values in own.named_parameters()}

    def varied(variant: Variant) -> nn.Module:
        return make_variant(RANDOM, TINY, training, own, variant)

    for variant in (Variant(2), Variant(sigma=3.0), Variant(time_steps=5)):
        for name, values in varied(variant).named_parameters():
            assert torch.equal(values, weights[name])
    neurons = [m for m in varied(Variant(2)).modules() if isinstance(m, RandomTauLeaky)]
    assert [neuron.sampling for neuron in neurons] == ["step"] * 2 + ["mean"] * 6
    assert varied(Variant(time_steps=5)).time_steps == 5
    wide = make_variant(Victim("RandHet-SNN", UNTRAINED), TINY, training, own, Variant(width=3))
    assert next(wide.parameters()).shape[0] == 3


@pytest.mark.slow
def test_an_untrained_network_has_settled_batch_norms(folder: Path, results: StudyResults) -> None:
    training = load_digits()[0].first(TINY.training.images)
    net = load_or_train(Victim("LIF", UNTRAINED), TINY, training, Store(folder))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        built = build_network(Victim("LIF", UNTRAINED), TINY, training)
    for (name, ours), theirs in zip(net.named_parameters(), built.parameters(), strict=True):
        assert torch.equal(ours, theirs), name
    norm = net.get_submodule("network.conv1.norm")
    current = net.get_submodule("network.conv1.conv")(
        net.get_submodule("network.normalize")(training.inputs)
    )
    assert torch.allclose(norm.running_mean, current.mean((0, 2, 3)), atol=1e-5)
    assert norm.momentum == 0.1


def test_answers_at_depth_have_names_of_their_own() -> None:
    plan = TINY
    keys = [weights_key(RANDOM, plan)]
    for changed in (
        {"network": "sew-resnet19"},
        {"width": 2},
        {"optimizer": "adam"},
        {"draws": 1},
    ):
        keys.append(weights_key(RANDOM, replace(plan, training=replace(plan.training, **changed))))
    keys += [similarity_key(RANDOM, plan, v) for v in comparisons_about(RANDOM, plan)]
    keys += [answer_key(RANDOM, plan, question) for question in questions_about(RANDOM, plan)]
    assert len({STORED.path(key, "json") for key in keys}) == len(keys) > 20


def test_training_is_the_paper_s() -> None:
    config = training_config(RANDOM, depth_plan().training)
    assert (config.optimizer, config.learning_rate, config.weight_decay) == ("sgd", 0.1, 1e-4)
    assert training_config(RANDOM, StudyPlan().training).optimizer == "adam"


def test_only_first_trainings_are_varied() -> None:
    plan = depth_plan()
    later = replace(RANDOM, seed=1)
    assert comparisons_about(later, plan) == [] and plan.attacks(later)
    assert comparisons_about(Victim("LIF", "fgsm"), plan) == []
    assert questions_about(Victim("RandHet-SNN", UNTRAINED), plan) == []
    assert Questions(plan, "decay").ensemble in questions_about(later, plan)
    seeds = {v.seed for v in plan.victims() if v.defence == "fgsm"}
    assert seeds == {0, 1, 2}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: replace(TINY, depth=DepthPlan(layers=(9,))), "random_layers is 9"),
        (lambda: replace(TINY, training=TrainingPlan()), "depth needs a deep network"),
        (lambda: replace(TINY, places=("cloud",)), "unknown places cloud"),
        (lambda: TrainingPlan(network="resnet"), "unknown network resnet"),
        (lambda: TrainingPlan(optimizer="lion"), "unknown optimizer lion"),
        (lambda: DepthPlan(draws=(0,)), "draws is 0"),
        (lambda: DepthPlan(layers=(-1,)), "-1"),
        (lambda: replace(TINY, depth=DepthPlan(compared=("magic",))), "magic"),
    ],
)
def test_what_is_wrong_is_told(wrong: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError) as told:
        wrong()
    assert message in str(told.value)


@pytest.mark.slow
def test_nothing_is_missing_when_it_is_done(results: StudyResults, folder: Path) -> None:
    answers = Answers(TINY, Store(folder))
    for victim in TINY.victims():
        assert answers.open_questions(victim) == [] and answers.open_comparisons(victim) == []


@pytest.mark.cuda
def test_it_runs_on_a_gpu(results: StudyResults, tmp_path: Path) -> None:
    on_gpu = conduct(TINY.with_options(device="cuda"), tmp_path)
    assert len(on_gpu.similarities) == len(results.similarities)
    assert len(on_gpu.draws_by_depth) == len(results.draws_by_depth)
