"""Training a classifier: seeded, with early stopping on held-out training images."""

from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch
from torch import nn

from stochi.data.images import Images
from stochi.errors import InputError
from stochi.train.defence import Defence


@dataclass(frozen=True)
class TrainingConfig:
    """How to train; recorded with the checkpoint.

    Attributes:
        epochs: at most so many; patience: stop when validation accuracy has not risen for so many.
        validation_share: one image in so many is held out of the training set for validation.
        seed: of the weights' initialization, the order of images and the neurons' draws.
    """

    seed: int = 0
    epochs: int = 25
    batch_size: int = 64
    learning_rate: float = 3e-3
    patience: int = 8
    validation_share: int = 8

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise InputError(f"seed is {self.seed}; it must be a whole number of at least 0")
        for name in ("epochs", "batch_size", "patience"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} is {getattr(self, name)}; it must be at least 1")

    def as_dict(self) -> dict[str, float]:
        """For a checkpoint."""
        return asdict(self)


@dataclass(frozen=True)
class Epoch:
    """What an epoch came to."""

    number: int
    loss: float
    validation_accuracy: float

    def as_dict(self) -> dict[str, float]:
        """For a checkpoint or a log."""
        return asdict(self)


def train_classifier(
    build: Callable[[], nn.Module],
    images: Images,
    config: TrainingConfig,
    *,
    defence: Defence | None = None,
    device: str | torch.device = "cpu",
    progress: Callable[[Epoch], None] | None = None,
    batch_progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[nn.Module, list[Epoch]]:
    """Build a network and train it with Adam, cosine decay and cross-entropy on its logits.

    The weights of the best epoch on the validation images, which no attack has changed, are kept.
    torch's global generator is seeded inside and put back as it was.

    Args:
        build: makes the network, from torch's global generator.
        images: the training set; a part of it validates.
        defence: changes the loss or the weights (``stochi.train.defences``); None: plain training.
        progress: called after every epoch; batch_progress: after every batch, with the number of
            this epoch's batches that are done, and of all.

    Raises:
        InputError: too few images, or the network is not one that the defence can train.
    """
    held_out = len(images) // config.validation_share
    if not held_out:
        raise InputError(f"{len(images)} images are too few to train on")
    defence = Defence() if defence is None else defence
    devices = [device] if torch.device(device).type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(config.seed)
        model = build().to(device)
        inputs, labels = images.inputs.to(device), images.labels.to(device)
        validation = Images(inputs[:held_out], labels[:held_out])
        inputs, labels = inputs[held_out:], labels[held_out:]
        optimizer = torch.optim.Adam(model.parameters(), config.learning_rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.epochs)
        history: list[Epoch] = []
        best, best_weights = -1.0, model.state_dict()
        for number in range(1, config.epochs + 1):
            loss = _train_epoch(
                model, inputs, labels, optimizer, config.batch_size, defence, batch_progress
            )
            schedule.step()
            accuracy = measure_accuracy(model, validation)
            history.append(Epoch(number, loss, accuracy))
            if progress is not None:
                progress(history[-1])
            if accuracy > best:
                best = accuracy
                best_weights = {k: v.detach().clone() for k, v in model.state_dict().items()}
            if number - max(history, key=lambda e: e.validation_accuracy).number >= config.patience:
                break
        model.load_state_dict(best_weights)
    return model.eval(), history


@torch.no_grad()
def measure_accuracy(model: nn.Module, images: Images, batch_size: int = 512) -> float:
    """The share of images classified rightly in one random run, in eval mode."""
    model.eval()
    right = 0
    for inputs, labels in images.split(batch_size):
        right += int((model(inputs).argmax(1) == labels).sum())
    return right / len(images)


def _train_epoch(
    model: nn.Module,
    inputs: torch.Tensor,
    labels: torch.Tensor,
    optimizer: torch.optim.Optimizer,
    batch_size: int,
    defence: Defence,
    progress: Callable[[int, int], None],
) -> float:
    model.train()
    batches = torch.randperm(len(labels)).to(inputs.device).split(batch_size)
    total = 0.0
    for number, batch in enumerate(batches, 1):
        loss = defence.loss(model, inputs[batch], labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        defence.after_step(model)
        total += float(loss.detach()) * len(batch)
        progress(number, len(batches))
    return total / len(labels)
