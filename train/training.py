"""Training a classifier: seeded, with early stopping on held-out training samples."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import torch
from torch import nn

from stochi.arguments import check_arguments
from stochi.data.batches import Labelled
from stochi.data.events.event_set import EventSet
from stochi.data.images import Images
from stochi.data.labels import check_not_one_hot
from stochi.data.samples import Samples
from stochi.devices import check_device, device_of
from stochi.errors import InputError
from stochi.export.copying import copy_model
from stochi.modes import in_eval_mode
from stochi.plain_text import counted
from stochi.tensor_files import digest_of
from stochi.train.augmentation import shift_at_random
from stochi.train.defences.defence import Defence
from stochi.train.parallel import Processes, parts_added_up
from stochi.train.step_memory import check_step_memory
from stochi.train.training_config import TrainingConfig
from stochi.train.training_run import BegunEpoch, Epoch, TrainingRun
from stochi.train.twin.model import FreshDraws
from stochi.train.unfinished import UnfinishedTraining
from stochi.turns import generators_kept, seeded

_DIGESTED = 64
"""Number of samples that tell one training set from another."""
_PLAIN = (str, int, float, bool, tuple)
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


def train_classifier(
    build: Callable[[], nn.Module],
    samples: Labelled,
    config: TrainingConfig,
    *,
    defence: Defence | None = None,
    device: str | torch.device = "cpu",
    progress: Callable[[Epoch], None] | None = None,
    batch_progress: Callable[[int, int], None] = lambda done, total: None,
    keep: UnfinishedTraining | None = None,
    processes: Processes | None = None,
) -> tuple[nn.Module, list[Epoch]]:
    """Build a network and train it, with cosine decay and cross-entropy on its logits.

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
        keep: file in which the training is kept, and from which it goes on if it was interrupted.
        processes: the processes that share the batches (``stochi.train.join_processes``); this one
            alone, if not given. Their device counts.

    Returns:
        The network in eval mode, and the results of every epoch.

    Raises:
        InputError: the labels are not classes, there are too few samples, the defence does not
            fit, a step does not fit the memory, or ``keep`` belongs to another training.
    """
    check_arguments(train_classifier, locals())
    defence = Defence() if defence is None else defence
    processes = Processes() if processes is None else processes
    place = check_device(device if processes.device is None else processes.device)
    _check_samples(defence, samples)
    processes.check_batch_size(config.batch_size)
    held_out = _count_held_out(samples, config.validation_share)
    samples = _with_mixed_front(samples, held_out, config.validation_share)
    samples = samples.to(place) if isinstance(samples, Samples) else samples
    task = _Task(samples, held_out, config, defence, processes)
    with seeded(config.seed):
        run, keeper = _begin(build, task, place, keep)
        _check_model(run.model, task)
        with processes.together(run.model):
            loss = processes.wrap(_Loss(run.model, defence))
            while not run.is_finished(config):
                _train_epoch(run, loss, task, keeper, batch_progress)
                keeper.keep(run)
                if progress is not None:
                    progress(run.history[-1])
        run.model.load_state_dict(run.best_weights)
    return run.model.eval(), run.history


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
    return _select(samples, mixed)


def _select(samples: Labelled, rows: torch.Tensor) -> Labelled:
    """Return the samples with these numbers, without reading recordings."""
    return samples.rearranged(rows) if isinstance(samples, EventSet) else samples.select(rows)


def _check_classes(samples: Labelled) -> None:
    """Raise InputError if the labels are not classes."""
    if isinstance(samples, Samples):
        check_not_one_hot(samples.labels)
        if samples.regression or samples.labels.dim() != 1:
            raise InputError(
                f"labels are {samples.labels.dtype} of shape {tuple(samples.labels.shape)}; this"
                " trains on classes, one whole number for each input"
            )


def _check_samples(defence: Defence, samples: Labelled) -> None:
    """Raise InputError if a defence does not train on samples of this form, or without classes."""
    _check_classes(samples)
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


@dataclass(frozen=True)
class _Task:
    """What a training works with and does not change.

    Attributes:
        held_out: number of samples, from the front, for validation.
    """

    samples: Labelled
    held_out: int
    config: TrainingConfig
    defence: Defence
    processes: Processes

    def about(self, model: nn.Module, device: torch.device) -> dict[str, Any]:
        """Return what the numbers of a training depend on, as plain values."""
        rows = torch.linspace(0, len(self.samples) - 1, _DIGESTED).long()
        content = [self.samples.labels.cpu(), self.samples.select(rows).inputs.cpu()]
        return {
            "training": self.config.to_json(),
            "defence": self.defence.as_dict(),
            "device": device.type,
            "processes": self.processes.count,
            "samples": {"number": len(self.samples), "sha256": digest_of(content)[:12]},
            "modules": {"sha256": sha256(_describe(model).encode()).hexdigest()[:12]},
        }


def _describe(model: nn.Module) -> str:
    """Return a new network's modules and their plain attributes, such as options."""
    options = [
        (name, sorted((key, value) for key, value in vars(module).items() if type(value) in _PLAIN))
        for name, module in model.named_modules()
    ]
    return _ADDRESS.sub("", f"{model!r} {options}")


class _Loss(nn.Module):
    """A defence's loss as a module, so that torch can average its gradients over processes."""

    def __init__(self, model: nn.Module, defence: Defence) -> None:
        super().__init__()
        self.model = model
        self.defence = defence

    def forward(self, inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """Return the loss; attacks run on the model itself."""
        return self.defence.loss(self.model, inputs, labels)


class _Keeper:
    """Keeps a run in its file, if it has one; of several processes, the first one does."""

    def __init__(self, place: UnfinishedTraining | None, about: dict[str, Any]) -> None:
        self.place = place
        self.about = about
        self.kept = time.monotonic()

    def keep(self, run: TrainingRun) -> None:
        """Keep a run."""
        if self.place is not None:
            self.place.keep(self.about, run.state())
            self.kept = time.monotonic()

    def keep_if_due(self, run: TrainingRun) -> None:
        """Keep a run if that was long ago."""
        if self.place is not None and time.monotonic() - self.kept >= self.place.seconds:
            self.keep(run)


def _begin(
    build: Callable[[], nn.Module],
    task: _Task,
    device: torch.device,
    place: UnfinishedTraining | None,
) -> tuple[TrainingRun, _Keeper]:
    """Return a run from the start, or from where it was kept, and what keeps it."""
    config, processes = task.config, task.processes

    def begin() -> TrainingRun:
        model = build().to(device)
        if processes.count > 1 and _draws_once(model):
            _draw_once(model, task)
        return TrainingRun.begin(model, config)

    run = begin()
    if place is None:
        return run, _Keeper(None, {})
    about = task.about(run.model, device)
    processes.wait()  # for the first one, which may have removed an older file
    state = place.load(about)
    if state is not None:
        try:
            if _draws_once(run.model):
                _draw_once(run.model, task)  # for the shapes of what the file has
            run.load(state)
            _check_progress(run, task)
        except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            place.warn_of_damage(error)
            torch.manual_seed(config.seed)
            run = begin()
    begun = 0 if run.epoch is None else run.epoch.batches
    processes.check_alike(f"{place.path}: what it holds", f"{len(run.history)} {begun}")
    if run.history or begun:
        done = counted(len(run.history), "epoch")
        batches = f" and {counted(begun, 'batch', 'batches')}" if begun else ""
        place.report(f"Going on after {done}{batches}, from {place.path}")
    return run, _Keeper(place if processes.is_first else None, about)


def _check_model(model: nn.Module, task: _Task) -> None:
    """Raise InputError if the defence cannot train a network, or a step takes too much memory."""
    one = task.samples.select(torch.arange(1)).to(device_of(model))
    with in_eval_mode(model):
        task.defence.check_model(model, one.inputs, one.labels)
    copied, config = copy_model(model).train(), task.config

    def loss(shown: Samples) -> torch.Tensor:
        return task.defence.loss(copied, shown.inputs, shown.labels)

    size = len(task.processes.parts(config.batch_size, config.micro_batch)[0])
    option = "micro_batch (--micro-batch)"
    check_step_memory(loss, task.samples, size, device_of(model), option)


def _draws_once(model: nn.Module) -> bool:
    """Return whether a network draws something once for ever, at its first sample."""
    return any(getattr(module, "sampling", None) == "fixed" for module in model.modules())


@torch.no_grad()
def _draw_once(model: nn.Module, task: _Task) -> None:
    """Show a network a sample, so that what it draws once for ever is the same in all processes."""
    shown = task.samples.select(torch.arange(1)).to(device_of(model))
    with generators_kept():
        model.eval()(shown.inputs)


def _check_progress(run: TrainingRun, task: _Task) -> None:
    """Raise ValueError if a kept run has too many epochs, or does not have each sample once."""
    if len(run.history) > task.config.epochs:
        raise ValueError(f"{len(run.history)} epochs of {task.config.epochs}")
    if run.epoch is None:
        return
    numbers = torch.arange(task.held_out, len(task.samples))
    batches = -(-len(numbers) // task.config.batch_size)
    if not torch.equal(run.epoch.rows.sort().values, numbers) or run.epoch.batches > batches:
        raise ValueError("its samples are others")


def _train_epoch(
    run: TrainingRun,
    loss: nn.Module,
    task: _Task,
    keeper: _Keeper,
    progress: Callable[[int, int], None],
) -> None:
    """Train for an epoch, or its rest, on what follows the samples held out; then validate."""
    run.model.train()
    count = len(task.samples) - task.held_out
    if run.epoch is None:
        run.epoch = BegunEpoch(torch.randperm(count) + task.held_out)
    batches = run.epoch.rows.split(task.config.batch_size)
    for number in range(run.epoch.batches, len(batches)):
        run.epoch.loss += _train_batch(run, loss, task, batches[number])
        run.epoch.batches += 1
        progress(number + 1, len(batches))
        keeper.keep_if_due(run)
    run.schedule.step()
    run.finish_epoch(run.epoch.loss / count, _validate(run, task))


def _train_batch(run: TrainingRun, loss: nn.Module, task: _Task, rows: torch.Tensor) -> float:
    """Take a step of training, and return the sum of the losses of the batch's samples."""
    config, processes, device = task.config, task.processes, device_of(run.model)
    batch = shift_at_random(task.samples.select(rows).to(device), config.shift)
    parts, total = processes.parts(len(rows), config.micro_batch), 0.0
    assert run.epoch is not None
    with processes.own_draws(config.seed, len(run.history), run.epoch.batches):
        for number, part in enumerate(parts):
            whole = len(part) == len(rows)
            shown = batch if whole else batch.select(part)
            _begin_draws_at(run.model, int(part[0]))
            with parts_added_up(loss, number == len(parts) - 1):
                found = loss(shown.inputs, shown.labels)
                if not number:
                    run.optimizer.zero_grad()
                (found if whole else found * processes.weight(len(part), len(rows))).backward()
            total += float(found.detach()) * len(part)
    run.optimizer.step()
    task.defence.after_step(run.model)
    return processes.sum_over(total, sum(map(len, parts)), len(rows))


def _begin_draws_at(model: nn.Module, first_sample: int) -> None:
    """Let a twin draw what it draws for these samples of a whole batch."""
    for module in model.modules():
        if isinstance(module, FreshDraws):
            module.first_sample = first_sample


def _validate(run: TrainingRun, task: _Task) -> float:
    """Return the share of the validation samples that the network classifies correctly."""
    shown, processes = task.samples.first(task.held_out), task.processes
    (own,) = processes.parts(task.held_out)
    _begin_draws_at(run.model, int(own[0]))
    if processes.count == 1:
        return measure_accuracy(run.model, shown)
    with processes.own_draws(task.config.seed, len(run.history)):
        right = int(are_right(run.model, _select(shown, own)).sum())
    return processes.sum_over(right, len(own), task.held_out) / task.held_out
