"""The worst of several conditions for each image, chosen on other trials than it is reported on."""

import torch


def take_worst(choosing: torch.Tensor, reported: torch.Tensor) -> torch.Tensor:
    """Return each image's reported trials under the condition that the choosing trials find worst.

    If the same trials did both, luck would make a random network look weaker than it is.

    Args:
        choosing: (conditions, trials, images) bool, right answers in the trials that choose.
        reported: (conditions, trials, images), the same in those that are reported.

    Returns:
        (reported trials, images), of the type of ``reported``.
    """
    worst = choosing.double().mean(1).argmin(0)
    return reported.gather(0, worst.expand(1, reported.shape[1], -1))[0]
