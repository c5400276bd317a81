"""Which of the chip's properties makes the difference: each of them alone, in the float model."""

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import nir
import numpy as np
import torch
from torch import nn

from stochi.attacks.base import Attack
from stochi.data.images import Images, as_images
from stochi.deploy.lowering.stand_in import LEAST_COSINE
from stochi.deploy.origin import lower_again
from stochi.export.model.model import GraphModel
from stochi.export.nir_graph import to_nir
from stochi.hardware.draws import Draws
from stochi.modes import in_eval_mode
from stochi.parity.ablation.model import AblatedModel, shown_inputs, switches_of
from stochi.parity.arguments import (
    BATCH_SIZE,
    as_float_model,
    check_attacks,
    check_data,
    check_trials,
)
from stochi.parity.attacked import make_attacked
from stochi.parity.records.float_model import seeded_draws
from stochi.parity.records.watching import watch_model
from stochi.parity.results import (
    FLOAT,
    Ablation,
    AblationConfiguration,
    RateShift,
    Shown,
    Variant,
)
from stochi.parity.sides import attacked_model
from stochi.program.comparison import weight_cosine
from stochi.program.program import Program
from stochi.sim.backends import run
from stochi.sim.record import Record
from stochi.statistics.equivalence import relative_difference
from stochi.statistics.intervals import (
    Estimate,
    estimate_accuracy,
    estimate_difference,
    estimate_mean,
)
from stochi.train.twin.model import answering_model_of, set_draws

ALL = "all"
CLEAN, ATTACKED = "clean", "attacked"
Run = Callable[[torch.Tensor, int], Iterator[Record]]
"""Inputs and a trial → records of one batch after another."""


def ablate(
    model: nn.Module | nir.NIRGraph,
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
    """Switch on each of the things alone that a Program does differently from its float model.

    :mod:`stochi.parity.ablation.model` explains the switches. Their effects need not add up: they
    interact, and "all" is the Program itself. Variants that draw λ as the float model does get the
    float model's own draws, so that only the switch differs; "decays", if the Program draws, and
    "all" have the Program's draws.

    Args:
        model: a model that ``to_nir`` exports, or a NIR graph; its layers have the Program's
            names.
        program: what it was lowered to. If it was lowered from a tuned model, "weights" are the
            tuned weights.
        images: (batch, *shape) in [0, 1], or frames of 0 and 1 for a Program of events, the same
            at every time step, and labels.
        attack: made once, on the float model; every variant is shown the same attacked images.
        attack_images: number of images, from the front, that are attacked; all if not given.
        trials: number of repetitions, each with other draws.
        batch_size: number of images that are shown at a time; with more images, the torch draws
            depend on it.
        progress: called with a line before each variant.

    Raises:
        InputError: an argument is out of range, or the model's layers are not the Program's.
        ExportError, LoweringError: as for ``stochi.train.make_twin``.
    """
    model = as_float_model(model, program)
    images = as_images(images)
    check_trials(trials, (seed,), batch_size)
    check_data(program, images)
    check_attacks(program, [] if attack is None else [attack], attack_images)
    with in_eval_mode(model):
        _check_origin(model, program, images.inputs[:1])
        in_graph = answering_model_of(model, images.inputs[:1], program)
        shown = {CLEAN: images}
        if attack is not None:
            few = images.first(min(attack_images or len(images), len(images)))
            progress(f"{attack.name} on the float model, {len(few)} images")
            shown[ATTACKED] = make_attacked(
                attack, attacked_model(model, in_graph), few, batch_size
            )
        running = _Ablated(in_graph, program, seed, batch_size)
        variants = _compare(running, shown, trials, progress)
    return Ablation(_configuration(running, shown, attack, trials), variants)


def _configuration(
    running: "_Ablated", shown: Mapping[str, Images], attack: Attack | None, trials: int
) -> AblationConfiguration:
    target = running.program.target
    return AblationConfiguration(
        chip=target.chip,
        noise=target.noise,
        images=len(shown[CLEAN]),
        attack=None if attack is None else attack.name,
        attack_images=len(shown[ATTACKED]) if attack is not None else 0,
        trials=trials,
        seed=int(running.seed),
        batch_size=running.batch_size,
    )


def _check_origin(model: nn.Module, program: Program, sample: torch.Tensor) -> None:
    """Raise InputError if the Program's layers are not the model's; warn if its weights are not.

    A tuned model's weights are near those that it began with.
    """
    again = lower_again(program, to_nir(model, sample, program.target.dt))
    foreign = [
        layer.name
        for layer in program.layers
        if weight_cosine(layer, again.layer(layer.name)) < LEAST_COSINE
    ]
    if foreign:
        warnings.warn(
            f"the Program's weights in {', '.join(foreign)} are not near those of this model, so"
            " the ablation shows the difference of two models",
            stacklevel=3,
        )


def _compare(
    running: "_Ablated", shown: Mapping[str, Images], trials: int, progress: Callable[[str], None]
) -> dict[str, Variant]:
    """Run every variant, and compare it with the first, the float model."""
    reference: dict[str, _Outcome] = {}
    variants = {}
    for name in (FLOAT, *switches_of(running.model, running.program), ALL):
        progress(f"Ablation: {name}, {trials} trials")
        with running.variant(name) as run_variant:
            found = {what: _observe(run_variant, one, trials) for what, one in shown.items()}
        reference = reference or found
        variants[name] = _variant(found, reference)
    return variants


@dataclass(frozen=True)
class _Ablated:
    """What the variants are made from, and how they are run."""

    model: GraphModel
    program: Program
    seed: int
    batch_size: int

    @contextmanager
    def variant(self, name: str) -> Iterator[Run]:
        """The float model, the float model with one switch, or the Program, ready to run."""
        if name == ALL:
            yield self._run_program
        elif name == FLOAT:
            yield lambda inputs, trial: self._run_model(self.model, (), inputs, trial)
        else:
            changed = AblatedModel(self.model, self.program, (name,))
            yield lambda inputs, trial: self._run_model(changed, (name,), inputs, trial)

    def _run_program(self, inputs: torch.Tensor, trial: int) -> Iterator[Record]:
        yield run(self.program, inputs, seed=self.seed, trial=trial, probes=("spikes",))

    def _run_model(
        self, model: GraphModel, switches: tuple[str, ...], inputs: torch.Tensor, trial: int
    ) -> Iterator[Record]:
        with seeded_draws(Draws(self.seed, trial)):
            for number, part in enumerate(inputs.split(self.batch_size)):
                first = number * self.batch_size
                set_draws(model, seed=self.seed, trial=trial, first_sample=first)
                yield self._watch(model, shown_inputs(self.program, part, switches))

    def _watch(self, model: GraphModel, inputs: torch.Tensor) -> Record:
        return watch_model(model, self.program, inputs, lambda layer, membrane: membrane)


@dataclass(frozen=True)
class _Outcome:
    """Right answers, (trials, images) bool, and by layer the images' rates, (images,)."""

    correct: torch.Tensor
    rates: dict[str, np.ndarray]


def _observe(run_variant: Run, images: Images, trials: int) -> _Outcome:
    correct, rates = [], []
    for trial in range(trials):
        predictions, spikes = [], []
        for record in run_variant(images.inputs, trial):
            predictions.append(record.predictions())
            spikes.append({name: _rates(values) for name, values in record.spikes.items()})
        correct.append(torch.cat(predictions) == images.labels)
        rates.append({name: np.concatenate([part[name] for part in spikes]) for name in spikes[0]})
    means = {name: np.mean([one[name] for one in rates], 0) for name in rates[0]}
    return _Outcome(torch.stack(correct), means)


def _rates(spikes: torch.Tensor) -> np.ndarray:
    """Mean spikes per neuron and time step of each image.

    Args:
        spikes: (time steps, images, *shape) bool.
    """
    rates: np.ndarray = spikes.double().flatten(2).mean((0, 2)).numpy()
    return rates


def _variant(found: Mapping[str, _Outcome], reference: Mapping[str, _Outcome]) -> Variant:
    shown = {
        what: Shown(
            estimate_accuracy(outcome.correct),
            estimate_difference(reference[what].correct, outcome.correct),
        )
        for what, outcome in found.items()
    }
    trials = len(found[CLEAN].correct)
    rates = {
        name: RateShift(float(values.mean()), _shift(reference[CLEAN].rates[name], values, trials))
        for name, values in found[CLEAN].rates.items()
    }
    return Variant(shown[CLEAN], shown.get(ATTACKED), rates)


def _shift(reference: np.ndarray, rates: np.ndarray, trials: int) -> Estimate | None:
    """Relative difference of rates; None if the layer is silent in the reference only."""
    values = relative_difference(reference, rates)
    if not np.isfinite(values).all():
        return None
    return estimate_mean(torch.from_numpy(values), trials)
