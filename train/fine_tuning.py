"""Fine-tuning of a trained network with the chip's arithmetic and noise in the loop."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count

import torch
from torch import nn
from torch.nn import functional

from stochi.arguments import check_arguments, check_fields
from stochi.data.batches import Data, Labelled
from stochi.data.events.event_set import EventSet
from stochi.data.samples import Samples
from stochi.devices import check_device, on_device
from stochi.errors import (
    InputError,
    check_at_least_one,
    check_not_negative,
    check_not_too_large,
)
from stochi.export.model.model import GraphModel
from stochi.hardware.draws import check_coordinates
from stochi.modes import in_eval_mode
from stochi.program.program import Program
from stochi.sim.labelled import read_all
from stochi.train.step_memory import check_step_memory
from stochi.train.twin.forms import form_blamed
from stochi.train.twin.model import Twin, answering_model_of, set_draws, twin_of
from stochi.train.twin.samples import take_sample
from stochi.turns import seeded

FEW = 3
"""Number of samples that are enough to export a model with."""
TINY = 1e-12
"""Smallest mean square of a teacher's answers that errors are divided by."""


@dataclass(frozen=True)
class FineTuningConfig:
    """Options of fine-tuning.

    Attributes:
        seed: seed of the order of the images, of the perturbations and of all draws.
        epochs: number of epochs, at least 1.
        batch_size: number of images per training step, at least 1.
        learning_rate: Adam's learning rate at the start, from 0 to 1,000,000.
        teacher_draws: number of runs of the float model, at least 1, whose mean the student learns.
        rate_weight: weight in the loss of the squared relative differences of the layers' firing
            rates.
        epsilon: ε in [0, 1], the change of each pixel of a perturbed image, of random sign. The
            student thus also learns to answer like its teacher near the images, where attacks
            search.
        perturbed_share: share of every batch, in [0, 1], that is perturbed.

    Raises:
        InputError: a value is out of range.
    """

    seed: int = 0
    epochs: int = 10
    batch_size: int = 64
    learning_rate: float = 5e-4
    teacher_draws: int = 4
    rate_weight: float = 1.0
    epsilon: float = 6 / 255
    perturbed_share: float = 0.25

    def __post_init__(self) -> None:
        check_fields(self)
        check_at_least_one(
            epochs=self.epochs, batch_size=self.batch_size, teacher_draws=self.teacher_draws
        )
        check_coordinates(seed=self.seed)
        rates = {"learning_rate": self.learning_rate, "rate_weight": self.rate_weight}
        check_not_negative(**rates)
        check_not_too_large(**rates)
        for name in ("epsilon", "perturbed_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is {getattr(self, name)}; it must lie in [0, 1]")


def fine_tune(
    model: nn.Module,
    program: Program,
    samples: Data,
    config: FineTuningConfig | None = None,
    *,
    device: str | torch.device = "cpu",
    progress: Callable[[int, float], None] = lambda epoch, loss: None,
    batch_progress: Callable[[int, int], None] = lambda done, total: None,
) -> Twin:
    """Tune a twin of a float model so that its Program answers as the float model does.

    The twin is the student: it computes in the chip's integers, with the Program's noise and fit.
    The float model is its teacher, with its mean answer over draws (Kullback-Leibler divergence,
    after Hinton et al., 2015; of a regression the squared error, relative to the teacher's
    mean square) and its layers' firing rates. Training changes weights, biases and
    other learnable parameters (thresholds, parameters of the distribution of λ). The fit stays, so
    lower the result with ``fitted=program`` and its ``random_source``, or calibrate it again.

    Args:
        model: the float model from which the Program was lowered; it teaches in eval mode and is
            left in its own mode.
        program: the lowered Program.
        samples: those of the training set, in any form that ``stochi.parity.check_parity`` takes;
            all but an ``EventSet`` are read into memory. Float labels mean a regression, and are
            not used else.
        config: options of fine-tuning.
        device: where it is tuned; the result is on the CPU.
        progress: called with the number of every epoch and its mean loss.
        batch_progress: called after every batch with the numbers of its batches: done, all.

    Returns:
        The tuned twin, in eval mode; ``to_nir`` exports it.

    Raises:
        InputError: the samples do not fit the Program or the memory, or it is not the model's.
        ExportError, LoweringError: as for :func:`stochi.train.twin_of`.
    """
    check_arguments(fine_tune, locals(), besides=("samples",))
    config, place = config or FineTuningConfig(), check_device(device)
    held: Labelled = samples if isinstance(samples, EventSet) else read_all(program, samples)
    student, teacher = _student_and_teacher(program, model, held)
    epsilon = 0.0 if program.target.events else config.epsilon  # events are 0 or 1
    optimizer = torch.optim.Adam(student.parameters(), config.learning_rate)
    batches = config.epochs * -(-len(held) // config.batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, batches)
    generator, trials = torch.Generator().manual_seed(config.seed), count()
    with in_eval_mode(teacher), on_device(place, student, teacher), seeded(config.seed):
        _check_memory(student, teacher, held, config, place)
        for epoch in range(1, config.epochs + 1):
            total, order = 0.0, torch.randperm(len(held), generator=generator)
            parts = order.split(config.batch_size)
            for number, rows in enumerate(parts, 1):
                shown = _perturb(held.select(rows).to(place), epsilon, config.perturbed_share)
                loss = _loss(student, teacher, shown, config, next(trials))
                _take_step(loss, optimizer, schedule)
                total += float(loss.detach()) * len(rows)
                batch_progress(number, len(parts))
            progress(epoch, total / len(held))
    return student.eval()


def _take_step(
    loss: torch.Tensor,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
) -> None:
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    schedule.step()


def _student_and_teacher(
    program: Program, model: nn.Module, samples: Labelled
) -> tuple[Twin, GraphModel]:
    few = samples.select(torch.arange(min(FEW, len(samples))))
    with form_blamed(program, model, few):
        sample = take_sample(model, program, few).sample
        student = twin_of(program, model, sample).train().cpu()
    return student, answering_model_of(model, sample, program)


def _check_memory(
    student: Twin,
    teacher: GraphModel,
    samples: Labelled,
    config: FineTuningConfig,
    device: torch.device,
) -> None:
    """Raise InputError if a step does not fit the memory at hand."""

    def loss(shown: Samples) -> torch.Tensor:
        return _loss(student, teacher, shown, config, 0)

    check_step_memory(loss, samples, min(config.batch_size, len(samples)), device, "batch_size")
    student.zero_grad()


def _perturb(shown: Samples, epsilon: float, share: float) -> Samples:
    """Move the first inputs, a share of all, to random corners of their ε-balls."""
    dim, count = shown.batch_dim, int(len(shown) * share)
    first, rest = shown.inputs.split([count, len(shown) - count], dim)
    corners = torch.randint(2, first.shape, device=first.device) * 2 - 1
    moved = (first + epsilon * corners).clamp(0, 1)
    return shown.with_inputs(torch.cat([moved, rest], dim))


@torch.no_grad()
def _teach(
    teacher: GraphModel, shown: Samples, draws: int
) -> tuple[torch.Tensor, dict[str, float]]:
    """Return the teacher's mean answer over draws, (batch, classes), and its firing rates.

    Of classes it is the mean of the probabilities, which keeps the uncertainty of a single draw.
    With the mean of the logits, the teacher would be more certain, and more often right, than the
    model.
    """
    answers, rates = [], []
    for _ in range(draws):
        answer, means = answer_and_rates(teacher, shown.inputs)
        answers.append(answer if shown.regression else functional.softmax(answer, 1))
        rates.append(means)
    mean = {name: float(torch.stack([one[name] for one in rates]).mean()) for name in rates[0]}
    return torch.stack(answers).mean(0), mean


def _loss(
    student: Twin,
    teacher: GraphModel,
    shown: Samples,
    config: FineTuningConfig,
    trial: int,
) -> torch.Tensor:
    """Return the divergence from the teacher's answer, plus the weighted errors of the rates."""
    answer, rates = _teach(teacher, shown, config.teacher_draws)
    set_draws(student, seed=config.seed, trial=trial)
    found, own_rates = answer_and_rates(student, shown.inputs)
    if shown.regression:
        loss = functional.mse_loss(found.float(), answer) / answer.square().mean().clamp_min(TINY)
    else:
        given = functional.log_softmax(found.float(), 1)
        loss = functional.kl_div(given, answer, reduction="batchmean")
    for name, rate in rates.items():
        if rate > 0:
            error = own_rates[name] / rate - 1
            loss = loss + config.rate_weight * error.square()
    return loss


def answer_and_rates(
    model: GraphModel, shown: torch.Tensor
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Run a graph's model; return its answer, and each layer's mean number of spikes, scalar."""
    spiking = [name for name, neuron in model.neurons().items() if neuron.threshold is not None]
    read = []
    spikes: dict[str, list[torch.Tensor]] = {name: [] for name in spiking}
    for outputs in model.run(shown):
        read.append(outputs[model.wiring.output])
        for name in spiking:
            spikes[name].append(outputs[name].sent.mean())
    return model.read(read), {name: torch.stack(means).mean() for name, means in spikes.items()}
