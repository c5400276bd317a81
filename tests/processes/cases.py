"""Programs with their inputs and answers, and calls in threads and forked children."""

import os
import pickle
import select
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import nn

from stochi.deploy import lower
from stochi.export import to_nir
from stochi.program import Program
from stochi.sim import run
from stochi.sim.record import Record
from tests.conftest import NETWORKS

SECONDS = 60
"""Time after which a call counts as one that never ends."""


class Case(NamedTuple):
    """A network, its Program, inputs, and the record of a run alone."""

    model: nn.Module
    program: Program
    inputs: torch.Tensor
    alone: Record

    def is_right(self) -> bool:
        """Return whether a run now gives the record of the run alone."""
        record = run(self.program, self.inputs, probes=("spikes", "membrane"))
        return (
            torch.equal(record.logits, self.alone.logits)
            and same(record.spikes, self.alone.spikes)
            and same(record.membrane, self.alone.membrane)
        )


def same(one: dict[str, torch.Tensor], two: dict[str, torch.Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def make_cases(samples: int = 90) -> list[Case]:
    """Return a case of every network, with random decays and without."""
    cases = []
    for build, shape in NETWORKS.values():
        for chip, noise in (("loihi2", "decay"), ("loihi2", "none")):
            model = build()
            program = lower(to_nir(model, torch.rand(3, *shape)), chip=chip, noise=noise)
            inputs = torch.rand(samples, *shape)
            alone = run(program, inputs, probes=("spikes", "membrane"))
            cases.append(Case(model, program, inputs, alone))
    return cases


@contextmanager
def torch_threads(number: int) -> Iterator[None]:
    """Give torch threads of its own, as on most machines, also where tests run on one."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def threads_of_a_new_thread() -> int:
    """Return the number of torch's threads in a thread that starts now."""
    return int(in_threads([torch.get_num_threads])[0])


def in_threads(calls: list[Callable[[], Any]]) -> list[Any]:
    """Return what calls give in threads of their own, begun together; errors are raised."""
    found: dict[int, Any] = {}
    failed: list[BaseException] = []
    begin = threading.Barrier(len(calls))

    def work(number: int) -> None:
        try:
            begin.wait()
            found[number] = calls[number]()
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(n,), daemon=True) for n in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS)
        assert not thread.is_alive(), "a thread hangs"
    if failed:
        raise failed[0]
    return [found[number] for number in range(len(calls))]


def in_child(call: Callable[[], Any]) -> Any:
    """Return what a call gives in a forked child; one that does not end is killed."""
    read, write = os.pipe()
    child = os.fork()
    if not child:
        try:
            os.write(write, pickle.dumps(call()))
        except BaseException as error:
            os.write(write, pickle.dumps(f"{type(error).__name__}: {error}"))
        finally:
            os._exit(0)
    os.close(write)
    try:
        ready, _, _ = select.select([read], [], [], SECONDS)
        assert ready, "the child hangs"
        return pickle.loads(os.read(read, 2**16))
    finally:
        os.close(read)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
