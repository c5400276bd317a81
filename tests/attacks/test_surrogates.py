import pytest
import torch
from snntorch import surrogate
from torch import nn

from stochi.attacks import PGD, with_surrogate
from stochi.attacks.expectation import expected_gradient
from stochi.deploy import lower
from stochi.errors import InputError
from stochi.export import to_nir
from stochi.train.twin.model import FreshDraws, twin_of
from tests.conftest import conv_net


@pytest.fixture(params=["float", "twin"])
def model(request: pytest.FixtureRequest) -> nn.Module:
    net = conv_net(spike_grad=surrogate.atan())
    if request.param == "float":
        return net
    sample = torch.rand(1, 2, 8, 8)
    return FreshDraws(twin_of(lower(to_nir(net, sample)), net, sample), seed=3)


def same_draws(model: nn.Module) -> None:
    torch.manual_seed(5)
    if isinstance(model, FreshDraws):
        model.calls = 0


def test_spikes_stay_and_gradients_change(model: nn.Module) -> None:
    x, y = torch.rand(3, 2, 8, 8), torch.arange(3)
    other = with_surrogate(model, surrogate.fast_sigmoid(slope=2))
    found = []
    for each in (model, other):
        same_draws(each)
        logits = each(x).detach()
        same_draws(each)
        found.append((logits, expected_gradient(each, x, y, 2)))
    (logits, gradient), (other_logits, other_gradient) = found
    assert torch.equal(logits, other_logits)
    assert not torch.allclose(gradient, other_gradient) and bool(other_gradient.any())
    same_draws(model)
    assert torch.equal(gradient, expected_gradient(model, x, y, 2))  # the model stayed as it was


def test_attacks_run_on_a_model_with_another_surrogate() -> None:
    x, y = torch.rand(2, 2, 8, 8), torch.arange(2)
    steep = with_surrogate(conv_net(), surrogate.fast_sigmoid(slope=1000))
    assert PGD(0.1, iterations=2, draws=2)(steep, x, y).shape == x.shape


def test_a_surrogate_that_changes_the_spikes_raises() -> None:
    with pytest.raises(InputError, match="forward pass"):
        with_surrogate(conv_net(), torch.sigmoid)


def test_a_model_without_spiking_neurons_raises() -> None:
    with pytest.raises(InputError, match="no spiking neuron"):
        with_surrogate(nn.Linear(2, 2), surrogate.atan())
