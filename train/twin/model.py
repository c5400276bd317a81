"""The twin: a copy of a model that computes in the chip's integers, for parity and for training.

Weights and thresholds stay real parameters. Every forward pass rounds them to the chip's grid with
the same functions as the lowering, so in ``eval()`` and in ``train()`` mode all values are the
integers of the chip, in the model's units. Gradients pass straight through the rounding.
"""

from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import nn

from stochi.deploy.graph.layers import RealLayer, RealNetwork, RealProjection, cut_into_layers
from stochi.deploy.lowering.layer import choose_decay
from stochi.deploy.lowering.network import check_noise
from stochi.deploy.lowering.stand_in import StandIn, take_over
from stochi.deploy.lowering.tables import TableBits, check_table_bits, choose_table_bits
from stochi.deploy.origin import read_again
from stochi.errors import ExportError, InputError
from stochi.export.batch_norm import fold_batch_norms
from stochi.export.copying import copy_model
from stochi.export.nir_graph import to_nir
from stochi.export.tracing import trace
from stochi.hardware.chips import find_chip
from stochi.hardware.draws import Draws
from stochi.program.layers import SumPool
from stochi.program.program import Program
from stochi.program.target import IMAGE_LEVELS, NOISE_TARGETS, Target
from stochi.train.neurons.random_tau_leaky import RandomTauLeaky
from stochi.train.twin.neuron import DrawsNow, TwinStep
from stochi.train.twin.synapses import TwinProjection, convert


def make_twin(
    model: nn.Module,
    sample: torch.Tensor,
    *,
    chip: str = "loihi2",
    noise: str = "decay",
    fitted: Program | None = None,
    events: bool = False,
    dt: float = 1e-3,
    bits: TableBits = None,
    random_source: str = "philox",
) -> nn.Module:
    """Copy a model into its twin, which computes what the chip will compute.

    The weights of Linear and Conv2d layers are rounded to the chip's grid, batch norms are folded
    into them, and RandomTauLeaky neurons step in 24-bit integers with the chip's draws.
    :func:`set_draws` chooses the draws.

    Args:
        model, sample: as for ``stochi.export.to_nir``; all neurons must be RandomTauLeaky.
        chip, noise, events, random_source: as for ``stochi.deploy.lower``.
        fitted: the Program that holds the fit, if the noise is fitted to data.
        dt: as for ``to_nir``.
        bits: as for ``lower``, or one value for each layer, by its name.

    Raises:
        ExportError, LoweringError: as for ``to_nir`` and ``lower``.
        InputError: the noise is fitted to data and ``fitted`` is missing, or an argument is unknown
            or out of range.

    Warns:
        MergedDecays, MergedThresholds: as for ``lower``; the latter in the first forward pass.
    """
    draws = Draws(source=random_source)
    check_noise(noise)
    if noise in NOISE_TARGETS and fitted is None:
        raise InputError(
            f"noise {noise!r} is fitted to data; pass the Program with the fit as fitted="
        )
    check_table_bits(noise, bits)
    find_chip(chip)
    graph = to_nir(model, sample, dt)
    network = choose_table_bits(cut_into_layers(graph, dt), bits)
    stand_ins = {} if fitted is None else take_over(fitted, noise, network.shapes)
    time_steps, levels = int(graph.metadata["steps"]), 1 if events else IMAGE_LEVELS
    target = Target(chip, noise, time_steps, levels, dt, draws.source)
    return _in_integers(model, sample, network, target, stand_ins)


def twin_of(program: Program, model: nn.Module, sample: torch.Tensor) -> nn.Module:
    """Copy the model from which a Program was lowered into its twin, with the Program's integers.

    Args:
        program: the lowered Program.
        model, sample: as for ``stochi.export.to_nir``; all neurons must be RandomTauLeaky.

    Raises:
        ExportError, LoweringError, InputError: the Program cannot be lowered from this model.
    """
    graph = to_nir(model, sample, program.target.dt)
    network, stand_ins = read_again(program, graph)
    target = replace(program.target, time_steps=int(graph.metadata["steps"]))
    return _in_integers(model, sample, network, target, stand_ins)


def _in_integers(
    model: nn.Module,
    sample: torch.Tensor,
    network: RealNetwork,
    target: Target,
    stand_ins: Mapping[str, StandIn],
) -> nn.Module:
    """Copy a model and convert the network's layers, by their names, to the chip's integers."""
    copied = copy_model(model)
    training = copied.training
    copied.eval()
    fold_batch_norms(copied, trace(copied, sample))
    now = DrawsNow(Draws(source=target.random_source))
    for index, real in enumerate(network.layers):
        path, form = only_path(real), choose_decay(real, target)
        stand_in = stand_ins.get(real.name)
        neuron = None
        if real.neuron is not None:
            neuron = random_tau_neuron(copied, real.name)
            neuron.twin = TwinStep(index, form, now)
            if stand_in is not None:
                neuron.twin.generator = stand_in.generator
                neuron.twin.threshold_factor = stand_in.threshold_factor
        converted = convert(copied.get_submodule(path.weight_node))
        converted.twin = TwinProjection(real, form, neuron, target, stand_in)
        parent, _, child = path.weight_node.rpartition(".")
        setattr(copied.get_submodule(parent), child, converted)
    return copied.train(training)


def set_draws(model: nn.Module, *, seed: int = 0, trial: int = 0, first_sample: int = 0) -> None:
    """Choose the draws of a twin's next forward passes; see :class:`stochi.hardware.draws.Draws`.

    The random source stays the twin's own.
    """
    for module in model.modules():
        if isinstance(module, RandomTauLeaky) and isinstance(module.twin, TwinStep):
            now = module.twin.now
            now.draws = Draws(seed, trial, first_sample, now.draws.source)


class FreshDraws(nn.Module):
    """A twin that draws anew in every call, like a chip in use.

    An attacker who optimizes over the randomness wraps the twin in this class. ``seed`` should
    differ from the victim's seed, because no attacker knows the victim's draws.
    """

    def __init__(self, model: nn.Module, seed: int) -> None:
        super().__init__()
        self.model = model
        self.seed = seed
        self.calls = 0

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Run the twin with the draws of the next trial."""
        set_draws(self.model, seed=self.seed, trial=self.calls)
        self.calls += 1
        return self.model(inputs)


def random_tau_neuron(model: nn.Module, name: str) -> RandomTauLeaky:
    """Return the layer's neurons.

    Raises:
        ExportError: they are not RandomTauLeaky.
    """
    neuron = model.get_submodule(name)
    if not isinstance(neuron, RandomTauLeaky):
        raise ExportError(
            f"neuron {name!r} is a {type(neuron).__name__}; a twin needs RandomTauLeaky"
            " (sampling='mean' is the plain LIF)"
        )
    return neuron


def only_path(real: RealLayer) -> RealProjection:
    """Return the layer's only projection, which may pool before or after its weights.

    Raises:
        ExportError: the layer has several projections, or one without weights, or it is a readout
            that is pooled after its weights.
    """
    path = real.projections[0]
    if len(real.projections) > 1 or not path.weight_node:
        raise ExportError(
            f"layer {real.name!r}: a twin needs exactly one weight layer before each spiking layer;"
            " this one has other inputs too, or none with weights"
        )
    if real.neuron is None and isinstance(path.stages[-1], SumPool):
        raise ExportError(
            f"layer {real.name!r}: a twin cannot pool after the last weights; pool before them"
        )
    return path
