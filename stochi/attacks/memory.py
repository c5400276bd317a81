"""Models that remember the calls before, which no attack can follow."""

from typing import Any

import torch
from torch import nn

from stochi.attacks.expectation import cuda_generators
from stochi.errors import InputError

SHOWN = 8
"""Largest number of samples that a model is asked about."""


def check_forgets(model: nn.Module, inputs: torch.Tensor, batch_dim: int) -> None:
    """Raise InputError if a model's answer depends on the calls before it.

    It is asked the same three times, with the same draws. Membranes that outlive a pass make the
    second answer another one than the first and, once they are reset, the third one equal to it.
    Models without neurons of snnTorch are not asked.

    Args:
        model: inputs → logits, or a tuple that begins with them.
        inputs: inputs of the attack; the first few samples are shown, since a membrane that never
            gets to its threshold leaves no trace in an answer.
        batch_dim: dimension of the inputs that counts the samples.
    """
    neurons: list[Any] = [
        m for m in model.modules() if callable(getattr(m, "reset_mem", None))
    ]  # snnTorch's, which need not be imported for this
    if not neurons:
        return
    sample = inputs.narrow(batch_dim, 0, min(SHOWN, inputs.shape[batch_dim]))

    def reset() -> None:
        for neuron in neurons:
            neuron.reset_mem()

    def answer() -> object:
        torch.manual_seed(0)
        logits = model(sample)
        return logits[0] if isinstance(logits, tuple) else logits

    with torch.no_grad(), torch.random.fork_rng(devices=cuda_generators()):
        reset()
        first, second = answer(), answer()
        reset()
        third = answer()
        reset()
    if _equal(first, third) and not _equal(first, second):
        raise InputError(
            "the model's answer depends on the calls before, because its membranes outlive a pass;"
            " reset them at the start of forward (neuron.reset_mem()), or wrap a network that"
            " computes one time step in stochi.train.RepeatSteps"
        )


def _equal(first: object, second: object) -> bool:
    tensors = isinstance(first, torch.Tensor) and isinstance(second, torch.Tensor)
    return tensors and torch.equal(first, second)  # type: ignore[arg-type]
