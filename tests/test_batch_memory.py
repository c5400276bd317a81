"""Batches that fit the memory: what is measured, what is cut, what is refused, and what it says."""

import re
from collections.abc import Callable

import pytest
import torch
from torch import nn

from stochi.batch_memory import (
    SmallerBatches,
    Taken,
    check_step,
    fit_batch,
    measure_samples,
    memory_at_hand,
)
from stochi.errors import InputError

CPU = torch.device("cpu")
MIB = 2**20


def making(size: int, fixed: int = 0, device: str = "cpu") -> Callable[[int], None]:
    """Return what holds so many bytes for each sample at its peak, and so many in any case."""

    def run(count: int) -> None:
        held = [torch.zeros(n, dtype=torch.uint8, device=device) for n in (fixed, count * size)]
        del held
        torch.zeros(count, size // 8, device=device)  # no more than was freed

    return run


def test_the_budget_is_at_hand_if_the_machine_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCHI_MEMORY", "1MiB")
    assert memory_at_hand(CPU).bytes == MIB and "STOCHI_MEMORY" in memory_at_hand(CPU).more
    monkeypatch.setenv("STOCHI_MEMORY", "9000TiB")
    here = memory_at_hand(CPU)
    assert here.bytes < 2**50 and "other programs" in here.more


def test_samples_are_measured_with_what_does_not_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCHI_MEMORY", "64MiB")
    taken = measure_samples(making(4 * MIB, 8 * MIB), 100, CPU)
    assert taken == Taken(8 * MIB, 4 * MIB) and taken.fitting(64 * MIB) == 14


@pytest.mark.cuda
def test_a_gpu_s_memory_is_measured_and_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    cuda = torch.device("cuda")
    free, total = torch.cuda.mem_get_info(cuda)
    assert 0 < memory_at_hand(cuda).bytes <= total
    assert measure_samples(making(4 * MIB, 8 * MIB, "cuda"), 10, cuda) == Taken(0, 12 * MIB)
    taken = measure_samples(making(4 * MIB, 8 * MIB, "cuda"), total // MIB, cuda)
    assert taken == Taken(8 * MIB, 4 * MIB)
    assert measure_samples(making(2 * total, device="cuda"), 1, cuda).each > free // 2
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (0, total))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 64 * MIB)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 0)
    with pytest.warns(SmallerBatches, match="batches of 8, not 128: .* 48 MiB .* or --device cpu"):
        assert fit_batch(128, taken, cuda, what="images", smaller="take fewer draws") == 8


def test_one_sample_is_run_if_that_tells_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCHI_MEMORY", "64MiB")
    asked: list[int] = []

    def run(count: int) -> None:
        asked.append(count)
        torch.zeros(count, 1000)

    assert measure_samples(run, 1000, CPU).fitting(64 * MIB) >= 1000
    assert asked == [1]


def test_a_sample_that_is_too_large_is_not_computed_to_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STOCHI_MEMORY", "16MiB")
    steps: list[torch.Tensor] = []

    def run(count: int) -> None:
        for _ in range(1000):
            steps.append(torch.zeros(MIB, dtype=torch.uint8))

    assert measure_samples(run, 8, CPU).fitting(16 * MIB) == 0
    assert len(steps) <= 17


def test_what_is_kept_for_a_gradient_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCHI_MEMORY", "64MiB")
    layers = nn.Sequential(*(nn.Tanh() for _ in range(10)))
    kept = {}
    for gradient in (False, True):

        def run(count: int, gradient: bool = gradient) -> None:
            leaf = torch.zeros(count, MIB // 4).requires_grad_(gradient)
            layers(leaf).sum()

        kept[gradient] = measure_samples(run, 1000, CPU).each
    assert 2 * MIB <= kept[False] <= 3.1 * MIB
    assert kept[True] >= 10 * MIB


def test_a_batch_is_cut_to_a_power_of_two_and_that_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("STOCHI_MEMORY", "64MiB")
    taken = Taken(0, 5 * MIB)  # 12 fit
    message = "images go in batches of 8, not 128: each takes 5 MiB, and 64 MiB are at hand; set .*"
    with pytest.warns(SmallerBatches, match=f"^{message}STOCHI_MEMORY for more$"):
        assert fit_batch(128, taken, CPU, what="images", smaller="take fewer draws") == 8


@pytest.mark.filterwarnings("error::stochi.batch_memory.SmallerBatches")
def test_a_batch_that_fits_stays_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCHI_MEMORY", "64MiB")
    assert fit_batch(12, Taken(0, 5 * MIB), CPU, what="images", smaller="") == 12


def test_a_single_sample_that_does_not_fit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCHI_MEMORY", "4MiB")
    says = "a single sample does not fit .* one takes more than 4 MiB, .*; take fewer draws, or set"
    with pytest.raises(InputError, match=says):
        fit_batch(128, Taken(0, 5 * MIB), CPU, what="images", smaller="take fewer draws")


def test_a_step_names_the_number_that_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCHI_MEMORY", "64MiB")
    check_step(12, Taken(0, 5 * MIB), CPU, what="a step", way="give --micro-batch {}")
    says = "a step of 13 samples would take 65 MiB of memory, and 64 MiB are at hand; give --micro"
    with pytest.raises(InputError, match=f"^{re.escape(says)}-batch 8, or set "):
        check_step(13, Taken(0, 5 * MIB), CPU, what="a step", way="give --micro-batch {}")
    with pytest.raises(InputError, match="make the network smaller"):
        check_step(1, Taken(0, 65 * MIB), CPU, what="a step", way="give --micro-batch {}")
