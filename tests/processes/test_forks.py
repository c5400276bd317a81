"""What runs in a forked child gives what it gives in its parent, and ends."""

import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from stochi.attacks import PGD
from stochi.export import to_nir
from stochi.sim import run
from stochi.turns import turn
from tests.processes.cases import Case, in_child, make_cases, torch_threads

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="a system without fork")


@pytest.fixture(scope="module")
def cases() -> Iterator[list[Case]]:
    """Programs that ran in the parent, whose torch has threads and has used them."""
    with torch_threads(4):
        large = torch.rand(700, 700)
        (large @ large).exp().sum()
        yield make_cases()


def test_a_run_after_a_fork_is_right(cases: list[Case]) -> None:
    for case in cases:
        assert case.is_right()
        assert in_child(case.is_right) is True


def test_torch_itself_does_not_hang_in_a_child(cases: list[Case]) -> None:
    def compute() -> bool:
        large = torch.ones(512, 512)
        return float((large @ large).sum()) == 512**3 and torch.get_num_threads() == 1

    assert in_child(compute) is True
    assert torch.get_num_threads() == 4


def test_models_in_a_child_are_asked_as_in_the_parent(cases: list[Case]) -> None:
    case, labels = cases[2], torch.arange(90) % 3

    def work() -> list[float]:
        images = PGD(0.1, iterations=2)(case.model, case.inputs, labels)
        graph = to_nir(case.model, case.inputs[:3])
        return [float(images.double().sum()), float(graph.nodes["network.fc1"].weight.sum())]

    assert in_child(work) == work()


def test_a_fork_during_runs_of_other_threads_is_right(cases: list[Case]) -> None:
    over = threading.Event()

    def work() -> None:
        while not over.is_set():
            run(cases[0].program, cases[0].inputs)

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        assert [in_child(cases[1].is_right) for _ in range(5)] == [True] * 5
    finally:
        over.set()
        for thread in threads:
            thread.join()


def test_a_fork_while_another_thread_asks_a_model_can_ask_one(cases: list[Case]) -> None:
    inside, over = threading.Event(), threading.Event()

    def hold() -> None:
        with turn():
            inside.set()
            over.wait()

    holder = threading.Thread(target=hold)
    holder.start()
    inside.wait()
    try:
        exported = in_child(lambda: len(to_nir(cases[2].model, cases[2].inputs[:3]).nodes))
    finally:
        over.set()
        holder.join()
    assert exported == len(to_nir(cases[2].model, cases[2].inputs[:3]).nodes)


def test_a_fork_within_a_turn_leaves_both_their_turn(cases: list[Case]) -> None:
    with turn():
        assert in_child(cases[0].is_right) is True
        assert in_child(lambda: len(to_nir(cases[2].model, cases[2].inputs[:3]).nodes)) > 0
    with turn():
        pass


def test_a_pool_of_forked_processes_runs_programs(cases: list[Case]) -> None:
    with multiprocessing.get_context("fork").Pool(2) as pool:
        waiting = [pool.apply_async(_Right(case)) for case in cases]
        assert [one.get(60) for one in waiting] == [True] * len(cases)


class _Right:
    def __init__(self, case: Case) -> None:
        self.program, self.inputs, self.logits = case.program, case.inputs, case.alone.logits

    def __call__(self) -> bool:
        return torch.equal(run(self.program, self.inputs).logits, self.logits)


class _Runs(Dataset[tuple[torch.Tensor, int]]):
    """Samples that a worker runs through a Program."""

    def __init__(self, case: Case) -> None:
        self.case = case

    def __len__(self) -> int:
        return 12

    def __getitem__(self, number: int) -> tuple[torch.Tensor, int]:
        shown = self.case.inputs[number : number + 1]
        return run(self.case.program, shown, first_sample=number).logits[0], number


def test_workers_of_a_loader_run_programs(cases: list[Case]) -> None:
    for case in (cases[0], cases[2]):
        loader = DataLoader(
            _Runs(case), 3, num_workers=2, multiprocessing_context="fork", timeout=60
        )
        logits = torch.cat([batch for batch, _ in loader])
        assert torch.equal(logits, case.alone.logits[:12])


FIRST_COMPILATION = """
import os, sys, threading, time
import torch
from tests.processes.cases import in_child, in_threads
from stochi.hardware.compilation import compile_and_keep
from tests.hardware.test_kept_code import make
from numba.core.compiler_lock import global_compiler_lock

functions = [compile_and_keep(make, ()) for _ in range(4)]
def held():
    with global_compiler_lock:
        time.sleep(1)
        return functions[0](1)
def forked():
    time.sleep(0.2)
    return in_child(lambda: int(functions[1](1)))
print(in_threads([held, forked]), in_threads([lambda: functions[2](1)] * 4))
"""


@pytest.mark.slow
def test_a_fork_during_a_compilation_can_compile(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FIRST_COMPILATION],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.strip() == "[2, 2] [2, 2, 2, 2]", done.stderr
