"""Weights that are trained once and then kept."""

from collections.abc import Callable

from torch import nn

from stochi.study.store import Key, Store
from stochi.train.unfinished import ENDING, UnfinishedTraining
from stochi.turns import generators_kept

Fit = Callable[[UnfinishedTraining], nn.Module]
"""Builds and trains a network, keeping it while it is trained."""


def load_or_fit(store: Store, key: Key, build: Callable[[], nn.Module], fit: Fit) -> nn.Module:
    """Return a network in eval mode with the stored weights, or fit it and store its weights.

    A training that was interrupted goes on where the store has it. What is there by its name but
    belongs to another one, as of an earlier version, gives a warning, and is replaced.

    Args:
        build: builds the network, with weights from torch's global generator.
        fit: builds and trains it.
    """
    weights = store.get_tensors(key)
    if weights is not None:
        with generators_kept():
            model = build()
        try:
            model.load_state_dict(weights)
            return model.eval()
        except (RuntimeError, TypeError, ValueError) as error:
            store.set_aside(store.path(key, "pt"), error)
    path = store.path(key, ENDING.removeprefix("."))
    store.is_there(path)
    unfinished = UnfinishedTraining(path, key, replaces=True)
    model = fit(unfinished)
    store.put_tensors(key, model.state_dict())
    unfinished.remove()
    return model.eval()
