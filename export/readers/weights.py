"""Linear layers, convolutions and batch norms, by the weights that the run really used."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import torch

from stochi.export.operations import Shape, Weights
from stochi.export.problems import RETRAIN
from stochi.export.readers.protocol import Reader
from stochi.export.readers.rearranging import bias_of, rearrange_with_bias
from stochi.export.recording import Event
from stochi.export.refusals import explain, where
from stochi.export.run import Run, bound
from stochi.export.signals import Signal, Term
from stochi.export.values import Constant, Frame, Sequence, Unknown, Value, each, to_frame


def _array(tensor: torch.Tensor) -> np.ndarray:
    """Return weights as an array; types that numpy lacks become float32."""
    tensor = tensor.detach().cpu()
    return (tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy()


def _shape(value: Value) -> Shape:
    frames = (value.signal,) if isinstance(value, Frame) else getattr(value, "frames", ())
    return frames[0].shape if frames else ()


_Maker = Callable[[Run, Event, dict[str, Any], Shape], Value | Weights]


def _weighted(run: Run, event: Event, given: dict[str, Any], make: _Maker) -> list[Value] | None:
    value = to_frame(run.value(given["input"]))
    for name in ("weight", "bias"):
        tensor = given.get(name)
        if tensor is not None and not isinstance(run.value(tensor), Constant):
            return [Unknown(explain(event, f"its {name} is computed from the input"))]
    operation = make(run, event, given, _shape(value))
    if not isinstance(operation, Weights):
        return [operation]
    bias = bias_of(given.get("bias"), operation.output_shape)
    return [each(value, lambda s: s.applied(operation).plus(bias))]


def _linear(run: Run, event: Event) -> list[Value] | None:
    given = bound(event, "input weight bias", bias=None)
    return _weighted(run, event, given, _linear_weights)


def _linear_weights(run: Run, event: Event, given: dict[str, Any], shape: Shape) -> Value | Weights:
    weight = _array(given["weight"])
    label, parameter = run.label(event, given["weight"])
    if len(shape) != 1:
        return Unknown(
            f"layer {label!r}: a Linear layer on shape {shape} is not supported; flatten first"
        )
    return Weights(
        label,
        shape,
        (weight.shape[0],),
        weight,
        biased=given.get("bias") is not None,
        parameter=parameter,
        hashed=run.digest(given["weight"], weight),
    )


def _tuple(value: Any, size: int) -> Shape:
    values = (value,) if isinstance(value, int) else tuple(value)
    return values * size if len(values) == 1 else values


def _convolution(size: int) -> Reader:
    def read(run: Run, event: Event) -> list[Value] | None:
        given = bound(
            event,
            "input weight bias stride padding dilation groups",
            **{"bias": None, "stride": 1, "padding": 0, "dilation": 1, "groups": 1},
        )
        value = run.value(given["input"])
        if isinstance(value, Sequence) or len(_shape(value)) != size + 1:
            return None
        return _weighted(run, event, given, _convolution_weights)

    return read


def _convolution_weights(
    run: Run, event: Event, given: dict[str, Any], shape: Shape
) -> Value | Weights:
    weight = _array(given["weight"])
    size = weight.ndim - 2
    stride, dilation = _tuple(given["stride"], size), _tuple(given["dilation"], size)
    kernel = weight.shape[2:]
    if given["padding"] == "same":
        totals = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
        before = tuple(total // 2 for total in totals)
        after = tuple(total - total // 2 for total in totals)
    else:
        before = _tuple(0 if given["padding"] == "valid" else given["padding"], size)
        after = before
    label, parameter = run.label(event, given["weight"])
    return Weights(
        label,
        shape,
        (weight.shape[0], *event.results[0].shape[2:]),
        weight,
        stride,
        before,
        after,
        dilation,
        int(given["groups"]),
        biased=given.get("bias") is not None,
        parameter=parameter,
        hashed=run.digest(given["weight"], weight),
    )


def _transposed(size: int) -> Reader:
    """A transposed convolution of stride 1, as the equal convolution."""
    names = "input weight bias stride padding output_padding groups dilation"

    def read(run: Run, event: Event) -> list[Value] | None:
        defaults = {"bias": None, "stride": 1, "padding": 0, "output_padding": 0}
        given = bound(event, names, **defaults, groups=1, dilation=1)
        weight, groups = given["weight"], int(given["groups"])
        if isinstance(run.value(given["input"]), Sequence):
            return None
        stride, dilation = _tuple(given["stride"], size), _tuple(given["dilation"], size)
        kernel = weight.shape[2:]
        padding = tuple(
            d * (k - 1) - p
            for d, k, p in zip(dilation, kernel, _tuple(given["padding"], size), strict=True)
        )
        if any(s != 1 for s in stride) or any(p < 0 for p in padding):
            return rearrange_with_bias(run, event, given.get("bias"))
        inputs, outputs = weight.shape[0], weight.shape[1]
        flipped = weight.detach().reshape(groups, inputs // groups, outputs, *kernel)
        flipped = flipped.transpose(1, 2).reshape(groups * outputs, inputs // groups, *kernel)
        flipped = flipped.flip(tuple(range(2, 2 + size))).contiguous()
        equal = {**given, "weight": flipped, "stride": 1, "padding": padding}
        equal["dilation"] = dilation
        return _weighted(run, event, equal, _convolution_weights)

    return read


def _batch_norm(run: Run, event: Event) -> list[Value] | None:
    """A batch norm by its running statistics: ``(x − μ)·γ/√(σ² + ε) + β``, in float64."""
    given = bound(
        event,
        "input running_mean running_var weight bias training momentum eps",
        **{"weight": None, "bias": None, "training": False, "eps": 1e-5},
    )
    mean, variance = given["running_mean"], given["running_var"]
    if mean is None or variance is None or given["training"]:
        return [
            Unknown(
                f"{where(event)} has no running statistics to fold: its output depends on the whole"
                " batch; train with track_running_stats=True" + RETRAIN
            )
        ]
    value = to_frame(run.value(given["input"]))
    shape = _shape(value)
    if isinstance(value, Sequence) or not shape or shape[0] != mean.numel():
        return None
    factor = (variance.detach().double() + given["eps"]).rsqrt()
    if given["weight"] is not None:
        factor = factor * given["weight"].detach().double()
    column = (-1, *(1,) * (len(shape) - 1))
    shift = _array(given["bias"].detach().double()) if given["bias"] is not None else np.zeros(1)
    scale, mean = _array(factor).reshape(column), _array(mean.double()).reshape(column)
    shift = shift.reshape(column)

    def fold(signal: Signal) -> Signal:
        return _biased(signal).plus(-mean).times(scale).plus(shift)

    return [each(value, fold)]


def _biased(signal: Signal) -> Signal:
    """Return the signal with a bias noted for the weights that compute it."""
    terms = tuple(
        Term(t.source, (*t.path[:-1], replace(t.path[-1], biased=True)), t.factor)
        if t.path and isinstance(t.path[-1], Weights)
        else t
        for t in signal.terms
    )
    return replace(signal, terms=terms)


WEIGHTS: dict[str, Reader] = {
    "linear": _linear,
    "conv1d": _convolution(1),
    "conv2d": _convolution(2),
    "conv_transpose1d": _transposed(1),
    "conv_transpose2d": _transposed(2),
    "batch_norm": _batch_norm,
}
