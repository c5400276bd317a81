"""Linear functions without a node of their own in NIR, which dense weights can express."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from stochi.export.operations import Operation, Rearrange, Shape, digest
from stochi.export.readers.protocol import Reader
from stochi.export.recording import Event, tensors
from stochi.export.run import Run
from stochi.export.signals import Signal
from stochi.export.values import Constant, Frame, Merged, Value, each, to_frame


def bias_of(bias: torch.Tensor | None, shape: Shape) -> np.ndarray | float:
    """Return a bias as float64 that broadcasts to a frame."""
    if bias is None:
        return 0.0
    values: np.ndarray = bias.detach().cpu().double().numpy()
    return values.reshape(-1, *(1,) * (len(shape) - 1))


def rearrange(run: Run, event: Event) -> list[Value] | None:
    """Read a function that is linear in one argument, or adds constants to such a function.

    It treats every sample alone.
    """
    return rearrange_with_bias(run, event, None)


def rearrange_with_bias(run: Run, event: Event, bias: torch.Tensor | None) -> list[Value] | None:
    """Read a linear function that also adds a bias (channels,)."""
    tracked = [t for t in tensors((event.args, event.kwargs)) if not _is_constant(run, t)]
    if len({id(t) for t in tracked}) != 1:
        return None
    value = to_frame(run.value(tracked[0]))
    if not isinstance(value, Frame | Merged):
        return None
    values: list[Value] = []
    for index, result in enumerate(event.results):
        compute = _per_frame(event, tracked[0], index, bias)
        if result.shape[:1] != tracked[0].shape[:1] or not _is_linear(compute, tracked[0]):
            return None
        constant = compute(torch.zeros_like(tracked[0][:1], dtype=torch.float64, device="cpu"))
        operation: Operation = Rearrange(
            event.layer,
            tuple(tracked[0].shape[1:]),
            tuple(result.shape[1:]),
            _signature(event, tracked[0], index),
            _without(compute, constant),
            event.name,
        )
        shift = bias_of(bias, operation.output_shape) + constant[0].numpy()

        def through(signal: Signal, operation=operation, shift=shift) -> Signal:  # type: ignore[no-untyped-def]
            return signal.applied(operation).plus(shift)

        values.append(each(value, through))
    return values


def _is_constant(run: Run, tensor: torch.Tensor) -> bool:
    return isinstance(run.value(tensor), Constant)


def _per_frame(
    event: Event, tracked: torch.Tensor, index: int, bias: torch.Tensor | None
) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return the function of frames, computed in batches of the recorded size."""
    batch = tracked.shape[0]

    def replaced(tree: Any, frames: torch.Tensor) -> Any:
        if isinstance(tree, torch.Tensor):
            if tree is tracked:
                return frames
            if tree is bias:
                return torch.zeros_like(tree, dtype=torch.float64, device="cpu")
            values = tree.detach().cpu()
            return values.double() if values.is_floating_point() else values
        if isinstance(tree, tuple | list):
            return type(tree)(replaced(item, frames) for item in tree)
        if isinstance(tree, dict):
            return {key: replaced(item, frames) for key, item in tree.items()}
        return tree

    def compute(frames: torch.Tensor) -> torch.Tensor:
        assert event.function is not None
        found = []
        for start in range(0, len(frames), batch):
            part = frames[start : start + batch]
            padded = torch.cat([part, part.new_zeros(batch - len(part), *part.shape[1:])])
            result = event.function(*replaced(event.args, padded), **replaced(event.kwargs, padded))
            found.append(list(tensors(result))[index][: len(part)])
        return torch.cat(found)

    return compute


def _without(
    compute: Callable[[torch.Tensor], torch.Tensor], constant: torch.Tensor
) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return the linear part of a function that gives a constant (1, *shape) for zeros."""
    return (lambda frames: compute(frames) - constant) if bool(constant.any()) else compute


def _is_linear(compute: Callable[[torch.Tensor], torch.Tensor], like: torch.Tensor) -> bool:
    """Return whether a function is linear up to constants and treats every sample alone.

    It is tried; a batch of one input shows nothing of samples that mix.
    """
    generator = torch.Generator().manual_seed(0)
    one, two = torch.rand(2, *like.shape, generator=generator, dtype=torch.float64)
    alone = one.clone()
    alone[1:] = 0
    first, second, both = compute(one), compute(two), compute(2 * one - two)
    return bool(
        torch.allclose(both, 2 * first - second, atol=1e-9)
        and torch.allclose(compute(alone)[:1], first[:1])
    )


def _signature(event: Event, tracked: torch.Tensor, index: int) -> str:
    """Return a text that is equal for two calls that compute the same."""

    def text(tree: Any) -> str:
        if tree is tracked:
            return "x"
        if isinstance(tree, torch.Tensor):
            return digest(tree.detach().cpu().double().numpy())
        if isinstance(tree, tuple | list):
            return f"({','.join(map(text, tree))})"
        if isinstance(tree, dict):
            return text([(key, tree[key]) for key in sorted(tree)])
        return repr(tree)

    return f"{event.name} {index} {text(event.args)} {text(event.kwargs)}"


REARRANGING: dict[str, Reader] = dict.fromkeys(
    (
        *(
            "interpolate",
            "upsample",
            "upsample_nearest",
            "upsample_bilinear",
            "pad",
            "roll",
            "flip",
        ),
        *("index_select", "repeat_interleave", "tile", "pixel_shuffle", "pixel_unshuffle"),
        *("channel_shuffle", "matmul", "__matmul__", "einsum", "narrow", "avg_pool1d", "unfold"),
        *("adaptive_avg_pool1d", "cumsum", "swapaxes", "moveaxis", "fold", "diff", "triu", "tril"),
    ),
    rearrange,
)
