"""Which of the chip's properties makes the difference: each of them alone, in the float model."""

import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import nir
import numpy as np
import torch
from torch import nn

from stochi.arguments import check_arguments, with_plain_arguments
from stochi.attacks.base import Attack
from stochi.attacks.progress import Progress
from stochi.data.batches import Data
from stochi.data.samples import Samples
from stochi.deploy.lowering.stand_in import LEAST_COSINE
from stochi.deploy.origin import lower_again
from stochi.devices import on_device
from stochi.export.model.model import GraphModel
from stochi.export.model.reading import Reading
from stochi.export.nir_graph import to_nir
from stochi.hardware.draws import Draws
from stochi.modes import in_eval_mode
from stochi.parity.ablation.model import AblatedModel, shown_inputs, switches_of
from stochi.parity.ablation_results import (
    Ablation,
    AblationConfiguration,
    RateShift,
    Shown,
    Variant,
)
from stochi.parity.arguments import (
    BATCH_SIZE,
    as_float_model,
    check_trials,
    read_data,
)
from stochi.parity.attacked import make_attacked
from stochi.parity.records.float_model import seeded_draws
from stochi.parity.records.outputs import answers_of, probes_for
from stochi.parity.records.watching import watch_model
from stochi.parity.results import FLOAT
from stochi.parity.scores import estimate_score, estimate_score_difference, score_answers
from stochi.parity.sides import attacked_model, check_reading, check_time_steps
from stochi.plain_text import counted
from stochi.program.comparison import weight_cosine
from stochi.program.program import Program
from stochi.sim.backends import run
from stochi.sim.inputs import InOrder
from stochi.sim.record import Record
from stochi.statistics.equivalence import relative_difference
from stochi.statistics.intervals import Estimate, estimate_mean
from stochi.time_left import Told
from stochi.train.twin.forms import form_blamed
from stochi.train.twin.model import answering_as, float_model_of, set_draws
from stochi.train.twin.samples import take_sample
from stochi.turns import generators_kept

ALL = "all"
CLEAN, ATTACKED = "clean", "attacked"


@with_plain_arguments
def ablate(
    model: nn.Module | nir.NIRGraph,
    program: Program,
    data: Data,
    *,
    attack: Attack | None = None,
    attack_images: int | None = None,
    trials: int = 10,
    seed: int = 0,
    batch_size: int = BATCH_SIZE,
    progress: Progress = lambda message: None,
) -> Ablation:
    """Switch on each of the things alone that a Program does differently from its float model.

    :mod:`stochi.parity.ablation.model` explains the switches. Their effects need not add up: they
    interact, and "all" is the Program itself. Variants that draw λ as the float model does get the
    float model's own draws, so that only the switch differs; "decays", if the Program draws, and
    "all" have the Program's draws.

    Args:
        model: a model that ``to_nir`` exports, or a NIR graph, with the Program's layers by name.
        program: what it was lowered to. If it was lowered from a tuned model, "weights" are the
            tuned weights.
        data: inputs with labels, as for :func:`stochi.parity.check_parity`.
        attack: made once, on the float model; every variant is shown the same attacked images.
        attack_images: number of images, from the front, that are attacked; all if not given.
        trials: number of repetitions, each with other draws.
        batch_size: number of images shown at a time; with more, the torch draws depend on it.
        progress: called with a line before each variant.

    Raises:
        InputError: an argument is out of range, or the model's layers are not the Program's.
        ExportError, LoweringError: as for ``stochi.train.make_twin``.
    """
    check_arguments(ablate, locals(), besides=("model", "program", "data"))
    model = as_float_model(model, program)
    check_trials(trials, (seed,), batch_size)
    with generators_kept(), in_eval_mode(model), on_device(torch.device("cpu"), model):
        made = () if attack is None else (attack,)
        front, batches = read_data(program, data, batch_size, made, attack_images)
        with form_blamed(program, model, front):
            taken = take_sample(model, program, front)
            _check_origin(model, program, taken.sample)
        own = float_model_of(model, taken.sample, program.target.dt)
        if front.batch_dim == 0 or own is not model:
            check_time_steps(own, program)
        check_reading(own.reading, front)
        in_graph = own if front.regression else answering_as(program, own)
        shown: dict[str, Iterable[Samples]] = {CLEAN: batches}
        if attack is not None:
            few = front.up_to(attack_images or len(front))
            progress(f"{attack.name} on the float model, {counted(len(few), 'image')}")
            surface = attacked_model(model, in_graph, few, taken)
            found = make_attacked(attack, surface, few, batch_size, program)
            shown[ATTACKED] = found.batches(batch_size)
        variants, asked = _variants(in_graph, program), _Asked(seed, trials, batch_size)
        seen = {what: _observe(variants, what, shown[what], asked, progress) for what in shown}
    by_name = {name: {what: seen[what][name] for what in seen} for name in variants}
    compared = {name: _variant(outcomes, by_name[FLOAT]) for name, outcomes in by_name.items()}
    return Ablation(_configuration(program, by_name[FLOAT], attack, asked), compared)


def _configuration(
    program: Program, found: Mapping[str, "_Outcome"], attack: Attack | None, asked: "_Asked"
) -> AblationConfiguration:
    counts = {what: outcome.scores.shape[1] for what, outcome in found.items()}
    return AblationConfiguration(
        chip=program.target.chip,
        noise=program.target.noise,
        images=counts[CLEAN],
        attack=None if attack is None else attack.name,
        attack_images=counts.get(ATTACKED, 0),
        trials=asked.trials,
        seed=int(asked.seed),
        batch_size=asked.batch_size,
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


Run = Callable[[torch.Tensor, Draws], tuple[torch.Tensor, Record]]
"""Inputs and draws → answers, and a record with spikes."""


@dataclass(frozen=True)
class _Asked:
    """Seed and number of repetitions, and number of samples that are shown at a time."""

    seed: int
    trials: int
    batch_size: int


@dataclass(frozen=True)
class _Outcome:
    """Scores, (trials, samples), and by layer the samples' firing rates, (samples,)."""

    scores: torch.Tensor
    rates: dict[str, np.ndarray]


def _variants(model: GraphModel, program: Program) -> dict[str, Run]:
    """Return the float model, it with each switch, and the Program, ready to run."""
    ablated = {
        switch: AblatedModel(model, program, (switch,)) for switch in switches_of(model, program)
    }
    return {
        FLOAT: partial(_run_model, model, program, ()),
        **{name: partial(_run_model, one, program, (name,)) for name, one in ablated.items()},
        ALL: partial(_run_program, model.reading, program),
    }


def _run_program(
    reading: Reading, program: Program, inputs: torch.Tensor, draws: Draws
) -> tuple[torch.Tensor, Record]:
    record = run(
        program,
        InOrder(inputs),
        seed=draws.seed,
        trial=draws.trial,
        probes=tuple({"spikes", *probes_for(program, reading)}),
        first_sample=draws.first_sample,
    )
    return answers_of(program, record, reading), record


def _run_model(
    model: GraphModel,
    program: Program,
    switches: tuple[str, ...],
    inputs: torch.Tensor,
    draws: Draws,
) -> tuple[torch.Tensor, Record]:
    set_draws(model, seed=draws.seed, trial=draws.trial, first_sample=draws.first_sample)
    shown = shown_inputs(program, inputs, switches)
    with seeded_draws(draws):
        record = watch_model(model, program, shown, lambda layer, membrane: membrane)
    return record.logits, record


def _observe(
    variants: Mapping[str, Run],
    what: str,
    batches: Iterable[Samples],
    asked: _Asked,
    progress: Progress,
) -> dict[str, _Outcome]:
    """Run all variants on the same batches."""
    parts: dict[str, list[_Outcome]] = {name: [] for name in variants}
    trials = counted(asked.trials, "trial")
    progress(f"ablation on {what} inputs: {counted(len(variants), 'variant')}, {trials} of each")
    first, told = 0, Told(progress)
    for batch in batches:
        for number, (name, run_variant) in enumerate(variants.items(), 1):
            parts[name].append(_observe_batch(run_variant, batch, asked, first))
            of_batch = f", inputs {first + 1} to {first + len(batch)}" if first else ""
            told.count(f"ablation on {what} inputs{of_batch}, variants", number, len(variants))
        first += len(batch)
    return {name: _join(several) for name, several in parts.items()}


def _observe_batch(run_variant: Run, batch: Samples, asked: _Asked, first_sample: int) -> _Outcome:
    scores, rates = [], []
    for trial in range(asked.trials):
        answers, record = run_variant(batch.inputs, Draws(asked.seed, trial, first_sample))
        scores.append(score_answers(answers, batch))
        rates.append({name: _rates(spikes) for name, spikes in record.spikes.items()})
    means = {name: np.mean([one[name] for one in rates], 0) for name in rates[0]}
    return _Outcome(torch.stack(scores), means)


def _join(parts: Sequence[_Outcome]) -> _Outcome:
    return _Outcome(
        torch.cat([part.scores for part in parts], 1),
        {name: np.concatenate([part.rates[name] for part in parts]) for name in parts[0].rates},
    )


def _rates(spikes: torch.Tensor) -> np.ndarray:
    """Mean spikes per neuron and time step of each image.

    Args:
        spikes: (time steps, images, *shape) bool.
    """
    rates: np.ndarray = spikes.double().flatten(2).mean((0, 2)).numpy()
    return rates


def _variant(found: Mapping[str, _Outcome], reference: Mapping[str, _Outcome]) -> Variant:
    shown = {
        what: _shown(outcome.scores, reference[what].scores) for what, outcome in found.items()
    }
    trials = len(found[CLEAN].scores)
    rates = {
        name: RateShift(float(values.mean()), _shift(reference[CLEAN].rates[name], values, trials))
        for name, values in found[CLEAN].rates.items()
    }
    return Variant(shown[CLEAN], shown.get(ATTACKED), rates)


def _shown(scores: torch.Tensor, reference: torch.Tensor) -> Shown:
    score, right = estimate_score(scores), scores.dtype == torch.bool
    minus_float = estimate_score_difference(reference, scores)
    return Shown(score if right else None, None if right else score, minus_float)


def _shift(reference: np.ndarray, rates: np.ndarray, trials: int) -> Estimate | None:
    """Relative difference of rates; None if the layer is silent in the reference only."""
    values = relative_difference(reference, rates)
    if not np.isfinite(values).all():
        return None
    return estimate_mean(torch.from_numpy(values), trials)
