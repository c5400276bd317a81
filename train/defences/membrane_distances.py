"""The distances of membranes from their thresholds, as a model computes them in a pass."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import snntorch as snn
import torch
from torch import nn

from stochi.attacks.surrogates.replacement import replaced, spiking_neurons
from stochi.errors import InputError

Distances = list[torch.Tensor]


@contextmanager
def watched_membranes(model: nn.Module) -> Iterator[Distances]:
    """Yield a list that takes (u − θ)/θ of all neurons, in every time step of the passes inside.

    u is the membrane before the reset. Only distances with a gradient are taken. A threshold of 0
    counts as one of 1.

    Raises:
        InputError: the model has no spiking neuron.
    """
    neurons = spiking_neurons(model)
    if not neurons:
        raise InputError(
            f"the {type(model).__name__} has no spiking neuron of snnTorch, so it has no membranes"
            " to watch; train it with another defence"
        )
    found: Distances = []
    # snnTorch's own neurons ask their surrogate for the last step's reset as well, but fire once.
    names = ["fire" if _is_stock(neuron) else "spike_grad" for neuron in neurons]
    watchers = [
        _Watched(neuron, getattr(neuron, name), name == "fire", found)
        for neuron, name in zip(neurons, names, strict=True)
    ]
    with replaced(neurons, names, watchers):
        yield found


def _is_stock(neuron: nn.Module) -> bool:
    """Return whether a neuron's step is snnTorch's, which calls ``fire`` with the membrane."""
    return isinstance(neuron, snn.SpikingNeuron) and not hasattr(neuron, "draw_decay")


class _Watched:
    """A neuron's own spikes, which note how far its membranes are from the threshold."""

    def __init__(
        self, neuron: Any, own: Callable[[torch.Tensor], torch.Tensor], fires: bool, to: Distances
    ) -> None:
        self.neuron, self.own, self.fires, self.to = neuron, own, fires, to

    def __call__(self, given: torch.Tensor) -> torch.Tensor:
        self.see(given - self.neuron.threshold if self.fires else given)
        return self.own(given)

    def see(self, distance: torch.Tensor) -> None:
        """Note a distance, unless no gradient reaches it."""
        if distance.grad_fn is not None:
            threshold = self.neuron.threshold.detach()
            self.to.append(distance / torch.where(threshold > 0, threshold, 1.0))
