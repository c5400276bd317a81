"""Filters of events in front of a model, with gradients that lead an attack through them."""

from collections.abc import Callable

import snntorch as snn
import torch
from torch import nn

from stochi.arguments import check_arguments
from stochi.data.events.filters import EventFilter
from stochi.errors import InputError


class FilteredModel(nn.Module):
    """A model that sees events after filters, and that gradients reach through the filters.

    The answer is exactly the model's on the filtered events. Backwards, whether an event passes is
    a spike with a surrogate of its own: the gradient at a place counts what an event there does
    itself, and which others it lets pass or stops. A place whose events do not pass keeps the share
    ``leak`` of the first part, so that an attack finds events that pass only together. An attack on
    this model is therefore adaptive (Athalye et al., ICML 2018; Tramèr et al., NeurIPS 2020).

    Args:
        model: (time_steps, batch, *shape) events → (batch, classes) logits. A
            ``stochi.attacks.ProgramModel`` too, without gradients.
        filters: filters in the order in which events go through them, at least one.
        surrogate: stands in for the derivative of whether an event passes, with respect to the
            filter's margin in events.
        leak: share, in [0, 1], of the gradient at places whose events do not pass; with 1 and a
            surrogate of 0, this is backward pass differentiable approximation by the identity.

    Raises:
        InputError: there is no filter, or a value is out of range.
    """

    def __init__(
        self,
        model: nn.Module,
        *filters: EventFilter,
        surrogate: Callable[[torch.Tensor], torch.Tensor] | None = None,
        leak: float = 1.0,
    ) -> None:
        check_arguments(FilteredModel.__init__, locals())
        super().__init__()
        wrong = [each for each in filters if not isinstance(each, EventFilter)]
        if wrong or not filters:
            raise InputError(
                f"filters are {', '.join(type(each).__name__ for each in filters) or 'missing'};"
                " pass filters of events, such as stochi.data.BackgroundFilter()"
            )
        if not 0 <= leak <= 1:
            raise InputError(f"leak is {leak}; it is a share and must be from 0 to 1")
        self.model = model
        self.filters = filters
        self.surrogate = snn.surrogate.atan(alpha=2.0) if surrogate is None else surrogate
        self.leak = leak

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Answer (time_steps, batch, polarities, height, width) events, filtered."""
        for each in self.filters:
            inputs = each(inputs) if not inputs.requires_grad else self._through(each, inputs)
        answer: torch.Tensor = self.model(inputs)
        return answer

    def _through(self, each: EventFilter, inputs: torch.Tensor) -> torch.Tensor:
        """Filter events, with gradients."""
        passes = self.surrogate(each.margin(inputs))
        leaking = self.leak * (1 - passes.detach()) * (inputs - inputs.detach())
        return inputs * passes + leaking
