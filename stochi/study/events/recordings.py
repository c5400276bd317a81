"""Attacked recordings on disk: which places differ from the clean ones."""

import torch

from stochi.data.streams import Streams
from stochi.errors import InputError
from stochi.study.store import Key, Store


def keep_attacked(store: Store, key: Key, clean: Streams, attacked: torch.Tensor) -> None:
    """Keep attacked recordings, (time steps, n, *shape) events."""
    changed = (attacked != clean.inputs).flatten().nonzero().flatten()
    store.put_tensors(key, {"changed": changed.cpu()})


def read_attacked(store: Store, key: Key, clean: Streams) -> Streams | None:
    """Return kept attacked recordings, or None if there are none.

    Raises:
        InputError: their file is damaged.
    """
    kept = store.get_tensors(key)
    if kept is None:
        return None
    changed, events = kept.get("changed"), clean.inputs.flatten().clone()
    if (
        changed is None
        or changed.dtype != torch.int64
        or changed.dim() != 1
        or (len(changed) and not 0 <= int(changed.min()) <= int(changed.max()) < len(events))
    ):
        raise InputError(
            f"{store.path(key, 'pt')}: damaged recordings; delete the file, and the study attacks"
            " them again"
        )
    events[changed] = 1 - events[changed]
    return clean.with_inputs(events.view_as(clean.inputs))
