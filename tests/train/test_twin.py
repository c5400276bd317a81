import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from stochi.deploy import MergedThresholds, lower
from stochi.errors import InputError
from stochi.export import from_nir, to_nir
from stochi.hardware.distributions import Empirical, NormalTau, Uniform
from stochi.hardware.draws import Draws
from stochi.parity.records.comparison import compare_records
from stochi.parity.records.twin import record_twin
from stochi.sim import run
from stochi.sim.recording import PROBES
from stochi.train import RandomTauLeaky
from stochi.train.twin.model import FreshDraws, make_twin, set_draws, twin_of
from tests.conftest import NETWORKS, run_once
from tests.train.steps import losses_of_training

VARIANTS = [
    {},
    {"input_gain": "mean"},
    {"sampling": "forward"},
    {"sampling": "fixed"},
    {"sampling": "fixed", "input_gain": "mean"},
    {"sampling": "mean"},
    {"bits": 2, "sigma": 2.0},
    {"distribution": Uniform(0.1, 0.9)},
    {"distribution": NormalTau(2.0, 0.7), "input_gain": "mean"},
    {"distribution": Empirical((0.2, 0.5, 0.6)), "sampling": "forward"},
]


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_it_gives_the_engine_s_integers(network: str, variant: dict) -> None:
    build, shape = NETWORKS[network]
    net = build(**variant)
    run_once(net, shape)
    images = torch.rand(9, *shape)
    program = lower(to_nir(net, images[:1]))
    twin = make_twin(net, images[:1])
    ours = record_twin(twin, program, images, Draws(3, 2))
    theirs = run(program, images, seed=3, trial=2, probes=PROBES)
    compared = compare_records(ours, theirs)
    assert sum(c.mismatches for c in compared) == 0
    assert all(0.02 < float(s.double().mean()) < 0.98 for s in theirs.spikes.values())
    assert torch.allclose(ours.logits, theirs.logits, atol=1e-9)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("sampling", ["step", "forward"])
def test_it_gives_the_integers_of_the_program_s_random_source(network: str, sampling: str) -> None:
    build, shape = NETWORKS[network]
    net = build(sampling=sampling)
    run_once(net, shape)
    images = torch.rand(9, *shape)
    program = lower(to_nir(net, images[:1]), random_source="lfsr")
    ours = record_twin(twin_of(program, net, images[:1]), program, images, Draws(3, 2))
    theirs = run(program, images, seed=3, trial=2, probes=PROBES)
    assert sum(c.mismatches for c in compare_records(ours, theirs)) == 0
    philox = replace(program, target=replace(program.target, random_source="philox"))
    other = run(philox, images, seed=3, trial=2, probes=PROBES)
    assert sum(c.mismatches for c in compare_records(ours, other)) > 0


def test_a_twin_is_exported_once(monkeypatch: pytest.MonkeyPatch) -> None:
    net, images = NETWORKS["dense"][0](), torch.rand(1, *NETWORKS["dense"][1])
    program = lower(to_nir(net, images))
    exported = []

    def counting(*given):  # type: ignore[no-untyped-def]
        exported.append(given)
        return to_nir(*given)

    monkeypatch.setattr(sys.modules["stochi.train.twin.model"], "to_nir", counting)
    twin_of(program, net, images)
    assert len(exported) == 1


def test_a_twin_is_on_its_model_s_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a GPU, with a device that has no memory."""
    net, images = NETWORKS["dense"][0](), torch.rand(1, *NETWORKS["dense"][1])
    graph = to_nir(net, images)
    program, places = lower(graph), []

    def elsewhere(model: torch.nn.Module) -> torch.device:
        places.append(model)
        return torch.device("meta")

    monkeypatch.setattr(sys.modules["stochi.train.twin.model"], "device_of", elsewhere)
    for model in (net, from_nir(graph)):
        for twin in (twin_of(program, model, images), make_twin(model, images)):
            assert places.pop() is model
            assert {parameter.device.type for parameter in twin.parameters()} == {"meta"}
            assert {parameter.device.type for parameter in model.parameters()} == {"cpu"}


def test_an_unknown_random_source_is_an_error() -> None:
    build, shape = NETWORKS["dense"]
    with pytest.raises(InputError, match="random_source is 'dice'"):
        make_twin(build(), torch.rand(1, *shape), random_source="dice")


def test_training_mode_flows_the_same_values_and_gradients_reach_every_parameter() -> None:
    build, shape = NETWORKS["conv"]
    net = build(learn_threshold=True)
    images, labels = torch.rand(8, *shape), torch.arange(8) % 5
    twin = make_twin(net, images[:1])
    with torch.no_grad():
        quiet = twin.eval()(images)
    loud = twin.train()(images)
    assert torch.equal(quiet, loud)
    functional.cross_entropy(loud, labels).backward()
    for name, parameter in twin.named_parameters():
        assert parameter.grad is not None and bool(torch.isfinite(parameter.grad).all()), name
        assert float(parameter.grad.abs().sum()) > 0, name


def test_gradient_is_that_of_the_float_model_where_nothing_is_random() -> None:
    """Without a spread and with mild weights, both models have almost the same gradients."""
    build, shape = NETWORKS["dense"]
    net = build(strong=1.0, sigma=0.0)
    images = torch.rand(16, *shape)
    gradients = []
    for model in (net, make_twin(net, images[:1])):
        leaf = images.clone().requires_grad_(True)
        model(leaf)[:, 0].sum().backward()
        assert leaf.grad is not None
        gradients.append(leaf.grad.flatten())
    similarity = functional.cosine_similarity(*gradients, dim=0)
    assert float(similarity) > 0.98


def test_training_it_lowers_the_loss_and_it_exports_to_the_program_it_computes() -> None:
    build, shape = NETWORKS["dense"]
    images, labels = torch.rand(64, *shape), torch.arange(64) % 3
    twin = make_twin(build(), images[:1]).train()
    losses = losses_of_training(twin, images, labels, 40)
    assert sum(losses[-5:]) < 0.95 * sum(losses[:5])
    program = lower(to_nir(twin, images[:1]))
    ours = record_twin(twin, program, images, Draws())
    compared = compare_records(ours, run(program, images, probes=PROBES))
    assert sum(c.mismatches for c in compared) == 0


def test_the_model_stays_as_it_is_and_fresh_draws_differ() -> None:
    build, shape = NETWORKS["conv"]
    net = build()
    before = {k: v.clone() for k, v in net.state_dict().items()}
    images = torch.rand(4, *shape)
    twin = make_twin(net, images[:1])
    assert all(torch.equal(before[k], v) for k, v in net.state_dict().items())
    fresh = FreshDraws(twin, seed=5)
    assert not torch.equal(fresh(images), fresh(images))
    set_draws(twin, seed=5, trial=0)
    again = twin(images)
    set_draws(twin, seed=5, trial=0)
    assert torch.equal(again, twin(images))


def test_the_twin_of_a_graph_s_model_trains_alone() -> None:
    build, shape = NETWORKS["dense"]
    images = torch.rand(8, *shape)
    model = from_nir(to_nir(build(), images[:1]))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    twin = make_twin(model, images[:1]).train()
    losses_of_training(twin, images, torch.arange(8) % 3, 3)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert not torch.equal(twin.network.fc1.weight, model.network.fc1.weight)


def test_the_twin_of_a_graph_s_model_has_its_time_steps_and_its_dt() -> None:
    build, shape = NETWORKS["dense"]
    images = torch.rand(8, *shape)
    graph = to_nir(build(), images[:1], dt=1e-4)
    del graph.metadata["steps"]
    model = from_nir(graph, time_steps=5)
    twin = make_twin(model, images[:1])
    assert (twin.target.time_steps, twin.target.dt) == (5, 1e-4)
    program = lower(graph, time_steps=6)
    record = record_twin(twin_of(program, model, images[:1]), program, images, Draws())
    compared = compare_records(record, run(program, images, probes=PROBES))
    assert len(record.spikes["network.lif1"]) == 6
    assert sum(c.mismatches for c in compared) == 0


def test_it_merges_thresholds_like_the_lowering_and_warns_once() -> None:
    net = NETWORKS["conv"][0]()
    thresholds = 0.1 + torch.rand(4, 8, 8)
    net.network.lif1 = RandomTauLeaky(
        threshold=thresholds, learn_threshold=True, init_hidden=True, sampling="mean"
    )
    frames = (torch.rand(9, 2, 8, 8) > 0.5).float()
    options = {"chip": "loihi1", "noise": "none", "events": True}
    twin = make_twin(net, frames[:1], **options).train()
    optimizer = torch.optim.SGD(twin.parameters(), 1e-3)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(3):
            optimizer.zero_grad()
            twin(frames).sum().backward()
            optimizer.step()
    assert len([w for w in caught if w.category is MergedThresholds]) == 1
    assert not torch.equal(twin.network.lif1.threshold, thresholds)
    with pytest.warns(MergedThresholds, match="lif1"):
        program = lower(to_nir(twin, frames[:1]), **options)
    assert len(np.unique(program.layers[0].threshold_mantissa)) == 7
    ours = record_twin(twin, program, frames, Draws())
    shown = frames.expand(program.target.time_steps, *frames.shape)
    compared = compare_records(ours, run(program, shown, probes=PROBES))
    assert sum(c.mismatches for c in compared) == 0


def test_an_unknown_noise_is_refused() -> None:
    with pytest.raises(InputError, match="noise is 'pink'"):
        make_twin(NETWORKS["dense"][0](), torch.rand(1, *NETWORKS["dense"][1]), noise="pink")
