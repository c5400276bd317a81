"""Models that remember the calls before, which no attack can follow."""

from typing import Any

import torch
from torch import nn

from stochi.errors import InputError
from stochi.turns import generators_kept


def check_forgets(model: nn.Module, inputs: torch.Tensor, batch_dim: int) -> None:
    """Raise InputError if a model's answer depends on the calls before it.

    It is asked the same three times, with the same draws. Membranes that outlive a pass make the
    second answer, or what the neurons hold after it, another one than the first and, once they are
    reset, the third equal to it. Models without neurons of snnTorch are not asked.

    Args:
        model: inputs → logits, or a tuple that begins with them.
        inputs: inputs of the attack; the first sample is shown.
        batch_dim: dimension of the inputs that counts the samples.
    """
    neurons: list[Any] = [
        m for m in model.modules() if callable(getattr(m, "reset_mem", None))
    ]  # snnTorch's, which need not be imported for this
    if not neurons:
        return
    sample = inputs.narrow(batch_dim, 0, 1)

    def reset() -> None:
        for neuron in neurons:
            neuron.reset_mem()

    def answer() -> list[Any]:
        torch.manual_seed(0)
        logits = model(sample)
        first = logits[0] if isinstance(logits, tuple) else logits
        return [first, *(held for neuron in neurons for held in _held(neuron))]

    with torch.no_grad(), generators_kept():
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


def _held(neuron: nn.Module) -> list[torch.Tensor]:
    """Return copies of the tensors that a neuron holds, its membranes among them."""
    stores = (vars(neuron), neuron._buffers)
    return [
        value.clone()
        for store in stores
        for value in store.values()
        if isinstance(value, torch.Tensor)
    ]


def _equal(first: list[Any], second: list[Any]) -> bool:
    tensors = isinstance(first[0], torch.Tensor) and isinstance(second[0], torch.Tensor)
    return tensors and len(first) == len(second) and all(map(torch.equal, first, second))
