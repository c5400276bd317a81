import itertools
import warnings
from pathlib import Path

import nir
import numpy as np
import pytest
import torch

from stochi.deploy import MergedDecays, MergedThresholds, lower
from stochi.deploy.graph.file import read_graph
from stochi.errors import GraphError, InputError, LoweringError
from stochi.export import to_nir
from stochi.export.evaluation import evaluate
from stochi.program.layers import Convolution
from stochi.sim import run
from tests.conftest import NETWORKS, conv_net

DT = 1e-3


def chain(*nodes: nir.NIRNode, shape: tuple[int, ...] = (4,), **metadata: object) -> nir.NIRGraph:
    named = {"input": nir.Input(np.array(shape))}
    named |= {f"n{i}": node for i, node in enumerate(nodes)}
    named["output"] = nir.Output(nodes[-1].output_type["output"])
    names = list(named)
    return nir.NIRGraph(named, list(itertools.pairwise(names)), metadata)


def affine(outputs: int = 3, inputs: int = 4) -> nir.Affine:
    rng = np.random.default_rng(0)
    return nir.Affine(rng.standard_normal((outputs, inputs)), 0.1 * rng.standard_normal(outputs))


def lif(n: int = 3, **changed: float) -> nir.LIF:
    values = {"tau": 2 * DT, "r": 1.0, "v_leak": 0.0, "v_threshold": 0.3} | changed
    return nir.LIF(**{k: np.full(n, v) for k, v in values.items()})


def test_integers_stand_for_the_graph_s_numbers() -> None:
    graph = to_nir(conv_net(), torch.rand(1, 2, 8, 8))
    program = lower(graph)
    assert [layer.name for layer in program.layers] == [
        "network.lif1",
        "network.lif2",
        "network.fc",
    ]
    first, second, readout = program.layers
    conv = first.projections[0]
    step = 2.0 ** first.projections[0].weight_exponent * 255 / first.scale
    real = graph.nodes["network.conv1"].weight
    errors = (conv.weight * step - real) / (2 * step)  # even mantissas, where signs mix
    assert np.abs(errors).max() <= 1 and np.abs(errors.sum((1, 2, 3))).max() <= 0.5
    assert np.abs(first.threshold_mantissa / first.scale - 0.3) < 1 / first.scale
    assert (
        np.abs(first.bias()[:, 0, 0] / 64 / first.scale - graph.nodes["network.conv1"].bias).max()
        < 0.01
    )
    # Groups come back from the metadata, and pooling's divisor is in the scale.
    grouped = next(s for s in second.projections[0].stages if isinstance(s, Convolution))
    assert grouped.groups == 2 and grouped.weight.shape == (6, 2, 3, 3)
    assert not readout.spikes and first.decay.programmable and len(first.decay.values) == 256


@pytest.mark.parametrize("network", NETWORKS)
def test_without_noise_the_chip_is_close_to_the_real_graph(network: str) -> None:
    build, shape = NETWORKS[network]
    images = torch.rand(200, *shape)
    graph = to_nir(build(), images[:1])
    logits = run(lower(graph, noise="none"), images).logits
    expected = evaluate(graph, images, 4, DT).mean(0)
    assert float((logits.argmax(1) == expected.argmax(1)).double().mean()) > 0.9
    correlation = torch.corrcoef(torch.stack([logits.flatten(), expected.flatten()]))[0, 1]
    assert float(correlation) > 0.97


def test_steps_dt_and_events_are_found_or_asked_for() -> None:
    graph = chain(affine(), lif())
    with pytest.raises(InputError, match="pass dt"):
        lower(graph)
    program = lower(graph, dt=DT, events=True)
    target = program.target
    assert (target.time_steps, target.dt, target.input_levels) == (8, DT, 1)
    noted = chain(affine(), lif(), dt=DT, steps=3)
    assert lower(noted).target.time_steps == 3
    assert lower(noted, time_steps=5).target.time_steps == 5
    with pytest.raises(InputError, match="leave out dt"):
        lower(noted, dt=1e-4)


def test_heterogeneous_neurons_get_decays_of_their_own() -> None:
    node = lif()
    node.tau = np.array([2, 4, 8]) * DT
    program = lower(chain(affine(), node), dt=DT)
    decay = program.layers[0].decay
    assert decay is not None and decay.values.tolist() == [2048, 3072, 3584]
    assert not decay.programmable
    dense = program.layers[0].projections[0]
    assert np.abs(dense.weight[2]).max() < np.abs(dense.weight[0]).max()


def test_loihi_1_merges_decays_that_a_core_cannot_tell_apart() -> None:
    """With a warning; decays that fit a core, or are for Loihi 2, do not change."""
    rng = np.random.default_rng(0)
    weight, ones = rng.standard_normal((100, 4)), np.ones(100)
    tau = rng.uniform(2, 9, 100) * DT
    graph = chain(nir.Linear(weight), nir.LIF(tau, ones, 0 * ones, ones))
    with pytest.warns(MergedDecays, match="n1.*merged into 32.*moves by 0.0"):
        merged = lower(graph, "loihi1", "none", dt=DT, events=True).layers[0].decay.values
    exact = lower(graph, "loihi2", "none", dt=DT, events=True).layers[0].decay.values
    assert len(np.unique(merged)) == 32 < len(np.unique(exact))
    assert np.abs(merged - exact).max() < 4096 * 0.02
    few = nir.LIF(np.repeat(tau[:32], 4)[:100], ones, 0 * ones, ones)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        lower(chain(nir.Linear(weight), few), "loihi1", "none", dt=DT, events=True, reset="zero")


def test_loihi_1_merges_thresholds_that_a_core_cannot_tell_apart() -> None:
    """With a warning; thresholds that round to equal values, or are for Loihi 2, do not change."""
    rng = np.random.default_rng(0)
    # One weight for each neuron: 21 bits hold it with the same scale as 24 bits.
    weight, ones = rng.standard_normal((100, 4)) * [1, 0, 0, 0], np.ones(100)
    thresholds = rng.uniform(0.05, 2, 100)

    def thresholds_on(chip: str, real: np.ndarray) -> np.ndarray:
        graph = chain(nir.Linear(weight), nir.LIF(2 * DT * ones, ones, 0 * ones, real))
        program = lower(graph, chip, "none", dt=DT, events=True, reset="zero")
        found = program.layers[0].threshold_mantissa
        assert found is not None
        return found

    with pytest.warns(MergedThresholds, match="n1.*its 100 .*merged into 7.*moves by ") as caught:
        merged = thresholds_on("loihi1", thresholds)
    exact = thresholds_on("loihi2", thresholds)
    assert len(np.unique(merged)) == 7 < len(np.unique(exact)) == 100
    assert merged.min() > 0 and (np.diff(merged[np.argsort(exact)]) >= 0).all()
    moved = np.abs(merged / exact - 1).max()
    assert f"{moved:.1%} at most" in str(caught[0].message)
    assert np.abs(merged - exact).max() < exact.max() / 7
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        thresholds_on("loihi1", np.repeat(thresholds[:7], 15)[:100])
        nearly_equal = 1 + np.linspace(0, 1e-6, 100)
        assert len(np.unique(thresholds_on("loihi1", nearly_equal))) == 1


@pytest.mark.parametrize(
    ("graph", "options", "says"),
    [
        (lambda: "no graph", {}, "NIRGraph is needed"),
        (lambda: chain(affine(), lif()), {"chip": "loihi3"}, "unknown chip 'loihi3'"),
        (lambda: chain(affine(), lif()), {"noise": "loud"}, "noise is 'loud'"),
        (lambda: chain(affine(), lif()), {"random_source": "dice"}, "random_source is 'dice'"),
        (lambda: chain(affine(), lif()), {"time_steps": 0}, "time_steps is 0"),
        (lambda: chain(affine(), lif()), {"dt": -1.0}, "dt is -1"),
        (lambda: chain(affine(), lif()), {"calibration": torch.ones(1)}, "inputs have shape"),
        (lambda: chain(affine(), lif()), {"chip": "loihi1"}, "graded"),
        (lambda: chain(affine(), lif(v_leak=np.nan)), {}, "n1.*v_leak"),
        (lambda: chain(affine(), lif(v_threshold=np.inf)), {}, "n1.*never spikes.*nir.LI"),
        (lambda: chain(affine(), lif(v_reset=0.4)), {}, "n1.*threshold 0.3 is below 0.4"),
        (lambda: chain(affine(), lif(tau=DT / 2)), {}, "n1.*outside"),
        (lambda: chain(affine(), nir.Threshold(-np.ones(3))), {}, "n1.*threshold -1 is below 0"),
        (lambda: chain(nir.Affine(np.full((3, 4), np.nan), np.zeros(3)), lif()), {}, "n0.*NaN"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(graph, options: dict, says: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises((InputError, LoweringError, GraphError), match=says):
        lower(graph(), **{"dt": DT, **options})


def test_random_neurons_need_a_programmable_chip() -> None:
    graph = to_nir(conv_net(), torch.rand(1, 2, 8, 8))
    with pytest.raises(LoweringError, match=r"network\.lif1.*programmable.*noise='none'"):
        lower(graph, chip="loihi1", events=True)
    assert lower(graph, chip="loihi1", noise="none", events=True).target.chip == "loihi1"


def test_a_gain_that_is_coupled_to_a_drawn_decay_has_no_other_factor() -> None:
    graph = to_nir(conv_net(), torch.rand(1, 2, 8, 8))
    graph.nodes["network.lif1"].r = 3 * np.asarray(graph.nodes["network.lif1"].r)
    with pytest.raises(LoweringError, match=r"network\.lif1.*multiply that by 3; set r"):
        lower(graph)


def test_a_graph_of_another_framework_runs(shared: Path) -> None:
    graph = read_graph(shared / "nir" / "lif_norse.nir")
    program = lower(graph, dt=1e-4, time_steps=100, events=True)
    frames = (torch.rand(100, 20, *program.input_shape) > 0.5).float()
    rates = run(program, frames).logits
    expected = evaluate(graph, frames, 100, 1e-4).mean(0)
    assert float(rates.mean()) == pytest.approx(float(expected.mean()), abs=0.02)
