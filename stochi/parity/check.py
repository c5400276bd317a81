"""The parity check: the float model and the chip, value by value and in accuracy."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import nir
import torch
from torch import nn

from stochi.arguments import check_arguments, with_plain_arguments
from stochi.attacks.base import Attack
from stochi.attacks.progress import Progress, ReportsProgress
from stochi.data.batches import Data, number_of_samples
from stochi.data.samples import Samples
from stochi.deploy.origin import lower_again
from stochi.devices import check_device, device_of, on_device
from stochi.export.nir_graph import to_nir
from stochi.hardware.draws import Draws
from stochi.modes import in_eval_mode
from stochi.parity.arguments import (
    ATTACKER_SEED,
    BATCH_SIZE,
    as_float_model,
    check_models,
    check_trials,
    read_data,
)
from stochi.parity.attacked import (
    Attacked,
    Scores,
    at_each_epsilon,
    attacked_row,
    clean_row,
    errors_of,
    run_attack,
    surfaces_of,
    worst_rows,
)
from stochi.parity.batch_sizes import check_exact, fit_records
from stochi.parity.costs import find_costs
from stochi.parity.distribution.comparison import DEFAULT_MARGINS
from stochi.parity.distribution.results import Margins
from stochi.parity.event_sample import EventSample, keep_events
from stochi.parity.flipped import keep_flipped
from stochi.parity.kept_images import KeptImages
from stochi.parity.masking import find_blind_images, find_signs
from stochi.parity.observation import Observed, observe
from stochi.parity.own import compare_own
from stochi.parity.parts import Parts
from stochi.parity.records.comparison import compare_records
from stochi.parity.records.twin import record_twin
from stochi.parity.report.report import ParityReport
from stochi.parity.results import (
    CHIP,
    FLOAT,
    SIDES,
    TWIN,
    AccuracyRow,
    Configuration,
    ExactComparison,
    FlippedImage,
    MaskingSign,
    OwnComparison,
    RunDetails,
)
from stochi.parity.run_details import describe_run
from stochi.parity.sample_trace import trace_sample
from stochi.parity.scores import estimate_score, score_answers
from stochi.parity.sides import Sides, make_sides
from stochi.plain_text import counted
from stochi.program.comparison import share_of_other_weights
from stochi.program.program import Program
from stochi.sim.backends import run
from stochi.sim.record import Record
from stochi.sim.recording import PROBES
from stochi.train.twin.samples import take_sample
from stochi.turns import generators_kept

ENGINE, LAVA = "engine", "lava"
EXACT_PAIRS = ((ENGINE, LAVA), (TWIN, LAVA), (TWIN, ENGINE))


@with_plain_arguments
def check_parity(
    model: nn.Module | nir.NIRGraph,
    program: Program,
    data: Data,
    *,
    lowered_from: nn.Module | None = None,
    trials: int = 10,
    attacks: Sequence[Attack] = (),
    epsilons: Sequence[float] | None = None,
    seeds: Sequence[int] = (0, 1),
    exact_images: int = 64,
    attack_images: int | None = None,
    lava: bool = True,
    margins: Margins | None = DEFAULT_MARGINS,
    batch_size: int = BATCH_SIZE,
    device: str | torch.device = "cpu",
    keep: str | Path | None = None,
    progress: Progress = lambda message: None,
) -> ParityReport:
    """Compare a float model with its Program; docs/report.md explains the comparisons.

    Twin, engine and Lava must have the same spikes and membranes; float model and chip are compared
    in distribution and in accuracy, clean and attacked, or a regression's errors.

    Args:
        model: a torch model or a NIR graph; its layers have the Program's names.
        data: held-out inputs with labels: ``Images``, shown at every time step, ``Streams``
            (time steps, batch, *shape), a pair of tensors, a torch Dataset, or an iterable of
            batches, as a DataLoader, which is read once. Inputs are in [0, 1], for events 0 or 1.
            Labels are classes, or floats that a regression should meet.
        lowered_from: the exported model, if it was tuned to answer like ``model``.
        trials: number of repetitions, each with other draws; variability needs at least 2.
        attacks: each with its own budget; epsilons: run every attack on images at these instead.
        seeds: for the exact comparison; the first is also used for the accuracies.
        exact_images, attack_images: images compared exactly, and attacked (None: all), in memory.
        lava: whether Lava runs beside the engine; device: where all else computes.
        margins: the largest differences in distribution that do not matter; None for none.
        batch_size: largest number of images at a time, cut to what fits; torch draws depend on it.
        keep: folder for attacked images until the end; a check that stopped goes on with it.
        progress: called with a line before each part, and in long ones from time to time.

    Raises:
        StochiError: an argument is wrong, the Program is another's, or Lava is not installed.
    """
    check_arguments(check_parity, locals(), besides=("model", "program", "data", "attacks"))
    model = as_float_model(model, program)
    check_trials(trials, seeds, batch_size, exact_images)
    batch_size = fit_records(program, batch_size, number_of_samples(data), margins)
    check_models(model, lowered_from)
    origin, place = lowered_from or model, check_device(device)
    with generators_kept(), in_eval_mode(model, origin), on_device(place, model, origin):
        front, batches = read_data(program, data, batch_size, attacks, attack_images, exact_images)
        attacks = at_each_epsilon(attacks, epsilons)
        sides = make_sides(model, origin, program, front, seeds[0], trials, batch_size)
        shown = front.up_to(exact_images), front.up_to(attack_images or len(front))
        parts, details = Parts(progress, _kinds(seeds, attacks)), describe_run(data, front, program)
        check = _Check(sides, *shown, lava, parts, details, keep)
        report = check.start(model, origin, check.configuration(attacks, epsilons, seeds))
        observed = observe(sides, batches, margins, parts, number_of_samples(data))
        return check.with_answers(report, observed, attacks)


def _kinds(seeds: Sequence[int], attacks: Sequence[Attack]) -> list[str]:
    """Return what the parts of a check are, in order; those of one kind take about as long."""
    recipes = [attack.recipe for attack in attacks]
    kinds = [*("exact" for _ in seeds), "clean"]
    kinds += [recipe.title for recipe in recipes for _ in surfaces_of(recipe)]
    return kinds + [""] * any(recipe.uses_gradients for recipe in recipes)


@dataclass(frozen=True)
class _Check:
    """The sides, and what they are shown.

    Attributes:
        exact, attacked: the samples that are compared exactly, and those that are attacked.
        parts: tells which part of the check runs.
        details: what the check runs with.
        keep: folder in which attacked images are kept, if they are.
    """

    sides: Sides
    exact: Samples
    attacked: Samples
    lava: bool
    parts: Parts
    details: RunDetails
    keep: str | Path | None = None

    def start(self, model: nn.Module, origin: nn.Module, asked: Configuration) -> ParityReport:
        """Return a report with what was asked for, and the comparisons value for value."""
        check_exact(self.sides.program, len(self.exact))
        own = self.compare_own(model)
        exact: list[ExactComparison] = []
        sample = None
        for seed in asked.seeds:
            what = f"{counted(len(self.exact), 'input')} value for value, seed {seed}"
            self.parts.begin(what + (", on Lava too" if self.lava else ""))
            records = self.run_exactly(self.exact, seed)
            pairs = self.compare_pairs(records, self.exact, seed)
            differing = next((pair for pair in pairs if pair.mismatches), None)
            if sample is None or (differing and not any(pair.mismatches for pair in exact)):
                shown = differing or pairs[-1]
                sample = trace_sample(records, seed, LAVA if self.lava else ENGINE, shown.layers)
            exact += pairs
        other_weights = self.other_weights(origin) if any(e.mismatches for e in exact) else {}
        return ParityReport(
            asked,
            tuple(exact),
            other_weights=other_weights,
            own=own,
            sample=sample,
            costs=find_costs(self.sides.program, self.exact, asked.seeds[0]),
            events=keep_events(self.sides.program, self.exact),
            run=self.details,
        )

    def kept_images(self) -> KeptImages | None:
        """Return where attacked images are kept, if they are."""
        if self.keep is None:
            return None
        models = (self.sides.own, self.sides.model, self.sides.twin)
        about = models, self.sides.program, self.attacked, self.sides.batch_size
        return KeptImages.of(Path(self.keep), *about)

    def compare_own(self, model: nn.Module) -> OwnComparison | None:
        """Compare the model as its author wrote it with its graph, if it draws nothing."""
        graph = self.sides.model.with_reading(self.sides.own_reading)
        return compare_own(model, graph, self.exact, self.sides.shown)

    def with_answers(
        self, report: ParityReport, observed: Observed, attacks: Sequence[Attack]
    ) -> ParityReport:
        """Return the report with distribution and accuracies, clean and attacked, or errors."""
        clean = observed.scores
        report = replace(report, distribution=observed.distribution, confusion=observed.confusion)
        exact = list(report.exact)
        if self.exact.regression:
            on_lava = [e.lava_error for e in exact if e.lava_error is not None]
            return replace(report, errors=errors_of(clean, *on_lava[:1]))
        on_lava = [e.lava_accuracy for e in exact if e.lava_accuracy is not None]
        rows = [clean_row(clean, *on_lava[:1])]
        before = {side: right[:, : len(self.attacked)] for side, right in clean.items()}
        shown: list[Attacked] = []
        kept: list[_Kept] = []
        there = self.kept_images()
        for attack in attacks:
            for made_on in surfaces_of(attack.recipe):
                found, compared, row, pictures = self.under_attack(attack, made_on, before, there)
                shown.append(found)
                exact += compared
                rows.append(row)
                kept.append(pictures)
        if there is not None:
            there.remove()
        kept.sort(key=lambda one: one.accuracy)
        return replace(
            report,
            exact=tuple(exact),
            accuracy=(*rows, *worst_rows(shown, before)),
            masking=tuple(self.find_masking(shown)),
            flipped=next((one.flipped for one in kept if one.flipped), ()),
            events=next((one.events for one in kept if one.events is not None), report.events),
        )

    def configuration(
        self, attacks: Sequence[Attack], epsilons: Sequence[float] | None, seeds: Sequence[int]
    ) -> Configuration:
        target = self.sides.program.target
        return Configuration(
            chip=target.chip,
            noise=target.noise,
            random_source=target.random_source,
            time_steps=target.time_steps,
            trials=self.sides.trials,
            seeds=tuple(int(seed) for seed in seeds),
            exact_images=len(self.exact),
            attack_images=len(self.attacked) if attacks else 0,
            attacks=tuple(attack.recipe for attack in attacks),
            epsilons=None if epsilons is None else tuple(float(epsilon) for epsilon in epsilons),
            batch_size=self.sides.batch_size,
            lava=self.lava,
        )

    def run_exactly(self, samples: Samples, seed: int) -> dict[str, Record]:
        """Run engine, twin and, if it is asked for, Lava on the same samples and draws."""
        program, device = self.sides.program, device_of(self.sides.model)
        records: dict[str, Record] = {
            ENGINE: run(program, samples, seed=seed, probes=PROBES, device=device),
            TWIN: record_twin(self.sides.twin, program, samples.inputs, Draws(seed)),
        }
        if self.lava:
            tell = partial(self.parts.count, "inputs on Lava")
            records[LAVA] = run(program, samples, LAVA, seed=seed, probes=PROBES, progress=tell)
        return records

    def compare_pairs(
        self, records: Mapping[str, Record], samples: Samples, seed: int, attack: str | None = None
    ) -> list[ExactComparison]:
        """Compare the records in pairs, value for value."""
        on_lava = None
        if LAVA in records:
            answers = self.sides.answers_of(records[LAVA])
            on_lava = estimate_score(score_answers(answers, samples)[None])
        found: list[ExactComparison] = []
        for left, right in EXACT_PAIRS:
            if left in records and right in records:
                layers = compare_records(records[left], records[right])
                found.append(
                    ExactComparison(
                        left=left,
                        right=right,
                        seed=seed,
                        images=len(samples),
                        attack=attack,
                        compared=sum(layer.compared for layer in layers),
                        mismatches=sum(layer.mismatches for layer in layers),
                        layers=tuple(layers),
                        lava_accuracy=None if found or samples.regression else on_lava,
                        lava_error=on_lava if samples.regression and not found else None,
                    )
                )
        return found

    def under_attack(
        self, attack: Attack, made_on: str | None, clean: Scores, kept: KeptImages | None
    ) -> "tuple[Attacked, list[ExactComparison], AccuracyRow, _Kept]":
        """Make the attack on one surface, and show what it made to all sides."""
        sides, recipe = self.sides, attack.recipe
        on = f" on the {SIDES[made_on]}" if made_on else ""
        self.parts.begin(f"{recipe.name}{on}, {counted(len(self.attacked), 'input')}")
        if isinstance(attack, ReportsProgress):
            attack = replace(attack, progress=self.parts.line)
        surface, size = sides.surface(made_on), sides.batch_size
        remember = None if kept is None else kept.remembering(recipe, made_on)
        chosen = run_attack(
            *(attack, surface, self.attacked, size, remember, sides.program),
            after=partial(self.parts.count, "inputs"),
        )
        samples = self.attacked.with_inputs(chosen.inputs)
        correct, others = (sides.score(samples, first_trial=t) for t in (0, sides.trials))
        found = Attacked(recipe, made_on, correct, others, chosen.by)
        compared: list[ExactComparison] = []
        if self.lava and made_on in (TWIN, CHIP):
            few = samples.up_to(len(self.exact))
            records = self.run_exactly(few, sides.seed)
            compared = self.compare_pairs(records, few, sides.seed, recipe.name)
        row = attacked_row(found, clean, compared[0].lava_accuracy if compared else None)
        pictures = _Kept(
            row.sides[CHIP].value,
            tuple(keep_flipped(row, self.attacked, samples)),
            keep_events(sides.program, self.attacked, samples, row),
        )
        return found, compared, row, pictures

    def find_masking(self, shown: Sequence[Attacked]) -> list[MaskingSign]:
        """Signs of masked gradients, if any attack follows them."""
        draws = [one.recipe.draws for one in shown if one.recipe.uses_gradients]
        if not draws:
            return []
        self.parts.begin(f"gradients of {counted(len(self.attacked), 'input')}")
        surfaces = {FLOAT: self.sides.surface(FLOAT), CHIP: self.sides.surface(TWIN)}
        blind = [
            sign
            for side, surface in surfaces.items()
            for sign in find_blind_images(
                side,
                surface,
                self.attacked,
                max(draws),
                ATTACKER_SEED,
                self.sides.batch_size,
                self.sides.program,
            )
        ]
        return blind + find_signs(shown)

    def other_weights(self, origin: nn.Module) -> dict[str, float]:
        """Share of each layer's weights in the Program that the model would not give."""
        program = self.sides.program
        graph = to_nir(origin, take_sample(origin, program, self.exact).sample, program.target.dt)
        again = lower_again(program, graph)
        return {
            layer.name: share_of_other_weights(layer, again.layer(layer.name))
            for layer in program.layers
        }


@dataclass(frozen=True)
class _Kept:
    """What a report may show of one set of attacked images.

    Attributes:
        accuracy: the chip's, since the strongest attack is shown.
    """

    accuracy: float
    flipped: tuple[FlippedImage, ...]
    events: EventSample | None
