"""The parity check: the float model and the chip, value by value and in accuracy."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import nn

from stochi.attacks.base import Attack
from stochi.attacks.progress import ReportsProgress
from stochi.data.images import Images, as_images
from stochi.deploy.origin import lower_again
from stochi.export.nir_graph import to_nir
from stochi.hardware.draws import Draws
from stochi.modes import in_eval_mode
from stochi.parity.arguments import (
    ATTACKER_SEED,
    BATCH_SIZE,
    check_attacks,
    check_data,
    check_models,
    check_sides,
    check_trials,
)
from stochi.parity.attacked import (
    Attacked,
    Correct,
    at_each_epsilon,
    attacked_row,
    clean_row,
    run_attack,
    surfaces_of,
    worst_rows,
)
from stochi.parity.distribution.comparison import DEFAULT_MARGINS, compare_distributions
from stochi.parity.distribution.results import Distribution, Margins
from stochi.parity.distribution.trials import chip_side, float_side, take_trials
from stochi.parity.masking import find_blind_images, find_signs
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
    MaskingSign,
)
from stochi.parity.sides import Sides, make_sides
from stochi.program.comparison import share_of_other_weights
from stochi.program.program import Program
from stochi.sim.backends import run
from stochi.sim.record import Record
from stochi.sim.recording import PROBES
from stochi.statistics.intervals import estimate_accuracy

ENGINE, LAVA = "engine", "lava"
EXACT_PAIRS = ((ENGINE, LAVA), (TWIN, LAVA), (TWIN, ENGINE))
Progress = Callable[[str], None]


def check_parity(
    model: nn.Module,
    program: Program,
    data: Images | tuple[torch.Tensor, torch.Tensor],
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
    progress: Progress = lambda message: None,
) -> ParityReport:
    """Compare a float model with its Program; docs/report.md explains the comparisons.

    Twin, engine and Lava must have the same spikes and membranes; float model and chip are compared
    in distribution over trials, and in accuracy, clean and under attacks made on either side.

    Args:
        model: a torch model that ``stochi.export.to_nir`` takes, with the Program's layers.
        data: held-out inputs (batch, *shape), the same at every time step, and (batch,) labels:
            images in [0, 1], or frames of exactly 0 or 1 for a Program that takes events.
        lowered_from: the model that was exported, if that is one tuned to answer like ``model``.
        trials: number of repetitions, each with other draws; variability needs at least 2.
        attacks: each with its own budget; epsilons: run every attack on images at these instead.
        seeds: for the exact comparison; the first is also used for the accuracies.
        exact_images, attack_images: number of images, from the front of the data, that are compared
            exactly, and that are attacked (None: all).
        lava: whether to run Lava; without it the engine alone stands for the chip.
        margins: the largest differences in distribution that do not matter; None leaves them out.
        batch_size: largest number of images that torch models and attacks take at a time; the
            float model's draws depend on it if there are more images.
        progress: called with a line before each stage.

    Raises:
        InputError, ExportError, LoweringError: an argument is out of range, or the Program cannot
            come from the model.
        LavaUnavailable: Lava was asked for, and is not installed.
    """
    check_sides(model, program)
    images = as_images(data)
    check_trials(trials, seeds, batch_size)
    check_data(program, images)
    check_attacks(program, attacks, attack_images)
    attacks = at_each_epsilon(attacks, epsilons)
    check_models(model, lowered_from)
    exact = images.first(min(exact_images, len(images)))
    attacked = images.first(min(attack_images or len(images), len(images)))
    origin = lowered_from or model
    with in_eval_mode(model, origin):
        sides = make_sides(model, origin, program, exact.inputs[:1], seeds[0], trials, batch_size)
        check = _Check(sides, images, exact, attacked, lava, progress)
        return check.report(origin, attacks, epsilons, seeds, margins)


@dataclass(frozen=True)
class _Check:
    """The sides, and what they are shown.

    Attributes:
        images: all of them.
        exact, attacked: those that are compared exactly, and those that are attacked.
    """

    sides: Sides
    images: Images
    exact: Images
    attacked: Images
    lava: bool
    progress: Progress

    def report(
        self,
        origin: nn.Module,
        attacks: Sequence[Attack],
        epsilons: Sequence[float] | None,
        seeds: Sequence[int],
        margins: Margins | None,
    ) -> ParityReport:
        """Run all comparisons."""
        exact = [pair for seed in seeds for pair in self.compare_exactly(self.exact, seed)]
        other_weights = self.other_weights(origin) if any(e.mismatches for e in exact) else {}
        self.progress(f"Accuracy on {len(self.images)} images, {self.sides.trials} trials")
        distribution, known = self.compare_distributions(margins)
        clean = self.sides.correct(self.images, known)
        on_lava = next((e.lava_accuracy for e in exact if e.lava_accuracy is not None), None)
        rows = [clean_row(clean, on_lava)]
        before = {side: right[:, : len(self.attacked)] for side, right in clean.items()}
        shown: list[Attacked] = []
        for attack in attacks:
            for made_on in surfaces_of(attack.recipe):
                found, compared, row = self.under_attack(attack, made_on, before)
                shown.append(found)
                exact += compared
                rows.append(row)
        rows += worst_rows(shown, before)
        return ParityReport(
            configuration=self.configuration(attacks, epsilons, seeds),
            exact=tuple(exact),
            accuracy=tuple(rows),
            distribution=distribution,
            masking=tuple(self.find_masking(shown)),
            other_weights=other_weights,
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

    def compare_exactly(
        self, images: Images, seed: int, attack: str | None = None
    ) -> list[ExactComparison]:
        """Compare engine, twin and, if it runs, Lava, in pairs."""
        program, inputs, lava_accuracy = self.sides.program, images.inputs, None
        records: dict[str, Record] = {
            ENGINE: run(program, inputs, seed=seed, probes=PROBES),
            TWIN: record_twin(self.sides.twin, program, inputs, Draws(seed)),
        }
        if self.lava:
            if attack is None:
                self.progress(f"Lava: {len(images)} images, seed {seed}")
            records[LAVA] = run(program, inputs, LAVA, seed=seed, probes=PROBES)
            correct = records[LAVA].predictions() == images.labels
            lava_accuracy = estimate_accuracy(correct[None])
        found: list[ExactComparison] = []
        for left, right in EXACT_PAIRS:
            if left in records and right in records:
                layers = compare_records(records[left], records[right])
                found.append(
                    ExactComparison(
                        left=left,
                        right=right,
                        seed=seed,
                        images=len(images),
                        attack=attack,
                        compared=sum(layer.compared for layer in layers),
                        mismatches=sum(layer.mismatches for layer in layers),
                        layers=tuple(layers),
                        lava_accuracy=None if found else lava_accuracy,
                    )
                )
        return found

    def compare_distributions(
        self, margins: Margins | None
    ) -> tuple[Distribution | None, dict[str, np.ndarray]]:
        """Compare float model and chip over trials; also the classes that they predicted."""
        if margins is None:
            return None, {}
        sides, inputs = self.sides, self.images.inputs
        ours = take_trials(
            float_side(sides.model, sides.program, inputs, sides.seed, sides.batch_size),
            sides.trials,
        )
        theirs = take_trials(chip_side(sides.program, inputs, sides.seed), sides.trials, ours)
        found = compare_distributions(ours, theirs, self.images.labels, margins)
        return found, {FLOAT: ours.predictions, CHIP: theirs.predictions}

    def under_attack(
        self, attack: Attack, made_on: str | None, clean: Correct
    ) -> tuple[Attacked, list[ExactComparison], AccuracyRow]:
        """Make the attack on one surface, and show what it made to all sides."""
        sides, recipe = self.sides, attack.recipe
        on = f" on {SIDES[made_on]}" if made_on else ""
        self.progress(f"{recipe.name}{on}, {len(self.attacked)} images")
        if isinstance(attack, ReportsProgress):
            attack = replace(attack, progress=self.progress)
        chosen = run_attack(attack, sides.surface(made_on), self.attacked, sides.batch_size)
        images = Images(chosen.inputs, self.attacked.labels)
        correct, others = (sides.correct(images, first_trial=t) for t in (0, sides.trials))
        found = Attacked(recipe, made_on, correct, others, chosen.by)
        compared: list[ExactComparison] = []
        if self.lava and made_on in (TWIN, CHIP):
            few = images.first(min(len(self.exact), len(images)))
            self.progress(f"Lava: {len(few)} attacked images")
            compared = self.compare_exactly(few, sides.seed, recipe.name)
        on_lava = compared[0].lava_accuracy if compared else None
        return found, compared, attacked_row(found, clean, on_lava)

    def find_masking(self, shown: Sequence[Attacked]) -> list[MaskingSign]:
        """Signs of masked gradients, if any attack follows them."""
        draws = [one.recipe.draws for one in shown if one.recipe.uses_gradients]
        if not draws:
            return []
        self.progress(f"Gradients of {len(self.attacked)} images")
        surfaces = {FLOAT: self.sides.surface(FLOAT), CHIP: self.sides.surface(TWIN)}
        blind = [
            sign
            for side, surface in surfaces.items()
            for sign in find_blind_images(
                side, surface, self.attacked, max(draws), ATTACKER_SEED, self.sides.batch_size
            )
        ]
        return blind + find_signs(shown)

    def other_weights(self, origin: nn.Module) -> dict[str, float]:
        """Share of each layer's weights in the Program that the model would not give."""
        program = self.sides.program
        graph = to_nir(origin, self.exact.inputs[:1], program.target.dt)
        again = lower_again(program, graph)
        return {
            layer.name: share_of_other_weights(layer, again.layer(layer.name))
            for layer in program.layers
        }
