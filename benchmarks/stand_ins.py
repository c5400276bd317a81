"""Difference of each stand-in for drawing τ from the float model, on held-out images.

    .venv/bin/python -m benchmarks.stand_ins                                  # digits, 5 seeds
    .venv/bin/python -m benchmarks.stand_ins --data cifar10 --data-dir FOLDER \
        --accuracy-images 2500  # 250 do not settle an accuracy

For every training seed and sampling a float model is trained and lowered in each way. Each Program
runs as many trials as the float model on the same images; attacks are PGD over the expectation
over draws, made on the float model and shown to all ("transferred"), and made on the Program's own
twin, whose integers are the chip's ("white box").
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import torch
from torch import nn

from benchmarks.stand_in_figure import Columns, draw_stand_ins
from stochi.attacks import PGD
from stochi.commands.console import Output
from stochi.data import load
from stochi.data.samples import Samples
from stochi.deploy import Program, calibrate, lower
from stochi.export import to_nir
from stochi.export.nir_graph import DEFAULT_DT
from stochi.hardware import Draws
from stochi.parity import combine_seeds
from stochi.parity.arguments import ATTACKER_SEED
from stochi.parity.attacked import make_attacked
from stochi.parity.batch_sizes import images_at_a_time
from stochi.parity.distribution.comparison import (
    DEFAULT_MARGINS,
    compare_distributions,
    compare_shares,
)
from stochi.parity.distribution.results import Comparison, Distribution, Margins
from stochi.parity.distribution.trials import chip_side, float_side, take_trials
from stochi.parity.distribution.verdicts import as_comparison
from stochi.parity.records.float_model import run_float_model
from stochi.program.target import NOISE_TARGETS
from stochi.sim import run
from stochi.statistics.equivalence import two_one_sided_tests
from stochi.train import fine_tune
from stochi.train.fine_tuning import FineTuningConfig
from stochi.train.networks import small_conv_net, two_layer_net
from stochi.train.training import TrainingConfig, train_classifier
from stochi.train.twin.model import FreshDraws, float_model_of, twin_of

TUNED = "fine-tuned"
STAND_INS = (
    "decay",
    f"decay {TUNED}",
    "none",
    "membrane moments",
    "current calibrated",
    "membrane calibrated",
    f"membrane {TUNED}",
)
TUNED_FROM = {"decay": f"decay {TUNED}", "membrane calibrated": f"membrane {TUNED}"}


@dataclass(frozen=True)
class Row:
    """What was compared of one Program.

    Attributes:
        float_right: (images,) how often the float model is right on transferred images.
        transferred, white_box: (images,) how often the chip is right, by where images were made.
    """

    distribution: Distribution
    float_right: np.ndarray
    transferred: np.ndarray
    white_box: np.ndarray


Rows = dict[str, Row]


@dataclass(frozen=True)
class Setting:
    """A network to train, its data, and the attack on it."""

    build: Callable[[str], nn.Module]
    training_images: int
    calibration_images: int
    test_images: int
    attacked_images: int
    training: dict[str, Any]
    tuning: FineTuningConfig
    attack: PGD


# The chip sees pixels as whole 255ths, and so does an attack whose ε is one of them.
DIGITS_ATTACK = PGD(epsilon=25 / 255, seed=5)
SETTINGS = {
    "digits": Setting(
        lambda sampling: two_layer_net(sampling=sampling),
        *(1438, 256, 359, 359),
        *({}, FineTuningConfig(), DIGITS_ATTACK),
    ),
    "digits-conv": Setting(
        lambda sampling: small_conv_net(sampling=sampling),
        *(1438, 256, 359, 359),
        *({}, FineTuningConfig(), DIGITS_ATTACK),
    ),
    "cifar10": Setting(
        lambda sampling: small_conv_net((3, 32, 32), sampling=sampling),
        *(5000, 64, 250, 500),
        {"epochs": 5},
        FineTuningConfig(epochs=2),
        PGD(epsilon=2 / 255, iterations=10, draws=5, seed=5),
    ),
}


@dataclass(frozen=True)
class Asked:
    """What to compare: stand-ins, number of trials, and of images for accuracies."""

    stand_ins: tuple[str, ...]
    trials: int
    accuracy_images: int | None
    attacked_images: int


def study(name: str, folder: Path | None, sampling: str, seed: int, asked: Asked) -> Rows:
    """Train a model, lower it in every way and compare: stand-in → its row."""
    torch.set_num_threads(1)
    setting, trials = SETTINGS[name], asked.trials
    training, every = load(name.removesuffix("-conv"), folder)
    training, test = training.first(setting.training_images), every.first(setting.test_images)
    model, _ = train_classifier(
        lambda: setting.build(sampling), training, TrainingConfig(seed=seed, **setting.training)
    )
    graph = to_nir(model, test.inputs[:1])
    real = float_model_of(model, test.inputs[:1], DEFAULT_DT).answering()
    attacked = every.first(asked.attacked_images)
    transferred = make_attacked(setting.attack, model, attacked).inputs
    float_right = right_on_float(model, transferred, attacked, seed, trials)
    reference, many, many_right = None, None, None
    if asked.accuracy_images is not None:
        many = every.first(asked.accuracy_images)
        many_right = right_on_float(model, many.inputs, many, seed, trials)
    rows: Rows = {}
    data = training.inputs[: setting.calibration_images]
    lowered = programs(model, graph, training, data, setting.tuning, asked.stand_ins)
    for stand_in, program, twin in lowered:
        if reference is None:
            reference = take_trials(float_side(real, program, test.inputs, seed), trials)
        seen = take_trials(chip_side(program, test.inputs, seed), trials, like=reference)
        white = make_attacked(setting.attack, FreshDraws(twin, ATTACKER_SEED), attacked).inputs
        margins, _ = margins_for(stand_in)
        distribution = compare_distributions(reference, seen, test.labels, margins)
        if many is not None and many_right is not None:
            right = right_on_chip(program, many.inputs, many, seed, trials)
            compared = compare_shares(many_right, right, margins.accuracy)
            network = replace(distribution.network, accuracy=compared)
            distribution = replace(distribution, network=network)
        rows[stand_in] = Row(
            distribution,
            float_right,
            right_on_chip(program, transferred, attacked, seed, trials),
            right_on_chip(program, white, attacked, seed, trials),
        )
    return rows


def programs(
    model: nn.Module,
    graph: Any,
    training: Samples,
    data: torch.Tensor,
    tuning: FineTuningConfig,
    stand_ins: Sequence[str],
) -> Iterator[tuple[str, Program, nn.Module]]:
    """Yield stand-in, Program, and its twin; noise is fitted to ``data``."""
    sample = training.inputs[:1]

    def fitted(noise: str, method: str) -> Program:
        return calibrate(graph, data, noise=noise, method=method)[0]

    bases: dict[str, Callable[[], Program]] = {
        "decay": lambda: lower(graph, noise="decay"),
        "none": lambda: lower(graph, noise="none"),
        "membrane moments": lambda: fitted("membrane", "moments"),
        "current calibrated": lambda: fitted("current", "behaviour"),
        "membrane calibrated": lambda: fitted("membrane", "behaviour"),
    }
    for name, lowered in bases.items():
        tuned_name = TUNED_FROM.get(name)
        if name not in stand_ins and tuned_name not in stand_ins:
            continue
        program = lowered()
        if name in stand_ins:
            yield name, program, twin_of(program, model, sample)
        if tuned_name is not None and tuned_name in stand_ins:
            tuned = fine_tune(model, program, training, tuning)
            noise = program.target.noise
            fit = program if noise in NOISE_TARGETS else None
            yield tuned_name, lower(to_nir(tuned, sample), noise=noise, fitted=fit), tuned


def right_on_float(
    model: nn.Module, shown: torch.Tensor, images: Samples, seed: int, trials: int
) -> np.ndarray:
    """Share of trials in which the float model is right, (images,)."""
    few = images_at_a_time(shown, 1)
    with torch.no_grad():
        answers = [
            run_float_model(model, shown, Draws(seed, t), few).argmax(1) for t in range(trials)
        ]
    return torch.stack([a == images.labels for a in answers]).double().mean(0).numpy()


def right_on_chip(
    program: Program, shown: torch.Tensor, images: Samples, seed: int, trials: int
) -> np.ndarray:
    """Share of trials in which the chip is right, (images,)."""
    answers = [run(program, shown, seed=seed, trial=t).predictions() for t in range(trials)]
    return torch.stack([a == images.labels for a in answers]).double().mean(0).numpy()


def margins_for(stand_in: str) -> tuple[Margins, float]:
    """Margins of a row, and of its robust accuracy: narrower after fine-tuning."""
    if stand_in.endswith(TUNED):
        return replace(DEFAULT_MARGINS, accuracy=0.003), 0.01
    return DEFAULT_MARGINS, 0.02


def columns(found: Sequence[Rows]) -> Columns:
    """Columns of the figure for a sampling's Programs."""
    shown: Columns = {}
    for name in found[0]:
        seeds = [seed[name] for seed in found]
        combined = combine(seeds)
        entries = {f"{n.rpartition('.')[2]} rate": e for n, e in rates_of(combined).items()}
        if combined.network.accuracy is not None:
            entries["clean accuracy"] = combined.network.accuracy
        for kind in ("transferred", "white_box"):
            entries[f"robust, {kind.replace('_', ' ')}"] = compare_robust(seeds, kind, name)
        for title, entry in entries.items():
            shown.setdefault(title, (100.0, {}))[1][name] = entry
    return shown


def table(found: Sequence[Rows]) -> list[list[str]]:
    """Rows of text, one for each Program: differences from the float model, 90 % intervals."""
    first = next(iter(found[0]))
    exact = combine([seed[first] for seed in found])
    network, layers = exact.network, rates_of(exact)
    robust = np.mean([seed[first].float_right.mean() for seed in found])
    heads = [f"{name.rpartition('.')[2]} rate" for name in layers]
    answers = ["agreement", "clean", "robust,\ntransferred", "robust,\nwhite box"]
    rows = [["stand-in", *heads, *answers]]
    rows.append(
        [
            "float model",
            *(f"{rate.sides['float']:.4f}" for rate in layers.values()),
            *(_percent(entry) for entry in (network.agreement, network.accuracy)),
            *(f"{robust:.1%}",) * 2,
        ]
    )
    for name in found[0]:
        seeds = [seed[name] for seed in found]
        combined = combine(seeds)
        network = combined.network
        rows.append(
            [
                name.replace(" ", "\n"),
                *(as_cell(rate, 2) for rate in rates_of(combined).values()),
                *(as_cell(entry) for entry in (network.agreement_across, network.accuracy)),
                *(
                    as_cell(compare_robust(seeds, kind, name))
                    for kind in ("transferred", "white_box")
                ),
            ]
        )
    return rows


def rates_of(combined: Distribution) -> dict[str, Comparison]:
    found = {name: layer.rate for name, layer in combined.layers.items()}
    return {name: rate for name, rate in found.items() if rate is not None}


def combine(seeds: Sequence[Row]) -> Distribution:
    """Over training seeds, which are then the sample; of one seed, over images."""
    distributions = [seed.distribution for seed in seeds]
    return combine_seeds(distributions) if len(seeds) > 1 else distributions[0]


def compare_robust(seeds: Sequence[Row], kind: str, name: str) -> Comparison:
    differences = [getattr(seed, kind) - seed.float_right for seed in seeds]
    values = differences[0]
    if len(seeds) > 1:
        values = np.array([difference.mean() for difference in differences])
    test = two_one_sided_tests(values, margins_for(name)[1], shares=True)
    float_side, chip_side = (float(np.mean([x.mean() for x in of])) for of in _both(seeds, kind))
    return as_comparison(float_side, chip_side, test)


def _both(seeds: Sequence[Row], kind: str) -> tuple[list[np.ndarray], list[np.ndarray]]:
    return [seed.float_right for seed in seeds], [getattr(seed, kind) for seed in seeds]


def _percent(entry: Comparison | None) -> str:
    return "–" if entry is None else f"{entry.sides['float']:.1%}"


def as_cell(entry: Comparison | None, digits: int = 1) -> str:
    """In percent or points; = if the interval lies within the margin, ≠ if outside it."""
    if entry is None or entry.difference is None:
        return "none"
    mark = {"equivalent": " =", "different": " ≠", "undecided": ""}[entry.verdict]
    value = f"{100 * entry.difference:+.{digits}f}{mark}"
    if entry.low is None or entry.high is None:
        return value
    return f"{value}\n{100 * entry.low:+.{digits}f}…{100 * entry.high:+.{digits}f}"


def main() -> None:
    """Print a table for each sampling."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", choices=SETTINGS, default="digits")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--seeds", type=int)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--samplings", nargs="+", default=["step", "forward"])
    parser.add_argument("--stand-ins", nargs="+", choices=STAND_INS, default=STAND_INS)
    parser.add_argument("--accuracy-images", type=int, help="For clean accuracy; else as the rest.")
    parser.add_argument("--attacked-images", type=int, help="Else 359 digits, or 500 of CIFAR-10.")
    parser.add_argument("--figure", type=Path, help="Draw the table, too.")
    parser.add_argument("--processes", type=int, default=joblib.cpu_count())
    options = parser.parse_args()
    number = options.seeds or (1 if options.data == "cifar10" else 5)
    seeds = range(options.first_seed, options.first_seed + number)
    output = Output(as_json=False)
    setting = SETTINGS[options.data]
    many = options.accuracy_images
    attacked = options.attacked_images or setting.attacked_images
    asked = Asked(tuple(options.stand_ins), options.trials, many, attacked)
    jobs = [(sampling, seed) for sampling in options.samplings for seed in seeds]
    work = joblib.Parallel(n_jobs=options.processes, return_as="generator")(
        joblib.delayed(study)(options.data, options.data_dir, sampling, seed, asked)
        for sampling, seed in jobs
    )
    found: dict[str, list[Rows]] = {sampling: [] for sampling in options.samplings}
    for (sampling, seed), rows in zip(jobs, work, strict=True):
        output.progress(f"sampling {sampling}, seed {seed}: done")
        found[sampling].append(rows)
    more = "" if many is None else f" ({many} for clean accuracy)"
    for sampling, rows in found.items():
        output.table(
            table(rows),
            f"{options.data}, λ drawn once a {sampling}: differences from the float model in"
            f" points, of rates in %, with 90 % intervals\n{setting.test_images} images{more},"
            f" {options.trials} trials, training seeds:"
            f" {', '.join(map(str, seeds))}; {setting.attack.name} on"
            f" {attacked} images",
        )
    if options.figure is not None:
        draw_stand_ins(
            {sampling: columns(rows) for sampling, rows in found.items()}, options.figure
        )


if __name__ == "__main__":
    main()
