"""Training by several processes, which share each batch: those that torchrun starts."""

import hashlib
import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from stochi.arguments import check_arguments, shown
from stochi.devices import check_device
from stochi.errors import InputError, StochiError
from stochi.train.synchronization import synchronized_norms

_LONGEST = timedelta(hours=2)
"""Time after which a process gives up waiting for another, such as one that reads data."""


class ProcessError(StochiError):
    """Error for a training whose other processes have ended or cannot be reached."""


@dataclass(frozen=True)
class Processes:
    """The processes that train one network together, as one of them sees them.

    Attributes:
        rank: number of this process, from 0.
        count: number of all processes; 1 for a training on its own.
        group: torch's group of them, None for a training on its own.
        device: device of this process, None for the one that the training names.
    """

    rank: int = 0
    count: int = 1
    group: dist.ProcessGroup | None = None
    device: torch.device | None = None

    @property
    def is_first(self) -> bool:
        """Whether this is the process that writes and prints."""
        return self.rank == 0

    def check_batch_size(self, batch_size: int) -> None:
        """Raise InputError unless a batch has a sample for each process."""
        if batch_size < self.count:
            raise InputError(
                f"batch_size is {batch_size}, and {self.count} processes share a batch; take one"
                " sample for each at least"
            )

    def parts(self, samples: int, largest: int | None = None) -> Sequence[torch.Tensor]:
        """Return the numbers of this process's samples of a batch, part by part.

        The processes' shares differ by one sample at most, and all have equally many parts. Of
        fewer samples than processes, each has all.

        Args:
            samples: number of samples of the batch.
            largest: largest number of samples of a part, None for a single part. If the shares
                differ, a part may have one more.
        """
        own, most, least = torch.arange(samples), samples, samples
        if 1 < self.count <= samples:
            own = own.tensor_split(self.count)[self.rank]
            most, least = -(-samples // self.count), samples // self.count
        return own.tensor_split(1 if largest is None else min(-(-most // largest), least))

    def weight(self, part: int, whole: int) -> float:
        """Return the factor of a part's mean loss, so that the processes' mean is the batch's.

        Args:
            part: number of samples, of this process's or fewer.
            whole: number of samples of the batch.
        """
        return part / whole if whole < self.count else part * self.count / whole

    def sum_over(self, value: float, part: int, whole: int) -> float:
        """Return the sum over a whole batch of what this process has for its part.

        Args:
            part, whole: numbers of samples of the part and of the batch.
        """
        if self.group is None:
            return value
        mine = value if part < whole else value / self.count  # each has all
        total = torch.tensor([mine], dtype=torch.float64, device=self.device)
        dist.all_reduce(total, group=self.group)
        return float(total)

    def wait(self) -> None:
        """Wait until all processes are here."""
        self.sum_over(0, 0, 1)

    def check_alike(self, what: str, content: str) -> None:
        """Raise InputError in every process unless all have the same content.

        Args:
            what: what the content is of, as the beginning of a message.
        """
        if self.group is None:
            return
        number = int(hashlib.sha256(content.encode()).hexdigest()[:12], 16)
        ends = torch.tensor([number, -number], device=self.device)
        dist.all_reduce(ends, dist.ReduceOp.MAX, group=self.group)
        if int(ends[0]) != -int(ends[1]):
            raise InputError(f"{what} is not the same in all {self.count} processes")

    @contextmanager
    def own_draws(self, seed: int, *moment: int) -> Iterator[None]:
        """Let each process draw for itself, and leave the CPU's generator as it was.

        What all draw alike, such as the order of samples, is drawn outside. On its own, a process
        draws everything from one sequence.

        Args:
            seed: of the training.
            moment: numbers that name the moment, so that no state has to be kept.
        """
        if self.group is None:
            yield
            return
        before = torch.get_rng_state()
        text = " ".join(map(str, (seed, self.rank, *moment)))
        torch.manual_seed(int(hashlib.sha256(text.encode()).hexdigest()[:15], 16))
        try:
            yield
        finally:
            torch.set_rng_state(before)

    def wrap(self, loss: nn.Module) -> nn.Module:
        """Return a module that computes a loss, whose gradients are averaged over the processes."""
        if self.group is None:
            return loss
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of the option's new name
            # Running statistics are of whole batches already; membranes have other shapes.
            return DistributedDataParallel(loss, process_group=self.group, broadcast_buffers=False)

    def together(self, model: nn.Module) -> AbstractContextManager[None]:
        """Let a model's batch norms see whole batches while inside."""
        return nullcontext() if self.group is None else synchronized_norms(model, self.group)


def parts_added_up(loss: nn.Module, last: bool) -> AbstractContextManager[None]:
    """Keep the gradients of a part of a batch in this process, unless it is the last part."""
    if last or not isinstance(loss, DistributedDataParallel):
        return nullcontext()
    return loss.no_sync()


@contextmanager
def join_processes(device: str | torch.device = "cpu") -> Iterator[Processes]:
    """Join the processes that ``torchrun`` has started, for ``train_classifier(processes=)``.

    Without torchrun, this is one process on its own. On CUDA each process has the GPU of its number
    on its machine.

    Args:
        device: "cpu" (torch's back end gloo) or "cuda" (nccl).

    Raises:
        InputError: the device is unknown or missing, or torchrun's variables are damaged.
        ProcessError: another process has ended, or cannot be reached.
    """
    check_arguments(join_processes, locals())
    place = check_device(device)
    count = _number("WORLD_SIZE", 1)
    if count == 1:
        yield Processes()
        return
    rank, local = _number("RANK", below=count), _number("LOCAL_RANK", 0)
    _number("MASTER_PORT", below=2**16)
    if not os.environ.get("MASTER_ADDR"):
        raise _damaged("MASTER_ADDR")
    if place.type == "cuda":
        if local >= torch.cuda.device_count():
            raise InputError(
                f"device cuda: process {local} of this machine has no GPU of its own, there are"
                f" {torch.cuda.device_count()}; lower torchrun's --nproc-per-node"
            )
        place = torch.device("cuda", local)
        torch.cuda.set_device(place)
    try:
        back_end = "nccl" if place.type == "cuda" else "gloo"
        dist.init_process_group(back_end, rank=rank, world_size=count, timeout=_LONGEST)
        try:
            yield Processes(rank, count, dist.group.WORLD, place)
        finally:
            dist.destroy_process_group()
    except StochiError:
        raise
    except (RuntimeError, ValueError) as error:
        if not isinstance(error, dist.DistError) and "gloo" not in str(error).lower():
            raise
        raise ProcessError(
            f"process {rank} of {count}: another one has ended or cannot be reached, see its own"
            " message; start all of them again, and training goes on where it was kept"
        ) from error


def _number(name: str, default: int | None = None, *, below: int = 2**31) -> int:
    """Return a number that torchrun has put into the environment.

    Raises:
        InputError: it is missing, or out of range.
    """
    given = os.environ.get(name, "" if default is None else str(default))
    if not given.isdecimal() or not int(name == "WORLD_SIZE") <= int(given) < below:
        raise _damaged(name)
    return int(given)


def _damaged(name: str) -> InputError:
    return InputError(
        f"the environment variable {name} is {shown(os.environ.get(name, ''))}, not what torchrun"
        " sets; start with torchrun, or unset WORLD_SIZE"
    )
