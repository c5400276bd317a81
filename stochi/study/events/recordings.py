"""Attacked recordings on disk: which places differ from the clean ones."""

import torch

from stochi.data.streams import Streams
from stochi.study.store import Key, Store


def keep_attacked(store: Store, key: Key, clean: Streams, attacked: torch.Tensor) -> None:
    """Keep attacked recordings, (time steps, n, *shape) events."""
    changed = (attacked != clean.inputs).flatten().nonzero().flatten()
    store.put_tensors(key, {"changed": changed.cpu()})


def read_attacked(store: Store, key: Key, clean: Streams) -> Streams | None:
    """Return kept attacked recordings, or None if there are none, or damaged ones."""
    changed, events = read_changed(store, key, clean.inputs.numel()), clean.inputs.flatten().clone()
    if changed is None:
        return None
    events[changed] = 1 - events[changed]
    return clean.with_inputs(events.view_as(clean.inputs))


def read_changed(store: Store, key: Key, places: int = 2**62) -> torch.Tensor | None:
    """Return the places that an attack changed, (changes,) int64, or None as ``store`` does.

    Args:
        places: number of places of the recordings.
    """

    def check(kept: dict[str, torch.Tensor]) -> None:
        changed = kept["changed"]
        if changed.dtype != torch.int64 or changed.dim() != 1:
            raise TypeError(f"places that are {changed.dtype} of shape {tuple(changed.shape)}")
        if len(changed) and not 0 <= int(changed[0]) <= int(changed[-1]) < places:
            raise ValueError(f"places that are not below {places}")
        if not bool((changed[1:] > changed[:-1]).all()):
            raise ValueError("places that do not ascend")

    kept = store.get_tensors(key, check)
    return None if kept is None else kept["changed"]
