"""Random numbers of a network, drawn inside its graph or outside, from the same functions.

The bits are those of :mod:`stochi.hardware.noise`: a Program's draws inside a graph are the
engine's. The real numbers of a network in floats are made of the same generator's words, on a
stream of its own: normal numbers by Box and Muller's transform ("A note on the generation of random
normal deviates", Annals of Mathematical Statistics 29, 1958). Their distribution is that of
torch's draws, the numbers are others.
"""

import math
from typing import Any

import numpy as np
import torch

from stochi.hardware.distributions import DecayDistribution, Empirical, Reparameterized
from stochi.hardware.draws import LayerDraws
from stochi.hardware.noise import block_bytes, philox4x32

REAL_STREAM = 3
"""The stream of real numbers; the chip's draws have the streams before it."""
_WORDS = 4


def drawn_decays(
    distribution: DecayDistribution, parameters: Any, samples: Any, count: int, draws: Any
) -> Any:
    """Draw λ for every (sample, neuron) from a distribution, (batch, count).

    Args:
        parameters: parameters of the distribution, numbers or tensors.
        samples: (batch,) numbers of the samples, a tensor or a value of a graph.
        draws: :class:`stochi.hardware.draws.LayerDraws`, whose seed, trial and step may be values
            of the graph.
    """
    if isinstance(distribution, Empirical):
        values = torch.tensor(distribution.values)
        words = _stacked(_words(samples, count, draws), count)
        return look_up(values, words * len(values) >> 32)
    assert isinstance(distribution, Reparameterized)
    make = _normal if distribution.noise == "normal" else _uniform
    noise = _stacked(make(_words(samples, count, draws)), count)
    return distribution.decays(noise, *parameters)


def drawn_levels(levels: torch.Tensor, samples: Any, count: int, draws: Any) -> Any:
    """Draw from a chip's table of 2^b levels, with the bytes that the chip would draw."""
    spread = levels[torch.arange(256) * len(levels) >> 8]
    return look_up(spread, block_bytes(samples, torch.arange(count), draws))


def look_up(values: torch.Tensor, places: Any) -> Any:
    """Return the values at places, which may be a value of a graph."""
    return torch.take(values, places.to(torch.int64))


def _words(samples: Any, count: int, draws: LayerDraws) -> tuple[Any, ...]:
    block = torch.arange(-(-count // _WORDS))[None, :]
    zero = samples[:, None] * 0 + block * 0
    return philox4x32(
        (
            zero + block,
            zero + draws.step,
            zero + samples[:, None],
            zero + (draws.layer << 16 | REAL_STREAM),
        ),
        (draws.seed, draws.trial),
    )


def _uniform(words: tuple[Any, ...]) -> list[Any]:
    """Return numbers uniform in (0, 1), each exact in 24 bits."""
    return [((word >> 9).to(torch.float32) + 0.5) * 2.0**-23 for word in words]


def _normal(words: tuple[Any, ...]) -> list[Any]:
    made = []
    for first, second in ((words[0], words[1]), (words[2], words[3])):
        share = ((first >> 8).to(torch.float32) + 1.0) * 2.0**-24  # in (0, 1]
        angle = (second >> 8).to(torch.float32) * (2 * math.pi * 2.0**-24)
        radius = torch.sqrt(torch.log(share) * -2.0)
        made += [radius * torch.cos(angle), radius * torch.sin(angle)]
    return made


def _stacked(words: Any, count: int) -> Any:
    """Return the words of neighbouring neurons in the neurons' order, (batch, count)."""
    blocks = -(-count // _WORDS)
    return torch.stack(list(words), -1).reshape(-1, _WORDS * blocks)[:, :count]


def to_array(drawn: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Return a layer's draws as an array, (batch, *shape)."""
    found: np.ndarray = drawn.reshape(-1, *shape).numpy()
    return found
