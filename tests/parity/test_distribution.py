"""The comparison in distribution must be right about itself."""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import fields, replace

import pytest
import torch
from torch import nn

from stochi.data import Images, load_digits
from stochi.deploy import Program, lower
from stochi.errors import InputError
from stochi.export import to_nir
from stochi.export.model.model import GraphModel
from stochi.hardware import LogitNormal
from stochi.hardware.draws import RANDOM_SOURCES
from stochi.parity import Margins, check_parity, combine_seeds
from stochi.parity.distribution.comparison import compare_distributions
from stochi.parity.distribution.results import (
    AnswerDistribution,
    Comparison,
    Distribution,
    LayerDistribution,
    comparisons,
)
from stochi.parity.distribution.trials import Trials, chip_side, float_side, take_trials
from stochi.parity.report.randomness import draws_nothing
from stochi.parity.report.warnings import find_warnings
from stochi.sim.engine.threads import one_torch_thread
from stochi.train import RandomTauLeaky, RepeatSteps, TrainingConfig, train_classifier
from stochi.train.networks import two_layer_net
from stochi.train.twin.model import float_model_of
from tests.conftest import dense_net
from tests.thoroughness import with_slow

TRIALS = 20


def small_net() -> RepeatSteps:
    return two_layer_net(hidden=(32, 24))


@pytest.fixture(scope="module", autouse=True)
def _one_thread() -> Iterator[None]:
    with one_torch_thread():  # which is faster for a network as small as this
        yield


@pytest.fixture(scope="module")
def images() -> Images:
    """All digits: a margin of half a point takes more images than the 359 held out."""
    both = load_digits()
    return Images(torch.cat([b.inputs for b in both]), torch.cat([b.labels for b in both]))


@pytest.fixture(scope="module")
def net() -> nn.Module:
    config = TrainingConfig(epochs=10, learning_rate=1e-2)
    return train_classifier(small_net, load_digits()[0], config)[0].eval()


@pytest.fixture(scope="module")
def program(net: nn.Module, images: Images) -> Program:
    return lower(to_nir(net, images.inputs[:4]))


@pytest.fixture(scope="module")
def reference(net: nn.Module, program: Program, images: Images) -> Trials:
    return take_trials(float_side(real(net, images), program, images.inputs, 0), TRIALS)


def real(net: nn.Module, images: Images) -> GraphModel:
    return float_model_of(net, images.inputs[:1], 1e-3).answering()


def with_sigma(net: nn.Module, sigma: float) -> nn.Module:
    other = deepcopy(net)
    for module in other.modules():
        if isinstance(module, RandomTauLeaky):
            module.distribution = LogitNormal(sigma)
    return other


def verdicts(distribution: Distribution) -> dict[str, str]:
    found = comparisons(distribution.layers, distribution.network)
    return {" ".join(place[1:]): comparison.verdict for place, comparison in found}


def has(compared: LayerDistribution | AnswerDistribution) -> set[str]:
    """Names of the quantities that were compared."""
    return {each.name for each in fields(compared) if getattr(compared, each.name) is not None}


@pytest.mark.slow
def test_a_model_is_equivalent_to_itself_with_other_draws(net, program, images, reference) -> None:  # type: ignore[no-untyped-def]
    again = take_trials(float_side(real(net, images), program, images.inputs, 1), TRIALS, reference)
    found = compare_distributions(reference, again, images.labels)
    assert set(verdicts(found).values()) == {"equivalent"} == {found.verdict}
    assert found.network.accuracy.sides["float"] > 0.9
    rate = found.layers["network.lif1"].rate
    assert rate.low < 0 < rate.high or abs(rate.difference) < 0.002


@pytest.mark.parametrize("source", with_slow(RANDOM_SOURCES, ["lfsr"]))
def test_a_model_is_equivalent_to_its_program(program, images, reference, source) -> None:  # type: ignore[no-untyped-def]
    program = replace(program, target=replace(program.target, random_source=source))
    chip = take_trials(chip_side(program, images.inputs, 0), TRIALS, reference)
    found = compare_distributions(reference, chip, images.labels)
    assert set(verdicts(found).values()) == {"equivalent"}
    assert list(found.layers) == ["network.lif1", "network.lif2", "network.readout"]
    assert has(found.layers["network.readout"]) == {"membrane"}


def test_a_sigma_that_is_a_fifth_off_is_found(net, program, images, reference) -> None:  # type: ignore[no-untyped-def]
    wider = float_side(real(with_sigma(net, 1.2), images), program, images.inputs, 1)
    found = compare_distributions(reference, take_trials(wider, TRIALS, reference), images.labels)
    assert found.verdict == "different"
    for layer in ("network.lif1", "network.lif2"):
        for quantity in ("rate", "fano", "distance"):
            assert getattr(found.layers[layer], quantity).verdict == "different"
    assert found.layers["network.lif1"].fano.difference > 0.1
    warnings = find_warnings([], [], found, {})
    assert "firing rates of network.lif1" in warnings[0]


def test_a_stand_in_without_noise_is_found(net, images, reference) -> None:  # type: ignore[no-untyped-def]
    few = images.first(100)
    program = lower(to_nir(net, images.inputs[:4]), noise="none")
    ours = take_trials(float_side(real(net, images), program, few.inputs, 0), 4)
    theirs = take_trials(chip_side(program, few.inputs, 0), 4, ours)
    found = compare_distributions(ours, theirs, few.labels)
    assert found.layers["network.lif1"].fano.difference == pytest.approx(-1)
    assert found.network.logit_spread.difference == pytest.approx(-1)
    assert found.network.agreement.sides["chip"] == 1.0


@pytest.mark.parametrize(
    "neuron", [{"sampling": "fixed"}, {"sampling": "mean"}, {"threshold": 300.0}]
)
def test_without_spread_or_without_spikes_nothing_breaks(neuron: dict) -> None:
    net = dense_net(**neuron)
    images = Images(torch.rand(12, 1, 4, 4), torch.zeros(12, dtype=torch.int64))
    net(images.inputs[:2])
    program = lower(to_nir(net, images.inputs[:4]))
    ours = take_trials(float_side(real(net, images), program, images.inputs, 0), 3)
    theirs = take_trials(float_side(real(net, images), program, images.inputs, 1), 3, ours)
    found = compare_distributions(ours, theirs, images.labels)
    assert found.verdict == "undecided"
    doubtful = {"accuracy", "agreement", "agreement_across"}  # too few images
    if "threshold" in neuron:
        doubtful.add("network.lif1 membrane")  # which varies all the same
    assert {name for name, v in verdicts(found).items() if v != "equivalent"} == doubtful


def test_a_network_that_draws_nothing_has_no_spread_and_no_measure_of_moved_spikes() -> None:
    torch.manual_seed(0)
    net = dense_net(sigma=0.0)
    images = Images(torch.rand(12, 1, 4, 4), torch.zeros(12, dtype=torch.int64))
    program = lower(to_nir(net, images.inputs[:4]), noise="none")
    report = check_parity(net, program, images, trials=3, lava=False, exact_images=2)
    assert report.distribution is not None
    spread = report.distribution.network.logit_spread
    # Three equal numbers have no spread, though their mean is rounded.
    assert spread is not None and spread.sides == {"float": 0.0, "chip": 0.0}
    assert draws_nothing(report) and "no random numbers" in report.verdict.text
    for layer in report.distribution.layers.values():
        across = layer.distance_across
        if across is not None and across.sides["chip"] > 0:
            assert across.difference is None and across.verdict == "undecided"
    single = check_parity(net, program, images, trials=1, lava=False, exact_images=2)
    assert draws_nothing(single)
    assert single.verdict.level == report.verdict.level
    assert not [text for text in single.warnings() if "single trial" in text]


def test_a_single_trial_leaves_variability_out_and_reports_it() -> None:
    net = dense_net()
    images = Images(torch.rand(10, 1, 4, 4), torch.zeros(10, dtype=torch.int64))
    program = lower(to_nir(net, images.inputs[:4]))
    report = check_parity(net, program, images, trials=1, lava=False)
    found = report.distribution
    assert found is not None and has(found.layers["network.lif1"]) == {"rate"}
    assert has(found.network) == {"accuracy", "logit_mean"}
    assert "fano" in found.left_out
    assert any("single trial" in warning for warning in report.warnings())
    one = check_parity(net, program, images.first(1), trials=2, lava=False).to_json()
    assert one["distribution"]["layers"]["network.lif1"]["rate"]["low"] is None
    assert check_parity(net, program, images, lava=False, margins=None).distribution is None


def test_trials_must_match_in_number_and_grids() -> None:
    net = dense_net()
    images = Images(torch.rand(5, 1, 4, 4), torch.zeros(5, dtype=torch.int64))
    program = lower(to_nir(net, images.inputs[:4]))
    side = chip_side(program, images.inputs, 0)
    with pytest.raises(InputError, match="2 and 3 trials"):
        compare_distributions(take_trials(side, 2), take_trials(side, 3), images.labels)
    with pytest.raises(InputError, match="grids"):
        other = chip_side(program, 1 - images.inputs, 0)
        compare_distributions(take_trials(side, 2), take_trials(other, 2), images.labels)


def test_margins_are_above_zero() -> None:
    for wrong in (0.0, -0.01, float("nan"), float("inf")):
        with pytest.raises(InputError, match="margin fano"):
            Margins(fano=wrong)


def test_training_seeds_are_the_sample() -> None:
    def with_rate(difference: float | None, layer: str = "lif") -> Distribution:
        sides = {"float": 0.2, "chip": 0.3}
        one = Comparison(sides, difference, 0.0, 0.0, 0.01, 0.0, "equivalent")
        network = AnswerDistribution(accuracy=one, logit_mean={"0": one})
        layers = {layer: LayerDistribution(rate=one)}
        return Distribution(9, 2, Margins(), layers, network, (), "equivalent")

    found = combine_seeds([with_rate(d) for d in (0.001, 0.002, 0.003)])
    rate = found.layers["lif"].rate
    assert rate is not None and rate.difference is not None and rate.high is not None
    assert rate.difference == pytest.approx(0.002)
    # t of 2 degrees of freedom at 95 %: 2.920; standard error 0.001 / √3.
    assert rate.high - rate.difference == pytest.approx(2.920 * 0.001 / 3**0.5, rel=1e-3)
    assert rate.sides == {"float": pytest.approx(0.2), "chip": pytest.approx(0.3)}
    assert found.verdict == "equivalent" and found.training_seeds == 3
    assert found.network.logit_mean["0"] == found.network.accuracy == rate
    assert combine_seeds([with_rate(d) for d in (-0.02, 0.02)]).verdict == "undecided"
    assert combine_seeds([with_rate(d) for d in (None, 0.02)]).verdict == "different"
    with pytest.raises(InputError, match="at least 2"):
        combine_seeds([with_rate(0.0)])
    with pytest.raises(InputError, match="margins"):
        combine_seeds([with_rate(0.0), replace(with_rate(0.0), margins=Margins(rate=0.02))])
    with pytest.raises(InputError, match="other layers"):
        combine_seeds([with_rate(0.0), with_rate(0.0, layer="other")])
