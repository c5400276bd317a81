"""How many samples a torch model is shown at a time, so that they fit the memory."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from stochi.attacks.base import Attack, guarded
from stochi.attacks.expectation import answers
from stochi.attacks.program_model import ProgramModel
from stochi.batch_memory import Taken, check_step, fit_batch, measure_samples, memory_at_hand
from stochi.devices import device_of
from stochi.parity.distribution.results import Margins
from stochi.program.layers import shape_after
from stochi.program.program import Program
from stochi.train.twin.model import FreshDraws

VALUES_AT_A_TIME = 2**18
"""Pixels of all images and draws that a torch model is shown at once. With more, what a
convolutional network keeps for its gradient leaves the caches, and then the memory."""
EXACT = 64
"""Number of samples that are compared exactly unless somebody chooses another."""
_GRADIENT, _RECORD = 512, 64
"""Bytes at most for each value of a layer and each time step: of all that a model keeps for a
gradient, and of the records and histograms of a comparison in distribution."""


def images_at_a_time(inputs: torch.Tensor, draws: int, batch_size: int | None = None) -> int:
    """Number of images that a model is shown at once, each with that many draws.

    It is ``batch_size`` at most, and no more than :data:`VALUES_AT_A_TIME` allows, but at least 1.
    """
    few = max(1, VALUES_AT_A_TIME // (inputs[0].numel() * draws))
    return few if batch_size is None else min(few, batch_size)


@dataclass(frozen=True)
class Asked:
    """How a model is asked about samples.

    Attributes:
        what: what the samples are, in the plural, for messages.
        draws: runs of each sample, side by side.
        gradients: whether gradients with respect to the samples are computed.
        batch_dim: dimension of the inputs that counts the samples.
    """

    what: str
    draws: int
    gradients: bool = True
    batch_dim: int = 0

    @staticmethod
    def by(attack: Attack) -> "Asked":
        """Return how an attack asks."""
        recipe = attack.recipe
        what = f"inputs under {recipe.title}"
        return Asked(what, recipe.draws, recipe.uses_gradients, attack.batch_dim)

    def runs(self, model: nn.Module, one: torch.Tensor) -> Callable[[int], None]:
        """Return what runs a model on a sample so many times side by side."""
        repeats = [1] * one.dim()

        def run(count: int) -> None:
            repeats[self.batch_dim] = count
            leaf = one.detach().repeat(repeats).requires_grad_(self.gradients)
            with torch.set_grad_enabled(self.gradients):
                logits = answers(model, leaf, 1, self.batch_dim)
                if logits.requires_grad:
                    torch.autograd.grad(logits.sum(), leaf, allow_unused=True)

        return run


def fit_asked(
    asked: Asked,
    surface: nn.Module,
    inputs: torch.Tensor,
    labels: torch.Tensor,
    most: int,
    program: Program | None = None,
) -> int:
    """Return the number of samples that a model is shown at a time: so many, or as many as fit.

    Args:
        asked: how it is asked.
        surface: the model, on its device; it stays as it was.
        inputs: as the model takes them, on that device.
        labels: (batch,) the true classes.
        most: number of samples if memory suffices, at least 1.
        program: the Program of the model; it tells whether there is anything to measure.

    Raises:
        InputError: a single sample does not fit, or the model fails on it.

    Warns:
        SmallerBatches: the batch was cut.
    """
    few, device = min(most, len(labels)), device_of(surface)
    if isinstance(surface, ProgramModel):
        return most  # the engine has shards
    if program is not None:
        bound = _GRADIENT * values_of(program) * few * asked.draws
        if bound <= memory_at_hand(device).bytes:
            return most
    first = inputs.narrow(asked.batch_dim, 0, 1)
    with _left_alone(surface, first, labels[:1], asked.batch_dim):
        taken = measure_samples(asked.runs(surface, first), few * asked.draws, device)
    taken = Taken(taken.fixed, asked.draws * taken.each)
    smaller = "take fewer draws or time steps" if asked.draws > 1 else "take fewer time steps"
    fitting = fit_batch(few, taken, device, what=asked.what, smaller=smaller)
    return most if fitting == few else fitting


def fit_records(
    program: Program, batch_size: int, samples: int | None = None, margins: Margins | None = None
) -> int:
    """Return the number of samples of a batch whose records of all layers are held.

    Args:
        program: whose layers are recorded.
        batch_size: number of samples that was asked for.
        samples: number of all samples, if it is known.
        margins: of the comparison; without one nothing is recorded, and the batch stays as it is.

    Raises:
        InputError: a single sample does not fit.

    Warns:
        SmallerBatches: the batch was cut.
    """
    if margins is None:
        return batch_size
    most = batch_size if samples is None else max(1, min(batch_size, samples))
    taken = _records_of(program)
    what, smaller = "inputs that are compared in distribution", "leave out the margins"
    fitting = fit_batch(most, taken, torch.device("cpu"), what=what, smaller=smaller)
    return batch_size if fitting == most else fitting


def fit_exact(program: Program, samples: int) -> int:
    """Return the number of samples that are compared exactly if nobody chose one: 64, or what fits.

    Args:
        program: whose layers are recorded, on every side.
        samples: number of all samples.

    Raises:
        InputError: a single sample does not fit.

    Warns:
        SmallerBatches: fewer are compared than there are.
    """
    what = "inputs that are compared value for value"
    taken = _records_of(program)
    smaller, cut_to = "take fewer time steps", "are only"
    most, cpu = min(EXACT, max(1, samples)), torch.device("cpu")
    return fit_batch(most, taken, cpu, what=what, smaller=smaller, cut_to=cut_to)


def check_exact(program: Program, count: int) -> None:
    """Raise InputError if the records of samples that are compared exactly do not fit the memory.

    Args:
        program: whose layers are recorded, on every side.
        count: number of samples.
    """
    taken = _records_of(program)
    what, way = "the exact comparison", "give exact_images (--exact) {}"
    check_step(count, taken, torch.device("cpu"), what=what, way=way)


def values_of(program: Program) -> int:
    """Return the number of values that a sample has in a network, over all its time steps.

    These are the inputs, what each stage of a projection gives, and the neurons.
    """
    values = math.prod(program.input_shape) + _neurons(program)
    for layer in program.layers:
        for projection in layer.projections:
            shape = program.source_shape(projection, layer)
            for stage in projection.stages:
                after = shape_after(stage, shape)
                assert after is not None
                shape = after
                values += math.prod(shape)
    return values * program.target.time_steps


def _records_of(program: Program) -> Taken:
    """Return what the records of all layers take."""
    return Taken(0, _RECORD * program.target.time_steps * _neurons(program))


def _neurons(program: Program) -> int:
    return sum(layer.neurons for layer in program.layers)


@contextmanager
def _left_alone(
    model: nn.Module, sample: torch.Tensor, label: torch.Tensor, batch_dim: int
) -> Iterator[None]:
    """Leave a model, its draws included, as it was; raise InputError if it fails on the sample."""
    counting = [module for module in model.modules() if isinstance(module, FreshDraws)]
    calls = [module.calls for module in counting]
    own = {g for m in model.modules() if isinstance(g := vars(m).get("generator"), torch.Generator)}
    states = [(generator, generator.get_state()) for generator in own]
    with guarded(model, sample, label, 0, batch_dim, is_known_to_forget=True):
        try:
            yield
        finally:
            for module, count in zip(counting, calls, strict=True):
                module.calls = count
            for generator, state in states:
                generator.set_state(state)
