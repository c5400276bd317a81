"""Small networks, the folder of test data and marks, for several tests."""

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import pytest
import snntorch as snn
import torch
from hypothesis import settings
from torch import nn

from stochi.sim.lava.compatibility import lava_status
from stochi.train import RandomTauLeaky
from stochi.train.networks import RepeatSteps
from tests.thoroughness import THOROUGH, tries_more

SHARED = Path(__file__).resolve().parents[2] / "shared"

needs_lava = pytest.mark.skipif(not lava_status()[0], reason=lava_status()[1])


if not THOROUGH:
    settings.load_profile("few")


@pytest.hookimpl(tryfirst=True)  # before tests are chosen by their marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if getattr(getattr(item, "obj", None), "is_hypothesis_test", False):
            item.add_marker(tries_more)
        if item.get_closest_marker("lava"):
            item.add_marker(needs_lava)
        if item.get_closest_marker("cuda"):
            item.add_marker(
                pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU that torch sees")
            )


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _own_neurons(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep ``snntorch.utils.reset`` from the neurons of other tests, which it would reset too."""
    monkeypatch.setattr(snn.SpikingNeuron, "instances", [])


@pytest.fixture
def shared() -> Path:
    """Return the folder of test data; skip the test if it is missing."""
    if not SHARED.is_dir():
        pytest.skip("no folder of shared test data")
    return SHARED


def conv_net(time_steps: int = 4, strong: float = 3.0, **neuron: object) -> RepeatSteps:
    """Build a tiny network for (2, 8, 8) images; weights times ``strong`` make it spike."""

    def spiking() -> RandomTauLeaky:
        return RandomTauLeaky(**{"threshold": 0.3, "init_hidden": True, **neuron})  # type: ignore[arg-type]

    net = RepeatSteps(
        nn.Sequential(
            OrderedDict(
                conv1=nn.Conv2d(2, 4, 3, padding=1),
                norm=nn.BatchNorm2d(4),
                lif1=spiking(),
                pool=nn.AvgPool2d(2),
                conv2=nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2),
                lif2=spiking(),
                flatten=nn.Flatten(),
                fc=nn.Linear(24, 5),
            )
        ),
        time_steps,
    )
    return _strengthen(net, strong)


def dense_net(time_steps: int = 4, strong: float = 3.0, **neuron: object) -> RepeatSteps:
    """Build a tiny network of linear layers for (1, 4, 4) images."""

    def spiking() -> RandomTauLeaky:
        return RandomTauLeaky(**{"threshold": 0.3, "init_hidden": True, **neuron})  # type: ignore[arg-type]

    net = RepeatSteps(
        nn.Sequential(
            OrderedDict(
                flatten=nn.Flatten(),
                fc1=nn.Linear(16, 12),
                lif1=spiking(),
                fc2=nn.Linear(12, 3),
            )
        ),
        time_steps,
    )
    return _strengthen(net, strong)


def _strengthen(net: RepeatSteps, factor: float) -> RepeatSteps:
    with torch.no_grad():
        for module in net.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                module.weight *= factor
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.uniform_(-0.2, 0.2)  # type: ignore[union-attr]
                module.running_var.uniform_(0.5, 2)  # type: ignore[union-attr]
                module.weight.uniform_(0.5, 2)
    return net.eval()


NETWORKS: dict[str, tuple[Callable[..., RepeatSteps], tuple[int, ...]]] = {
    "conv": (conv_net, (2, 8, 8)),
    "dense": (dense_net, (1, 4, 4)),
}


def run_once(net: nn.Module, shape: tuple[int, ...]) -> None:
    """Run a network once, so that fixed decays are drawn."""
    with torch.no_grad():
        net(torch.rand(2, *shape))
