"""Training a classifier: seeded, with early stopping on held-out training images."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from stochi.data.images import Images
from stochi.errors import InputError, check_at_least_one
from stochi.modes import in_eval_mode
from stochi.train.defences.defence import Defence


@dataclass(frozen=True)
class TrainingConfig:
    """Options of training, recorded in the checkpoint.

    Attributes:
        seed: seed of the initial weights, the order of the images and the neurons' draws, at
            least 0.
        epochs: largest number of epochs, at least 1.
        batch_size: number of images per training step, at least 1.
        learning_rate: Adam's learning rate at the start.
        patience: number of epochs without a higher validation accuracy after which training stops,
            at least 1.
        validation_share: n, if one image in n of the training set is held out for validation.

    Raises:
        InputError: a value is out of range.
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
        check_at_least_one(epochs=self.epochs, batch_size=self.batch_size, patience=self.patience)


@dataclass(frozen=True)
class Epoch:
    """Results of one epoch.

    Attributes:
        number: counted from 1.
        loss: mean loss on the training images.
        validation_accuracy: share of the validation images classified correctly, after the epoch.
    """

    number: int
    loss: float
    validation_accuracy: float


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

    Keeps the weights of the epoch with the best accuracy on the validation images, which no attack
    has changed. torch's global generator is seeded for the training and restored afterwards.

    Args:
        build: builds the network, with weights from torch's global generator.
        images: the training set, part of which is held out for validation.
        config: options of training.
        defence: changes the loss or the weights (``stochi.train.defences.catalogue``); None is
            plain training.
        device: device of the training.
        progress: called after every epoch.
        batch_progress: called after every batch with the numbers of finished batches and of all
            batches in this epoch.

    Returns:
        The network in eval mode, and the results of every epoch.

    Raises:
        InputError: there are too few images, or the defence cannot train this network.
    """
    training, validation = _hold_out(images, config.validation_share, device)
    defence = Defence() if defence is None else defence
    devices = [device] if torch.device(device).type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(config.seed)
        model = build().to(device)
        optimizer = torch.optim.Adam(model.parameters(), config.learning_rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.epochs)
        history: list[Epoch] = []
        best, best_weights = -1.0, model.state_dict()
        for number in range(1, config.epochs + 1):
            loss = _train_epoch(
                model, training, optimizer, config.batch_size, defence, batch_progress
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
    """Return the share of images classified correctly in one random run, in eval mode."""
    correct = 0
    with in_eval_mode(model):
        for inputs, labels in images.split(batch_size):
            correct += int((model(inputs).argmax(1) == labels).sum())
    return correct / len(images)


def _hold_out(
    images: Images, validation_share: int, device: str | torch.device
) -> tuple[Images, Images]:
    """Return the images to train on and those to validate on, on a device."""
    count = len(images) // validation_share
    if not count:
        raise InputError(
            f"{len(images)} images are too few to train on; pass at least {validation_share}"
        )
    inputs, labels = images.inputs.to(device), images.labels.to(device)
    return Images(inputs[count:], labels[count:]), Images(inputs[:count], labels[:count])


def _train_epoch(
    model: nn.Module,
    images: Images,
    optimizer: torch.optim.Optimizer,
    batch_size: int,
    defence: Defence,
    progress: Callable[[int, int], None],
) -> float:
    """Train for one epoch and return the mean loss."""
    model.train()
    batches = torch.randperm(len(images)).to(images.inputs.device).split(batch_size)
    total = 0.0
    for number, batch in enumerate(batches, 1):
        loss = defence.loss(model, images.inputs[batch], images.labels[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        defence.after_step(model)
        total += float(loss.detach()) * len(batch)
        progress(number, len(batches))
    return total / len(images)
