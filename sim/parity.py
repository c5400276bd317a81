"""The parity checker: the torch model and the chip, number by number and in accuracy."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from stochi.attacks.base import Attack
from stochi.attacks.gradient import GradientAttack
from stochi.attacks.program_model import ProgramModel
from stochi.attacks.progress import TellsProgress
from stochi.data.images import Images, as_images
from stochi.deploy.origin import lower_again
from stochi.deploy.program import Program
from stochi.deploy.weight_comparison import share_of_other_weights
from stochi.errors import InputError
from stochi.export.nir_graph import to_nir
from stochi.sim.attacked import (
    Attacked,
    Correct,
    accuracy_row,
    at_each_epsilon,
    describe,
    make,
    surfaces_of,
)
from stochi.sim.checks import (
    ATTACKER_SEED,
    BATCH_SIZE,
    check_attacks,
    check_data,
    check_sides,
    check_trials,
)
from stochi.sim.distribution import DEFAULT_MARGINS, Margins, compare_distributions
from stochi.sim.gradient_masking import find_blind_images, find_signs
from stochi.sim.hardware_record import record_hardware_model
from stochi.sim.mismatch import compare_records
from stochi.sim.record import Record
from stochi.sim.report import SIDES, ParityReport
from stochi.sim.run import PROBES, run
from stochi.sim.sides import Sides
from stochi.sim.statistics import estimate_accuracy
from stochi.sim.trials import chip_side, float_side, take_trials
from stochi.train.hardware_aware import FreshDraws, twin_of

EXACT_PAIRS = (("engine", "lava"), ("hardware_aware", "lava"), ("hardware_aware", "engine"))
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
    """Compare a float torch model with its Program.

    Exactly: the hardware-aware torch model, the engine and Lava must have the same spikes and
    membranes in every layer at every step; mismatches are counted and the first one is shown.
    In distribution: each layer's firing rates, variability and membranes, and the answers, of the
    float model and the chip over trials on the clean images, tested for equivalence.
    In accuracy: the float model against the chip over trials, clean and under each attack.

    Every attack is made twice, on the float model and for the chip, and both sets of images are
    shown to every side. For the chip, attacks that follow gradients are made on the hardware-aware
    model, whose integers are the chip's, with straight-through gradients; those that ask for
    answers only, on the Program itself. The attacker draws other random numbers than the victims.
    Where the answers show signs of masked gradients, the report warns.

    Args:
        model: the float model, (batch, *shape) → (batch, classes), in which layers have the
            Program's names.
        program: what it was lowered to.
        lowered_from: the model that was exported, where that is not ``model`` but one tuned to
            answer as it does (``stochi.train.fine_tune``).
        data: held-out inputs and (batch,) labels. Inputs are (batch, *shape), the same at every
            step: images in [0, 1], or, for a Program that takes events, frames of exactly 0 or 1.
            Events that change from step to step, (steps, batch, *shape), are no data of this
            check; ``stochi.sim.run`` takes them as well.
        trials: repetitions of everything but the exact comparison, each with other draws, at
            least 1; variability over trials needs 2.
        attacks: with their own budgets, on images; epsilons: if given, every attack on images is
            run at each of these ε instead.
        seeds: for the exact comparison; the first is also used for the accuracies.
        exact_images: how many images are compared exactly, from the front of the data.
        attack_images: how many are attacked, from the front; all if not given.
        lava: run Lava; without it the engine stands alone for the chip.
        margins: the largest differences in distribution that do not matter; None leaves that
            comparison out.
        batch_size: how many images the torch models and the attacks take at a time, at least 1;
            attacks take fewer where images are large and draws many.
            The float model's draws, and with them the report, depend on it where there are more
            images than that.
        progress: called with a line before each stage.

    Returns:
        A report whose keys ``docs/report.md`` describes.

    Raises:
        InputError: data, trials, seeds, epsilons or batch_size are out of range.
        ArtUnavailable: an attack is ART's, and ART is not installed.
        LavaUnavailable: Lava is not installed and ``lava`` is true.
        ExportError, LoweringError: the model is not one that the Program can come from.
    """
    check_sides(model, program)
    images = as_images(data)
    check_trials(trials, seeds, batch_size)
    check_data(program, images)
    check_attacks(program, attacks, attack_images)
    attacks = at_each_epsilon(attacks, epsilons)
    exact = images.first(min(exact_images, len(images)))
    attacked = images.first(min(attack_images or len(images), len(images)))
    if isinstance(model, FreshDraws) or isinstance(lowered_from, FreshDraws):
        raise InputError(
            "a FreshDraws model draws by its own count of calls; export, lower and compare"
            " the model inside it, .model"
        )
    model = model.eval()
    twin = twin_of(program, lowered_from or model, exact.inputs[:1]).eval()
    sides = Sides(model, twin, program, seeds[0], trials, batch_size)
    report = ParityReport(
        configuration={
            "chip": program.chip,
            "noise": program.noise,
            "random_source": program.random_source,
            "steps": program.steps,
            "trials": trials,
            "seeds": [int(seed) for seed in seeds],
            "exact_images": len(exact),
            "attack_images": len(attacked) if attacks else 0,
            "attacks": [describe(attack) for attack in attacks],
            "epsilons": None if epsilons is None else [float(epsilon) for epsilon in epsilons],
            "batch_size": batch_size,
            "lava": lava,
        }
    )
    for seed in seeds:
        report.exact += _compare_exactly(twin, program, exact, seed, lava, progress)
    if report.mismatches:
        report.other_weights = _other_weights(program, lowered_from or model, exact.inputs[:1])
    progress(f"Accuracy on {len(images)} images, {trials} trials")
    known: dict[str, np.ndarray] = {}
    if margins is not None:
        ours = take_trials(float_side(model, program, images.inputs, seeds[0], batch_size), trials)
        theirs = take_trials(chip_side(program, images.inputs, seeds[0]), trials, ours)
        report.distribution = compare_distributions(ours, theirs, images.labels, margins)
        known = {"float": ours.predictions, "chip": theirs.predictions}
    clean = sides.correct(images, known)
    report.accuracy.append(accuracy_row("clean", clean))
    before = {side: right[:, : len(attacked)] for side, right in clean.items()}
    shown: list[Attacked] = []
    for attack in attacks:
        shown += _under_attack(attack, sides, attacked, before, exact, lava, progress, report)
    report.masking = _find_masking(shown, sides, attacked, progress)
    return report


def _other_weights(program: Program, model: nn.Module, sample: torch.Tensor) -> dict[str, float]:
    again = lower_again(program, to_nir(model, sample, program.dt))
    return {
        layer.name: share_of_other_weights(layer, again.layer(layer.name))
        for layer in program.layers
    }


def _compare_exactly(
    twin: nn.Module, program: Program, images: Images, seed: int, lava: bool, progress: Progress
) -> list[dict[str, Any]]:
    records: dict[str, Record] = {
        "engine": run(program, images.inputs, seed=seed, probes=PROBES),
        "hardware_aware": record_hardware_model(twin, program, images.inputs, seed, 0),
    }
    if lava:
        progress(f"Lava: {len(images)} images, seed {seed}")
        records["lava"] = run(program, images.inputs, backend="lava", seed=seed, probes=PROBES)
    found = []
    for left, right in EXACT_PAIRS:
        if left in records and right in records:
            comparisons = compare_records(records[left], records[right])
            found.append(
                {
                    "left": left,
                    "right": right,
                    "seed": seed,
                    "images": len(images),
                    "compared": sum(c.compared for c in comparisons),
                    "mismatches": sum(c.mismatches for c in comparisons),
                    "layers": [c.as_dict() for c in comparisons],
                }
            )
    if lava:
        correct = records["lava"].predictions() == images.labels
        found[0]["lava_accuracy"] = estimate_accuracy(correct[None]).as_dict()
    return found


def _attack(
    attack: Attack,
    made_on: str | None,
    sides: Sides,
    images: Images,
) -> Images:
    surfaces: dict[str | None, Callable[[], nn.Module]] = {
        None: lambda: sides.model,
        "float": lambda: sides.model,
        "hardware_aware": lambda: FreshDraws(sides.twin, ATTACKER_SEED),
        "chip": lambda: ProgramModel(sides.program, ATTACKER_SEED),
    }
    return make(attack, surfaces[made_on](), images, sides.batch_size)


def _under_attack(
    attack: Attack,
    sides: Sides,
    images: Images,
    clean: Correct,
    exact: Images,
    lava: bool,
    progress: Progress,
    report: ParityReport,
) -> list[Attacked]:
    """Make the attack on all its surfaces, enter what it does into the report, and return it."""
    shown = []
    for made_on in surfaces_of(attack) or (None,):
        where = f" on {SIDES[made_on]}" if made_on else ""
        progress(f"{attack.name}{where}, {len(images)} images")
        heard = attack
        if isinstance(attack, TellsProgress):
            heard = replace(attack, progress=progress)
        adversarial = _attack(heard, made_on, sides, images)
        found = Attacked(attack, made_on, sides.correct(adversarial))
        row = accuracy_row(
            attack.name, found.correct, made_on=made_on, epsilon=found.epsilon, clean=clean
        )
        if lava and made_on in ("hardware_aware", "chip"):
            few = adversarial.first(min(len(exact), len(adversarial)))
            progress(f"Lava: {len(few)} attacked images")
            compared = _compare_exactly(
                sides.twin, sides.program, few, sides.seed, True, lambda message: None
            )
            for entry in compared:
                entry["attack"] = attack.name
            report.exact += compared
            row["lava"] = compared[0]["lava_accuracy"]
        report.accuracy.append(row)
        shown.append(found)
    return shown


def _find_masking(
    shown: Sequence[Attacked], sides: Sides, images: Images, progress: Progress
) -> list[dict[str, Any]]:
    draws = [one.attack.draws for one in shown if isinstance(one.attack, GradientAttack)]
    if not draws:
        return []
    progress(f"Gradients of {len(images)} images")
    surfaces = {"float": sides.model, "chip": FreshDraws(sides.twin, ATTACKER_SEED)}
    blind = [
        entry
        for side, surface in surfaces.items()
        for entry in find_blind_images(
            side, surface, images, max(draws), ATTACKER_SEED, sides.batch_size
        )
    ]
    return blind + find_signs(shown)
