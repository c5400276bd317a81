"""The state of a training between two steps, which can be written and read."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from stochi.devices import device_of
from stochi.hardware.draws import check_coordinates
from stochi.train.kept_state import is_count, load_optimizer, load_schedule, load_weights
from stochi.train.training_config import TrainingConfig
from stochi.train.twin.model import FreshDraws


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


@dataclass
class BegunEpoch:
    """An epoch that has begun.

    Attributes:
        rows: (samples,) int64, the numbers of the samples in the order of this epoch.
        batches: number of batches that are done.
        loss: sum of the losses of their samples.
    """

    rows: torch.Tensor
    batches: int = 0
    loss: float = 0.0


@dataclass
class TrainingRun:
    """Everything that a training changes, but torch's generators.

    Attributes:
        model: the network.
        optimizer, schedule: those of the network's weights.
        history: results of the finished epochs.
        best_weights: the weights after the best of them.
        epoch: the epoch that has begun, None between two epochs.
    """

    model: nn.Module
    optimizer: Optimizer
    schedule: LRScheduler
    history: list[Epoch] = field(default_factory=list)
    best_weights: dict[str, torch.Tensor] = field(default_factory=dict)
    epoch: BegunEpoch | None = None

    @staticmethod
    def begin(model: nn.Module, config: TrainingConfig) -> "TrainingRun":
        """Return the state before the first step."""
        optimizer = config.make_optimizer(model.parameters())
        return TrainingRun(model, optimizer, config.make_schedule(optimizer))

    @property
    def best(self) -> Epoch | None:
        """The first of the epochs with the highest validation accuracy, None before any."""
        return max(self.history, key=lambda epoch: epoch.validation_accuracy, default=None)

    def is_finished(self, config: TrainingConfig) -> bool:
        """Return whether all epochs are done, or the last ones brought nothing."""
        if self.best is None:
            return False
        done = len(self.history)
        return done >= config.epochs or done - self.best.number >= config.patience

    def finish_epoch(self, loss: float, validation_accuracy: float) -> None:
        """Note an epoch's results, and its weights if they are the best."""
        self.history.append(Epoch(len(self.history) + 1, loss, validation_accuracy))
        self.epoch = None
        if self.best is self.history[-1]:
            weights = self.model.state_dict().items()
            self.best_weights = {name: values.detach().clone() for name, values in weights}

    def state(self) -> dict[str, Any]:
        """Return plain values and tensors in memory, with the states of torch's generators."""
        device = device_of(self.model)
        return _in_memory(
            {
                "weights": dict(self.model.state_dict()),
                "optimizer": self.optimizer.state_dict(),
                "schedule": self.schedule.state_dict(),
                "history": [asdict(epoch) for epoch in self.history],
                "best_weights": self.best_weights,
                "epoch": None if self.epoch is None else vars(self.epoch),
                "draws": {name: one.calls for name, one in _drawing(self.model).items()},
                "generator": torch.get_rng_state(),
                "cuda": torch.cuda.get_rng_state(device) if device.type == "cuda" else None,
            }
        )

    def load(self, state: Mapping[str, Any]) -> None:
        """Take over a state, and set torch's generators.

        Raises:
            KeyError, TypeError, ValueError, AttributeError, RuntimeError: it is not of this run,
                part of which has been taken over.
        """
        device = device_of(self.model)
        self.history = _read_history(state["history"])
        if self.history:
            load_weights(self.model, state["best_weights"])  # which checks them
        elif state["best_weights"] != {}:
            raise ValueError("it has the best weights of no epoch")
        load_weights(self.model, state["weights"])
        load_optimizer(self.optimizer, state["optimizer"])
        load_schedule(self.schedule, state["schedule"], len(self.history))
        self.best_weights = {
            name: values.to(device) for name, values in state["best_weights"].items()
        }
        self.epoch = None if state["epoch"] is None else _read_epoch(state["epoch"])
        drawing, calls = _drawing(self.model), state["draws"]
        if set(calls) != set(drawing):
            raise ValueError("its draws are of other modules")
        for name, one in drawing.items():
            check_coordinates(trial=calls[name])
            one.calls = calls[name]
        torch.set_rng_state(state["generator"])
        if device.type == "cuda":
            torch.cuda.set_rng_state(state["cuda"], device)


def _read_history(kept: Any) -> list[Epoch]:
    """Return the results of finished epochs; ValueError or TypeError if they are none."""
    history = [Epoch(**one) for one in kept]
    for number, one in enumerate(history, 1):
        of_types = is_count(one.number) and type(one.loss) is type(one.validation_accuracy) is float
        if not of_types or one.number != number or not 0 <= one.validation_accuracy <= 1:
            raise ValueError(f"its epoch {number} is none")
    return history


def _read_epoch(kept: Any) -> BegunEpoch:
    """Return an epoch that has begun; ValueError or TypeError if it is none."""
    begun = BegunEpoch(**kept)
    rows = torch.is_tensor(begun.rows) and begun.rows.dtype == torch.int64
    if not rows or not is_count(begun.batches) or type(begun.loss) is not float:
        raise ValueError("its epoch that has begun is none")
    return begun


def _drawing(model: nn.Module) -> dict[str, FreshDraws]:
    """Return the modules that count their draws, by name."""
    return {name: one for name, one in model.named_modules() if isinstance(one, FreshDraws)}


def _in_memory(values: Any) -> Any:
    """Return plain values with all tensors on the CPU."""
    if isinstance(values, torch.Tensor):
        return values.detach().cpu()
    if isinstance(values, dict):
        return {name: _in_memory(value) for name, value in values.items()}
    if isinstance(values, list | tuple):
        return type(values)(_in_memory(value) for value in values)
    return values
