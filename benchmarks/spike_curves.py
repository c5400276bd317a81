"""Figure of one neuron under a constant current, with drawn decays and with additive noise.

    .venv/bin/python -m benchmarks.spike_curves docs/spike_curves.png

Every neuron is a random-τ LIF or its stand-in in the chip's integers, with currents from 0 to four
thresholds. The noise's amplitude and the threshold's factor are those that "stochi deploy --noise
membrane" finds for the first layer of the demo's network; give others with --amplitude, --factor.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from stochi.commands.console import Output
from stochi.deploy.lowering.stand_in import make_stand_in
from stochi.hardware.decays import decay_table, draw_decays
from stochi.hardware.distributions import LogitNormal
from stochi.hardware.draws import Draws
from stochi.hardware.fixed_point import DECAY_UNITY
from stochi.hardware.neuron import NeuronKind, NeuronParameters, NeuronState, fire, integrate
from stochi.hardware.noise import draw_generator, generator_mean

STEPS, SAMPLES = 8, 4000
SCALE = 2.0**13
THRESHOLD = 0.5
CURRENTS = np.arange(0, 2.001, 0.02)


@dataclass(frozen=True)
class Curve:
    """A neuron's spikes, by current.

    Attributes:
        rate: spikes per time step.
        fano: variance over trials of a window's spikes over their mean; NaN without spikes.
    """

    rate: np.ndarray
    fano: np.ndarray


def run_neurons(kind: str, amplitude: float, factor: float) -> Curve:
    """Run one kind of neuron: "drawn τ", "noise" or "mean τ"."""
    stand_in = make_stand_in("membrane", amplitude, SCALE, factor)
    assert stand_in.generator is not None
    scale = stand_in.scale if kind == "noise" else SCALE
    threshold = round(THRESHOLD * scale * (factor if kind == "noise" else 1.0))
    samples, neurons = np.arange(SAMPLES), np.arange(len(CURRENTS))
    draws = Draws()
    table = decay_table(LogitNormal(), 8)
    drawn = kind == "drawn τ"
    # A stock neuron's gain, ½, is in its weights.
    synaptic = np.rint(CURRENTS * (1.0 if drawn else 0.5) * scale).astype(np.int64)[None, :]
    state = NeuronState(np.zeros((SAMPLES, len(CURRENTS)), np.int64), 0, 0)
    counts = np.zeros_like(state.membrane)
    for step in range(STEPS):
        keep: int | np.ndarray = DECAY_UNITY // 2
        noise: int | np.ndarray = 0
        if drawn:
            keep = draw_decays(table, samples, neurons, draws.at(0, step), redraw=True)
        elif kind == "noise":
            generator = stand_in.generator
            noise = draw_generator(
                samples, neurons, draws.at(0, step), generator.mantissa, generator.exponent
            )
            noise = noise - round(generator_mean(generator.mantissa, generator.exponent))
        parameters = NeuronParameters(keep, 0, noise, threshold)
        state = integrate(state, synaptic, parameters, NeuronKind(drawn))._replace(current=0)
        spikes, state = fire(state, threshold, NeuronKind(drawn))
        state = state._replace(waiting=0)
        counts += spikes
    with np.errstate(invalid="ignore", divide="ignore"):
        fano = np.where(counts.mean(0) > 0.01, counts.var(0, ddof=1) / counts.mean(0), np.nan)
    return Curve(counts.mean(0) / STEPS, fano)


def main() -> None:
    """Print some points and write the figure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("figure", type=Path)
    parser.add_argument("--amplitude", type=float, default=0.2916)
    parser.add_argument("--factor", type=float, default=1.1399)
    options = parser.parse_args()
    curves = {
        kind: run_neurons(kind, options.amplitude, options.factor)
        for kind in ("drawn τ", "noise", "mean τ")
    }
    rows = [
        ["current / threshold", *(f"{k}: rate" for k in curves), "drawn τ: Fano", "noise: Fano"]
    ]
    for current in (0.4, 0.5, 0.52, 0.6, 0.8, 1.0, 1.5, 2.0):
        place = int(np.argmin(np.abs(CURRENTS - current)))
        rates = [f"{curve.rate[place]:.3f}" for curve in curves.values()]
        fanos = [f"{curves[kind].fano[place]:.3f}" for kind in ("drawn τ", "noise")]
        rows.append([f"{current / THRESHOLD:.2f}", *rates, *fanos])
    output = Output(as_json=False)
    output.table(rows, f"A neuron under a constant current, {SAMPLES} samples of {STEPS} steps")
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    left, right = figure.subplots(1, 2)
    for kind, curve in curves.items():
        left.plot(CURRENTS / THRESHOLD, curve.rate, label=kind)
        right.plot(CURRENTS / THRESHOLD, curve.fano, label=kind)
    left.set(xlabel="current / threshold", ylabel="spikes a step")
    right.set(xlabel="current / threshold", ylabel="Fano factor of 8 steps' spikes")
    left.legend()
    figure.savefig(options.figure, dpi=120)
    output.line(f"Wrote {options.figure}")


if __name__ == "__main__":
    main()
