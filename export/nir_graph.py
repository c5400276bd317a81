"""Export of a torch model to a NIR graph with complete shapes that any NIR framework can run."""

import nir
import numpy as np
import snntorch as snn
import torch
from torch import nn

from stochi.deploy.graph.random_tau import RandomTau, describe
from stochi.errors import ExportError
from stochi.export.batch_norm import fold_batch_norms
from stochi.export.convolution import to_nir_conv2d
from stochi.export.copying import copy_model, release_copy
from stochi.export.readout import find_readout
from stochi.export.tracing import Node, Trace, trace
from stochi.not_finite import find_not_finite

DEFAULT_DT = 1e-3


def to_nir(model: nn.Module, sample: torch.Tensor, dt: float = DEFAULT_DT) -> nir.NIRGraph:
    """Export a spiking torch model to NIR.

    A copy of the model is traced on ``sample`` in eval mode, and its batch norms are folded.
    Random-τ neurons become NIR LIFs with their mean τ, and the node's metadata describes their
    distribution. With ``λ = 1 − dt/τ`` (the Euler step of NIR's LIF) and the input gain
    ``r·dt/τ``, the graph computes what the model computes with mean τ. This is checked before the
    graph is returned.

    Args:
        model: a module whose ``forward`` takes images (batch, *shape), shown at every time step,
            or events (time steps, batch, *shape), runs all time steps, and returns the last layer's
            output: (time steps, batch, classes), or its mean or sum over time, (batch, classes).
            Wrap a network that computes one time step per call in ``stochi.train.RepeatSteps``.
        sample: a batch of inputs of the shape to export.
        dt: length of a time step in seconds, kept in ``graph.metadata["dt"]``.

    Returns:
        A graph whose metadata holds ``dt``, ``steps`` (the number of time steps) and ``readout``
        ("mean", "sum" or "steps").

    Raises:
        ExportError: the model does something that NIR or a chip cannot express; the message
            names the layer.
    """
    if not isinstance(model, nn.Module):
        raise ExportError(f"the model must be a torch.nn.Module, this is a {type(model).__name__}")
    if not dt > 0:
        raise ExportError(f"dt is {dt}; a time step must last longer than 0 seconds")
    copied = _to_real_numbers(copy_model(model).eval())
    try:
        _check_finite(copied)
        fold_batch_norms(copied, trace(copied, sample))
        traced = trace(copied, sample)
        graph = _build(traced, dt)
        graph.metadata["readout"] = find_readout(copied, graph, sample, traced.time_steps)
        return graph
    finally:
        release_copy(copied)


def _to_real_numbers(model: nn.Module) -> nn.Module:
    """Make the neurons of a twin compute in real numbers again; returns the model.

    Raises:
        ExportError: fixed decays are not drawn yet.
    """
    for name, module in model.named_modules():
        if getattr(module, "twin", None) is not None:
            module.twin = None
        if getattr(module, "sampling", None) == "fixed" and not module.fixed_decay.numel():
            raise ExportError(
                f"neuron {name!r}: its fixed decays are not drawn yet; run the model once first"
            )
    return model


def _check_finite(model: nn.Module) -> None:
    """Raise ExportError if a parameter or buffer holds NaN or infinite values."""
    name = find_not_finite(dict([*model.named_parameters(), *model.named_buffers()]))
    if name is not None:
        layer, _, what = name.rpartition(".")
        raise ExportError(
            f"layer {layer!r}: its {what} holds NaN or infinite values; train again, or repair them"
        )


def _build(traced: Trace, dt: float) -> nir.NIRGraph:
    nodes: dict[str, nir.NIRNode] = {"input": nir.Input(np.array(traced.input_shape))}
    edges = []
    for node in traced.nodes.values():
        if node.name in ("input", "output"):
            raise ExportError(f"a layer must not be named {node.name!r}; rename it")
        nodes[node.name] = _convert(node, dt)
        edges.append((node.source, node.name))
    nodes["output"] = nir.Output(np.array(traced.nodes[traced.output].output_shape))
    edges.append((traced.output, "output"))
    return nir.NIRGraph(
        nodes=nodes, edges=edges, metadata={"dt": float(dt), "steps": int(traced.time_steps)}
    )


def _convert(node: Node, dt: float) -> nir.NIRNode:
    module = node.module
    if module is None or isinstance(module, nn.Flatten):
        if np.prod(node.input_shape) != np.prod(node.output_shape) or len(node.output_shape) != 1:
            raise ExportError(f"layer {node.name!r}: only a flatten to one dimension is supported")
        return nir.Flatten({"input": np.array(node.input_shape)}, start_dim=0, end_dim=-1)
    if isinstance(module, nn.Linear):
        if len(node.input_shape) != 1:
            raise ExportError(
                f"layer {node.name!r}: a Linear layer on shape {node.input_shape} is not supported;"
                " flatten first"
            )
        weight = _array(module.weight)
        if module.bias is None:
            return nir.Linear(weight)
        return nir.Affine(weight, _array(module.bias))
    if isinstance(module, nn.Conv2d):
        return to_nir_conv2d(node.name, module, node.input_shape)
    if isinstance(module, nn.AvgPool2d | nn.AdaptiveAvgPool2d):
        return _pooling(node)
    if isinstance(module, snn.Leaky):
        return neuron_node(node.name, module, node.output_shape, dt)
    raise ExportError(
        f"layer {node.name!r} ({type(module).__name__}) cannot be exported to NIR; use snn.Leaky or"
        " RandomTauLeaky neurons"
    )


def _pooling(node: Node) -> nir.AvgPool2d:
    module = node.module
    sizes = node.input_shape[1:]
    if isinstance(module, nn.AdaptiveAvgPool2d):
        outputs = node.output_shape[1:]
        if any(size % output for size, output in zip(sizes, outputs, strict=True)):
            raise ExportError(
                f"layer {node.name!r}: adaptive pooling from {sizes} to {outputs} has windows of"
                " different sizes; use AvgPool2d"
            )
        kernel = tuple(size // output for size, output in zip(sizes, outputs, strict=True))
        return nir.AvgPool2d(np.array(kernel), np.array(kernel), np.array((0, 0)))
    assert isinstance(module, nn.AvgPool2d)
    kernel, padding = _pair(module.kernel_size), _pair(module.padding)
    if module.divisor_override or (any(padding) and not module.count_include_pad):
        raise ExportError(
            f"layer {node.name!r}: divisor_override and count_include_pad=False give windows"
            " different weights; use neither"
        )
    pooling = nir.AvgPool2d(np.array(kernel), np.array(_pair(module.stride)), np.array(padding))
    if module.ceil_mode:
        raise ExportError(f"layer {node.name!r}: ceil_mode=True is not in NIR; use padding")
    return pooling


def neuron_node(name: str, neuron: snn.Leaky, shape: tuple[int, ...], dt: float) -> nir.LIF:
    """Return a layer's neurons as a NIR LIF.

    Args:
        name: the layer's name, for errors.
        neuron: the neurons.
        shape: shape of the layer, without the batch.
        dt: length of a time step in seconds.

    Raises:
        ExportError: NIR's LIF cannot describe the neurons.
    """
    if neuron.reset_mechanism != "zero":
        raise ExportError(
            f"neuron {name!r}: reset_mechanism={neuron.reset_mechanism!r} is not in NIR's"
            " LIF; use reset_mechanism='zero'"
        )
    if neuron.inhibition or neuron.state_quant or float(neuron.graded_spikes_factor) != 1.0:
        raise ExportError(
            f"neuron {name!r}: inhibition, state_quant and graded spikes cannot be exported"
        )
    metadata = {}
    decay = _array(neuron.beta.clamp(0, 1)).astype(np.float64)
    gain = np.ones(())
    # A RandomTauLeaky is recognized by its attributes, so the export needs no training code.
    if hasattr(neuron, "sampling"):
        decay = np.array(neuron.distribution.mean)
        gain = 1 - decay
        if neuron.sampling == "fixed":
            decay = _array(neuron.fixed_decay).astype(np.float64)
            gain = 1 - decay if neuron.input_gain == "coupled" else gain
        elif neuron.sampling != "mean":
            metadata = describe(
                RandomTau(neuron.distribution, neuron.sampling, neuron.input_gain, neuron.bits or 0)
            )
    if np.any(decay >= 1):
        raise ExportError(f"neuron {name!r}: with a decay of 1 it never leaks; NIR's LIF must leak")
    tau = dt / (1 - decay)
    return nir.LIF(
        tau=np.broadcast_to(tau, shape).copy(),
        r=np.broadcast_to(gain / (1 - decay), shape).copy(),
        v_leak=np.zeros(shape),
        v_threshold=_broadcast(name, _array(neuron.threshold), shape),
        v_reset=np.zeros(shape),
        metadata=metadata,
    )


def _broadcast(name: str, values: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    try:
        return np.broadcast_to(values, shape).astype(np.float64)
    except ValueError:
        raise ExportError(
            f"neuron {name!r}: a threshold of shape {values.shape} does not fit neurons of shape"
            f" {shape}"
        ) from None


def _array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().cpu().numpy()


def _pair(value: int | tuple[int, ...]) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (value[0], value[-1])
