"""A whole study on events."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from stochi.errors import InputError
from stochi.study import AttackPlan, EventStudyPlan, EventStudyResults, conduct_events
from stochi.study.events.answers import EventAnswers
from stochi.study.events.evaluation import evaluate
from stochi.study.events.execution import load_recordings
from stochi.study.events.figures import draw_patterns, draw_success
from stochi.study.events.patterns import read_pattern, with_pattern
from stochi.study.events.questions import (
    RANDOM,
    UNIVERSAL,
    EventQuestion,
    Shown,
    clean,
    makes_of,
    questions_about,
)
from stochi.study.events.recordings import read_attacked
from stochi.study.events.success import Wrong, sizes_of, wrong_about
from stochi.study.events.tables import describe_data, make_tables
from stochi.study.store import DamagedAnswer, Store
from stochi.study.victims import FLOAT, Victim
from tests.study.events.tiny import TINY

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("study")


@pytest.fixture(scope="module")
def results(folder: Path) -> EventStudyResults:
    return conduct_events(TINY, folder)


@pytest.fixture
def done(results: EventStudyResults, folder: Path) -> EventAnswers:
    return EventAnswers(TINY, Store(folder))


@pytest.fixture
def copied(done: EventAnswers, tmp_path: Path) -> EventAnswers:
    return EventAnswers(TINY, Store(shutil.copytree(done.store.folder, tmp_path / "answers")))


def own(victim: Victim, title: str, place: str = FLOAT) -> list[EventQuestion]:
    return [
        question
        for question in questions_about(victim, TINY)
        if question.shown.title == title
        and question.place == place == question.shown.place
        and question.shown.network == victim.neuron
    ]


def test_every_cell_of_every_table_is_filled(results: EventStudyResults, tmp_path: Path) -> None:
    places = {(cell.network, cell.place) for cell in results.attacks}
    chips = {(f"RandHet-SNN{stars}", p) for stars in ("", "**") for p in ("membrane", "decay")}
    assert places == chips | {
        *((f"RandHet-SNN{stars}", p) for stars in ("", "**") for p in (FLOAT, "none")),
        *(("LIF", p) for p in (FLOAT, "none")),
    }
    groups = ("attacks", "worst", "transferred", "crossed", "patterns", "patches")
    for cell in (cell for name in groups for cell in getattr(results, name)):
        assert 0 <= cell.success.low <= cell.success.value <= cell.success.high <= 1
        assert cell.size >= 1
    for name in (*groups, "accuracies", "against_lif", "against_float", "against_random"):
        assert getattr(results, name), name
    for table in make_tables(results):
        assert len(table.rows) > 1 and len({len(row) for row in table.rows}) == 1
        assert "saccades: 400 training and 8 test recordings; 1 trial, training seed 0" in (
            table.title
        )
    draw_success(results, tmp_path / "success.png")
    assert (tmp_path / "success.png").stat().st_size > 10_000


def test_patterns_are_drawn(results: EventStudyResults, folder: Path, tmp_path: Path) -> None:
    names = draw_patterns(TINY, folder, tmp_path)
    assert len(names) == len(set(names)) == 3 * 2 * 2
    assert {path.name for path in tmp_path.iterdir()} == set(names)
    assert "universal_RandHet-SNNxx.gif" in names


def test_json_has_every_number_beside_its_cell(results: EventStudyResults) -> None:
    found = json.loads(json.dumps(results.to_json()))
    assert found["plan"]["training"]["samples"] == 400
    first, plain = results.attacks[0], found["attacks"][0]
    assert (plain["network"], plain["low"]) == (first.network, first.success.low)
    for name in ("attacks", "against_lif", "masking", "accuracies"):
        assert len(found[name]) == len(getattr(results, name))


def test_a_study_that_is_done_is_not_done_again(
    results: EventStudyResults, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path: path.stat().st_mtime_ns for path in folder.iterdir()}
    told: list[str] = []
    assert conduct_events(TINY, folder, progress=told.append) == results
    assert told == ["3 networks, 0 answers to find; the costliest come first"]
    assert {path: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_a_stopped_study_goes_on_and_finds_the_same(
    results: EventStudyResults, copied: EventAnswers
) -> None:
    victim, other = Victim("LIF"), Victim("RandHet-SNN")
    lost = [*own(victim, "sparse-gradient"), *own(other, UNIVERSAL)]
    for question in lost:
        who = Victim(question.shown.network)
        copied.store.path(copied.key(who, question), "json").unlink()
    (made,) = (q.shown for q in own(victim, "sparse-gradient") if q.shown.changes == 20)
    copied.store.path(copied.made_key(victim, made), "pt").unlink()
    told: list[str] = []
    assert conduct_events(TINY, copied.store.folder, progress=told.append) == results
    assert told[0].startswith(f"3 networks, {len(lost)} answers to find")
    assert "LIF" in told[-1] or "RandHet-SNN" in told[-1]


def test_what_is_lost_is_made_again_for_the_other_networks(
    results: EventStudyResults, copied: EventAnswers
) -> None:
    victim, other = Victim("LIF"), Victim("RandHet-SNN")
    (question,) = (
        q
        for q in questions_about(other, TINY)
        if q.place == FLOAT and q.shown.network == "LIF" and q.shown.attack == UNIVERSAL
    )
    copied.store.path(copied.key(other, question), "json").unlink()
    copied.store.path(copied.made_key(victim, question.shown), "json").unlink()
    assert conduct_events(TINY, copied.store.folder) == results


def test_all_that_is_shown_keeps_its_budget(done: EventAnswers) -> None:
    _, test = load_recordings(TINY, None)
    seen = 0
    for victim in TINY.victims():
        for shown in makes_of(victim, TINY):
            if not shown.is_pattern:
                samples = test.first(shown.samples)
                found = read_attacked(done.store, done.made_key(victim, shown), samples)
                assert found is not None
                assert bool(shown.budget.holds(samples.inputs, found.inputs).all())
                seen += int((found.inputs != samples.inputs).any())
    assert seen > 10
    for victim in TINY.victims():
        for question in questions_about(victim, TINY):
            if question.shown.changes:
                changes = done.answer(victim, question)["changes"]
                assert min(changes) >= 0 and max(changes) <= question.shown.changes


def test_success_counts_recordings_that_are_right_without_an_attack(
    copied: EventAnswers,
) -> None:
    victim = Victim("LIF")
    (question,) = (q for q in own(victim, "sparse-gradient") if q.shown.changes == 20)
    asked_clean = EventQuestion(FLOAT, clean(TINY))
    streams = load_recordings(TINY, None)[1]
    attacked = read_attacked(copied.store, copied.made_key(victim, question.shown), streams)
    assert attacked is not None
    # Three trials choose what counts, and one is reported. The second recording does not count.
    chosen = ["11110000"] * 1 + ["10110000"] * 2
    right = torch.tensor([[c == "1" for c in row] for row in (*chosen, "11111111")])
    copied.keep(victim, asked_clean, right, streams, [streams])
    right = torch.tensor([[c == "1" for c in row] for row in (*3 * ["11111111"], "00011111")])
    copied.keep(victim, question, right, streams, [attacked])
    wrong = wrong_about(copied, victim, [question])
    assert wrong.counted.tolist() == [[True, False, True, True] + 4 * [False]]
    success, over_trainings = wrong.success()
    assert success.value == pytest.approx(2 / 3) and success.images == 3
    assert over_trainings is None
    changes = (attacked.inputs != streams.inputs).flatten(2).sum((0, 2)).double()
    sizes = sizes_of(copied, victim, question)
    assert sizes.mean_changes == pytest.approx(float(changes[[0, 2]].mean()))
    events = streams.inputs.flatten(2).sum((0, 2)).double()
    shares = (changes / events)[[0, 2]]
    assert sizes.median_share == pytest.approx(float(shares.quantile(0.5)))
    assert sizes.timing is None


def test_success_over_trainings_is_that_of_each() -> None:
    shares = torch.tensor([[1.0, 0.0, 1.0], [0.5, 0.0, 1.0]], dtype=torch.float64)
    counted = torch.tensor([[True, True, False], [True, False, False]])
    found, over_trainings = Wrong(shares, counted).success()
    assert (found.value, found.images) == (pytest.approx((0.75 + 0) / 2), 2)
    assert over_trainings is not None and over_trainings.value == pytest.approx(0.5)
    assert Wrong(shares, counted, 7).success()[0].trials == 7
    none = Wrong(torch.zeros_like(shares), torch.ones_like(counted))
    difference = Wrong(shares, counted).minus(none)
    assert difference is not None and difference[0].images == 2
    assert difference[0].value == pytest.approx((0.75 + 0) / 2)
    assert none.minus(Wrong(shares, torch.zeros_like(counted))) is None


def test_an_attack_on_nothing_that_is_right_has_no_cell(copied: EventAnswers) -> None:
    victim = Victim("LIF")
    _, test = load_recordings(TINY, None)
    right = torch.tensor([[False, False, False, False, True, True, True, True]] * 4)
    copied.keep(victim, EventQuestion(FLOAT, clean(TINY)), right, test, [test])
    found = evaluate(copied)
    here = {cell.attack for cell in found.attacks if (cell.network, cell.place) == ("LIF", FLOAT)}
    assert here == {"random-events", "sparse-gradient", "sparse-gradient (adaptive)"}
    assert {cell.success.images for cell in found.worst if cell.network == "LIF"} >= {4}
    copied.keep(victim, EventQuestion(FLOAT, clean(TINY)), ~right & False, test, [test])
    with pytest.raises(InputError, match="LIF is right about none of the 8 recordings in float"):
        evaluate(copied)


def test_masking_is_found_and_named(results: EventStudyResults, copied: EventAnswers) -> None:
    victim = Victim("LIF")
    _, test = load_recordings(TINY, None)
    by_own, by_adaptive = (
        next(q for q in own(victim, title) if q.shown.changes == 20)
        for title in ("sparse-gradient", "sparse-gradient (adaptive)")
    )
    noise = EventQuestion(FLOAT, Shown("random-events", "", "", 20, samples=8, draws=1))
    for question, right in ((by_own, True), (by_adaptive, False), (noise, False)):
        copied.keep(victim, question, torch.full((4, 8), right), test, [test])
    found = [
        (cell.attack, cell.column, cell.finding.sign)
        for cell in evaluate(copied).masking
        if (cell.network, cell.place) == ("LIF", FLOAT)
    ]
    sign = "masked by the surrogate: adaptive leaves less right than the network's own"
    assert ("sparse-gradient", "20 events", sign) in found
    copied.keep(victim, by_adaptive, torch.full((4, 8), True), test, [test])
    found = [(cell.attack, cell.finding.sign) for cell in evaluate(copied).masking]
    assert ("random-events", "noise leaves less right than the white box") in found


def test_random_patterns_differ_by_trial_and_patterns_are_as_large(done: EventAnswers) -> None:
    victim = Victim("RandHet-SNN")
    (question,) = own(victim, UNIVERSAL)
    random = replace(question, shown=replace(question.shown, attack=RANDOM + UNIVERSAL))
    assert done.made_key(victim, random.shown) == done.made_key(victim, question.shown)
    assert done.key(victim, random) != done.key(victim, question)
    kept = done.store.get(done.made_key(victim, question.shown))
    assert kept is not None and 1 <= len(kept["events"]) <= 10


def test_sizes_of_patterns_are_those_of_the_reported_trials(done: EventAnswers) -> None:
    victim, test = Victim("RandHet-SNN"), load_recordings(TINY, None)[1]
    (question,) = own(victim, UNIVERSAL)
    pattern = read_pattern(
        done.store, done.made_key(victim, question.shown), question.shown, "saccades"
    )
    assert pattern is not None
    found = done.answer(victim, question)["changes"]
    # Of four trials, three choose what counts, and the last one is reported.
    for trial in (0, 3):
        seen = with_pattern(question.shown, pattern, test, trial).inputs
        changes = (seen != test.inputs).flatten(2).sum((0, 2)).tolist()
        assert (changes == found) == (trial == 3)
    random = replace(question, shown=replace(question.shown, attack=RANDOM + UNIVERSAL))
    assert done.answer(victim, random)["changes"] == found


def test_what_damaged_files_held_is_found_again(done: EventAnswers, copied: EventAnswers) -> None:
    victim = Victim("LIF")
    samples = load_recordings(TINY, None)[1]
    key = copied.made_key(victim, own(victim, "sparse-gradient")[0].shown)
    size = samples.inputs.numel()
    for changed in (torch.tensor([size]), torch.tensor([-1]), torch.tensor([1.5])):
        copied.store.put_tensors(key, {"changed": changed})
        with pytest.warns(DamagedAnswer, match="is found again"):
            assert read_attacked(copied.store, key, samples) is None
    (pattern,) = own(victim, UNIVERSAL)
    key = copied.made_key(victim, pattern.shown)
    for events in ([[0, 0, 0]], [[0, 0, 0, 99]], [[0, 0, 0, 0]] * 2, 3, None):
        copied.store.put(key, {"events": events})
        with pytest.warns(DamagedAnswer, match="is found again"):
            assert read_pattern(copied.store, key, pattern.shown, TINY.data) is None
    copied.store.put(key, {"events": [[0, 0, 0, 99]]})
    copied.store.path(copied.key(victim, pattern), "json").write_text("{")
    with pytest.warns(DamagedAnswer) as caught:
        conduct_events(TINY, copied.store.folder)
    assert {str(warning.message).split(": ")[0] for warning in caught} == {
        str(copied.store.path(copied.key(victim, pattern), "json")),
        str(copied.store.path(key, "json")),
    }
    assert read_pattern(copied.store, key, pattern.shown, TINY.data) == read_pattern(
        done.store, key, pattern.shown, TINY.data
    )
    assert copied.answer(victim, pattern) == done.answer(victim, pattern)


def test_an_unfinished_study_has_no_results(done: EventAnswers) -> None:
    with pytest.raises(InputError, match="lacks answers about LIF"):
        evaluate(replace(done, plan=replace(TINY, trials=3)))


@pytest.mark.parametrize(
    ("plan", "processes", "message"),
    [
        (TINY.with_options(samples=10_000), 1, "samples is 10000; saccades has 359"),
        (TINY.with_options(training_samples=9_999), 1, "training_samples is 9999; saccades has"),
        (replace(TINY, data="digits"), 1, "digits consists of images, and this study is one of"),
        (replace(TINY, data="shapes"), 1, "unknown data set 'shapes'"),
        (TINY, 0, "processes is 0"),
    ],
)
def test_mistakes_raise(plan: EventStudyPlan, processes: int, message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        conduct_events(plan, tmp_path / "none", processes=processes)
    assert not (tmp_path / "none").exists()


def test_a_part_of_nmnist_is_called_one() -> None:
    plan = replace(TINY, data="nmnist")
    assert "a part of N-MNIST" in describe_data(plan)
    whole = replace(plan, samples=10_000, training=replace(TINY.training, samples=60_000))
    assert "a part of" not in describe_data(whole)


def test_keys_depend_on_what_answers_depend_on() -> None:
    answers = EventAnswers(TINY, Store(Path()))
    other = replace(answers, plan=replace(TINY, calibration_samples=3))
    victim = Victim("RandHet-SNN")
    on_float, on_chip = (
        own(victim, "sparse-gradient")[0],
        own(victim, "sparse-gradient", "decay")[0],
    )
    assert answers.key(victim, on_float) == other.key(victim, on_float)
    assert answers.key(victim, on_chip) != other.key(victim, on_chip)
    more = replace(answers, plan=replace(TINY, attacks=(*TINY.attacks, AttackPlan("dash", (5,)))))
    assert answers.key(victim, on_chip) == more.key(victim, on_chip)
    seeds = replace(answers, plan=TINY.with_options(seeds=2))
    assert answers.key(victim, on_chip) == seeds.key(victim, on_chip)
    assert answers.key(victim, on_chip) != seeds.key(replace(victim, seed=1), on_chip)
    trained = replace(answers, plan=TINY.with_options(epochs=9))
    assert answers.made_key(victim, on_float.shown) != trained.made_key(victim, on_float.shown)
