"""Changes in place: whatever shares the memory changes too, or the model is refused."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from benchmarks.support.idioms import DENSE, Net
from benchmarks.support.networks import strong
from stochi.errors import ExportError
from stochi.export import from_nir, to_nir
from stochi.export.memory import is_same_view, overlaps, step_of
from tests.export.test_tutorials import assert_computes


def after(change: Callable[[torch.Tensor], Any]) -> Any:
    """Build a network whose currents are changed in place, and used under their first name."""

    def step(n: Any, x: torch.Tensor) -> torch.Tensor:
        current = n.a(x)
        change(current)
        return n.b(n.n(current))

    return strong(Net(step, **{name: make() for name, make in DENSE.items()}))


def set_data(current: torch.Tensor) -> None:
    current.data = current.data.clamp(max=90.0)


# None of these bends the currents of the check's inputs.
@pytest.mark.parametrize(
    "change",
    [
        nn.Hardtanh(-90, 90, inplace=True),
        lambda c: F.hardtanh(c, -90, 90, True),
        lambda c: c.clamp_(max=90),
        lambda c: c.data.clamp_(max=90),
        lambda c: c.detach().clamp_(max=90),
        lambda c: c.view(-1, 2, 5).clamp_(max=90),
        lambda c: c[:, :3].clamp_(max=90),
        lambda c: torch.clamp(c, max=90, out=c),
        set_data,
    ],
)
def test_a_bend_in_place_is_refused_even_if_no_input_reaches_it(change: Any) -> None:
    with pytest.raises(ExportError, match=r"clamp|hardtanh|another view of its memory"):
        to_nir(after(change), torch.rand(3, 12))


@pytest.mark.parametrize(
    "change",
    [
        lambda c: c.add_(0.5),
        lambda c: c.data.mul_(1.5),
        lambda c: c.detach().sub_(0.1),
        lambda c: torch.mul(c, 0.5, out=c),
        lambda c: F.dropout(c, 0.5, False, True),
        lambda c: c.unsqueeze_(1).squeeze_(1),
    ],
)
def test_linear_changes_in_place_are_exported(change: Any) -> None:
    net = after(change)
    assert_computes(net, to_nir(net, torch.rand(3, 12)), torch.rand(16, 12))


@pytest.mark.parametrize("how", ["set", "copy", "data"])
def test_records_written_step_by_step_are_read(how: str) -> None:
    class Recorded(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = after(lambda c: c)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            spikes = self.inner(x)
            record = torch.zeros(len(spikes), len(x), 5)
            for step, sent in enumerate(spikes.unbind()):
                if how == "set":
                    record[step] = sent
                elif how == "copy":
                    record[step].copy_(sent)
                else:
                    record.data[step] = sent
            return record.mean(0)

    net = Recorded()
    graph = to_nir(net, torch.rand(3, 12))
    assert graph.metadata["readout"] == "mean"
    assert_computes(net, graph, torch.rand(16, 12))


@pytest.mark.parametrize("change", [lambda c: c.data.clamp_(max=90), lambda c: F.relu(c, True)])
def test_tensors_of_inference_mode_do_not_count_their_changes(change: Any) -> None:
    class Inferring(nn.Module):
        def __init__(self, net: nn.Module) -> None:
            super().__init__()
            self.net = net

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            with torch.inference_mode():
                return self.net(x)

    with pytest.raises(ExportError, match=r"clamp|relu"):
        to_nir(Inferring(after(change)), torch.rand(3, 12))
    net = Inferring(after(lambda c: c.data.add_(0.5)))
    assert_computes(net, to_nir(net, torch.rand(3, 12)), torch.rand(16, 12))


def test_a_view_taken_before_a_write_is_not_taken_for_a_constant() -> None:
    def step(n: Any, x: torch.Tensor) -> torch.Tensor:
        buffer = torch.zeros(len(x), 12)
        row = buffer.view(-1, 12)
        buffer.copy_(x.relu())
        return n.b(n.n(n.a(x) + n.a(row)))

    with pytest.raises(ExportError, match="relu"):
        to_nir(strong(Net(step, **{k: make() for k, make in DENSE.items()})), torch.rand(3, 12))


def test_an_input_that_forward_changes_in_place() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = after(lambda c: c)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.inner(x.sub_(0.5).div_(0.25))

    net, sample = Scaled(), torch.rand(3, 12)
    before = sample.clone()
    graph = to_nir(net, sample)
    assert torch.equal(sample, before)
    shown = torch.rand(16, 12)
    with torch.no_grad():
        expected = net(shown.clone())
    assert torch.allclose(from_nir(graph)(shown), expected, atol=1e-4)


@given(
    st.lists(st.integers(1, 4), min_size=1, max_size=3),
    st.data(),
)
def test_overlap_is_that_of_the_places(shape: list[int], data: st.DataObject) -> None:
    whole = torch.arange(64.0)[: torch.Size(shape).numel()].reshape(shape)

    def part() -> torch.Tensor:
        keys = []
        for size in shape:
            start = data.draw(st.integers(0, size - 1))
            step = data.draw(st.integers(1, 2))
            keys.append(slice(start, data.draw(st.integers(start + 1, size)), step))
        return whole[tuple(keys)]

    one, two = part(), part()
    common = set(one.flatten().tolist()) & set(two.flatten().tolist())
    assert overlaps(one, two) == bool(common)
    assert is_same_view(one, one[...]) and not overlaps(one, two.clone())
    step = data.draw(st.integers(0, shape[0] - 1))
    if len(shape) > 1:
        place = step_of(whole, whole[step])
        assert place is not None
        assert torch.equal(whole.select(*place), whole[step])
