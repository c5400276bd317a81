"""Samples of one input and of one time step, which hide how a model treats more."""

from collections.abc import Callable

import pytest
import snntorch as snn
import torch
from torch import nn

from stochi.errors import ExportError
from stochi.export import from_nir, to_nir


class Net(nn.Module):
    """Images (batch, 12), or events (time steps, batch, 12), with code of its author around."""

    def __init__(
        self,
        before: Callable[[torch.Tensor], torch.Tensor] = lambda x: x,
        after: Callable[[list[torch.Tensor]], torch.Tensor] = torch.stack,  # type: ignore[assignment]
        events: bool = False,
    ) -> None:
        super().__init__()
        self.before, self.after, self.events = before, after, events
        self.fc1, self.lif1 = nn.Linear(12, 10), snn.Leaky(beta=0.8)
        self.fc2 = nn.Linear(10, 5)
        with torch.no_grad():
            self.fc1.weight.mul_(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x, mem, sent = self.before(x), self.lif1.init_leaky(), []
        for frame in x if self.events else [x] * 5:
            spikes, mem = self.lif1(self.fc1(frame), mem)
            sent.append(self.fc2(spikes))
        return self.after(sent)


MIXING: list[Callable[[torch.Tensor], torch.Tensor]] = [
    lambda x: 0.7 * x + 0.3 * x.roll(1, 0),
    lambda x: x.flip(0),
    lambda x: x - 0.3 * torch.full((len(x), len(x)), 1 / len(x)) @ x,
    lambda x: x.cumsum(0) * 0.2,
    lambda x: x - x.mean(0, keepdim=True),
]


@pytest.mark.parametrize("size", [1, 4])
@pytest.mark.parametrize("mix", MIXING)
def test_mixing_over_the_batch_is_refused_even_of_a_single_input(
    mix: Callable[[torch.Tensor], torch.Tensor], size: int
) -> None:
    with pytest.raises(ExportError):
        to_nir(Net(mix), torch.rand(size, 12))
    with pytest.raises(ExportError):
        events = Net(lambda x: mix(x.transpose(0, 1)).transpose(0, 1), events=True)
        to_nir(events, torch.rand(6, size, 12).round())


@pytest.mark.parametrize("size", [1, 4])
def test_squeezed_inputs(size: int) -> None:
    net, shown = Net(torch.squeeze).eval(), torch.rand(4, 1, 12)
    graph = to_nir(net, torch.rand(size, 1, 12))
    with torch.no_grad():
        assert torch.allclose(from_nir(graph)(shown), net(shown), atol=1e-4)


def test_a_model_that_takes_one_input_at_a_time_is_exported() -> None:
    def single(x: torch.Tensor) -> torch.Tensor:
        assert len(x) == 1
        return x

    assert to_nir(Net(single), torch.rand(1, 12)).metadata["steps"] == 5


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize(
    ("after", "readout"),
    [
        (lambda sent: sent[-1], "last"),
        (sum, "sum"),
        (lambda sent: torch.stack(sent).mean(0), "mean"),
        (lambda sent: sum(sent) / len(sent), "mean"),
    ],
)
def test_one_time_step_tells_how_the_output_is_read(
    after: Callable[[list[torch.Tensor]], torch.Tensor], readout: str, batch_first: bool
) -> None:
    turn = (lambda x: x.transpose(0, 1)) if batch_first else (lambda x: x)
    net = Net(turn, after, events=True).eval()
    graph = to_nir(net, turn(torch.rand(1, 5, 12).round()))
    assert (graph.metadata["readout"], graph.metadata["steps"]) == (readout, 1)
    shown = torch.rand(6, 3, 12).round()
    with torch.no_grad():
        assert torch.allclose(from_nir(graph)(shown), net(turn(shown)), atol=1e-4)


def test_constants_that_a_linear_function_adds_are_kept() -> None:
    net = Net(lambda x: nn.functional.pad(x[:, :10], (1, 1), value=1.0)).eval()
    shown = torch.rand(8, 12)
    graph = to_nir(net, torch.rand(3, 12))
    with torch.no_grad():
        assert torch.allclose(from_nir(graph)(shown), net(shown), atol=1e-4)
