"""Checks, ablations and fine-tuning leave every module in the mode that it was in."""

from copy import deepcopy

import pytest
import torch
from torch import nn

from stochi.attacks import PGD
from stochi.data import Images
from stochi.deploy import Program, lower
from stochi.export import to_nir
from stochi.parity import ablate, check_parity
from stochi.train import FineTuningConfig, fine_tune
from tests.conftest import conv_net

ATTACK = PGD(0.1, iterations=1, draws=1)


@pytest.fixture(params=[True, False], ids=["training", "evaluation"])
def net(request: pytest.FixtureRequest) -> nn.Module:
    """A network with one module in another mode than all others."""
    training: bool = request.param
    found = conv_net().train(training)
    found.network.norm.train(not training)  # type: ignore[union-attr]
    return found


@pytest.fixture
def images() -> Images:
    return Images(torch.rand(6, 2, 8, 8), torch.arange(6) % 5)


def lowered(net: nn.Module, images: Images) -> Program:
    return lower(to_nir(deepcopy(net).eval(), images.inputs[:1]))


def modes(net: nn.Module) -> dict[str, bool]:
    found = {name: module.training for name, module in net.named_modules()}
    assert len(set(found.values())) == 2
    return found


def values(net: nn.Module) -> dict[str, torch.Tensor]:
    """Copies of parameters and running statistics."""
    return {name: values.clone() for name, values in net.state_dict().items()}


def assert_equal(net: nn.Module, before: dict[str, torch.Tensor]) -> None:
    assert all(torch.equal(before[name], values) for name, values in net.state_dict().items())


def test_a_check_keeps_modes(net: nn.Module, images: Images) -> None:
    origin = deepcopy(net)
    origin.network.lif1.train(net.network.norm.training)  # type: ignore[union-attr]
    program, before = lowered(origin, images), (modes(net), modes(origin))
    assert before[0] != before[1]
    state = values(net)
    few = {"lava": False, "trials": 2, "seeds": (0,), "exact_images": 2}
    check_parity(net, program, images, lowered_from=origin, attacks=[ATTACK], **few)  # type: ignore[arg-type]
    assert (modes(net), modes(origin)) == before
    assert_equal(net, state)


def test_a_check_that_is_stopped_keeps_modes(net: nn.Module, images: Images) -> None:
    def stop(message: str) -> None:
        assert not any(module.training for module in net.modules())
        raise InterruptedError(message)

    before = modes(net)
    with pytest.raises(InterruptedError, match="part 1 of 3"):
        check_parity(net, lowered(net, images), images, trials=1, lava=False, progress=stop)
    assert modes(net) == before


def test_an_ablation_keeps_modes(net: nn.Module, images: Images) -> None:
    before, state = modes(net), values(net)
    ablate(net, lowered(net, images), images, attack=ATTACK, trials=1)
    assert modes(net) == before
    assert_equal(net, state)


def test_fine_tuning_keeps_the_teacher_s_modes(net: nn.Module, images: Images) -> None:
    before, state = modes(net), values(net)
    config = FineTuningConfig(epochs=1, batch_size=3, teacher_draws=1)
    tuned = fine_tune(net, lowered(net, images), images, config)
    assert modes(net) == before
    assert_equal(net, state)
    assert not any(module.training for module in tuned.modules())
