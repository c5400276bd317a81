"""The parity check in one call, its arguments, and the intervals that it gives."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from stochi.attacks import PGD, GreedySpikes, UniformNoise
from stochi.data import Images
from stochi.deploy import Program, lower
from stochi.errors import InputError
from stochi.export import to_nir
from stochi.parity import ParityReport, ablate, check_parity, draw_report
from stochi.parity.records.comparison import compare
from stochi.statistics.intervals import estimate_accuracy, estimate_difference
from stochi.train import FreshDraws, twin_of
from tests.conftest import conv_net, dense_net

SHAPE = (2, 8, 8)


@pytest.fixture(scope="module")
def net():  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    return conv_net()


@pytest.fixture(scope="module")
def program(net) -> Program:  # type: ignore[no-untyped-def]
    return lower(to_nir(net, torch.rand(1, *SHAPE)))


@pytest.fixture(scope="module")
def data(net) -> Images:  # type: ignore[no-untyped-def]
    inputs = torch.rand(24, *SHAPE)
    with torch.no_grad():
        return Images(inputs, torch.stack([net(inputs) for _ in range(50)]).mean(0).argmax(1))


def without_lava(net, program, data, **options) -> ParityReport:  # type: ignore[no-untyped-def]
    return check_parity(net, program, data, lava=False, **{"trials": 3, **options})


def test_a_report_of_all_parts(net, program: Program, data: Images, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    messages: list[str] = []
    attacks = [UniformNoise(0.1), PGD(0.3, iterations=4, draws=2)]
    report = without_lava(net, program, data, attacks=attacks, progress=messages.append)
    assert report.mismatches == 0 and report.compared > 10_000
    assert [row.attack for row in report.accuracy][:2] == ["clean", attacks[0].name]
    _clean, noise, on_float, on_chip, worst = report.accuracy
    assert on_float.made_on == "float" and on_chip.made_on == "twin"
    assert worst.attack == "worst of all attacks, ε = 0.3"
    for row in report.accuracy:
        assert row.sides["chip"] == row.sides["twin"]  # the same integers
    assert on_float.sides["float"].value < noise.sides["float"].value
    assert on_chip.sides["chip"].value < noise.sides["chip"].value
    assert report.distribution is not None
    assert set(report.distribution.layers) == {"network.lif1", "network.lif2", "network.fc"}
    assert [line.partition(":")[0] for line in messages] == [
        *(f"part {number} of 7" for number in range(1, 8))
    ]
    assert "value for value, seed 0" in messages[0] and messages[2].endswith(
        "3 trials on each side"
    )
    assert "on the float model" in messages[4] and " left" in messages[5]
    assert {len(row) for row in report.table()} == {4}  # none for Lava, one for twin and chip
    report.save(tmp_path / "r.json")
    saved = json.loads((tmp_path / "r.json").read_text())
    assert saved["mismatches"] == 0 and saved["version"] == 9
    report.to_html(tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert "PGD-4 (EOT 2)" in page and "Fano factor" in page
    assert "worst of all attacks, ε = 0.3" in page and "all 3: " in page
    draw_report(report, tmp_path / "r.png")
    assert (tmp_path / "r.png").read_bytes().startswith(b"\x89PNG")


def test_it_repeats_itself(net, program: Program, data: Images) -> None:  # type: ignore[no-untyped-def]
    state = torch.get_rng_state()
    options = {"attacks": [PGD(0.1, iterations=2, draws=2)], "attack_images": 5}
    first, second = (without_lava(net, program, data, **options).to_json() for _ in range(2))
    assert first == second
    assert torch.equal(state, torch.get_rng_state())
    assert first["accuracy"][1]["sides"]["chip"]["images"] == 5


def test_one_wrong_number_in_the_program_is_found_and_shown(net, program, data: Images) -> None:  # type: ignore[no-untyped-def]
    first = program.layers[0]
    assert first.decay is not None
    values = first.decay.values.copy()
    values[100] += 40
    spoiled = replace(
        program,
        layers=(replace(first, decay=replace(first.decay, values=values)), *program.layers[1:]),
    )
    report = without_lava(net, spoiled, data)
    assert report.mismatches > 0
    (warning,) = report.warnings()
    assert "network.lif1" in warning and "step 0" in warning


def test_a_weight_that_the_model_would_not_give_is_reported(net, program, data: Images) -> None:  # type: ignore[no-untyped-def]
    first = program.layers[0]
    (projection,) = first.projections
    (convolution,) = projection.stages
    weight = convolution.weight.copy()
    weight[0, 0, 1, 1] -= 2 * np.sign(weight[0, 0, 1, 1])
    altered = replace(projection, stages=(replace(convolution, weight=weight),))
    layers = (replace(first, projections=(altered,)), *program.layers[1:])
    report = without_lava(net, replace(program, layers=layers), data)
    assert report.mismatches > 0
    assert "lower the model again" in report.warnings()[1]


@pytest.mark.lava
def test_lava_takes_part(net, program: Program, data: Images) -> None:  # type: ignore[no-untyped-def]
    report = check_parity(
        net,
        program,
        data,
        trials=2,
        exact_images=3,
        attacks=[PGD(0.1, 1, iterations=1, draws=1)],
        attack_images=4,
    )
    pairs = {(entry.left, entry.right) for entry in report.exact}
    assert len(pairs) == 3 and len(report.exact) == 9
    assert report.mismatches == 0
    assert report.accuracy[2].lava is not None and report.accuracy[2].lava.images == 3
    assert [row[4].rpartition("\n")[2] for row in report.table()] == [
        "on Lava",
        "3 images",
        "–",  # Lava runs the images that were made on the twin
        "3 images",
        "–",  # nor those that are the worst of several attacks
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"trials": 0}, "trials is 0"),
        ({"seeds": ()}, "seeds is empty"),
        ({"attacks": PGD(0.1)}, "pass a list of attacks"),
        ({"seeds": (-1,)}, "seed is -1"),
        ({"seeds": (2**31,)}, "attacker"),
        ({"exact_images": 0}, "exact_images is 0"),
        ({"attack_images": 0, "attacks": [PGD(0.1)]}, "attack_images is 0"),
        ({"attacks": ["pgd"]}, "'pgd' is not an attack"),
    ],
)
def test_bad_arguments_raise(net, program, data: Images, change: dict, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=message):
        without_lava(net, program, data, **change)


def test_bad_data_raises(net, program: Program, data: Images) -> None:  # type: ignore[no-untyped-def]
    for inputs, labels in (
        (data.inputs[:3], data.labels),
        (data.inputs[:, :1], data.labels),
        (data.inputs, data.labels + 5),
        (data.inputs, data.labels.float()),
        (data.inputs[:0], data.labels[:0]),
    ):
        with pytest.raises(InputError):
            without_lava(net, program, (inputs, labels))


def test_other_things_in_place_of_data_or_sides_raise(net, program, data: Images) -> None:  # type: ignore[no-untyped-def]
    for check in (check_parity, ablate):
        for wrong in (data.inputs, 3, None, torch.utils.data.TensorDataset(data.inputs)):
            with pytest.raises(InputError, match=r"not a pair|with labels are needed, this is a"):
                check(net, program, wrong)
        with pytest.raises(InputError, match="these are a Program and a RepeatSteps"):
            check(program, net, data)


def test_a_program_of_events_takes_frames_that_stay() -> None:
    model, frames = dense_net(), (torch.rand(6, 1, 4, 4) < 0.4).float()
    program, labels = lower(to_nir(model, frames[:1]), events=True), torch.arange(6) % 3
    report = without_lava(model, program, (frames, labels), margins=None)
    assert report.mismatches == 0 and report.compared > 1000
    for batch in (6, 4):  # the number of time steps, too
        stream = frames[:batch].expand(4, batch, 1, 4, 4)
        streamed = without_lava(model, program, (stream, labels[:batch]), margins=None)
        still = without_lava(model, program, (frames[:batch], labels[:batch]), margins=None)
        assert streamed.events is not None and still.events is None
        assert replace(streamed, events=None) == still


def test_attacks_that_do_not_fit_the_data_raise_with_advice(net, program, data) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=r"GreedySpikes takes events that change.*Streams"):
        without_lava(net, program, data, attacks=[GreedySpikes(3)])
    model, frames = dense_net(), (torch.rand(6, 1, 4, 4) < 0.4).float()
    events = lower(to_nir(model, frames[:1]), events=True)
    shown, few = (frames, torch.arange(6) % 3), {"margins": None, "trials": 1}
    for check in (ablate, lambda *given, attack: check_parity(*given, attacks=[attack])):
        with pytest.raises(InputError, match=r"PGD moves the pixels of images.*GreedySpikes"):
            check(model, events, shown, attack=PGD(0.1))
    flips = PGD(1.0, iterations=1, draws=1, grid=1)  # which finds frames of 0 and 1
    rows = without_lava(model, events, shown, attacks=[flips], **few).accuracy
    names = ["clean", flips.name, flips.name, "worst of all attacks, ε = 1"]
    assert [row.attack for row in rows] == names


def test_wilson_interval_of_a_textbook_case() -> None:
    correct = torch.tensor([[True] * 81 + [False] * 182])
    estimate = estimate_accuracy(correct)
    # Newcombe, Statistics in Medicine 17 (1998), table I: 81/263 → 0.2553 to 0.3662.
    assert estimate.low == pytest.approx(0.2553, abs=1e-4)
    assert estimate.high == pytest.approx(0.3662, abs=1e-4)
    certain = estimate_accuracy(torch.ones(4, 20, dtype=torch.bool))
    assert certain.high == 1.0 and certain.low < 0.9


def test_intervals_cover_as_often_as_they_claim() -> None:
    rng = np.random.default_rng(0)
    hits = differences = 0
    for _ in range(400):
        a = torch.from_numpy(rng.random((1, 120)) < 0.8)
        b = torch.where(
            torch.from_numpy(rng.random((1, 120)) < 0.3),
            torch.from_numpy(rng.random((1, 120)) < 0.6),
            a,
        )
        accuracy, difference = estimate_accuracy(a), estimate_difference(a, b)
        hits += accuracy.low <= 0.8 <= accuracy.high
        differences += difference.low <= -0.06 <= difference.high
    assert 0.92 < hits / 400 < 0.99
    assert 0.91 < differences / 400 < 0.99


def test_no_interval_leaves_its_value_out() -> None:
    for images in range(1, 400):
        for right in (True, False):
            found = estimate_accuracy(torch.full((2, images), right))
            assert found.low <= found.value <= found.high


@pytest.mark.parametrize("lost, won", [(0.005, 0.0), (0.01, 0.01), (0.03, 0.005)])
def test_rare_differences_are_covered_too(lost: float, won: float) -> None:
    rng, runs, images, hits = np.random.default_rng(1), 2000, 200, 0
    for _ in range(runs):
        chance = torch.from_numpy(rng.random((1, images)))
        before, after = chance < 0.5 + lost, (chance < 0.5) | (chance > 1 - won)
        found = estimate_difference(before, after)
        hits += found.low <= won - lost <= found.high
    # The normal interval of the differences alone holds (0.005, 0) in 63 % of the runs.
    assert 0.94 < hits / runs <= 1


def test_identical_answers_still_leave_doubt() -> None:
    same = torch.ones(2, 30, dtype=torch.bool)
    estimate = estimate_difference(same, same)
    assert estimate.value == 0
    assert (estimate.low, estimate.high) == pytest.approx((-0.0866, 0.0866), abs=1e-4)


def test_a_single_image_shows_almost_nothing_about_a_difference() -> None:
    right = torch.ones(3, 1, dtype=torch.bool)
    estimate = estimate_difference(right, ~right)
    assert estimate.value == -1 and estimate.low == -1 and estimate.high > 0.5


def test_the_first_mismatch_is_the_earliest_step() -> None:
    left = torch.zeros(3, 2, 4, dtype=torch.int32)
    right = left.clone()
    right[2, 0, 0], right[1, 1, 3] = 5, 7
    found = compare("a", "membrane", left, right)
    assert found.mismatches == 2 and found.compared == 24 and found.first is not None
    assert (found.first.step, found.first.sample, found.first.neuron) == (1, 1, (3,))
    assert (found.first.left, found.first.right) == (0, 7)
    with pytest.raises(InputError, match="shapes"):
        compare("a", "membrane", left, right[:1])


def test_a_model_that_draws_by_its_own_count_raises(
    net,  # type: ignore[no-untyped-def]
    program: Program,
    data: Images,
) -> None:
    twin = twin_of(program, net, data.inputs[:1])
    assert without_lava(twin, program, data, trials=1).mismatches == 0
    with pytest.raises(InputError, match="the model inside it"):
        without_lava(FreshDraws(twin, 0), program, data)


@pytest.mark.cuda
def test_cuda_gives_the_same_report(net, program: Program, data: Images) -> None:  # type: ignore[no-untyped-def]
    """The twin and the engine to the bit; the float model draws from another generator."""
    attacks = [PGD(0.3, iterations=4, draws=2)]
    ours, theirs = (
        without_lava(net, program, data, attacks=attacks, device=device)
        for device in ("cpu", "cuda")
    )
    assert theirs.mismatches == 0 and theirs.compared == ours.compared
    assert theirs.accuracy[0].sides["chip"] == ours.accuracy[0].sides["chip"]
    assert next(net.parameters()).device.type == "cpu"
