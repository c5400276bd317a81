"""Why a function cannot be exported, and the nearest thing that works."""

from stochi.export.problems import RETRAIN
from stochi.export.recording import Event

_ACTIVATION = (
    "currents pass no activation function on a chip, the spiking neuron is the nonlinearity;"
    f" remove it{RETRAIN}"
)
_RECURRENT = (
    "a chip has no recurrent layer of real numbers; use snn.RLeaky or snn.RSynaptic, whose spikes"
    f" come back through recurrent weights{RETRAIN}"
)
_NORM = f"its statistics depend on each input; use BatchNorm, which folds into weights{RETRAIN}"
_PRODUCT = (
    "a chip adds what layers send and multiplies by constants only; add them, or concatenate them"
    f" before the next weights{RETRAIN}"
)
_COMPARE = f"use a neuron of snnTorch, called as a module, for a threshold{RETRAIN}"
_MAX = (
    "a maximum is exact for the spikes of one layer only, since neurons add their currents; put the"
    f" pooling after the neuron, or use average pooling{RETRAIN}"
)
_SOFTMAX = "return the output without it and leave it to the loss; the order of classes is the same"
_REASONS = {
    **dict.fromkeys(
        (
            *("relu", "relu_", "leaky_relu", "gelu", "elu", "selu", "celu", "silu", "mish"),
            *("sigmoid", "tanh", "hardtanh", "relu6", "softplus", "prelu", "hardswish", "abs"),
            *("clamp", "clip", "clamp_", "exp", "log", "sqrt", "pow", "__pow__", "square", "sin"),
            *("hardsigmoid", "logsigmoid", "sign", "cos", "round", "floor", "ceil"),
            *("logical_or", "__or__", "maximum", "minimum"),
        ),
        _ACTIVATION,
    ),
    **dict.fromkeys(
        (
            *("rnn_tanh", "rnn_relu", "lstm", "gru"),
            *("rnn_tanh_cell", "rnn_relu_cell", "lstm_cell", "gru_cell"),
        ),
        _RECURRENT,
    ),
    **dict.fromkeys(("layer_norm", "group_norm", "instance_norm", "rms_norm", "normalize"), _NORM),
    **dict.fromkeys(
        ("mul", "__mul__", "mul_", "__imul__", "div", "__truediv__", "__rdiv__", "true_divide"),
        _PRODUCT,
    ),
    **dict.fromkeys(("matmul", "bmm", "einsum", "scaled_dot_product_attention"), _PRODUCT),
    **dict.fromkeys(("gt", "lt", "ge", "le", "eq", "ne", "where", "heaviside"), _COMPARE),
    **dict.fromkeys(("softmax", "log_softmax"), _SOFTMAX),
    **dict.fromkeys(
        (
            *("max_pool1d", "max_pool2d", "max_pool3d", "adaptive_max_pool1d"),
            *("adaptive_max_pool2d", "max", "amax"),
        ),
        _MAX,
    ),
}


def where(event: Event) -> str:
    """Return where an event happened, as the beginning of a message."""
    if not event.layer:
        return "the model's forward"
    return f"layer {event.layer!r} ({type(event.module).__name__})"


def explain(event: Event, reason: str = "") -> str:
    """Return the problem of a function that cannot be exported, one line."""
    if event.encoder:
        return (
            f"{where(event)} encodes its input with spikegen.{event.encoder}; a graph has no"
            f" encoder. Encode outside, events = snntorch.spikegen.{event.encoder}(images, ...),"
            " and let forward take events (steps, batch, ...) and use events[step]"
        )
    if "dropout" in event.name:
        return (
            f"{where(event)}: dropout is on in eval mode; call F.dropout(..., training="
            "self.training), or use nn.Dropout"
        )
    if event.drawn:
        return (
            f"{where(event)} draws random numbers ({event.name}); draw them outside and pass them"
            " as events (steps, batch, ...), or use RandomTauLeaky for random time constants"
        )
    reason = reason or _REASONS.get(event.name, "")
    name = event.name.removeprefix("__get__.").strip("_")
    hint = reason or (
        "no layer of a chip does that. Use linear layers, convolutions, average pooling, BatchNorm,"
        f" additions and spiking neurons{RETRAIN}"
    )
    return f"{where(event)} applies {name!r} to what the input or a layer computes: {hint}"
