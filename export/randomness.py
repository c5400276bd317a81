"""Random generators that a model may draw from: seeded for a run, restored, and watched."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from stochi.turns import generators_kept


@contextmanager
def seeded_generators(seed: int, device: torch.device) -> Iterator[None]:
    """Seed all global generators while inside, of torch, numpy and Python; then restore them.

    Args:
        seed: different runs of a check need different seeds, or a draw looks like a constant.
        device: where the model runs.
    """
    on_gpu = [device] if device.type == "cuda" else []
    with generators_kept():
        python, numpy = random.getstate(), np.random.get_state()
        torch.random.default_generator.manual_seed(seed)
        for gpu in on_gpu:
            with torch.cuda.device(gpu):
                torch.cuda.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)


def outside_torch() -> tuple[Any, ...]:
    """Return the states of the generators of Python and numpy, to be compared."""
    kind, keys, *rest = np.random.get_state(legacy=True)
    return random.getstate(), kind, keys.tobytes(), *rest  # type: ignore[union-attr]


def in_torch(device: torch.device, arguments: Any) -> list[torch.Tensor]:
    """Return the states of the generators that a call can draw from.

    Args:
        device: where the model runs.
        arguments: the call's arguments by name, maybe with a generator of their own.
    """
    states = [torch.get_rng_state()]
    if device.type == "cuda":
        states.append(torch.cuda.get_rng_state(device))
    states += [g.get_state() for g in arguments.values() if isinstance(g, torch.Generator)]
    return states


def moved(before: list[torch.Tensor], after: list[torch.Tensor]) -> bool:
    """Return whether generators have drawn between two states of theirs."""
    return not all(map(torch.equal, before, after))
