"""Two further places for noise in place of drawing τ: random spike gates, and refractory delays.

    .venv/bin/python -m benchmarks.further_stand_ins docs/further_curves.png

With --keep FOLDER each seed's results are kept, so that seeds can run one by one.

For every training seed a network on the digits is trained, and both are fitted layer by layer, as
the calibration fits additive noise. Tables compare them with the float model, beside drawn decays,
additive noise and no noise; then come one neuron's rates under constant currents, with what was
fitted to the first layer of the first seed's network.
"""

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import joblib
import numpy as np
import torch
from torch import nn

from benchmarks.further_fits import Gated, OnChip, Plain, Waiting, fit_gates, fit_waits
from benchmarks.gates import CODES, gated_twin
from benchmarks.refractory_noise import Waits, waiting_twin
from benchmarks.spike_curves import (
    CURRENTS,
    SAMPLES,
    STEPS,
    THRESHOLD,
    Curve,
    Neurons,
    draw_curves,
    run_neurons,
)
from benchmarks.stand_ins import (
    SETTINGS,
    Row,
    Rows,
    as_cell,
    combine,
    compare_robust,
    margins_for,
    rates_of,
    right_on_float,
)
from stochi.attacks import PGD
from stochi.commands.console import Output
from stochi.data import load
from stochi.data.samples import Samples
from stochi.deploy import calibrate, lower
from stochi.deploy.calibration import CHECK_SEED, LayerFit, compare_behind
from stochi.deploy.graph.layers import cut_into_layers
from stochi.deploy.lowering.network import make_target
from stochi.deploy.spike_counts import observe
from stochi.export import to_nir
from stochi.export.nir_graph import DEFAULT_DT
from stochi.parity.arguments import ATTACKER_SEED
from stochi.parity.attacked import make_attacked
from stochi.parity.distribution.comparison import compare_distributions
from stochi.parity.distribution.results import Comparison, Distribution
from stochi.parity.distribution.trials import Side, float_side, take_trials
from stochi.parity.records.comparison import compare_records
from stochi.sim import run
from stochi.sim.lava.compatibility import lava_status
from stochi.sim.recording import PROBES
from stochi.train.training import TrainingConfig, train_classifier
from stochi.train.twin.model import FreshDraws, float_model_of, twin_of

LAVA_IMAGES = 16
POINTS = (0.8, 1.0, 1.04, 1.12, 1.2, 1.4, 1.6, 2.0, 2.2, 3.0, 4.0)
"""Currents, in thresholds, that the table shows."""
WAITS = tuple(Waits(*setting) for setting in ((1, -1), (0, 0), (2, -1), (0, 1), (3, -1)))
"""Settings of refractory noise whose costs the last table shows."""


@dataclass(frozen=True)
class Fits:
    """What was fitted to a network.

    Attributes:
        noise: additive noise, layer by layer.
        behind: stand-in → layer's name → how far the following layers' input is from that with
            drawn decays, see :func:`stochi.deploy.calibration.compare_inputs`.
    """

    gates: Gated
    waits: Waiting
    noise: tuple[LayerFit, ...]
    behind: Mapping[str, Mapping[str, tuple[float, float]]]


@dataclass(frozen=True)
class Asked:
    """How much to compare: numbers of trials, of test images and of attacked ones; the attack."""

    trials: int
    images: int
    attacked: int
    attack: PGD


def study(seed: int, asked: Asked) -> tuple[Rows, Fits]:
    """Train a network, deploy it in every way and compare: stand-in → its row."""
    setting = SETTINGS["digits"]
    training, every = load("digits", None)
    training, test = training.first(setting.training_images), every.first(asked.images)
    model, _ = train_classifier(
        lambda: setting.build("step"), training, TrainingConfig(seed=seed, **setting.training)
    )
    attacked = every.first(asked.attacked)
    transferred = make_attacked(asked.attack, model, attacked).inputs
    float_right = right_on_float(model, transferred, attacked, seed, asked.trials)
    fits, ways = deploy(model, training, setting.calibration_images)
    rows, reference = {}, None
    for name, chip, surface in ways:
        if reference is None:
            real = float_model_of(model, test.inputs[:1], DEFAULT_DT).answering()
            reference = take_trials(float_side(real, chip.program, test.inputs, seed), asked.trials)
        side = _side(chip, test.inputs, seed)
        seen = take_trials(side, asked.trials, like=reference)
        white_box = make_attacked(asked.attack, FreshDraws(surface, ATTACKER_SEED), attacked)
        rows[name] = Row(
            compare_distributions(reference, seen, test.labels, margins_for(name)[0]),
            float_right,
            right_on(chip, transferred, attacked, seed, asked.trials),
            right_on(chip, white_box.inputs, attacked, seed, asked.trials),
        )
    return rows, fits


def deploy(
    model: nn.Module, training: Samples, images: int
) -> tuple[Fits, Iterator[tuple[str, OnChip, nn.Module]]]:
    """Fit every stand-in; return the fits, and name, network and twin of each."""
    sample, data = training.inputs[:1], training.inputs[:images]
    graph = to_nir(model, sample)
    target = make_target(graph, "loihi2", "none")
    network = cut_into_layers(graph, target.dt)
    membrane, noise = calibrate(graph, data, noise="membrane")
    gates, waits = fit_gates(network, target, data), fit_waits(network, target, data)
    chips: dict[str, OnChip] = {
        "decay": Plain(lower(graph, noise="decay")),
        "none": Plain(lower(graph, noise="none")),
        "membrane": Plain(membrane),
        "gates": gates,
        "refractory": waits,
    }

    def ways() -> Iterator[tuple[str, OnChip, nn.Module]]:
        for name, chip in chips.items():
            twin = twin_of(chip.program, model, sample)
            if name == "gates":
                twin = gated_twin(twin, gates.gated, gates.gates)
            elif name == "refractory":
                twin = waiting_twin(twin, waits.settings)
            yield name, chip, twin

    names = list(gates.settings)
    return Fits(gates, waits, noise, compare_ways(chips, names, data)), ways()


def compare_ways(
    chips: Mapping[str, OnChip], names: Sequence[str], data: torch.Tensor
) -> dict[str, dict[str, tuple[float, float]]]:
    """Compare the input behind each layer with that of the first network, with fresh draws."""
    first, *others = chips
    reference = chips[first].program
    counts = {name: observe(reference, name, data, CHECK_SEED) for name in names}
    return {
        way: {
            name: compare_behind(
                reference, name, counts[name], chips[way].count(name, data, CHECK_SEED + 1)
            )
            for name in names
        }
        for way in others
    }


def _side(chip: OnChip, inputs: torch.Tensor, seed: int) -> Side:
    units = {layer.name: layer.membrane_unit for layer in chip.program.layers}
    return Side(lambda trial: chip.run(inputs, seed, trial), units)


def right_on(
    chip: OnChip, shown: torch.Tensor, images: Samples, seed: int, trials: int
) -> np.ndarray:
    """Share of trials in which a network on the chip is right, (images,)."""
    answers = [chip.run(shown, seed, trial).predictions() for trial in range(trials)]
    return torch.stack([a == images.labels for a in answers]).double().mean(0).numpy()


def spikes_table(found: Sequence[Rows]) -> list[list[str]]:
    """Rows of text: rates and Fano factors, differences in % of the float model's."""

    def columns(of: Distribution) -> Iterator[tuple[str, Comparison, int, str]]:
        for name, rate in rates_of(of).items():
            short = name.rpartition(".")[2]
            yield f"{short} rate", rate, 2, f"{rate.sides['float']:.4f}"
            fano = of.layers[name].fano
            if fano is not None:
                yield f"{short} Fano", fano, 0, f"{fano.sides['float']:.3f}"

    combined = {name: combine([rows[name] for rows in found]) for name in found[0]}
    first = list(columns(next(iter(combined.values()))))
    table = [["stand-in", *(column[0] for column in first)]]
    table.append(["float model", *(column[3] for column in first)])
    for name, of in combined.items():
        table.append([name, *(as_cell(entry, digits) for _, entry, digits, _ in columns(of))])
    return table


def answers_table(found: Sequence[Rows]) -> list[list[str]]:
    """Rows of text: agreements and accuracies, differences from the float model in points."""
    heads = ["two runs\nagree", "a run and\nthe model's"]
    heads += ["clean", "robust,\ntransferred", "robust,\nwhite box"]
    table, right = [["stand-in", *heads]], np.mean([_right(rows) for rows in found])
    for name in found[0]:
        seeds = [rows[name] for rows in found]
        network = combine(seeds).network
        entries = (network.agreement, network.agreement_across, network.accuracy)
        if len(table) == 1:
            own = [f"{entry.sides['float']:.1%}" for entry in entries if entry is not None]
            table.append(["float model", *own, *(f"{right:.1%}",) * 2])
        robust = (compare_robust(seeds, kind, name) for kind in ("transferred", "white_box"))
        table.append([name, *(as_cell(entry) for entry in (*entries, *robust))])
    return table


def _right(rows: Rows) -> float:
    return float(next(iter(rows.values())).float_right.mean())


def fits_table(fits: Mapping[int, Fits]) -> list[list[str]]:
    """Rows of text: what was fitted to each seed's layers."""
    heads = ["spikes that\npass", "threshold's\nfactor", "mean wait,\nsteps"]
    table = [["seed", "layer", *heads, "threshold's\nfactor"]]
    for seed, of in fits.items():
        for name, codes in of.gates.settings.items():
            gates, waits = (chip.program.layer(name) for chip in (of.gates, of.waits))
            passing = f"{codes}/{CODES} = {codes / CODES:.3f}"
            wait = f"{of.waits.settings[name].mean:.3f}"
            factors = (f"{layer.threshold_factor:.3f}" for layer in (gates, waits))
            row = [str(seed), name.rpartition(".")[2], passing, next(factors), wait, next(factors)]
            table.append(row)
    return table


def behind_table(fits: Mapping[int, Fits]) -> list[list[str]]:
    """Rows of text: how far the input behind each layer is from the reference's, over seeds."""
    first = next(iter(fits.values())).behind
    layers = list(next(iter(first.values())))
    short = [name.rpartition(".")[2] for name in layers]
    heads = [f"behind {name}:\n{what}" for name in short for what in ("mean", "variance")]
    table = [["stand-in", *heads]]
    for way in first:
        found = np.array([[of.behind[way][name] for name in layers] for of in fits.values()])
        table.append([way, *(f"{value:.2f}" for value in found.mean(0).ravel())])
    return table


def curves_of(fits: Fits) -> dict[str, Curve]:
    """Run single neurons with what was fitted to the first layer."""
    noise = fits.noise[0]
    gates, waits = (chip.program.layer(noise.layer) for chip in (fits.gates, fits.waits))
    codes = fits.gates.gates.get(noise.layer)
    kinds = {
        "drawn τ": Neurons(drawn=True),
        "noise": Neurons.with_noise(noise.amplitude, noise.stand_in.threshold_factor),
        "mean τ": Neurons(),
        "gates": Neurons(factor=gates.threshold_factor, gate=codes),
        "refractory": Neurons(
            factor=waits.threshold_factor, waits=fits.waits.settings[noise.layer]
        ),
    }
    return {name: run_neurons(kind) for name, kind in kinds.items()}


def curves_table(
    curves: Mapping[str, Curve], value: Callable[[Curve], np.ndarray]
) -> list[list[str]]:
    """Rows of text: a value of each kind of neuron, by current."""
    table = [["current / threshold", *curves]]
    for point in POINTS:
        place = int(np.argmin(np.abs(CURRENTS / THRESHOLD - point)))
        cells = (value(curve)[place] for curve in curves.values())
        table.append([f"{point:.2f}", *("–" if np.isnan(c) else f"{c:.3f}" for c in cells)])
    return table


def waits_table() -> list[list[str]]:
    """Rows of text: what refractory noise costs a neuron that could spike at every step."""
    table = [["exponent, mantissa", "mean wait", "longest", f"spikes in {STEPS}", "Fano"]]
    for waits in WAITS:
        curve = run_neurons(Neurons(waits=waits))
        spikes = f"{STEPS * curve.rate[-1]:.2f}"
        setting = f"{waits.exponent}, {waits.mantissa}"
        table.append(
            [setting, f"{waits.mean:.3f}", str(waits.longest), spikes, f"{curve.fano[-1]:.3f}"]
        )
    return table


def check_on_lava(gated: Gated, seed: int) -> str:
    """Run a Program with gates on Lava too, and say how many values differ."""
    usable, why = lava_status()
    if not usable:
        return f"Not run on Lava: {why}"
    images = load("digits", None)[1].first(LAVA_IMAGES)
    engine, lava = (
        run(gated.gated, images, backend=backend, seed=seed, probes=PROBES)
        for backend in ("engine", "lava")
    )
    compared = compare_records(engine, lava)
    wrong, values = (sum(getattr(c, n) for c in compared) for n in ("mismatches", "compared"))
    return f"Engine and Lava, {len(images)} images with gates: {wrong} of {values} values differ"


def main() -> None:
    """Print the tables and draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("figure", type=Path)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--images", type=int, default=SETTINGS["digits"].test_images)
    parser.add_argument("--attacked-images", type=int, default=SETTINGS["digits"].attacked_images)
    parser.add_argument("--keep", type=Path, help="Folder of your own, for finished seeds.")
    options = parser.parse_args()
    torch.set_num_threads(1)
    kept = joblib.Memory(options.keep, verbose=0).cache(study)
    output, attack = Output(as_json=False), SETTINGS["digits"].attack
    asked = Asked(options.trials, options.images, options.attacked_images, attack)
    seeds = range(options.first_seed, options.first_seed + options.seeds)
    found: list[Rows] = []
    fits: dict[int, Fits] = {}
    for seed in seeds:
        rows, fits[seed] = kept(seed, asked)
        found.append(rows)
        output.progress(f"seed {seed}: done")
    of = f"{asked.images} images, {asked.trials} trials, seeds {', '.join(map(str, seeds))}"
    attacks = f"{attack.name} on {asked.attacked} images"
    output.table(fits_table(fits), "Fits: gates, then refractory noise", text_columns=2)
    output.table(
        behind_table(fits),
        "Input of the next layer: squared error of the mean, in the variance over trials with drawn"
        "\ndecays, and ratio of the variances",
    )
    output.table(spikes_table(found), f"Spikes: differences in %, 90 % intervals\n{of}")
    output.table(answers_table(found), f"Answers: differences in points\n{of}; {attacks}")
    curves = curves_of(fits[seeds[0]])
    of = f"under a constant current, {SAMPLES} samples of {STEPS} steps"
    output.table(curves_table(curves, lambda curve: curve.rate), f"Spikes a step {of}")
    output.table(curves_table(curves, lambda curve: curve.fano), f"Fano factors {of}")
    output.table(waits_table(), "Refractory noise at four times the threshold")
    output.line(check_on_lava(fits[seeds[0]].gates, seeds[0]))
    draw_curves(curves, options.figure)
    output.line(f"Wrote {options.figure}")


if __name__ == "__main__":
    main()
