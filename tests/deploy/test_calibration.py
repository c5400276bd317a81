"""Fits of additive noise: their quality, that they repeat exactly, and their warnings."""

import re
import warnings
from dataclasses import replace

import nir
import numpy as np
import pytest
import torch
from torch import nn

from stochi.deploy import CalibrationWarning, MergedThresholds, Program, calibrate, lower
from stochi.deploy.calibration import compare_inputs, noise_amplitude
from stochi.deploy.graph.random_tau import RandomTau, describe
from stochi.deploy.lowering.stand_in import make_stand_in
from stochi.deploy.spike_counts import observe
from stochi.errors import InputError
from stochi.export import to_nir
from stochi.hardware.distributions import LogitNormal
from stochi.hardware.draws import RANDOM_SOURCES, Draws
from stochi.hardware.fixed_point import ALIGN_SHIFT
from stochi.hardware.noise import draw_generator, generator_mean
from stochi.parity.records.comparison import compare_records
from stochi.parity.records.twin import record_twin
from stochi.program.layers import CONSTANT
from stochi.program.target import NOISE_TARGETS
from stochi.sim import run
from stochi.sim.recording import PROBES
from stochi.train import RandomTauLeaky, make_twin
from stochi.train.networks import two_layer_net
from tests.conftest import conv_net, dense_net
from tests.thoroughness import with_slow

IMAGES = torch.rand(96, 1, 4, 4, generator=torch.Generator().manual_seed(3))


@pytest.fixture(scope="module")
def graph():  # type: ignore[no-untyped-def]
    torch.manual_seed(0)
    return to_nir(dense_net(), IMAGES[:1])


@pytest.fixture(scope="module")
def fitted(graph) -> Program:  # type: ignore[no-untyped-def]
    return lower(graph, noise="membrane", calibration=IMAGES)


def test_rates_come_out_as_with_drawn_decays(graph, fitted: Program) -> None:  # type: ignore[no-untyped-def]
    """On draws that the fit did not see, and nearer than with moments only or without noise."""
    exact = lower(graph)
    moments, _ = calibrate(graph, IMAGES, method="moments")

    def rate(program: Program) -> float:
        return float(observe(program, "network.lif1", IMAGES, 77).double().mean())

    errors = [abs(rate(p) / rate(exact) - 1) for p in (fitted, moments, lower(graph, noise="none"))]
    assert errors[0] < 0.02
    assert errors[0] < min(errors[1:])


def test_the_same_data_give_the_same_program(graph, fitted: Program, tmp_path) -> None:  # type: ignore[no-untyped-def]
    again, fits = calibrate(graph, IMAGES)
    fitted.save(tmp_path / "a")
    again.save(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert [fit.layer for fit in fits] == ["network.lif1"]
    assert fits[0].stand_in.threshold_factor == again.layers[0].threshold_factor


@pytest.mark.parametrize("amplitude", [0.003, 0.1, 0.25, 1.7])
def test_noise_has_the_size_that_was_asked_for(amplitude: float) -> None:
    """In the model's units: an integer of the generator over 64·S."""
    stand_in = make_stand_in("membrane", amplitude, 3000.0, 1.0)
    assert stand_in.generator is not None and 1500 < stand_in.scale <= 3000
    drawn = draw_generator(
        torch.arange(64),
        torch.arange(512),
        Draws().at(0, 0),
        mantissa=0,
        exponent=stand_in.generator.exponent,
    )
    spread = float(drawn.double().std()) / (2.0**ALIGN_SHIFT * stand_in.scale)
    assert spread == pytest.approx(amplitude / 3**0.5, rel=0.02)


@pytest.mark.parametrize("target", NOISE_TARGETS)
@pytest.mark.parametrize("memory", [False, True])
def test_the_bias_takes_away_the_mean_of_the_noise(target: str, memory: bool) -> None:
    """Whatever the state that the noise goes to; a network without biases has none otherwise."""
    dt, ones = 1e-3, np.ones(8)
    noted = describe(RandomTau(LogitNormal(), "step", "mean")) | {"reset": "zero"}
    tau = 2 * dt * ones
    neuron = nir.LIF(tau, 2 * ones, 0 * ones, 0.3 * ones, metadata=noted)
    if memory:
        neuron = nir.CubaLIF(tau, tau, ones, 0 * ones, 0.3 * ones, metadata=noted)
    weight = nir.Linear(np.random.default_rng(0).normal(0, 1, (8, 16)))
    graph = nir.NIRGraph.from_list(
        nir.Input(np.array([16])), weight, neuron, nir.Output(np.array([8]))
    )
    fitted = lower(graph, dt=dt, time_steps=4, noise=target, calibration=IMAGES.flatten(1))
    (layer,) = fitted.layers
    assert layer.generator is not None
    mean = generator_mean(0, layer.generator.exponent)
    assert mean < 0
    own = float(layer.bias().mean())
    through_current = sum(
        2.0 ** (ALIGN_SHIFT + projection.weight_exponent) * float(projection.weight.mean())
        for projection in layer.projections
        if projection.source == CONSTANT
    )
    if memory and target == "current":
        assert own == 0 and through_current == pytest.approx(-mean, rel=0.05)
    else:
        assert through_current == 0 and own == pytest.approx(-mean, rel=0.05)


def test_noise_on_a_nearly_full_current_halves_the_scale() -> None:
    """The amplitude decides whether it fits, as 16 inputs take 98.8 % of the current's 24 bits."""
    ratios = set()
    for sigma in (0.5, 0.7, 0.9, 1.1, 1.3):
        net = dense_net(sigma=sigma)
        with torch.no_grad():
            net.network.fc1.weight.clamp_(-0.5, 0.5)
            net.network.fc1.weight[0] = 0.5
            net.network.fc1.bias.zero_()
        graph = to_nir(net, IMAGES[:1])
        programs = [calibrate(graph, IMAGES, noise=n, method="moments")[0] for n in NOISE_TARGETS]
        scales = {p.target.noise: p.layers[0].scale for p in programs}
        ratios.add(scales["current"] / scales["membrane"])
    assert ratios == {0.5, 1.0}


def test_noise_too_small_for_the_generator_is_left_out() -> None:
    assert make_stand_in("membrane", 1e-9, 3000.0, 1.0).generator is None


def test_the_moment_matched_amplitude_by_hand() -> None:
    """The formula on recorded membranes, with sums computed again from the images."""
    exact = lower(to_nir(dense_net(), IMAGES[:1]))
    layer = exact.layers[0]
    record = run(exact, IMAGES, seed=2**31 + 2, probes=PROBES)
    weight = torch.from_numpy(layer.projections[0].weight).double()
    pixels = torch.round(IMAGES.double() * 255).flatten(1)
    sums = torch.floor(pixels @ weight.T * 2.0 ** layer.projections[0].weight_exponent)
    drive = sums * 64 + torch.from_numpy(layer.bias()).double()
    membrane = record.membrane["network.lif1"].double()
    before = torch.cat([torch.zeros_like(membrane[:1]), membrane[:-1]])
    keep = torch.from_numpy(layer.decay.values).double() / 4096
    variance = keep.var(unbiased=False) * (before - drive).square().mean()
    expected = float((3 * variance).sqrt()) / (64 * layer.scale)
    assert noise_amplitude(exact, "network.lif1", IMAGES) == pytest.approx(expected, rel=1e-9)


def test_noise_on_the_current_is_noise_on_the_membrane_without_synaptic_memory(
    graph, fitted
) -> None:  # type: ignore[no-untyped-def]
    current = lower(graph, noise="current", calibration=IMAGES)
    assert current.layers[0].generator.target == "current"
    left, right = (run(p, IMAGES, seed=4, probes=PROBES) for p in (fitted, current))
    assert sum(c.mismatches for c in compare_records(left, right)) == 0


@pytest.mark.parametrize("source", RANDOM_SOURCES)
@pytest.mark.parametrize("build", with_slow([dense_net, conv_net], [conv_net]))
def test_the_twin_has_the_chip_s_integers(build, source: str) -> None:  # type: ignore[no-untyped-def]
    net = build()
    images = IMAGES if build is dense_net else torch.rand(32, 2, 8, 8)
    options = {"noise": "membrane", "random_source": source}
    program = lower(to_nir(net, images[:1]), calibration=images, **options)
    twin = make_twin(net, images[:1], fitted=program, **options)
    ours = record_twin(twin, program, images[:9], Draws(3, 2, source=source))
    theirs = run(program, images[:9], seed=3, trial=2, probes=PROBES)
    assert sum(c.mismatches for c in compare_records(ours, theirs)) == 0


def test_it_is_fitted_with_the_program_s_own_random_source(graph, fitted: Program) -> None:  # type: ignore[no-untyped-def]
    program, fits = calibrate(graph, IMAGES, random_source="lfsr")
    sources = (program.target.random_source, fitted.target.random_source)
    assert sources == ("lfsr", "philox")
    for layer in program.layers[:1]:
        assert layer.threshold_factor != fitted.layer(layer.name).threshold_factor
    assert all(abs(fit.rate_error) < 0.03 for fit in fits)


def test_tuned_weights_keep_the_fit(graph, fitted: Program) -> None:  # type: ignore[no-untyped-def]
    """A graph gives the same Program with the Program's own fit; other weights keep S."""
    again = lower(graph, noise="membrane", fitted=fitted)
    left, right = (run(p, IMAGES, seed=1, probes=PROBES) for p in (fitted, again))
    assert sum(c.mismatches for c in compare_records(left, right)) == 0
    net = dense_net()
    with torch.no_grad():
        net.network.fc1.weight *= 0.9
    tuned = lower(to_nir(net, IMAGES[:1]), noise="membrane", fitted=fitted)
    assert tuned.layers[0].scale == fitted.layers[0].scale
    assert tuned.layers[0].generator == fitted.layers[0].generator


@pytest.mark.lava
def test_lava_has_the_same_noise(fitted: Program) -> None:
    left = run(fitted, IMAGES[:5], seed=4, probes=PROBES)
    right = run(fitted, IMAGES[:5], backend="lava", seed=4, probes=PROBES)
    assert sum(c.mismatches for c in compare_records(left, right)) == 0


def test_equal_distributions_differ_by_chance_only() -> None:
    torch.manual_seed(0)
    mean_error, ratio = compare_inputs(torch.randn(8, 300, 40), torch.randn(8, 300, 40))
    assert abs(mean_error) < 0.02 and abs(ratio - 1) < 0.02
    mean_error, ratio = compare_inputs(torch.randn(8, 300, 40), 2 * torch.randn(8, 300, 40) + 1)
    assert mean_error == pytest.approx(1, abs=0.05) and ratio == pytest.approx(4, rel=0.05)


def test_more_data_than_the_memory_holds_are_refused_with_a_number_that_fits(
    graph,  # type: ignore[no-untyped-def]
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STOCHI_MEMORY", "200kB")
    says = r"a calibration of 500 samples would take .*; take (\d+) inputs \(--calibration-images\)"
    with pytest.raises(InputError, match=says) as refused:
        calibrate(graph, torch.rand(500, 1, 4, 4))
    few = int(re.search(says, str(refused.value))[1])  # type: ignore[index]
    calibrate(graph, torch.rand(few, 1, 4, 4), method="moments")


def test_a_fit_to_equal_samples_warns(graph) -> None:  # type: ignore[no-untyped-def]
    with pytest.warns(CalibrationWarning, match="all 5 samples .* are the same"):
        calibrate(graph, torch.zeros(5, 1, 4, 4), method="moments")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        calibrate(graph, IMAGES[:1], method="moments")


def test_a_fit_that_was_made_for_another_source_warns(graph, fitted: Program) -> None:  # type: ignore[no-untyped-def]
    with pytest.warns(CalibrationWarning, match="random_source='philox'"):
        lower(graph, noise="membrane", fitted=fitted, random_source="lfsr")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lower(graph, noise="membrane", fitted=fitted)


def test_a_layer_that_cannot_be_matched_warns(graph, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("stochi.deploy.calibration.RATE_MARGIN", -1.0)
    with pytest.warns(CalibrationWarning, match="network.lif1.*off the reference"):
        lower(graph, noise="membrane", calibration=IMAGES)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        calibrate(graph, IMAGES, method="moments")


def test_merged_thresholds_are_warned_of_once() -> None:
    net = dense_net()
    net.network.fc1 = torch.nn.Linear(16, 20)
    net.network.lif1 = RandomTauLeaky(threshold=0.1 + torch.rand(20), init_hidden=True)
    net.network.fc2 = torch.nn.Linear(20, 3)
    frames = (IMAGES > 0.5).float().expand(4, *IMAGES.shape)
    options = {"chip": "loihi1", "method": "moments", "events": True}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        program, _ = calibrate(to_nir(net, IMAGES[:1]), frames, **options)
    assert [w.category for w in caught] == [MergedThresholds]
    assert len(set(program.layers[0].threshold_mantissa.tolist())) == 7


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"noise": "membrane"}, "fitted to data"),
        ({"noise": "none", "calibration": IMAGES[:0]}, "holds no sample"),
        ({"noise": "decay", "fitted": lower(to_nir(dense_net(), IMAGES[:1]))}, "leave fitted out"),
        ({"noise": "membrane", "calibration": IMAGES[:0]}, "holds no sample"),
        ({"noise": "membrane", "calibration": IMAGES[:, :, :3]}, "this Program takes"),
        ({"noise": "membrane", "calibration": torch.nan * IMAGES}, "range from"),
    ],
)
def test_bad_calibrations_are_refused(graph, options: dict, says: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=says):
        lower(graph, **options)


@pytest.mark.parametrize("noise", NOISE_TARGETS)
def test_a_program_as_calibration_is_refused_with_the_way_out(
    graph, fitted: Program, noise: str
) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=r"calibration is a Program; pass it as fitted= .*fit"):
        lower(graph, noise=noise, calibration=fitted)  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"calibration is a Program; pass it as fitted= .*fit"):
        calibrate(graph, fitted, noise=noise)  # type: ignore[arg-type]


def test_data_and_a_fit_together_are_refused(graph, fitted: Program) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=r"both calibration and fitted .*pass one of them"):
        lower(graph, noise="membrane", calibration=IMAGES, fitted=fitted)


@pytest.mark.parametrize("noise", ["membrane", "current", "none"])
def test_a_fit_that_is_not_a_program_is_refused(graph, noise: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=r"fitted is a Tensor; pass a Program as fitted="):
        lower(graph, noise=noise, fitted=IMAGES)  # type: ignore[arg-type]


def test_a_fit_is_taken_over_only_where_it_belongs(graph, fitted: Program) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match="holds no fit of 'membrane'"):
        lower(graph, noise="membrane", fitted=lower(graph))
    renamed = replace(fitted.layers[0], name="other")
    second = fitted.layers[1]
    fed = replace(second, projections=(replace(second.projections[0], source="other"),))
    with pytest.raises(InputError, match="another network"):
        lower(graph, noise="membrane", fitted=replace(fitted, layers=(renamed, fed)))


def test_a_twin_of_fitted_noise_needs_the_fit() -> None:
    with pytest.raises(InputError, match="pass the Program with the fit as fitted="):
        make_twin(dense_net(), IMAGES[:1], noise="membrane")


def test_a_fit_is_not_taken_over_by_a_network_of_another_size() -> None:
    def net(hidden: int) -> nn.Module:
        torch.manual_seed(0)
        return two_layer_net(16, (hidden, 8)).eval()

    images = torch.rand(8, 1, 4, 4)
    fitted, _ = calibrate(to_nir(net(12), images[:1]), images, method="moments")
    lower(to_nir(net(12), images[:1]), noise="membrane", fitted=fitted)
    with pytest.raises(InputError, match="fitted to another network"):
        lower(to_nir(net(13), images[:1]), noise="membrane", fitted=fitted)
