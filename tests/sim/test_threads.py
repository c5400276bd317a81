import threading
import time

import pytest
import torch

from stochi.sim.engine.threads import in_threads, one_torch_thread


@pytest.mark.parametrize("threads", [1, 3])
def test_results_come_in_order_and_torch_gets_its_threads_back(threads: int) -> None:
    before = torch.get_num_threads()

    def work(item: int) -> tuple[int, int]:
        time.sleep(0.001 * (item % 3))
        return item, torch.get_num_threads()

    found = list(in_threads(work, range(20), threads))
    assert found == [(item, 1) for item in range(20)]
    assert torch.get_num_threads() == before


def test_nothing_is_under_way_after_an_error() -> None:
    begun, ended = threading.Semaphore(0), []

    def work(item: int) -> None:
        begun.release()
        if item == 1:
            raise ValueError("one")
        time.sleep(0.05)
        ended.append(item)

    with pytest.raises(ValueError, match="one"):
        list(in_threads(work, range(50), 2))
    count = len(ended)
    time.sleep(0.15)
    assert len(ended) == count < 10


def test_an_error_gives_torch_its_threads_back() -> None:
    before = torch.get_num_threads()
    with pytest.raises(KeyError), one_torch_thread():
        raise KeyError
    assert torch.get_num_threads() == before
