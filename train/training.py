"""Training a classifier: seeded, with early stopping on held-out training samples."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from stochi.arguments import check_arguments, check_fields
from stochi.data.batches import Labelled
from stochi.data.events.event_set import EventSet
from stochi.data.images import Images
from stochi.data.samples import Samples
from stochi.devices import check_device, device_of
from stochi.errors import InputError, check_at_least_one, check_not_negative
from stochi.modes import in_eval_mode
from stochi.train.augmentation import shift_at_random
from stochi.train.defences.defence import Defence
from stochi.turns import seeded


@dataclass(frozen=True)
class TrainingConfig:
    """Options of training, recorded in the checkpoint.

    Attributes:
        seed: seed of the initial weights, the order of the samples and the neurons' draws, at
            least 0.
        epochs: largest number of epochs, at least 1.
        batch_size: number of samples per training step, at least 1.
        learning_rate: Adam's learning rate at the start.
        patience: number of epochs without a higher validation accuracy after which training stops,
            at least 1.
        validation_share: n, if one sample in n of the training set is held out for validation.
        shift: largest number of pixels, at least 0, by which a training sample is moved at random,
            anew in every epoch; 0 leaves all where they are.

    Raises:
        InputError: a value is out of range.
    """

    seed: int = 0
    epochs: int = 25
    batch_size: int = 64
    learning_rate: float = 3e-3
    patience: int = 8
    validation_share: int = 8
    shift: int = 0

    @staticmethod
    def for_events(seed: int = 0, epochs: int = 25, patience: int = 8) -> "TrainingConfig":
        """Return options that suit a few hundred recordings of events (docs/events.md)."""
        return TrainingConfig(
            seed, epochs, batch_size=32, learning_rate=5e-3, patience=patience, shift=1
        )

    def __post_init__(self) -> None:
        check_fields(self)
        if self.seed < 0:
            raise InputError(f"seed is {self.seed}; it must be a whole number of at least 0")
        if self.shift < 0:
            raise InputError(f"shift is {self.shift}; it counts pixels and must be at least 0")
        check_at_least_one(
            epochs=self.epochs,
            batch_size=self.batch_size,
            patience=self.patience,
            validation_share=self.validation_share,
        )
        check_not_negative(learning_rate=self.learning_rate)


@dataclass(frozen=True)
class Epoch:
    """Results of one epoch.

    Attributes:
        number: counted from 1.
        loss: mean loss on the training samples.
        validation_accuracy: share of the validation samples classified correctly, after the epoch.
    """

    number: int
    loss: float
    validation_accuracy: float


def train_classifier(
    build: Callable[[], nn.Module],
    samples: Labelled,
    config: TrainingConfig,
    *,
    defence: Defence | None = None,
    device: str | torch.device = "cpu",
    progress: Callable[[Epoch], None] | None = None,
    batch_progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[nn.Module, list[Epoch]]:
    """Build a network and train it with Adam, cosine decay and cross-entropy on its logits.

    Keeps the weights of the epoch with the best accuracy on the validation samples, which no attack
    has changed. torch's global generator is seeded for the training and restored afterwards.

    Args:
        build: builds the network, with weights from torch's global generator.
        samples: the training set, whose front, or if it is ordered by class a part of each class,
            is held out. Streams and recordings are for networks that take (time steps, batch, ...).
        config: options of training.
        defence: changes the loss or the weights (``stochi.train.make_defence``), if there is one.
        device: device of the training.
        progress: called after every epoch.
        batch_progress: called after every batch with the numbers of finished batches and of all
            batches in this epoch.

    Returns:
        The network in eval mode, and the results of every epoch.

    Raises:
        InputError: there are too few samples, or the defence does not fit network or samples.
    """
    check_arguments(train_classifier, locals())
    defence = Defence() if defence is None else defence
    _check_defence(defence, samples)
    held_out = _count_held_out(samples, config.validation_share)
    samples = _with_mixed_front(samples, held_out, config.validation_share)
    samples = samples.to(check_device(device)) if isinstance(samples, Samples) else samples
    with seeded(config.seed):
        model = build().to(device)
        optimizer = torch.optim.Adam(model.parameters(), config.learning_rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.epochs)
        history: list[Epoch] = []
        best, best_weights = -1.0, model.state_dict()
        for number in range(1, config.epochs + 1):
            loss = _train_epoch(
                model, samples, held_out, optimizer, config, defence, batch_progress
            )
            schedule.step()
            history.append(Epoch(number, loss, measure_accuracy(model, samples.first(held_out))))
            if progress is not None:
                progress(history[-1])
            if history[-1].validation_accuracy > best:
                best = history[-1].validation_accuracy
                best_weights = {k: v.detach().clone() for k, v in model.state_dict().items()}
            if number - max(history, key=lambda e: e.validation_accuracy).number >= config.patience:
                break
        model.load_state_dict(best_weights)
    return model.eval(), history


def measure_accuracy(model: nn.Module, samples: Labelled, batch_size: int = 512) -> float:
    """Return the share of samples classified correctly in one random run, in eval mode."""
    return int(are_right(model, samples, batch_size).sum()) / len(samples)


@torch.no_grad()
def are_right(model: nn.Module, samples: Labelled, batch_size: int = 512) -> torch.Tensor:
    """Return whether each sample is classified correctly in one random run, (n,) bool."""
    right, device = [], device_of(model)
    with in_eval_mode(model):
        for batch in samples.batches(batch_size):
            shown = batch.to(device)
            right.append((model(shown.inputs).argmax(1) == shown.labels).cpu())
    return torch.cat(right)


def _count_held_out(samples: Labelled, validation_share: int) -> int:
    """Return the number of samples, from the front, that are held out for validation."""
    count = len(samples) // validation_share
    if not count:
        raise InputError(
            f"{len(samples)} samples are too few to train on; pass at least {validation_share}"
        )
    return count


def _with_mixed_front(samples: Labelled, held_out: int, validation_share: int) -> Labelled:
    """Return samples whose front has samples of all their parts if they are ordered by class.

    The front of a set that is ordered by class holds one class, or few, which the rest may lack.
    """
    labels = samples.labels
    others = len(labels.unique()) - 1
    if labels.dim() != 1 or not others or int((labels[1:] != labels[:-1]).sum()) != others:
        return samples
    rows = torch.arange(len(samples))
    front = torch.zeros(len(samples), dtype=torch.bool)
    front[rows[::validation_share][:held_out]] = True
    mixed = torch.cat([rows[front], rows[~front]])
    return samples.rearranged(mixed) if isinstance(samples, EventSet) else samples.select(mixed)


def _check_defence(defence: Defence, samples: Labelled) -> None:
    """Raise InputError if a defence does not train on samples of this form."""
    if isinstance(samples, Images) and not defence.takes_images:
        raise InputError(
            f"defence {defence.name!r} trains on events, and these samples are images; use fgsm or"
            " pgd"
        )
    if not isinstance(samples, Images) and not defence.takes_streams:
        raise InputError(
            f"defence {defence.name!r} trains on images, and these samples change from time step"
            " to time step; use 'events', or train without a defence"
        )


def _train_epoch(
    model: nn.Module,
    samples: Labelled,
    held_out: int,
    optimizer: torch.optim.Optimizer,
    config: TrainingConfig,
    defence: Defence,
    progress: Callable[[int, int], None],
) -> float:
    """Train for one epoch on what follows the samples held out, and return the mean loss."""
    model.train()
    count, device = len(samples) - held_out, device_of(model)
    batches = (torch.randperm(count) + held_out).split(config.batch_size)
    total = 0.0
    for number, rows in enumerate(batches, 1):
        batch = shift_at_random(samples.select(rows).to(device), config.shift)
        loss = defence.loss(model, batch.inputs, batch.labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        defence.after_step(model)
        total += float(loss.detach()) * len(rows)
        progress(number, len(batches))
    return total / count
