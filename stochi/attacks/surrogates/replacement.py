"""Another surrogate in a model's neurons while an attack climbs."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from stochi.attacks.surrogates.surrogate import SlopeRule, Surrogate
from stochi.errors import InputError


def spiking_neurons(model: nn.Module) -> list[nn.Module]:
    """Return the modules of a model that spike with a surrogate gradient of snnTorch's form."""
    return [m for m in model.modules() if callable(getattr(m, "spike_grad", None))]


@contextmanager
def surrogate_in(model: nn.Module, surrogate: Surrogate, images: int) -> Iterator[None]:
    """Put a surrogate in the place of the model's own, until the context ends.

    Args:
        model: with snnTorch neurons; twins and ``FreshDraws``, too.
        surrogate: begins anew here, without anything that it learned in another climb.
        images: number of images that are attacked.

    Raises:
        InputError: the model has no spiking neuron, so it has no surrogate to replace.
    """
    rule = surrogate.begin(images)
    if rule is None:
        yield
        return
    neurons: list[Any] = spiking_neurons(model)
    if not neurons:
        raise InputError(
            describe_missing_neurons(model) + '; leave out surrogates, or pass surrogates="own"'
        )
    own = [neuron.spike_grad for neuron in neurons]
    spikes = [_Spikes(rule, number) for number in range(len(neurons))]

    def begin_pass(*given: object) -> None:
        for each in spikes:
            each.calls = 0

    handle = model.register_forward_pre_hook(begin_pass)
    try:
        for neuron, each in zip(neurons, spikes, strict=True):
            neuron.spike_grad = each
        yield
    finally:
        handle.remove()
        for neuron, kept in zip(neurons, own, strict=True):
            neuron.spike_grad = kept


def describe_missing_neurons(model: nn.Module) -> str:
    """Return what is wrong with a model that has no spiking neuron."""
    return (
        f"the {type(model).__name__} has no spiking neuron of snnTorch, so it has no surrogate to"
        " replace"
    )


class _Spikes:
    """One neuron module's spikes, with the derivatives of a rule.

    Attributes:
        calls: number of calls with a gradient since the forward pass began.
    """

    def __init__(self, rule: SlopeRule, number: int) -> None:
        self.rule, self.number, self.calls = rule, number, 0

    def __call__(self, distance: torch.Tensor) -> torch.Tensor:
        if not distance.requires_grad:
            return (distance > 0).to(distance.dtype)
        slope = self.rule(distance.detach(), (self.number, self.calls))
        self.calls += 1
        spikes: torch.Tensor = _Step.apply(distance, slope)
        return spikes


class _Step(torch.autograd.Function):
    """A step at 0 whose derivative is given."""

    @staticmethod
    def forward(ctx, distance, slope):  # type: ignore[no-untyped-def]
        ctx.save_for_backward(slope)
        return (distance > 0).to(distance.dtype)

    @staticmethod
    def backward(ctx, of_spikes):  # type: ignore[no-untyped-def]
        (slope,) = ctx.saved_tensors
        return of_spikes * slope, None
