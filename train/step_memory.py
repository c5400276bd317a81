"""The memory of a training step, held against what is at hand before the first one.

The number of samples of a step changes what is learned, so a step is never cut without a word.
"""

from collections.abc import Callable

import torch

from stochi.batch_memory import Taken, check_step, measure_samples
from stochi.data.batches import Labelled
from stochi.data.samples import Samples
from stochi.turns import generators_kept

_FEW = 2
"""Samples that are measured together, since a batch norm may need more than one."""


def check_step_memory(
    loss: Callable[[Samples], torch.Tensor],
    samples: Labelled,
    size: int,
    device: torch.device,
    option: str,
) -> None:
    """Raise InputError if a step of training does not fit the memory at hand.

    Args:
        loss: computes the loss of samples on the device, with a copy of the network.
        samples: the first of them is measured.
        size: number of samples whose gradients are computed at once.
        device: device of the training.
        option: what takes a smaller number, for the message.
    """
    one = samples.select(torch.arange(1)).to(device)

    def run(count: int) -> None:
        loss(one.select(torch.zeros(_FEW * count, dtype=torch.long))).backward()

    with generators_kept(), torch.enable_grad():
        taken = measure_samples(run, -(-size // _FEW), device)
    each = Taken(taken.fixed, -(-taken.each // _FEW))
    check_step(size, each, device, what="a training step", way=f"give {option} {{}}")
