"""Export of a torch model to a NIR graph with complete shapes that any NIR framework can run."""

from collections.abc import Callable
from typing import Any

import nir
import numpy as np
import snntorch as snn
import torch
from torch import nn

from stochi.arguments import check_arguments, shown
from stochi.deploy.graph.membrane_noise import MembraneNoise
from stochi.errors import ExportError, StochiWarning, first_line, warn_caller
from stochi.export.copying import copy_model, release_copy
from stochi.export.emission import Emitted, emit
from stochi.export.gates import insert_gates
from stochi.export.model.model import GraphModel
from stochi.export.model.writing import written_graph
from stochi.export.understanding import understand
from stochi.export.verification import Export, verify
from stochi.not_finite import find_not_finite
from stochi.turns import generators_kept

DEFAULT_DT = 1e-3


class SampleRangeWarning(StochiWarning):
    """Warning that a sample has values that no Program takes."""


class ClampedDecay(StochiWarning):
    """Warning that a neuron's decay, a learned one perhaps, is out of [0, 1]."""


def to_nir(
    model: nn.Module,
    sample: torch.Tensor,
    dt: float = DEFAULT_DT,
    progress: Callable[[int, int], None] | None = None,
) -> nir.NIRGraph:
    """Export a spiking torch model to NIR.

    A copy of the model runs on ``sample`` in eval mode, and every operation is recorded. The
    unrolled run is rolled up over time into layers of snnTorch neurons and the linear paths between
    them; batch norms, factors and biases are folded into the weights. With ``λ = 1 − dt/τ`` (the
    Euler step of NIR's LIF) and the input gain ``r·dt/τ``, the graph computes what the model
    computes with mean τ and without noise. This is checked, layer by layer and step by step, before
    the graph is returned. Random-τ neurons become NIR LIFs with their mean τ, and noisy ones LIFs
    without noise; the nodes' metadata describes the distributions. Random gates behind neurons
    become noisy neurons of their own (:mod:`stochi.export.gates`).

    Args:
        model: a module whose ``forward`` takes images (batch, *shape), shown at every time step,
            or events (time steps, batch, *shape), runs all time steps from reset states, and
            returns spikes, membranes or currents of its last layer: at every time step, (time
            steps, batch, ...), at the last one, or their mean or sum over time, (batch, ...). Of a
            tuple, such as ``(spk_rec, mem_rec)``, the first element counts. Wrap a network that
            computes one time step per call in ``stochi.train.RepeatSteps``.
        sample: a batch of inputs of the shape to export. One is doubled for the check. Events may
            also be (batch, time steps, *shape); their graph takes time steps first.
        dt: length of a time step in seconds, kept in ``graph.metadata["dt"]``.
        progress: function that is called with (done, total) parts of the work.

    Returns:
        A graph whose metadata holds ``dt``, ``steps`` (the number of time steps), ``readout``
        ("mean", "sum", "last" or "steps") and, if the output is a membrane, ``reads``
        ("membrane"). Neurons whose reset NIR has no word for say so in their metadata: ``reset``
        ("zero", "subtract" or "none"), ``reset_delay`` (1 if it acts at the next time step) and
        ``refractory`` (seconds). If forward first reshapes its input, the graph takes the reshaped
        input.

    Raises:
        ExportError: the model does something that NIR or a chip cannot express; the message lists
            every problem, with the layer and the nearest thing that works.

    Warns:
        QuietLayerWarning: a layer never spikes in the check.
        ReadValuesWarning: the answer depends on values that forward reads out of tensors, which a
            graph keeps as on the sample, although the check saw no difference.
        SampleRangeWarning, ClampedDecay: the sample, or a neuron's decay, is not in [0, 1].
    """
    check_arguments(to_nir, locals(), besides=("model", "sample"))
    _check_given(model, dt)
    if isinstance(model, GraphModel):
        return written_graph(model)
    sample = _checked_sample(model, sample)
    with generators_kept():
        copied = _copied(model)
        try:
            copied, sample = _in_one_type(copied, sample.cpu())
            _check_numbers(copied)
            return _export(copied, sample, float(dt), progress or (lambda done, total: None))
        finally:
            release_copy(copied)


def _check_given(model: object, dt: float) -> None:
    if not isinstance(model, nn.Module):
        raise ExportError(f"the model must be a torch.nn.Module, this is a {type(model).__name__}")
    if not dt > 0:
        raise ExportError(f"dt is {dt}; a time step must last longer than 0 seconds")


def _copied(model: nn.Module) -> nn.Module:
    try:
        return copy_model(model).eval().cpu()
    except Exception as error:
        raise ExportError(f"the model cannot be copied: {first_line(error)}") from error


def _checked_sample(model: nn.Module, sample: torch.Tensor) -> torch.Tensor:
    if not isinstance(sample, torch.Tensor) or sample.dim() < 2 or not sample.numel():
        array = type(sample).__module__ == "numpy"
        raise ExportError(
            f"the sample is {shown(sample)}; it must be a tensor with a batch of at least one input"
            + (": pass torch.from_numpy(sample)" if array else "")
        )
    if sample.layout != torch.strided:
        raise ExportError("the sample is sparse; pass sample.to_dense()")
    if sample.is_floating_point() and not bool(sample.isfinite().all()):
        raise ExportError("the sample holds NaN or infinite values; pass finite inputs")
    sample = sample.detach()
    if not sample.is_complex():
        low, high = (float(end) for end in torch.aminmax(sample.double()))
        if not (low >= 0 and high <= 1):
            warn_caller(
                f"the sample ranges from {low:g} to {high:g}, and a Program takes inputs in [0, 1]:"
                ' scale them, and let forward undo that (docs/data.md, "Inputs of another range")',
                SampleRangeWarning,
            )
    return sample


def _check_numbers(model: nn.Module) -> None:
    """Raise ExportError for numbers that are not finite; warn of decays that are clamped."""
    _check_finite(model)
    _warn_of_clamped(model)


def _warn_of_clamped(model: nn.Module) -> None:
    """Warn of decays out of [0, 1], which snnTorch clamps when it computes."""
    for name, module in model.named_modules():
        for what in ("alpha", "beta"):
            values = getattr(module, what, None)
            if not isinstance(module, snn.SpikingNeuron) or not isinstance(values, torch.Tensor):
                continue
            low, high = (float(end) for end in torch.aminmax(values.detach().double()))
            if low < 0 or high > 1:
                shown_values = f"{low:.4g}" if low == high else f"{low:.4g} … {high:.4g}"
                warn_caller(
                    f"neuron {name!r}: its {what} is {shown_values}, and snnTorch computes with"
                    " [0, 1]; so does the graph, and at 1 nothing leaks",
                    ClampedDecay,
                )


def _in_one_type(model: nn.Module, sample: torch.Tensor) -> tuple[nn.Module, torch.Tensor]:
    """Return a model and its sample in one floating type; 16-bit types become float32, exactly."""
    types = {t.dtype for t in (*model.parameters(), *model.buffers()) if t.is_floating_point()}
    if types & {torch.float16, torch.bfloat16}:
        model, types = model.float(), {torch.float32}
    if sample.is_floating_point():
        wanted = types.pop() if len(types) == 1 else torch.promote_types(sample.dtype, torch.float)
        sample = sample.to(wanted)
    return model, sample


def _export(
    model: nn.Module, sample: torch.Tensor, dt: float, progress: Callable[[int, int], None]
) -> nir.NIRGraph:
    """Export a copy of a model, which it may change."""
    samplings = _to_mean_tau(model)
    _quieten(model)
    found = understand(model, sample, samplings)
    problems, run, template = found.problems, found.run, found.template
    emitted = None if template is None else emit(run, template, dt, problems)
    problems.raise_if_any()
    assert template is not None and isinstance(emitted, Emitted)
    export = Export(model, run, template, emitted.graph, emitted.names, found.time_axis)
    verify(export, found.again, problems, progress)
    problems.raise_if_any()
    return _with_gates(export)


def _with_gates(export: Export) -> nir.NIRGraph:
    """Return the graph of a model, with the random gates behind its neurons."""
    gates = {}
    for name, described in export.layers():
        if described.gates is None:
            continue
        node, own = export.names[name], export.run.layers[name].shape
        shape = tuple(int(n) for n in export.graph.nodes[node].output_type["output"])
        try:
            gates[node] = np.broadcast_to(described.gates, (1, *own))[0].reshape(shape).copy()
        except ValueError:
            raise ExportError(
                f"neuron {name!r}: an open_share of shape {described.gates.shape} does not fit"
                f" neurons of shape {own}"
            ) from None
    return insert_gates(export.graph, gates, export.dt)


def _to_mean_tau(model: nn.Module) -> dict[str, str]:
    """Let random-τ neurons compute with real numbers and mean τ; return how they draw.

    Raises:
        ExportError: fixed decays are not drawn yet.
    """
    samplings = {}
    for name, module in model.named_modules():
        found: Any = module
        sampling = getattr(module, "sampling", None)
        if not isinstance(sampling, str) or not isinstance(module, snn.Leaky):
            continue
        samplings[name] = sampling
        if sampling == "fixed" and not found.fixed_decay.numel():
            raise ExportError(
                f"neuron {name!r}: its fixed decays are not drawn yet; run the model once first"
            )
        if sampling in ("step", "forward"):
            found.sampling = "mean"
    return samplings


def _quieten(model: nn.Module) -> None:
    """Let neurons with noise or gates of their own do without, so that runs can be compared."""
    for module in model.modules():
        found: Any = module
        noisy = isinstance(getattr(module, "noise", None), MembraneNoise)
        if noisy or hasattr(module, "gate_shares"):
            found.quiet = True


def _check_finite(model: nn.Module) -> None:
    """Raise ExportError if a parameter or buffer holds NaN or infinite values.

    A threshold may be infinite: such neurons only integrate.
    """
    numbers = dict([*model.named_parameters(), *model.named_buffers()])
    for name, module in model.named_modules():
        key = f"{name}.threshold" if name else "threshold"
        if isinstance(module, snn.SpikingNeuron) and bool(module.threshold.isposinf().all()):
            numbers.pop(key, None)
    name = find_not_finite(numbers)
    if name is not None:
        layer, _, what = name.rpartition(".")
        raise ExportError(
            f"layer {layer!r}: its {what} holds NaN or infinite values; train again, or repair them"
        )
