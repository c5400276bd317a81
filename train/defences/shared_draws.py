"""The same draws again: for losses that compare a random model's answers to two inputs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch import nn

from stochi.devices import device_of
from stochi.train.twin.model import FreshDraws


@contextmanager
def draws_again(model: nn.Module) -> Iterator[Callable[[], None]]:
    """Yield a function after which a model draws what it has drawn since this began.

    It puts torch's default generators of the CPU and of the model's device back, the generators of
    single neurons, and the count of calls by which a twin draws. Inputs must have the same shape
    for the draws to be the same ones.
    """
    generators = [m.generator for m in model.modules() if hasattr(m, "generator")]
    own = [(g, g.get_state()) for g in generators if isinstance(g, torch.Generator)]
    counted = [(m, m.calls) for m in model.modules() if isinstance(m, FreshDraws)]
    on_cpu, device = torch.get_rng_state(), device_of(model)
    on_gpu = torch.cuda.get_rng_state(device) if device.type == "cuda" else None

    def rewind() -> None:
        torch.set_rng_state(on_cpu)
        if on_gpu is not None:
            torch.cuda.set_rng_state(on_gpu, device)
        for generator, state in own:
            generator.set_state(state)
        for module, calls in counted:
            module.calls = calls

    yield rewind
