"""Batches that fit the memory at hand: what a sample takes is measured, not guessed.

A batch is cut, or refused, before it is computed, since a process that runs out of memory is ended
without a message. Batches are cut to a power of two, so that a little more or less memory in
another program does not change them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from weakref import ref

from stochi.budget import MEMORY_NAME, in_bytes, memory_budget
from stochi.errors import InputError, StochiWarning
from stochi.plain_text import counted

if TYPE_CHECKING:
    import torch

_LEFT_TO_OTHERS = 4
"""One part in so many of the memory that is available stays available."""
_MEMORY_INFO = Path("/proc/meminfo")
_GROUP = Path("/sys/fs/cgroup")


class SmallerBatches(StochiWarning):
    """Warning that batches were cut to what fits the memory at hand."""


@dataclass(frozen=True)
class AtHand:
    """Memory that a batch may take.

    Attributes:
        bytes: number of bytes.
        more: how to have more, as the end of a sentence.
    """

    bytes: int
    more: str


@dataclass(frozen=True)
class Taken:
    """Memory that a computation takes at its peak.

    Attributes:
        fixed: bytes, however many samples there are.
        each: bytes of each sample, at least 1.
    """

    fixed: int
    each: int

    def fitting(self, at_hand: int) -> int:
        """Return the number of samples that fit so many bytes."""
        return max(0, at_hand - self.fixed) // self.each


class _TooMuchError(Exception):
    """More memory would be taken than is at hand."""


def memory_at_hand(device: torch.device) -> AtHand:
    """Return what a batch may take: of a GPU what is free, else the budget or what is available."""
    import torch

    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        unused = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return AtHand(_most_of(free + unused), "take a GPU with more, or --device cpu")
    budget, available = memory_budget(), _available()
    if available is None or budget <= _most_of(available):
        return AtHand(budget, f"set the environment variable {MEMORY_NAME} for more")
    return AtHand(_most_of(available), "end other programs, or take a machine with more")


def measure_samples(run: Callable[[int], object], most: int, device: torch.device) -> Taken:
    """Measure what samples take while they are computed side by side.

    One sample is run. Only if ``most`` times as much would be too much, two are, which tells what
    does not grow with their number.

    Args:
        run: computes a number of samples, with torch on the device, and leaves nothing behind.
        most: largest number of samples.
        device: where they are computed.

    Returns:
        What they take; ``each`` is more than what is at hand if one sample takes more.
    """
    at_hand = memory_at_hand(device).bytes
    try:
        one = _peak_bytes(lambda: run(1), device, at_hand)
        if most * one <= at_hand or 2 * one > at_hand:
            return Taken(0, max(1, one))
        # Neurons may have held the states of a larger batch, which go in the first run.
        one = min(one, _peak_bytes(lambda: run(1), device, at_hand))
        each = max(1, _peak_bytes(lambda: run(2), device, at_hand) - one)
    except _TooMuchError:
        return Taken(0, at_hand + 1)
    return Taken(max(0, one - each), each)


def fit_batch(
    most: int,
    taken: Taken,
    device: torch.device,
    *,
    what: str,
    smaller: str,
    cut_to: str = "go in batches of",
) -> int:
    """Return the number of samples of a batch: what was asked for, or what fits.

    Args:
        most: number of samples that were asked for, at least 1.
        taken: what they take.
        device: where they are computed.
        what: what the samples are, in the plural, as "images under attack".
        smaller: what makes a single one take less, as the beginning of an advice.
        cut_to: what a smaller number means for them.

    Raises:
        InputError: a single sample does not fit.

    Warns:
        SmallerBatches: the batch was cut.
    """
    at_hand = memory_at_hand(device)
    fitting = taken.fitting(at_hand.bytes)
    if fitting >= most:
        return most
    here = f"{in_bytes(at_hand.bytes)} are at hand"
    if not fitting:
        one = taken.fixed + taken.each
        size = f"more than {in_bytes(at_hand.bytes)}" if one > at_hand.bytes else in_bytes(one)
        raise InputError(
            f"a single sample does not fit the memory: of {what}, one takes {size}, and {here};"
            f" {smaller}, or {at_hand.more}"
        )
    cut = 1 << fitting.bit_length() - 1
    warnings.warn(
        f"{what} {cut_to} {cut}, not {most}: each takes {in_bytes(taken.each)}, and {here};"
        f" {at_hand.more}",
        SmallerBatches,
        stacklevel=2,
    )
    return cut


def check_step(samples: int, taken: Taken, device: torch.device, *, what: str, way: str) -> None:
    """Raise InputError if a number of samples that only the user may change does not fit.

    Args:
        samples: number of samples that are computed at once.
        taken: what they take.
        device: where they are computed.
        what: what is done with them, as the beginning of a message.
        way: how a smaller number is given, with ``{}`` in its place, as "give --micro-batch {}".
    """
    at_hand = memory_at_hand(device)
    fitting = taken.fitting(at_hand.bytes)
    if fitting >= samples:
        return
    needs = in_bytes(taken.fixed + samples * taken.each)
    fewer = 1 << fitting.bit_length() - 1 if fitting else 0
    way = way.format(fewer) if fewer else "make the network smaller"
    raise InputError(
        f"{what} of {counted(samples, 'sample')} would take {needs} of memory, and"
        f" {in_bytes(at_hand.bytes)} are at hand; {way}, or {at_hand.more}"
    )


def _most_of(available: int) -> int:
    return available - available // _LEFT_TO_OTHERS


def _available() -> int | None:
    """Return the bytes that this process may still take, if the system tells."""
    found = [_of_machine(), _of_group()]
    return min((bytes_ for bytes_ in found if bytes_ is not None), default=None)


def _of_machine() -> int | None:
    """Return the bytes that Linux can give without swapping."""
    try:
        for line in _MEMORY_INFO.read_text(encoding="ascii").splitlines():
            name, _, value = line.partition(":")
            if name == "MemAvailable":
                return int(value.split()[0]) * 1024
    except (OSError, ValueError):
        pass
    return None


def _of_group() -> int | None:
    """Return the bytes that a container's limit leaves, what its file cache holds included."""
    try:
        limit = int((_GROUP / "memory.max").read_text(encoding="ascii"))
        used = int((_GROUP / "memory.current").read_text(encoding="ascii"))
        stat = (_GROUP / "memory.stat").read_text(encoding="ascii").splitlines()
        cache = int(dict(line.split() for line in stat).get("inactive_file", 0))
    except (OSError, ValueError):  # "max" is no limit
        return None
    return max(0, limit - used + cache)


def _peak_bytes(run: Callable[[], object], device: torch.device, most: int) -> int:
    """Return the most bytes of tensors that a computation makes and holds at a time.

    Raises:
        _TooMuchError: it would hold more than ``most``.
    """
    import torch

    if device.type != "cuda":
        with _tensors_counted(most) as counted_:
            run()
        return counted_.peak
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    try:
        run()
    except torch.OutOfMemoryError:
        raise _TooMuchError from None
    return torch.cuda.max_memory_allocated(device) - before


class _Count:
    """Bytes of the storages that are held.

    Attributes:
        peak: the most at a time.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.held: dict[int, tuple[ref[Any], int]] = {}
        self.now = self.peak = 0

    def add(self, storage: Any) -> None:
        """Count a storage until it is freed.

        Raises:
            _TooMuchError: more is held than may be.
        """
        key, size = id(storage), storage.nbytes()
        if key in self.held:
            return
        self.held[key] = ref(storage, lambda _: self._remove(key)), size
        self.now += size
        self.peak = max(self.peak, self.now)
        if self.now > self.most:
            raise _TooMuchError

    def _remove(self, key: int) -> None:
        self.now -= self.held.pop(key)[1]


@contextmanager
def _tensors_counted(most: int) -> Iterator[_Count]:
    """Count the storages of all tensors that torch makes while inside, forwards and backwards."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils._pytree import tree_leaves

    count = _Count(most)

    class Counting(TorchDispatchMode):
        def __torch_dispatch__(
            self, func: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            made = func(*args, **(kwargs or {}))
            for one in tree_leaves(made):
                if isinstance(one, torch.Tensor):
                    count.add(one.untyped_storage())
            return made

    with Counting():
        yield count
