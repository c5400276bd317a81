"""Values that forward reads out of tensors: refused, warned about, or harmless."""

import logging
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import snntorch as snn
import torch
from torch import nn

from stochi.errors import ExportError
from stochi.export import ReadValuesWarning, to_nir
from tests.export.test_tutorials import assert_computes


class Net(nn.Module):
    """Images (batch, 12) → mean spikes of 5 classes, with code of its author before the loop."""

    def __init__(self, before: Callable[[Any, torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.before, self.steps, self.ends, self.skips = before, 6, False, False
        self.fc1, self.lif1 = nn.Linear(12, 10), snn.Leaky(beta=0.8)
        self.fc2, self.lif2 = nn.Linear(10, 5), snn.Leaky(beta=0.8)
        with torch.no_grad():
            for layer in (self.fc1, self.fc2):
                layer.weight.mul_(4)
            self.fc2.bias.add_(0.4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.before(self, x)
        mem1, mem2, sent = self.lif1.init_leaky(), self.lif2.init_leaky(), []
        for _ in range(self.steps):
            spikes, mem1 = self.lif1(self.fc1(x), mem1)
            quiet = self.skips and not spikes.any()
            current = torch.zeros(len(x), 5) if quiet else self.fc2(spikes)
            out, mem2 = self.lif2(current, mem2)
            sent.append(out)
            if self.ends and bool((sum(sent).max(1).values >= 2).all()):  # type: ignore[union-attr]
                break
        return torch.stack(sent).mean(0)


def whole_range(x: torch.Tensor) -> torch.Tensor:
    x[0, 0], x[0, 1] = 0.0, 1.0
    return x


def plain(net: Any, x: torch.Tensor) -> torch.Tensor:
    return x


def least_to_most(net: Any, x: torch.Tensor) -> torch.Tensor:
    low, high = float(x.min()), float(x.max())
    return (x - low) / (high - low)


READING: dict[str, Callable[[Any, torch.Tensor], torch.Tensor]] = {
    "item": lambda net, x: x / x.max().item(),
    "float": least_to_most,
    "tolist": lambda net, x: x / max(x.max(1).values.tolist()),
    "numpy": lambda net, x: x / float(x.numpy().max()),
    "a branch": lambda net, x: 1 - x if x.mean() > 0.6 else x,
    "a count": lambda net, x: x * (1 + len((x > 0.9).nonzero())),
    "a selection": lambda net, x: x * (1 + x[x > 0.9].numel()),
}


@pytest.mark.parametrize("name", READING)
def test_a_value_that_differs_between_inputs_is_refused_with_its_place(name: str) -> None:
    with pytest.raises(ExportError, match=r"reads values at test_dependence.py:\d+ \("):
        to_nir(Net(READING[name]), whole_range(torch.rand(16, 12)))


def test_images_of_whole_numbers_that_forward_scales_if_they_are_large() -> None:
    net = Net(lambda net, x: x / 255 if x.max() > 1 else x)
    with pytest.raises(ExportError, match="on ones; forward reads values"):
        to_nir(net, (torch.rand(16, 12) * 255).round())
    with pytest.warns(ReadValuesWarning, match=r"test_dependence.py:\d+ \(__bool__\)"):
        graph = to_nir(net, torch.rand(16, 12))
    assert_computes(net, graph, torch.rand(32, 12))


@pytest.mark.parametrize("what", ["ends", "skips"])
def test_an_early_end_and_a_skipped_layer_are_refused(what: str) -> None:
    net = Net(plain)
    setattr(net, what, True)
    with pytest.raises(ExportError, match="reads values at"):
        to_nir(net, torch.rand(8, 12))


def test_time_steps_that_the_batch_decides_are_refused() -> None:
    def steps(net: Any, x: torch.Tensor) -> torch.Tensor:
        net.steps = 6 if len(x) > 1 else 3
        return x

    with pytest.raises(ExportError, match="6 time steps on the sample and 3 on another input"):
        to_nir(Net(steps), torch.rand(8, 12))


def test_checks_and_logs_are_harmless() -> None:
    def checked(net: Any, x: torch.Tensor) -> torch.Tensor:
        assert x.min() >= 0 and float(x.max()) <= 1, "scale the images"
        if x.isnan().any() or x.max().item() > 1:
            raise ValueError("scale the images")
        logging.getLogger(__name__).debug("mean %.3f of %s", x.mean().item(), x.tolist())
        net.seen = int(x.sum()), len(x.nonzero()), f"{x.mean():.2f}", x.numpy().std()
        return x

    net = Net(checked)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        graph = to_nir(net, torch.rand(8, 12))
    assert_computes(net, graph, torch.rand(32, 12))


def test_a_loop_over_values_ends() -> None:
    def halved(net: Any, x: torch.Tensor) -> torch.Tensor:
        while x.max() > 1:
            x = x / 2
        return x

    with pytest.warns(ReadValuesWarning):
        to_nir(Net(halved), torch.rand(8, 12))
