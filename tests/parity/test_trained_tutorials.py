"""Networks written as in snnTorch's tutorials, trained on the digits, from torch to Lava."""

from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional

from benchmarks.support.networks import TUTORIALS, EventsNet, Tutorial6
from stochi.data import Images, Streams, load_digits
from stochi.data.samples import Samples
from stochi.deploy import lower
from stochi.export import to_nir
from stochi.parity import check_parity
from tests.conftest import needs_lava

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::UserWarning")]

Form = Callable[[Images], Samples]


def as_events(images: Images) -> Streams:
    """Spike trains with the brightness as their rate; the network takes (time steps, batch, 64)."""
    flat = images.inputs.flatten(1)
    drawn = torch.rand(10, *flat.shape, generator=torch.Generator().manual_seed(1)) < flat
    return Streams(drawn.float(), images.labels)


def as_numbers(images: Images) -> Images:
    """The digit's number, a tenth of it, as a membrane nears it over 10 time steps."""
    near = 1 - 0.9 ** torch.arange(1, 11)[:, None]
    return Images(images.inputs, (images.labels / 10 * near).unsqueeze(2))


NETWORKS: dict[str, tuple[Callable[[], nn.Module], Form, int]] = {
    **{name: (entry[0], lambda images: images, 6) for name, entry in TUTORIALS.items()},
    "tutorial 6, spikes pooled": (Tutorial6, lambda images: images, 40),
    "rate-coded": (EventsNet, as_events, 6),
    "regression": (TUTORIALS["regression"][0], as_numbers, 20),
}
"""Builders by name, with the form of the data, and the epochs of the training."""


def train(net: nn.Module, data: Samples, epochs: int) -> None:
    """Train by the mean of spikes or membranes, or by the squared error of a regression."""
    optimizer = torch.optim.Adam(net.parameters(), lr=5e-3)
    for inputs, labels in epochs * list(data.split(64)):
        found = net(inputs)
        found = found[0] if isinstance(found, tuple) else found
        if data.regression:
            loss = functional.mse_loss(found, labels)
        else:
            logits = found.mean(0) if found.dim() == 3 else found
            loss = functional.cross_entropy(10 * logits, labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


@needs_lava
@pytest.mark.parametrize("name", NETWORKS)
def test_trained_networks_are_the_same_on_twin_engine_and_lava(name: str) -> None:
    torch.manual_seed(0)
    build, form, epochs = NETWORKS[name]
    training, test = (form(images) for images in load_digits())
    net = build()
    train(net, training, epochs)
    program = lower(to_nir(net.eval(), test.first(4).inputs), events=name == "rate-coded")
    report = check_parity(net, program, test, trials=1, exact_images=16)
    assert report.mismatches == 0
    assert {(entry.left, entry.right) for entry in report.exact} == {
        *(("engine", "lava"), ("twin", "lava"), ("twin", "engine")),
    }
    if name == "regression":
        assert report.errors is not None
        always_the_mean = float(test.labels.var(1).mean())
        assert report.errors.sides["chip"].high < always_the_mean / 2
        assert report.errors.differences["chip_minus_float"].value < always_the_mean / 10
        return
    float_accuracy, chip = (report.accuracy[0].sides[side] for side in ("float", "chip"))
    assert float_accuracy.value > 0.75
    difference = report.accuracy[0].differences["chip_minus_float"]
    assert difference.low > -0.05 and chip.value > 0.75
