"""What users do between neurons, each in a small network."""

from collections.abc import Callable
from typing import Any

import snntorch as snn
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations, prune

STEPS = 5
Step = Callable[[Any, torch.Tensor], Any]


def leaky(**options: Any) -> snn.Leaky:
    return snn.Leaky(**{"beta": 0.8, "threshold": 0.5, "init_hidden": True, **options})


def conv(inputs: int, outputs: int, **options: Any) -> nn.Conv2d:
    return nn.Conv2d(inputs, outputs, 3, **{"padding": 1, **options})


def pruned() -> nn.Linear:
    layer = nn.Linear(12, 10)
    prune.l1_unstructured(layer, "weight", 0.5)
    return layer


class Net(nn.Module):
    """Modules n, n2 ... and a function that computes one time step from them."""

    def __init__(self, step: Step, after: Callable[[Any], Any] | None = None, **modules: Any):
        super().__init__()
        for name, module in modules.items():
            setattr(self, name, module)
        self.step, self.after = step, after or torch.stack

    def forward(self, x: torch.Tensor) -> Any:
        for module in self.modules():
            if isinstance(module, snn.SpikingNeuron):
                module.reset_mem()
        self.sent: list[torch.Tensor] = []
        return self.after([self.step(self, x) for _ in range(STEPS)])


def late(n: Any, x: torch.Tensor) -> torch.Tensor:
    """A forward connection that is two time steps late."""
    n.sent.append(n.n(n.a(x)))
    before = n.sent[-3] if len(n.sent) > 2 else torch.zeros_like(n.sent[0])
    return n.c(n.n2(n.b(before)))


def sew(n: Any, spikes: torch.Tensor) -> torch.Tensor:
    """A residual block that adds spikes."""
    return n.b(n.n2(n.c(spikes)) + spikes)


def ms(n: Any, current: torch.Tensor) -> torch.Tensor:
    """A residual block that adds currents."""
    return n.b(n.n2(n.c(n.n(current)) + current))


IMAGES, ROWS = (2, 8, 8), (12,)
DENSE = {"a": lambda: nn.Linear(12, 10), "n": leaky, "b": lambda: nn.Linear(10, 5)}
CONV = {"a": lambda: conv(2, 4), "n": leaky, "b": lambda: nn.Linear(256, 5)}
POOLED = {**CONV, "b": lambda: nn.Linear(64, 5)}
TWO = {
    **{"a": lambda: conv(2, 3), "a2": lambda: conv(2, 4), "n": leaky, "n2": leaky},
    "b": lambda: nn.Linear(7 * 16, 5),
}
EXPORTED: dict[str, tuple[tuple[int, ...], Step, dict[str, Callable[[], Any]]]] = {
    "Linear": (ROWS, lambda n, x: n.b(n.n(n.a(x))), DENSE),
    "Conv2d": (IMAGES, lambda n, x: n.b(n.n(n.a(x)).flatten(1)), CONV),
    "Conv2d, groups, dilation, stride": (
        IMAGES,
        lambda n, x: n.b(n.n(n.a(x)).flatten(1)),
        {**POOLED, "a": lambda: conv(2, 4, groups=2, dilation=2, stride=2, padding=2)},
    ),
    "Conv2d, padding='same'": (
        IMAGES,
        lambda n, x: n.b(n.n(n.a(x)).flatten(1)),
        {**CONV, "a": lambda: conv(2, 4, padding="same")},
    ),
    "average pooling of spikes": (
        IMAGES,
        lambda n, x: n.b(F.avg_pool2d(n.n(n.a(x)), 2).flatten(1)),
        POOLED,
    ),
    "average pooling of currents": (
        IMAGES,
        lambda n, x: n.b(n.n(F.avg_pool2d(n.a(x), 2)).flatten(1)),
        POOLED,
    ),
    "AdaptiveAvgPool2d": (
        IMAGES,
        lambda n, x: n.b(F.adaptive_avg_pool2d(n.n(n.a(x)), 4).flatten(1)),
        POOLED,
    ),
    "sum pooling of spikes": (
        IMAGES,
        lambda n, x: n.b(F.avg_pool2d(n.n(n.a(x)), 2, divisor_override=1).flatten(1)),
        POOLED,
    ),
    "max pooling of spikes": (
        IMAGES,
        lambda n, x: n.b(F.max_pool2d(n.n(n.a(x)), 2).flatten(1)),
        POOLED,
    ),
    "batch norm after weights": (
        IMAGES,
        lambda n, x: n.b(n.n(n.norm(n.a(x))).flatten(1)),
        {**CONV, "norm": lambda: nn.BatchNorm2d(4)},
    ),
    "dropout": (
        ROWS,
        lambda n, x: n.b(n.drop(n.n(n.a(x)))),
        {**DENSE, "drop": lambda: nn.Dropout(0.5)},
    ),
    "functions: F.linear, F.conv2d, view": (
        IMAGES,
        lambda n, x: F.linear(
            n.n(F.conv2d(x, n.a.weight, n.a.bias, padding=1)).view(len(x), -1), n.b.weight
        ),
        CONV,
    ),
    "spikes added to spikes (SEW)": (
        ROWS,
        lambda n, x: sew(n, n.n(n.a(x))),
        {**DENSE, "c": lambda: nn.Linear(10, 10), "n2": leaky},
    ),
    "currents added to currents (MS)": (
        ROWS,
        lambda n, x: ms(n, n.a(x)),
        {**DENSE, "c": lambda: nn.Linear(10, 10), "n2": leaky},
    ),
    "normalized input, padded": (
        IMAGES,
        lambda n, x: n.b(n.n(n.a((x - 0.3) / torch.tensor([0.5, 0.6]).view(2, 1, 1))).flatten(1)),
        CONV,
    ),
    "normalized input into neurons that never leak": (
        IMAGES,
        lambda n, x: n.b(n.n(n.a((x - 0.3) / 0.5)).flatten(1)),
        {**CONV, "n": lambda: leaky(beta=1.0)},
    ),
    "normalized input into synaptic neurons": (
        IMAGES,
        lambda n, x: n.b(n.n(n.a(x - 0.3)).flatten(1)),
        {**CONV, "n": lambda: snn.Synaptic(alpha=0.5, beta=0.8, init_hidden=True)},
    ),
    "batch norm on the input": (
        IMAGES,
        lambda n, x: n.b(n.n(n.a(n.norm(x))).flatten(1)),
        {**CONV, "norm": lambda: nn.BatchNorm2d(2)},
    ),
    "batch norm after pooling": (
        IMAGES,
        lambda n, x: n.b(n.n(n.norm(F.avg_pool2d(n.a(x), 2))).flatten(1)),
        {**POOLED, "norm": lambda: nn.BatchNorm2d(4)},
    ),
    "batch norm after neurons": (
        IMAGES,
        lambda n, x: n.b(n.n2(n.c(n.norm(n.n(n.a(x))))).flatten(1)),
        {**CONV, "norm": lambda: nn.BatchNorm2d(4), "c": lambda: conv(4, 4), "n2": leaky},
    ),
    "two weights in a row": (
        IMAGES,
        lambda n, x: n.b(n.n(n.c(n.a(x))).flatten(1)),
        {**CONV, "c": lambda: conv(4, 4)},
    ),
    "concatenated, pooled, flattened": (
        IMAGES,
        lambda n, x: n.b(F.avg_pool2d(torch.cat([n.n(n.a(x)), n.n2(n.a2(x))], 1), 2).flatten(1)),
        TWO,
    ),
    "concatenated, pooled by their maximum": (
        IMAGES,
        lambda n, x: n.b(F.max_pool2d(torch.cat([n.n(n.a(x)), n.n2(n.a2(x))], 1), 2).flatten(1)),
        TWO,
    ),
    "concatenated currents": (
        IMAGES,
        lambda n, x: n.b(n.n(torch.cat([n.a(x), n.a2(x)], 1)).flatten(1)),
        {**TWO, "b": lambda: nn.Linear(7 * 64, 5)},
    ),
    "chunks": (
        ROWS,
        lambda n, x: sum(n.c(part) for part in n.n(n.a(x)).chunk(2, 1)),
        {**DENSE, "c": lambda: nn.Linear(5, 5)},
    ),
    "graded spikes": (
        IMAGES,
        lambda n, x: n.b(F.max_pool2d(n.n(n.a(x)), 2).flatten(1)),
        {**POOLED, "n": lambda: leaky(graded_spikes_factor=2.0)},
    ),
    "overlapping padded maximum": (
        IMAGES,
        lambda n, x: n.b(F.max_pool2d(n.n(n.a(x)), 3, 2, 1).flatten(1)),
        POOLED,
    ),
    "average without the padding": (
        IMAGES,
        lambda n, x: n.b(F.avg_pool2d(n.n(n.a(x)), 3, 2, 1, count_include_pad=False).flatten(1)),
        POOLED,
    ),
    "mean over space": (IMAGES, lambda n, x: n.n(n.a(x)).mean((2, 3)), CONV),
    "one-dimensional convolution": (
        (2, 64),
        lambda n, x: n.b(n.n(n.a(x)).flatten(1)),
        {**CONV, "a": lambda: nn.Conv1d(2, 4, 3, padding="same")},
    ),
    "transposed convolution of stride 1": (
        IMAGES,
        lambda n, x: n.b(n.n(n.a(x)).flatten(1)),
        {**CONV, "a": lambda: nn.ConvTranspose2d(2, 4, 3, padding=1, groups=2)},
    ),
    "upsampling": (
        IMAGES,
        lambda n, x: n.b(n.n2(n.c(F.interpolate(n.n(n.a(x)), scale_factor=2))).flatten(1)),
        {
            **CONV,
            "n2": leaky,
            "a": lambda: conv(2, 4, stride=2),
            "c": lambda: conv(4, 4),
        },
    ),
    "weight norm": (
        ROWS,
        lambda n, x: n.b(n.n(n.a(x))),
        {**DENSE, "a": lambda: parametrizations.weight_norm(nn.Linear(12, 10))},
    ),
    "pruned": (ROWS, lambda n, x: n.b(n.n(n.a(x))), {**DENSE, "a": pruned}),
    "weights quantized as they run": (
        ROWS,
        lambda n, x: n.b(n.n(F.linear(x, torch.round(n.a.weight * 8) / 8, n.a.bias))),
        DENSE,
    ),
    "factors of neurons": (
        ROWS,
        lambda n, x: n.b(n.n2(torch.linspace(0.5, 2, 10) * n.n(n.a(x)))),
        {**DENSE, "n2": leaky},
    ),
    "shared weights": (
        ROWS,
        lambda n, x: n.b(n.n2(n.a(n.n(n.a(x))))),
        {**DENSE, "a": lambda: nn.Linear(12, 12), "b": lambda: nn.Linear(12, 5), "n2": leaky},
    ),
    "two steps late": (
        ROWS,
        late,
        {**DENSE, "b": lambda: nn.Linear(10, 8), "n2": leaky, "c": lambda: nn.Linear(8, 5)},
    ),
    "transposed convolution of stride 2": (
        IMAGES,
        lambda n, x: n.b(n.n(n.a(x)).flatten(1)),
        {
            "a": lambda: nn.ConvTranspose2d(2, 4, 2, stride=2),
            "n": leaky,
            "b": lambda: nn.Linear(1024, 5),
        },
    ),
    "images from rows": (
        (16,),
        lambda n, x: n.b(n.n(n.a(x.view(-1, 1, 4, 4))).flatten(1)),
        {**POOLED, "a": lambda: conv(1, 4)},
    ),
}


def plain(n: Any, x: torch.Tensor) -> torch.Tensor:
    return n.b(n.n(n.a(x)))


def spiking(n: Any, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return spikes and membranes, from a neuron built with ``output=True``."""
    return n.n(n.a(x))


def stacked(out: list[tuple[torch.Tensor, torch.Tensor]], first: int) -> tuple[torch.Tensor, ...]:
    pair = [torch.stack(part) for part in zip(*out, strict=True)]
    return pair[first], pair[1 - first]


READOUTS: dict[str, tuple[Step, Callable[[Any], Any]]] = {
    "currents, mean over time": (plain, lambda out: torch.stack(out).mean(0)),
    "currents, sum over time": (plain, sum),
    "currents, last time step": (plain, lambda out: out[-1]),
    "currents, all time steps": (plain, torch.stack),
    "spikes and membranes, a tuple": (spiking, lambda out: stacked(out, 0)),
    "membranes and spikes, a tuple": (spiking, lambda out: stacked(out, 1)),
    "spikes, sum over time": (spiking, lambda out: stacked(out, 0)[0].sum(0)),
    "spikes, last time step": (spiking, lambda out: stacked(out, 0)[0][-1]),
    "membranes, mean over time": (spiking, lambda out: stacked(out, 1)[0].mean(0)),
    "membranes, last time step": (spiking, lambda out: stacked(out, 1)[0][-1]),
    "membranes, largest over time": (spiking, lambda out: stacked(out, 1)[0].amax(0)),
}
"""How the output is read: a time step, and what is made of all of them."""
REFUSED: dict[str, tuple[tuple[int, ...], Step, dict[str, Callable[[], Any]]]] = {
    "max pooling of currents": (
        IMAGES,
        lambda n, x: n.b(n.n(F.max_pool2d(n.a(x), 2)).flatten(1)),
        POOLED,
    ),
    "activation functions (ReLU)": (ROWS, lambda n, x: n.b(n.n(n.a(x).relu())), DENSE),
    "recurrent layers (GRU, LSTM, RNN)": (
        ROWS,
        lambda n, x: n.b(n.n(n.gru(n.a(x)[None])[0][0])),
        {**DENSE, "gru": lambda: nn.GRU(10, 10)},
    ),
    "LayerNorm": (
        ROWS,
        lambda n, x: n.b(n.n(n.norm(n.a(x)))),
        {**DENSE, "norm": lambda: nn.LayerNorm(10)},
    ),
    "products of layers (gates, attention)": (
        ROWS,
        lambda n, x: n.b(n.n(n.a(x)) * n.a(x)),
        DENSE,
    ),
    "softmax at the end": (ROWS, lambda n, x: plain(n, x).softmax(1), DENSE),
    "noise drawn in forward": (ROWS, lambda n, x: n.b(n.n(n.a(x) + torch.randn(10))), DENSE),
}
