"""The twin: a graph's network in the chip's integers, for parity and for training.

Weights and thresholds stay real parameters. Every forward pass rounds them to the chip's grid with
the same functions as the lowering, so in ``eval()`` and in ``train()`` mode all values are the
integers of the chip, in the model's units. Gradients pass straight through the rounding.
"""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace

import nir
import torch
from torch import nn

from stochi.arguments import check_arguments
from stochi.deploy.graph.layers import RealNetwork, cut_into_layers
from stochi.deploy.lowering.network import check_noise
from stochi.deploy.lowering.stand_in import StandIn, take_over
from stochi.deploy.lowering.tables import TableBits, check_table_bits, choose_table_bits
from stochi.deploy.origin import read_again
from stochi.devices import device_of
from stochi.errors import InputError
from stochi.export.model.building import from_nir
from stochi.export.model.model import GraphModel
from stochi.export.model.running import RunningLayer
from stochi.export.nir_graph import to_nir
from stochi.hardware.chips import find_chip
from stochi.hardware.draws import Draws, check_coordinates
from stochi.program.program import Program
from stochi.program.target import IMAGE_LEVELS, NOISE_TARGETS, Target
from stochi.train.twin.layer import TwinLayer
from stochi.train.twin.neuron import DrawsNow


class Twin(GraphModel):
    """A graph's network in the chip's integers; :func:`make_twin` and :func:`twin_of` make it.

    Attributes:
        draws: the draws of the next runs, see :func:`set_draws`.
        target: target of the Program whose integers it computes.
    """

    def __init__(
        self,
        model: GraphModel,
        network: RealNetwork,
        target: Target,
        stand_ins: Mapping[str, StandIn],
    ) -> None:
        super().__init__(model.graph, model.wiring, model.nodes, model.reading)
        self.target = target
        self.now = DrawsNow(Draws(source=target.random_source))
        self.layers = {
            real.name: TwinLayer(
                index, wired, real, self, target, stand_ins.get(real.name), self.now
            )
            for index, (wired, real) in enumerate(
                zip(self.wiring.layers, network.layers, strict=True)
            )
        }

    def begin(self) -> dict[str, RunningLayer]:
        """See :meth:`GraphModel.begin`."""
        return {name: layer.begin() for name, layer in self.layers.items()}


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
) -> Twin:
    """Return a model's twin, which computes what the chip will compute.

    It is the model's graph in the chip's arithmetic: weights are rounded to the chip's grid, and
    neurons step in 24-bit integers with the chip's draws. :func:`set_draws` chooses the draws.

    Args:
        model, sample: as for ``stochi.export.to_nir``.
        chip, noise, events, random_source: as for ``stochi.deploy.lower``.
        fitted: the Program that holds the fit, if the noise is fitted to data.
        dt: as for ``to_nir``.
        bits: as for ``lower``, or one value for each layer, by its name.

    Returns:
        A module on the model's device, whose parameters have the names of the graph's nodes.

    Raises:
        ExportError, LoweringError: as for ``to_nir`` and ``lower``.
        InputError: the noise is fitted to data and ``fitted`` is missing, or an argument is unknown
            or out of range.

    Warns:
        MergedDecays, MergedThresholds: as for ``lower``; the latter in the first forward pass.
    """
    check_arguments(make_twin, locals(), besides=("model", "sample", "bits"))
    draws = Draws(source=random_source)
    check_noise(noise)
    if noise in NOISE_TARGETS and fitted is None:
        raise InputError(
            f"noise {noise!r} is fitted to data; pass the Program with the fit as fitted="
        )
    check_table_bits(noise, bits)
    find_chip(chip)
    graph = to_nir(model, sample, dt)
    real = float_model(model, graph)
    reading, levels = real.reading, 1 if events else IMAGE_LEVELS
    network = choose_table_bits(cut_into_layers(graph, reading.dt), bits)
    stand_ins = {} if fitted is None else take_over(fitted, noise, network.shapes)
    target = Target(chip, noise, reading.time_steps, levels, reading.dt, draws.source)
    return Twin(real, network, target, stand_ins).to(device_of(model))


def twin_of(program: Program, model: nn.Module, sample: torch.Tensor) -> Twin:
    """Return the twin of the model that a Program was lowered from, with the Program's integers.

    It reads its output over time as the Program does, however the model reads its own, and runs the
    Program's time steps.

    Args:
        program: the lowered Program.
        model, sample: as for ``stochi.export.to_nir``.

    Returns:
        A module of its own on the model's device, in the model's mode.

    Raises:
        ExportError, LoweringError, InputError: the Program cannot be lowered from this model.
    """
    check_arguments(twin_of, locals(), besides=("model", "sample"))
    graph = to_nir(model, sample, program.target.dt)
    network, stand_ins = read_again(program, graph)
    real = float_model(model, graph)
    steps = program.target.time_steps
    real.reading = replace(real.reading, readout=program.over_time, time_steps=steps)
    twin = Twin(real, network, program.target, stand_ins).train(model.training)
    return twin.to(device_of(model))


def float_model_of(model: nn.Module, sample: torch.Tensor, dt: float) -> GraphModel:
    """Return a model as its graph runs in real numbers; a graph's model as it is.

    Args:
        model, sample, dt: as for ``stochi.export.to_nir``.
    """
    if isinstance(model, GraphModel):
        return model
    return float_model(model, to_nir(model, sample, dt))


def answering_model_of(model: nn.Module, sample: torch.Tensor, program: Program) -> GraphModel:
    """Return a model as its graph runs in real numbers, reading its output as its Program does.

    Args:
        model, sample: as for ``stochi.export.to_nir``.
        program: the Program.

    Raises:
        InputError: one reads the last time step, the other the mean over all.
    """
    return answering_as(program, float_model_of(model, sample, program.target.dt))


def answering_as(program: Program, model: GraphModel) -> GraphModel:
    """Return a graph's model reading its output as its Program does; parameters are shared.

    Raises:
        InputError: one reads the last time step, the other the mean over all.
    """
    found = model.answering()
    if found.reading.readout != program.over_time:
        words = {"mean": "the mean output over time", "last": "the output of the last time step"}
        raise InputError(
            f"the model answers with {words[found.reading.readout]}, the Program with"
            f" {words[program.over_time]}; lower the model again, or use the model that the Program"
            " came from"
        )
    return found


def float_model(model: nn.Module, graph: nir.NIRGraph) -> GraphModel:
    """Return a model's graph as a torch module of its own, with the model's surrogate gradients.

    It is on the CPU, wherever the model is.

    Args:
        model: the model.
        graph: the graph that was made from it.
    """
    if isinstance(model, GraphModel):
        return GraphModel(model.graph, model.wiring, deepcopy(model.nodes), model.reading).cpu()
    found = from_nir(graph)
    own = dict(model.named_modules())
    for name, neuron in found.neurons().items():
        surrogate = getattr(own.get(name), "spike_grad", None)
        if callable(surrogate):
            neuron.spike_grad = surrogate
    return found.to(_computing_type(model))


def _computing_type(model: nn.Module) -> torch.dtype:
    """Return the type that a model's graph computes in: its own, float32 for 16 bits as in to_nir.

    The chip's integers, of up to 24 bits, fit into no type of 16 bits.
    """
    own = next((p.dtype for p in model.parameters()), torch.get_default_dtype())
    return torch.float32 if own in (torch.float16, torch.bfloat16) else own


def set_draws(model: nn.Module, *, seed: int = 0, trial: int = 0, first_sample: int = 0) -> None:
    """Choose the draws of a twin's next forward passes; see :class:`stochi.hardware.draws.Draws`.

    The random source stays the twin's own.

    Args:
        model: a twin, another graph's model that draws as a chip does, or a module around one.
    """
    check_arguments(set_draws, locals())
    check_coordinates(seed=seed, trial=trial, first_sample=first_sample)
    for module in model.modules():
        now = getattr(module, "now", None)
        if isinstance(now, DrawsNow):
            now.draws = Draws(seed, trial, first_sample, now.draws.source)


class FreshDraws(nn.Module):
    """A twin that draws anew in every call, like a chip in use.

    An attacker who optimizes over the randomness wraps the twin in this class. ``seed`` should
    differ from the victim's seed, because no attacker knows the victim's draws.

    Attributes:
        calls: number of calls so far, the trial of the next one.
        first_sample: number of the first sample of the next inputs, which are a part of a batch.
    """

    def __init__(self, model: nn.Module, seed: int) -> None:
        check_arguments(FreshDraws.__init__, locals())
        check_coordinates(seed=seed)
        super().__init__()
        self.model = model
        self.seed = seed
        self.calls = 0
        self.first_sample = 0

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Run the twin with the draws of the next trial."""
        self.draw()
        return self.model(inputs)

    def draw(self) -> None:
        """Go on to the draws of the next trial."""
        draws = {"trial": self.calls, "first_sample": self.first_sample}
        set_draws(self.model, seed=self.seed, **draws)
        self.calls += 1
