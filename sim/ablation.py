"""Which of the chip's properties makes the difference: each of them alone, in the float model."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from stochi.attacks.base import Attack
from stochi.data.images import Images, as_images
from stochi.deploy.origin import lower_again
from stochi.deploy.program import Program
from stochi.deploy.stand_in import LEAST_COSINE
from stochi.deploy.weight_comparison import weight_cosine
from stochi.export.copy_model import release_copy
from stochi.export.nir_graph import to_nir
from stochi.sim.ablated_model import ablated_model, shown_inputs, switches_of
from stochi.sim.ablation_table import ablation_rows
from stochi.sim.attacked import make
from stochi.sim.checks import (
    BATCH_SIZE,
    check_attacks,
    check_data,
    check_sides,
    check_trials,
)
from stochi.sim.equivalence import relative_difference
from stochi.sim.float_record import logits_of, seeded_draws
from stochi.sim.record import Record
from stochi.sim.run import run
from stochi.sim.statistics import estimate_accuracy, estimate_difference, estimate_mean
from stochi.sim.watch import watch_model
from stochi.train.hardware_aware import set_draws

FLOAT, ALL = "float", "all"
Run = Callable[[torch.Tensor, int], Iterator[Record]]
"""Inputs and a trial → records of one batch after another."""


@dataclass(frozen=True)
class Ablation:
    """What :func:`ablate` found; ``docs/report.md`` describes every key.

    Attributes:
        variants: "float", each switch of :mod:`stochi.sim.ablated_model`, and "all": the Program.
    """

    configuration: dict[str, Any]
    variants: dict[str, dict[str, Any]]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for a report."""
        return asdict(self)

    def rows(self) -> list[list[str]]:
        """Rows of text, the first one the head."""
        return ablation_rows(self.as_dict())


def ablate(
    model: nn.Module,
    program: Program,
    images: Images | tuple[torch.Tensor, torch.Tensor],
    *,
    attack: Attack | None = None,
    attack_images: int | None = None,
    trials: int = 10,
    seed: int = 0,
    batch_size: int = BATCH_SIZE,
    progress: Callable[[str], None] = lambda message: None,
) -> Ablation:
    """Switch on alone each thing that a Program does differently from its float model.

    What a switch does, and what "alone" can mean for it, is told in
    :func:`stochi.sim.ablated_model.ablated_model`. The effects need not add up: they interact, and
    "all" is the Program itself. Variants that draw λ as the float model does get the float model's
    very draws, so what differs is the switch and not the luck; "decays", where the Program draws,
    and "all" have the Program's own draws.

    Args:
        model: the float model, in which layers have the Program's names; RandomTauLeaky neurons
            and one weight layer for each.
        program: what it, or a model tuned to it, was lowered to. Of a tuned one, "weights" are the
            tuned weights.
        images: (batch, *shape) in [0, 1], or frames of 0 and 1 for a Program of events, the same
            at every step, and labels.
        attack: made once, on the float model; every variant is shown the same attacked images.
        attack_images: how many are attacked, from the front; all if not given.
        trials: repetitions, each with other draws.
        batch_size: how many images are shown at a time; the torch draws depend on it where there
            are more.
        progress: called with a line before each variant.

    Raises:
        InputError: an argument is out of range, or the model's layers are not the Program's.
        ExportError, LoweringError: as for ``stochi.train.hardware_aware``.
    """
    check_sides(model, program)
    images = as_images(images)
    check_trials(trials, (seed,), batch_size)
    check_data(program, images)
    check_attacks(program, [] if attack is None else [attack], attack_images)
    model = model.eval()
    _check_origin(model, program, images.inputs[:1])
    shown = {"clean": images}
    if attack is not None:
        few = images.first(min(attack_images or len(images), len(images)))
        progress(f"{attack.name} on the float model, {len(few)} images")
        shown["attacked"] = make(attack, model, few, batch_size)
    reference: dict[str, _Outcome] = {}
    variants: dict[str, dict[str, Any]] = {}
    for name in (FLOAT, *switches_of(model, program), ALL):
        progress(f"Ablation: {name}, {trials} trials")
        with _Variant(name, model, program, images.inputs[:1], seed, batch_size) as variant:
            found = {what: _take(variant.run, one, trials) for what, one in shown.items()}
        reference = reference or found
        variants[name] = _entry(found, reference)
    return Ablation(
        {
            "chip": program.chip,
            "noise": program.noise,
            "images": len(images),
            "attack": None if attack is None else attack.name,
            "attack_images": len(shown["attacked"]) if attack is not None else 0,
            "trials": trials,
            "seed": int(seed),
            "batch_size": batch_size,
        },
        variants,
    )


def _check_origin(model: nn.Module, program: Program, sample: torch.Tensor) -> None:
    """Raise InputError where the Program has other layers than the model; warn where its weights
    have nothing to do with the model's. A tuned model's are near those that it began with."""
    again = lower_again(program, to_nir(model, sample, program.dt))
    foreign = [
        layer.name
        for layer in program.layers
        if weight_cosine(layer, again.layer(layer.name)) < LEAST_COSINE
    ]
    if foreign:
        warnings.warn(
            f"the Program's weights in {', '.join(foreign)} are not near those of this model, so"
            " what the ablation shows is the difference of two models",
            stacklevel=3,
        )


class _Variant:
    """The float model, with one switch or none, or the Program."""

    def __init__(
        self,
        name: str,
        model: nn.Module,
        program: Program,
        sample: torch.Tensor,
        seed: int,
        batch_size: int,
    ) -> None:
        self.program, self.seed, self.batch_size = program, seed, batch_size
        self.switches = () if name in (FLOAT, ALL) else (name,)
        self.model = None if name == ALL else model
        if self.switches:
            self.model = ablated_model(model, program, sample, self.switches)

    def __enter__(self) -> "_Variant":
        return self

    def __exit__(self, *error: object) -> None:
        if self.switches and self.model is not None:
            release_copy(self.model)

    def run(self, inputs: torch.Tensor, trial: int) -> Iterator[Record]:
        if self.model is None:
            yield run(self.program, inputs, seed=self.seed, trial=trial, probes=("spikes",))
            return
        with seeded_draws(self.seed, trial):
            for number, part in enumerate(inputs.split(self.batch_size)):
                set_draws(
                    self.model,
                    seed=self.seed,
                    trial=trial,
                    first_sample=number * self.batch_size,
                )
                yield self._watch(self.model, shown_inputs(self.program, part, self.switches))

    def _watch(self, model: nn.Module, inputs: torch.Tensor) -> Record:
        return watch_model(
            model, self.program, lambda: logits_of(model(inputs)), lambda layer, membrane: membrane
        )


@dataclass(frozen=True)
class _Outcome:
    """Right answers, (trials, images) bool, and by layer the images' rates, (images,)."""

    correct: torch.Tensor
    rates: dict[str, np.ndarray]


def _take(run: Run, images: Images, trials: int) -> _Outcome:
    correct, rates = [], []
    for trial in range(trials):
        predictions, spikes = [], []
        for record in run(images.inputs, trial):
            predictions.append(record.predictions())
            spikes.append({name: _rates(values) for name, values in record.spikes.items()})
        correct.append(torch.cat(predictions) == images.labels)
        rates.append({name: np.concatenate([part[name] for part in spikes]) for name in spikes[0]})
    means = {name: np.mean([one[name] for one in rates], 0) for name in rates[0]}
    return _Outcome(torch.stack(correct), means)


def _rates(spikes: torch.Tensor) -> np.ndarray:
    """(steps, images, *shape) → (images,) spikes per neuron and step."""
    rates: np.ndarray = spikes.double().flatten(2).mean((0, 2)).numpy()
    return rates


def _entry(found: Mapping[str, _Outcome], reference: Mapping[str, _Outcome]) -> dict[str, Any]:
    entry: dict[str, Any] = {
        what: {
            "accuracy": estimate_accuracy(outcome.correct).as_dict(),
            "minus_float": estimate_difference(reference[what].correct, outcome.correct).as_dict(),
        }
        for what, outcome in found.items()
    }
    entry.setdefault("attacked", None)
    trials = len(found["clean"].correct)
    entry["rates"] = {
        name: {
            "rate": float(rates.mean()),
            "minus_float": _relative(reference["clean"].rates[name], rates, trials),
        }
        for name, rates in found["clean"].rates.items()
    }
    return entry


def _relative(reference: np.ndarray, rates: np.ndarray, trials: int) -> dict[str, float] | None:
    """None where the layer is silent in the reference only."""
    values = relative_difference(reference, rates)
    if not np.isfinite(values).all():
        return None
    return estimate_mean(torch.from_numpy(values), trials).as_dict()
