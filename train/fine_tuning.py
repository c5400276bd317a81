"""Tuning a trained network with the chip's arithmetic and noise in the loop."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

import torch
from torch import nn
from torch.nn import functional

from stochi.data.images import Images
from stochi.deploy.program import Program
from stochi.errors import InputError
from stochi.train.hardware_aware import set_draws, twin_of
from stochi.train.neurons import RandomTauLeaky


@dataclass(frozen=True)
class FineTuningConfig:
    """How to tune.

    Attributes:
        teacher_draws: runs of the float model that are averaged into what the student learns.
        rate_weight: of the squared relative differences of the layers' rates in the loss.
        epsilon, perturbed_share: so much of every batch is moved by ±ε in every pixel, at random,
            so that the student also answers like its teacher beside the images, where attacks are.
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
        for name in ("epochs", "batch_size", "teacher_draws"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; it must be at least 1")
        for name in ("epsilon", "perturbed_share"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is {getattr(self, name)}; it must lie in [0, 1]")

    def as_dict(self) -> dict[str, float]:
        """For a checkpoint or a report."""
        return asdict(self)


def fine_tune(
    model: nn.Module,
    program: Program,
    images: Images,
    config: FineTuningConfig | None = None,
    *,
    progress: Callable[[int, float], None] = lambda epoch, loss: None,
) -> nn.Module:
    """Tune a copy of a float model so that its Program answers as the float model does.

    The copy computes in the chip's integers, with the Program's noise and fit; the float model is
    its teacher: its mean answer over draws (Kullback-Leibler divergence, after Hinton et al., 2015)
    and its layers' rates. Weights, biases and what else is learnable (thresholds, parameters of
    λ's law) change; the fit stays, so lower the result with ``calibration=program`` and the
    Program's ``random_source``, or calibrate it anew.

    Args:
        model: the float model that the Program was lowered from.
        images: of the training set; their labels are not used.
        progress: called with the number of every epoch and its mean loss.

    Returns:
        The tuned hardware-aware model, in eval mode; ``to_nir`` exports it.

    Raises:
        InputError: ``images`` are none.
        ExportError, LoweringError: as for :func:`hardware_aware`.
    """
    config = FineTuningConfig() if config is None else config
    if not isinstance(images, Images):
        raise InputError(
            f"labelled images are needed, this is a {type(images).__name__}; pass"
            " stochi.data.Images(inputs, labels)"
        )
    student = twin_of(program, model, images.inputs[:1]).train()
    teacher = model.eval()
    epsilon = config.epsilon if program.input_levels > 1 else 0.0  # events are 0 or 1
    optimizer = torch.optim.Adam(student.parameters(), config.learning_rate)
    steps = config.epochs * -(-len(images) // config.batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    generator = torch.Generator().manual_seed(config.seed)
    trial = 0
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        for epoch in range(1, config.epochs + 1):
            total = 0.0
            for rows in torch.randperm(len(images), generator=generator).split(config.batch_size):
                shown = _perturb(images.inputs[rows], epsilon, config.perturbed_share)
                answer, rates = _teach(teacher, shown, config.teacher_draws)
                set_draws(student, seed=config.seed, trial=trial)
                with _rates_of(student) as own_rates:
                    given = functional.log_softmax(student(shown).float(), 1)
                loss = functional.kl_div(given, answer, reduction="batchmean")
                for name, rate in rates.items():
                    if rate > 0:
                        error = torch.stack(own_rates[name]).mean() / rate - 1
                        loss = loss + config.rate_weight * error.square()
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                schedule.step()
                total += float(loss.detach()) * len(rows)
                trial += 1
            progress(epoch, total / len(images))
    return student.eval()


def _perturb(shown: torch.Tensor, epsilon: float, share: float) -> torch.Tensor:
    """A share of the images in a random corner of their ε-ball, the others as they are."""
    count = int(len(shown) * share)
    corners = torch.randint(2, shown[:count].shape, device=shown.device) * 2 - 1
    moved = (shown[:count] + epsilon * corners).clamp(0, 1)
    return torch.cat([moved, shown[count:]])


@torch.no_grad()
def _teach(
    teacher: nn.Module, shown: torch.Tensor, draws: int
) -> tuple[torch.Tensor, dict[str, float]]:
    """The float model's answer (batch, classes), and its layers' rates.

    The mean of the draws' probabilities, with the doubt that one draw has: mean logits would make
    a teacher that is surer and more often right than the model is.
    """
    with _rates_of(teacher) as rates:
        answers = torch.stack([functional.softmax(teacher(shown), 1) for _ in range(draws)])
    return answers.mean(0), {name: float(torch.stack(s).mean()) for name, s in rates.items()}


@contextmanager
def _rates_of(model: nn.Module) -> Iterator[dict[str, list[torch.Tensor]]]:
    """Each neuron module's mean spikes of every call, while inside."""
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
