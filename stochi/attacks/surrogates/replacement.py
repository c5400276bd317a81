"""Another surrogate in a model's neurons while an attack climbs."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from stochi.attacks.surrogates.surrogate import SlopeRule, Surrogate
from stochi.errors import InputError


def spiking_neurons(model: nn.Module) -> list[Any]:
    """Return the modules of a model that spike with a surrogate gradient of snnTorch's form.

    A graph's random gates are left out: the gradient of their mean is exact.
    """
    spiking = (m for m in model.modules() if callable(getattr(m, "spike_grad", None)))
    return [m for m in spiking if not getattr(m, "gate", False)]


@contextmanager
def surrogate_in(
    model: nn.Module, surrogate: Surrogate, images: int, batch_dim: int = 0
) -> Iterator[None]:
    """Put a surrogate in the place of the model's own, until the context ends.

    Args:
        model: with snnTorch neurons; twins and ``FreshDraws``, too.
        surrogate: begins anew here, without anything that it learned before. An attack towards
            several target classes goes on with it from one to the next.
        images: number of images that are attacked.
        batch_dim: dimension of the model's inputs that counts them.

    Raises:
        InputError: the model has no spiking neuron, so it has no surrogate to replace.
    """
    rule = surrogate.begin()
    if rule is None:
        yield
        return
    neurons = spiking_neurons(model)
    if not neurons:
        raise InputError(
            describe_missing_neurons(model) + '; leave out surrogates, or pass surrogates="own"'
        )
    spikes = [_Spikes(rule, n, neuron.spike_grad, images) for n, neuron in enumerate(neurons)]

    def begin_pass(module: nn.Module, given: tuple[torch.Tensor, ...]) -> None:
        for each in spikes:
            each.calls, each.rows = 0, given[0].shape[batch_dim]

    handle = model.register_forward_pre_hook(begin_pass)
    try:
        with replaced(neurons, ["spike_grad"] * len(neurons), spikes):
            yield
    finally:
        handle.remove()


@contextmanager
def replaced(
    neurons: Sequence[Any], names: Sequence[str], functions: Sequence[Any]
) -> Iterator[None]:
    """Put functions in the place of neurons' own, one for each neuron, while inside.

    Args:
        names: name of the function that is replaced in each neuron.
    """
    own = [vars(neuron).get(name) for neuron, name in zip(neurons, names, strict=True)]
    try:
        # An attribute of the instance comes before a submodule or a method of the class.
        for neuron, name, function in zip(neurons, names, functions, strict=True):
            vars(neuron)[name] = function
        yield
    finally:
        for neuron, name, kept in zip(neurons, names, own, strict=True):
            if kept is None:
                del vars(neuron)[name]
            else:
                vars(neuron)[name] = kept


def describe_missing_neurons(model: nn.Module) -> str:
    """Return what is wrong with a model that has no spiking neuron."""
    return (
        f"the {type(model).__name__} has no spiking neuron of snnTorch, so it has no surrogate to"
        " replace"
    )


class _Spikes:
    """One neuron module's own spikes, with the derivatives of a rule.

    Attributes:
        calls: number of calls with a gradient since the forward pass began.
        rows: number of rows of the model's input in this pass, all draws of all images.
    """

    def __init__(
        self,
        rule: SlopeRule,
        number: int,
        own: Callable[[torch.Tensor], torch.Tensor],
        images: int,
    ) -> None:
        self.rule, self.number, self.own, self.images = rule, number, own, images
        self.calls = self.rows = 0

    def __call__(self, distance: torch.Tensor) -> torch.Tensor:
        if not distance.requires_grad:
            return self.own(distance)
        given = distance.detach()
        # Layers that fold time or positions into their rows have no first draw in front.
        first = self.images if len(given) == self.rows else None
        slope = self.rule(given, (self.number, self.calls), first)
        self.calls += 1
        with torch.no_grad():
            spikes = self.own(given)
        found: torch.Tensor = _Step.apply(distance, spikes, slope)
        return found


class _Step(torch.autograd.Function):
    """Given spikes whose derivative is given, too."""

    @staticmethod
    def forward(ctx, distance, spikes, slope):  # type: ignore[no-untyped-def]
        ctx.save_for_backward(slope)
        return spikes.clone()

    @staticmethod
    def backward(ctx, of_spikes):  # type: ignore[no-untyped-def]
        (slope,) = ctx.saved_tensors
        return of_spikes * slope, None, None
