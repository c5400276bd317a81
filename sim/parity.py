"""The parity checker: the torch model and the chip, number by number and in accuracy."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from stochi.attacks.base import Attack
from stochi.data.images import Images
from stochi.deploy.program import Program
from stochi.errors import InputError
from stochi.hardware.noise import check_coordinates
from stochi.sim.distribution import DEFAULT_MARGINS, Margins, compare_distributions
from stochi.sim.float_record import run_float_model
from stochi.sim.hardware_record import record_hardware_model
from stochi.sim.inputs import check_inputs
from stochi.sim.mismatch import compare_records
from stochi.sim.record import Record
from stochi.sim.report import SIDES, ParityReport
from stochi.sim.run import PROBES, run
from stochi.sim.statistics import estimate_accuracy, estimate_difference
from stochi.sim.trials import chip_side, float_side, take_trials
from stochi.train.hardware_aware import FreshDraws, set_draws, twin_of

ATTACKER_SEED = 2**31
"""The attacker's draws on the hardware-aware model; the victims' seeds are others."""
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
    seeds: Sequence[int] = (0, 1),
    exact_images: int = 64,
    attack_images: int | None = None,
    lava: bool = True,
    margins: Margins | None = DEFAULT_MARGINS,
    progress: Progress = lambda message: None,
) -> ParityReport:
    """Compare a float torch model with its Program.

    Exactly: the hardware-aware torch model, the engine and Lava must have the same spikes and
    membranes in every layer at every step; mismatches are counted and the first one is shown.
    In distribution: each layer's firing rates, variability and membranes, and the answers, of the
    float model and the chip over trials on the clean images, tested for equivalence.
    In accuracy: the float model against the chip over trials, clean and under each attack.

    Every attack is made twice, on the float model and on the hardware-aware one (whose integers
    are the chip's, with straight-through gradients), and both sets of images are shown to every
    side. The attacker draws other random numbers than the victims.

    Args:
        model: the float model, in which layers have the Program's names.
        program: what it was lowered to.
        lowered_from: the model that was exported, where that is not ``model`` but one tuned to
            answer as it does (``stochi.train.fine_tune``).
        data: held-out images in [0, 1] and labels.
        trials: repetitions of everything but the exact comparison, each with other draws, at
            least 1; variability over trials needs 2.
        seeds: for the exact comparison; the first is also used for the accuracies.
        exact_images: how many images are compared exactly, from the front of the data.
        attack_images: how many are attacked, from the front; all if not given.
        lava: run Lava; without it the engine stands alone for the chip.
        margins: the largest differences in distribution that do not matter; None leaves that
            comparison out.
        progress: called with a line before each stage.

    Returns:
        A report whose keys ``docs/report.md`` describes.

    Raises:
        InputError: data, trials or seeds are out of range.
        LavaUnavailable: Lava is not installed and ``lava`` is true.
        ExportError, LoweringError: the model is not one that the Program can come from.
    """
    images = data if isinstance(data, Images) else Images(*data)
    _check_arguments(program, images, trials, seeds)
    exact = images.first(min(exact_images, len(images)))
    attacked = images.first(min(attack_images or len(images), len(images)))
    model = model.eval()
    twin = twin_of(program, lowered_from or model, exact.inputs[:1]).eval()
    sides = _Sides(model, twin, program, seeds[0], trials)
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
            "lava": lava,
        }
    )
    for seed in seeds:
        report.exact += _compare_exactly(twin, program, exact, seed, lava, progress)
    progress(f"Accuracy on {len(images)} images, {trials} trials")
    known: dict[str, np.ndarray] = {}
    if margins is not None:
        ours = take_trials(float_side(model, program, images.inputs, seeds[0]), trials)
        theirs = take_trials(chip_side(program, images.inputs, seeds[0]), trials, ours)
        report.distribution = compare_distributions(ours, theirs, images.labels, margins)
        known = {"float": ours.predictions, "chip": theirs.predictions}
    report.accuracy.append(_accuracies("clean", None, sides.correct(images, known)))
    for attack in attacks:
        report.accuracy += _under_attack(attack, sides, attacked, exact, lava, progress, report)
    return report


class _Sides:
    """The float model, its hardware-aware twin and the chip, asked in the same way."""

    def __init__(
        self, model: nn.Module, twin: nn.Module, program: Program, seed: int, trials: int
    ) -> None:
        self.model, self.twin, self.program = model, twin, program
        self.seed, self.trials = seed, trials

    def predict(self, side: str, inputs: torch.Tensor, trial: int) -> torch.Tensor:
        """(images,) predicted classes of one trial."""
        with torch.no_grad():
            if side == "float":
                return run_float_model(self.model, inputs, self.seed, trial).argmax(1)
            if side == "hardware_aware":
                set_draws(self.twin, seed=self.seed, trial=trial)
                return self.twin(inputs).argmax(1)
            return run(self.program, inputs, seed=self.seed, trial=trial).predictions()

    def correct(
        self, images: Images, known: Mapping[str, np.ndarray] | None = None
    ) -> dict[str, torch.Tensor]:
        """side → (trials, images) whether the class is right.

        The hardware-aware model gives the engine's integers, which the exact comparison shows;
        its accuracy is measured all the same, on the first trial's draws and on, as the others.
        What a side is known to predict, (trials, images), it is not asked again.
        """
        predictions = {side: torch.from_numpy(classes) for side, classes in (known or {}).items()}
        for side in SIDES:
            if side not in predictions:
                answers = [self.predict(side, images.inputs, t) for t in range(self.trials)]
                predictions[side] = torch.stack(answers)
        return {side: predictions[side] == images.labels for side in SIDES}


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


def _accuracies(name: str, made_on: str | None, correct: dict[str, torch.Tensor]) -> dict[str, Any]:
    return {
        "attack": name,
        "made_on": made_on,
        **{side: estimate_accuracy(values).as_dict() for side, values in correct.items()},
        "chip_minus_float": estimate_difference(correct["float"], correct["chip"]).as_dict(),
    }


def _under_attack(
    attack: Attack,
    sides: _Sides,
    images: Images,
    exact: Images,
    lava: bool,
    progress: Progress,
    report: ParityReport,
) -> list[dict[str, Any]]:
    surfaces = {
        "float": sides.model,
        "hardware_aware": FreshDraws(sides.twin, ATTACKER_SEED),
    }
    if not attack.uses_model:
        progress(f"{attack.name}, {len(images)} images")
        shown = Images(attack(sides.model, images.inputs, images.labels), images.labels)
        return [_accuracies(attack.name, None, sides.correct(shown))]
    rows = []
    for made_on, surface in surfaces.items():
        progress(f"{attack.name} on the {made_on.replace('_', '-')} model, {len(images)} images")
        adversarial = Images(attack(surface, images.inputs, images.labels), images.labels)
        row = _accuracies(attack.name, made_on, sides.correct(adversarial))
        if lava and made_on == "hardware_aware":
            shown = adversarial.first(min(len(exact), len(adversarial)))
            progress(f"Lava: {len(shown)} attacked images")
            compared = _compare_exactly(
                sides.twin, sides.program, shown, sides.seed, True, lambda message: None
            )
            for entry in compared:
                entry["attack"] = attack.name
            report.exact += compared
            row["lava"] = compared[0]["lava_accuracy"]
        rows.append(row)
    return rows


def _check_arguments(program: Program, images: Images, trials: int, seeds: Sequence[int]) -> None:
    if trials < 1 or not seeds:
        raise InputError(f"trials is {trials} and seeds {list(seeds)}; both need at least one")
    for seed in seeds:
        check_coordinates(seed=seed)
        if seed == ATTACKER_SEED:
            raise InputError(f"seed {seed} is the attacker's; choose another")
    if len(images.inputs) != len(images.labels):
        raise InputError(f"{len(images.inputs)} images and {len(images.labels)} labels")
    check_inputs(program, images.inputs)
    if images.labels.is_floating_point() or images.labels.dim() != 1:
        raise InputError("labels must be whole numbers, one for each image")
    if images.labels.min() < 0 or images.labels.max() >= program.classes:
        raise InputError(f"labels must lie in 0 … {program.classes - 1}, the Program's outputs")
