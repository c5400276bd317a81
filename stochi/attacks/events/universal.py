"""Universal perturbations of events: one pattern for all samples."""

from torch import nn

from stochi.arguments import check_arguments
from stochi.attacks.events.budget import EventBudget, as_budget
from stochi.attacks.events.event_pattern import EventPattern
from stochi.attacks.events.offsets import Offsets, shifted_by
from stochi.attacks.events.pattern_form import EventSamples, PatternForm, shape_of
from stochi.attacks.events.pattern_training import PatternTraining, train_pattern


def train_universal(
    model: nn.Module,
    samples: EventSamples,
    budget: EventBudget | int,
    *,
    offsets: Offsets | None = None,
    training: PatternTraining | None = None,
) -> EventPattern:
    """Train one pattern of events that is inserted into every sample.

    It only inserts: which events there are to delete is another question for every sample.

    Args:
        model: (time steps, batch, *shape) → (batch, classes) logits, with gradients: a float model
            or a twin.
        samples: labelled events to train on; patterns are judged on a part of them.
        budget: largest number of events, or what may change; its kinds contain "insert".
        offsets: shifts of the pattern in a sample; None: up to 2 steps and 2 pixels, either way.
        training: how it is trained.

    Raises:
        InputError: as for :func:`train_pattern`, or the budget does not fit.
    """
    check_arguments(train_universal, locals())
    form = universal_form(samples, as_budget(budget), offsets)
    return train_pattern(model, samples, form, training or PatternTraining())


def universal_form(
    samples: EventSamples, budget: EventBudget, offsets: Offsets | None = None
) -> PatternForm:
    """Return the form of a pattern as large as the samples."""
    shape = shape_of(samples)
    offsets = shifted_by(2, 2) if offsets is None else offsets
    return PatternForm(shape[2:], shape, offsets, budget, False, "universal pattern")
