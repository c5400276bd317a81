"""Fine-tuning of a trained network with the chip's arithmetic and noise in the loop."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional

from stochi.data.images import Images
from stochi.errors import InputError, check_at_least_one
from stochi.modes import in_eval_mode
from stochi.program.program import Program
from stochi.train.neurons.random_tau_leaky import RandomTauLeaky
from stochi.train.twin.model import set_draws, twin_of


@dataclass(frozen=True)
class FineTuningConfig:
    """Options of fine-tuning.

    Attributes:
        seed: seed of the order of the images, of the perturbations and of all draws.
        epochs: number of epochs, at least 1.
        batch_size: number of images per training step, at least 1.
        learning_rate: Adam's learning rate at the start.
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
        check_at_least_one(
            epochs=self.epochs, batch_size=self.batch_size, teacher_draws=self.teacher_draws
        )
        for name in ("epsilon", "perturbed_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is {getattr(self, name)}; it must lie in [0, 1]")


def fine_tune(
    model: nn.Module,
    program: Program,
    images: Images,
    config: FineTuningConfig | None = None,
    *,
    progress: Callable[[int, float], None] = lambda epoch, loss: None,
) -> nn.Module:
    """Tune a twin of a float model so that its Program answers as the float model does.

    The twin is the student: it computes in the chip's integers, with the Program's noise and fit.
    The float model is its teacher, with its mean answer over draws (Kullback-Leibler divergence,
    after Hinton et al., 2015) and its layers' firing rates. Training changes weights, biases and
    other learnable parameters (thresholds, parameters of the distribution of λ). The fit stays, so
    lower the result with ``fitted=program`` and the Program's ``random_source``, or calibrate it
    again.

    Args:
        model: the float model from which the Program was lowered; it teaches in eval mode and is
            left in its own mode.
        program: the lowered Program.
        images: images of the training set; their labels are not used.
        config: options of fine-tuning.
        progress: called with the number of every epoch and its mean loss.

    Returns:
        The tuned twin, in eval mode; ``to_nir`` exports it.

    Raises:
        InputError: ``images`` is not an Images object, or the Program is not the model's.
        ExportError, LoweringError: as for :func:`stochi.train.twin_of`.
    """
    config = FineTuningConfig() if config is None else config
    if not isinstance(images, Images):
        raise InputError(
            f"labelled images are needed, this is a {type(images).__name__}; pass"
            " stochi.data.Images(inputs, labels)"
        )
    student = twin_of(program, model, images.inputs[:1]).train()
    epsilon = config.epsilon if not program.target.events else 0.0  # events are 0 or 1
    optimizer = torch.optim.Adam(student.parameters(), config.learning_rate)
    steps = config.epochs * -(-len(images) // config.batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    generator = torch.Generator().manual_seed(config.seed)
    trial = 0
    with in_eval_mode(model), torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        for epoch in range(1, config.epochs + 1):
            total = 0.0
            for rows in torch.randperm(len(images), generator=generator).split(config.batch_size):
                shown = _perturb(images.inputs[rows], epsilon, config.perturbed_share)
                loss = _loss(student, model, shown, config, trial)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                total += float(loss.detach()) * len(rows)
                trial += 1
            progress(epoch, total / len(images))
    return student.eval()


def _perturb(shown: torch.Tensor, epsilon: float, share: float) -> torch.Tensor:
    """Move the first images, a share of all, to random corners of their ε-balls."""
    count = int(len(shown) * share)
    corners = torch.randint(2, shown[:count].shape, device=shown.device) * 2 - 1
    moved = (shown[:count] + epsilon * corners).clamp(0, 1)
    return torch.cat([moved, shown[count:]])


@torch.no_grad()
def _teach(
    teacher: nn.Module, shown: torch.Tensor, draws: int
) -> tuple[torch.Tensor, dict[str, float]]:
    """Return the teacher's mean probabilities over draws, (batch, classes), and its firing rates.

    The mean of the probabilities keeps the uncertainty of a single draw. With the mean of the
    logits, the teacher would be more certain, and more often right, than the model.
    """
    with _rates_of(teacher) as rates:
        answers = torch.stack([functional.softmax(teacher(shown), 1) for _ in range(draws)])
    means = {name: float(torch.stack(values).mean()) for name, values in rates.items()}
    return answers.mean(0), means


def _loss(
    student: nn.Module,
    teacher: nn.Module,
    shown: torch.Tensor,
    config: FineTuningConfig,
    trial: int,
) -> torch.Tensor:
    """Return the divergence from the teacher's answer, plus the weighted errors of the rates."""
    answer, rates = _teach(teacher, shown, config.teacher_draws)
    set_draws(student, seed=config.seed, trial=trial)
    with _rates_of(student) as own_rates:
        given = functional.log_softmax(student(shown).float(), 1)
    loss = functional.kl_div(given, answer, reduction="batchmean")
    for name, rate in rates.items():
        if rate > 0:
            error = torch.stack(own_rates[name]).mean() / rate - 1
            loss = loss + config.rate_weight * error.square()
    return loss


@contextmanager
def _rates_of(model: nn.Module) -> Iterator[dict[str, list[torch.Tensor]]]:
    """Record each neuron module's mean number of spikes in every call while inside."""
    rates: dict[str, list[torch.Tensor]] = {}

    def note(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, _: object, output: object) -> None:
            spikes = output[0] if isinstance(output, tuple) else output
            assert isinstance(spikes, torch.Tensor)
            rates.setdefault(name, []).append(spikes.mean())

        return hook

    hooks = [
        module.register_forward_hook(note(name))
        for name, module in model.named_modules()
        if isinstance(module, RandomTauLeaky)
    ]
    try:
        yield rates
    finally:
        for handle in hooks:
            handle.remove()
