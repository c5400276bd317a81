"""Labels: whole numbers are classes, floats the answers of a regression."""

import torch

from stochi.errors import InputError


def check_not_one_hot(labels: torch.Tensor) -> None:
    """Raise InputError for one-hot labels, which are classes in the form of a regression's answers.

    Args:
        labels: of several samples; of one alone, nothing tells.
    """
    if labels.dim() == 2 and len(labels) > 1 and labels.shape[1] > 1:
        binary = (labels == 0) | (labels == 1)
        if bool(binary.all() and (labels.sum(1) == 1).all()):
            raise InputError(
                f"labels are one-hot, {labels.dtype} of shape {tuple(labels.shape)}; give one whole"
                " number for each input: of one-hot labels, take the argmax, labels.argmax(1)"
            )


def check_count(inputs: torch.Tensor, labels: torch.Tensor, batch_dim: int) -> None:
    """Raise InputError if there are not as many labels as inputs, in whatever order both lie.

    Args:
        inputs: (n, *shape), or (time steps, n, *shape).
        labels: (n,), (n, outputs), or (time steps, n, outputs).
        batch_dim: dimension of the inputs that counts the samples.
    """
    if inputs.is_nested or inputs.dim() <= batch_dim or not 1 <= labels.dim() <= 3:
        return  # which is said where they are used, with the form that is needed there
    counts = {*labels.shape[:2]} if labels.dim() == 3 else {len(labels)}
    if counts.isdisjoint(inputs.shape[:2]):
        held, given = inputs.shape[batch_dim], labels.shape[max(0, labels.dim() - 2)]
        raise InputError(
            f"{held} inputs of shape {tuple(inputs.shape)} and {given} labels of shape"
            f" {tuple(labels.shape)}; give as many labels as inputs"
        )
