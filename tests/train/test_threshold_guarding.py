"""TGO's penalty: what it measures, its gradients, and the models that it works on."""

from collections.abc import Callable

import pytest
import snntorch as snn
import torch
from torch import nn
from torch.nn import functional

from stochi.errors import InputError
from stochi.export import from_nir, to_nir
from stochi.train import NoisyLeaky, RandomTauLeaky, RepeatSteps
from stochi.train.defences.adversarial_training import FGSMTraining
from stochi.train.defences.catalogue import make_defence
from stochi.train.defences.defence import Defence
from stochi.train.defences.membrane_distances import watched_membranes
from stochi.train.defences.threshold_guarding import ThresholdGuarding, closeness
from stochi.train.twin.model import FreshDraws, make_twin
from tests.conftest import conv_net, dense_net

IMAGES = torch.rand(6, 1, 4, 4, generator=torch.Generator().manual_seed(1))
LABELS = torch.arange(6) % 3


def net_of(neuron: Callable[[], nn.Module], time_steps: int = 3) -> RepeatSteps:
    torch.manual_seed(5)
    net = RepeatSteps(
        nn.Sequential(nn.Flatten(), nn.Linear(16, 8), neuron(), nn.Linear(8, 3)), time_steps
    )
    with torch.no_grad():
        net.network[1].weight *= 3
    return net.train()


NEURONS: dict[str, Callable[[], nn.Module]] = {
    "stock": lambda: snn.Leaky(0.5, threshold=0.4, init_hidden=True),
    "stock, no delay": lambda: snn.Leaky(
        0.5, threshold=0.4, reset_mechanism="zero", reset_delay=False, init_hidden=True
    ),
    "cuba": lambda: snn.Synaptic(
        alpha=0.5, beta=0.5, threshold=0.4, reset_mechanism="zero", init_hidden=True
    ),
    "noisy": lambda: NoisyLeaky(0.5, threshold=0.4, init_hidden=True),
    "random": lambda: RandomTauLeaky(threshold=0.4, init_hidden=True),
}


def test_closeness() -> None:
    distance = torch.tensor([0.0, 0.25, -0.25, 0.5, -2.0])
    assert closeness(distance, 0.5) == pytest.approx((1 + 0.5 + 0.5) / 5)
    assert closeness(distance, 1.0) == pytest.approx((1 + 0.75 + 0.75 + 0.5) / 5)


@pytest.mark.parametrize("kind", NEURONS)
def test_the_distances_are_those_that_spikes_show(kind: str) -> None:
    """One for each step, before the reset: positive just where there is a spike."""
    net, sent = net_of(NEURONS[kind]), []
    net.network[2].register_forward_hook(lambda m, given, out: sent.append(out))
    own = vars(net.network[2]).get("spike_grad")
    with watched_membranes(net) as distances:
        net(IMAGES)
    assert len(distances) == 3
    assert "fire" not in vars(net.network[2]) and vars(net.network[2]).get("spike_grad") is own
    spikes = torch.stack(sent)
    assert 0 < spikes.mean() < 1
    assert torch.equal(torch.stack(distances) > 0, spikes > 0)


@pytest.mark.parametrize("build", [conv_net, dense_net])
@pytest.mark.parametrize("options", [{}, {"sampling": "mean"}])
def test_a_twin_s_distances_are_of_the_chip_s_membranes(build, options: dict) -> None:  # type: ignore[no-untyped-def]
    inputs = torch.rand(6, 2, 8, 8) if build is conv_net else IMAGES
    twin = FreshDraws(make_twin(build(**options), inputs[:1]), seed=1).train()
    with watched_membranes(twin) as distances:
        logits = twin(inputs)
    twin.calls = 0
    sent = []
    for found in twin.model.run(inputs):
        sent += [out.sent for name, out in found.items() if "lif" in name]
    assert [each.shape for each in distances] == [each.shape for each in sent]
    for distance, spikes in zip(distances, sent, strict=True):
        far = distance.abs() > 1e-3  # the chip truncates
        assert torch.equal((distance > 0)[far], (spikes > 0)[far])
    near = sum(closeness(each, 0.5) for each in distances)
    weights = [p for n, p in twin.named_parameters() if n.endswith("weight")][:-1]
    grads = torch.autograd.grad(near, weights, retain_graph=True)
    assert all(g.isfinite().all() and g.any() for g in grads)
    assert logits.isfinite().all()


def test_a_twin_s_gradient_is_the_float_model_s() -> None:
    """With weights on the grid's finest steps, membranes of float and chip hardly differ."""
    net = net_of(NEURONS["stock, no delay"])
    graph = to_nir(net, IMAGES)
    found = []
    for model in (from_nir(graph), make_twin(net, IMAGES[:1])):
        with watched_membranes(model.train()) as distances:
            model(torch.round(IMAGES * 255) / 255)
        near = sum(closeness(each, 5.0) for each in distances)
        weight = next(p for n, p in model.named_parameters() if n.endswith("1.weight"))
        found.append(torch.autograd.grad(near, weight)[0])
    assert functional.cosine_similarity(*(g.flatten() for g in found), dim=0) > 0.99


def test_the_loss_is_cross_entropy_plus_the_penalty() -> None:
    net = net_of(NEURONS["stock, no delay"])
    with watched_membranes(net) as distances:
        logits = net(IMAGES)
    near = torch.stack([closeness(each, 0.3) for each in distances]).mean()
    expected = functional.cross_entropy(logits, LABELS) + 2 * near
    found = ThresholdGuarding(coefficient=2.0, margin=0.3).loss(net, IMAGES, LABELS)
    assert near > 0.01
    assert torch.allclose(found, expected)
    ours, theirs = (torch.autograd.grad(x, net.network[1].weight)[0] for x in (found, expected))
    assert torch.allclose(ours, theirs, atol=1e-7)


@pytest.mark.parametrize("epsilon", [0.0, 0.1])
def test_without_a_coefficient_it_is_the_training_inside(epsilon: float) -> None:
    found = []
    inner = FGSMTraining(epsilon) if epsilon else Defence()
    for defence in (ThresholdGuarding(epsilon, coefficient=0.0), inner):
        net = net_of(NEURONS["random"])
        torch.manual_seed(3)
        found.append(defence.loss(net, IMAGES, LABELS))
    assert torch.equal(*found)


def test_steps_along_the_penalty_move_membranes_away() -> None:
    net = net_of(NEURONS["stock, no delay"])
    optimizer = torch.optim.SGD(net.parameters(), 0.5)

    def near() -> torch.Tensor:
        with watched_membranes(net) as distances:
            net(IMAGES)
        return torch.stack([closeness(each, 0.5) for each in distances]).mean()

    first = near()
    for _ in range(20):
        optimizer.zero_grad()
        near().backward()
        optimizer.step()
    assert near() < 0.6 * first


def test_models_without_membranes_are_refused() -> None:
    net = nn.Sequential(nn.Flatten(), nn.Linear(16, 3))
    with pytest.raises(InputError, match="has no spiking neuron"):
        ThresholdGuarding().loss(net, IMAGES, LABELS)
    net = net_of(NEURONS["stock"])
    for parameter in net.network[1].parameters():
        parameter.requires_grad_(False)
    with pytest.raises(InputError, match="no gradient reaches a membrane"):
        ThresholdGuarding().loss(net, IMAGES, LABELS)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"coefficient": -1.0}, "coefficient is -1.0"),
        ({"margin": 0.0}, "margin is 0.0; it must be a number above 0"),
        ({"epsilon": 2.0}, "epsilon is 2.0"),
    ],
)
def test_parameters_out_of_range(parameters: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        make_defence("tgo", **parameters)
