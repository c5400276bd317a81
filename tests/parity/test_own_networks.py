"""Networks as snnTorch's users write them: the twin gives the engine's integers, parity runs."""

import pytest
import torch

from benchmarks.support.networks import TUTORIALS, strong
from stochi.attacks import FGSM
from stochi.data import Images
from stochi.deploy import lower
from stochi.export import from_nir, to_nir
from stochi.hardware.draws import Draws
from stochi.parity import ablate, check_parity
from stochi.parity.records.comparison import compare_records
from stochi.parity.records.twin import record_twin
from stochi.sim import run
from stochi.sim.recording import PROBES
from stochi.train import twin_of

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@pytest.mark.parametrize("name", TUTORIALS)
def test_twin_and_engine_have_the_same_integers(name: str) -> None:
    torch.manual_seed(0)
    build, shape, _, _ = TUTORIALS[name]
    net, images = strong(build()), torch.rand(12, *shape)
    program = lower(to_nir(net, images[:2]))
    twin = twin_of(program, net, images[:2])
    ours = record_twin(twin, program, images, Draws(3, 2))
    theirs = run(program, images, seed=3, trial=2, probes=PROBES)
    assert sum(c.mismatches for c in compare_records(ours, theirs)) == 0
    assert all(float(spikes.double().mean()) > 0.01 for spikes in theirs.spikes.values())
    assert torch.allclose(ours.logits, theirs.logits, atol=1e-6)


@pytest.mark.parametrize("name", TUTORIALS)
def test_the_graph_trains_like_the_model(name: str) -> None:
    torch.manual_seed(0)
    build, shape, _, _ = TUTORIALS[name]
    net, images = strong(build()), torch.rand(8, *shape)
    model = from_nir(to_nir(net, images[:2]))
    expected = net(images)
    expected = expected[0] if isinstance(expected, tuple) else expected
    found = model(images)
    assert torch.allclose(found, expected, atol=1e-4)
    found.square().mean().backward()
    assert all(p.grad is not None for p in model.parameters())


@pytest.mark.parametrize("name", ["tutorial 5", "Synaptic", "RLeaky", "SEW residual"])
def test_parity_of_networks_with_labels(name: str) -> None:
    torch.manual_seed(0)
    build, shape, _, _ = TUTORIALS[name]
    net, images = strong(build()), torch.rand(30, *shape)
    answer = from_nir(to_nir(net, images[:2])).answering()(images)
    program = lower(to_nir(net, images[:2]))
    data = Images(images, answer.argmax(1))
    report = check_parity(
        net, program, data, trials=2, lava=False, attacks=[FGSM(0.1, draws=1)], exact_images=8
    )
    assert report.mismatches == 0 and report.compared > 0
    clean = report.accuracy[0].sides
    assert clean["float"].value > 0.95
    assert clean["chip"].value > 0.6


def test_parity_of_a_graph_alone() -> None:
    """The graph says neither its time step nor its resets; the Program does."""
    torch.manual_seed(0)
    build, shape, _, _ = TUTORIALS["tutorial 5"]
    graph = to_nir(strong(build()), torch.rand(2, *shape))
    for node in graph.nodes.values():
        node.metadata = {}
    dt = graph.metadata["dt"]
    graph.metadata = {}
    options = {"dt": dt, "time_steps": 10, "reset": "subtract"}
    program = lower(graph, **options)
    images = torch.rand(30, *shape)
    answer = from_nir(graph, **options)(images)
    data = Images(images, answer.argmax(1))
    report = check_parity(graph, program, data, trials=2, lava=False, exact_images=8)
    assert report.mismatches == 0 and report.compared > 0
    assert report.accuracy[0].sides["float"].value == 1.0
    assert report.accuracy[0].sides["chip"].value > 0.6
    found = ablate(graph, program, data, trials=1)
    assert set(found.variants) == {"float", "input", "weights", "decays", "states", "all"}
