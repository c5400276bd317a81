"""Weights that are trained once and then kept."""

from collections.abc import Callable

from torch import nn

from stochi.study.store import Key, Store
from stochi.turns import generators_kept


def load_or_fit(
    store: Store, key: Key, build: Callable[[], nn.Module], fit: Callable[[], nn.Module]
) -> nn.Module:
    """Return a network in eval mode with the stored weights, or fit it and store its weights.

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
    model = fit()
    store.put_tensors(key, model.state_dict())
    return model.eval()
